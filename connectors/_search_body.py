"""The search request that Elasticsearch and OpenSearch share -> a plan, or why the search is left alone.

Sources: "Search API" (URL parameters and body), Elasticsearch 7.10 to 9 and OpenSearch 1.3 to 3 manuals. URL
parameters win over the body, as in the engines. The widened request differs in ``from`` and ``size``, and in ``fields``
or ``filter_path`` where the client does not fetch the text that a model needs to read; ``Restore`` remembers what to
take out of the reply again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeGuard
from urllib.parse import parse_qsl, urlencode

from connectors import _codings, _filter_path, _promote, _sort_override, configured_words, query_text
from connectors._dialect import Dialect
from connectors._raw_json import Member, RawJsonError, decode, members, with_members
from connectors._wildcard import is_pattern, matches
from connectors.base import Answers, PassThrough, Policy, Questions, Reason, Request, SearchPlan, TextField

DEFAULT_SIZE = 10
_MAX_INT = 2**31 - 1
_SOURCE_PARAMETERS = frozenset(
    {"_source", "_source_includes", "_source_excludes", "_source_include", "_source_exclude"}
)
_FIELDS_BLOCK = ("fields", "docvalue_fields", "stored_fields", "script_fields")
_HIT = ("hits", "hits")
_READ_OTHERWISE = re.compile(r";|%(?![0-9A-Fa-f]{2})")
"""In a query string: a separator to some versions of the engines and a character to others, and broken escapes."""
_MAX_DIGITS = 10  # of a 32-bit number
_BOOLEANS = {"true": True, "false": False}
_REWRITTEN = frozenset({"content-length", "content-encoding", "transfer-encoding", "accept-encoding", "x-rerank"})


@dataclass(frozen=True, slots=True)
class Restore:
    """What the widened fetch brought that the client did not ask for."""

    hit_keys: frozenset[str] = frozenset()
    """Members of a hit to take out whole."""
    fields_asked: tuple[str, ...] | None = None
    """Patterns of the ``fields`` block that the client asked for; None: leave the block alone."""
    score_in_sort: bool = False
    """Whether the first sort value of a hit is its score."""
    drops_empty_hits: bool = False
    """Whether the engine leaves out what is empty, as it does with ``filter_path``."""
    score_before_sort: bool = False
    """Whether the score stands before the sort values that the client asked for."""
    nulls_scores: bool = False
    """Whether the engine computes no score for the client's own search."""


class _Search(NamedTuple):
    """A search as it was sent: its URL parameters and its body, decoded."""

    parameters: Mapping[str, str]
    body: bytes
    body_members: Mapping[str, Member]

    def raw(self, key: str) -> bytes | None:
        member = self.body_members.get(key)
        return member.value.of(self.body) if member is not None else None

    def value(self, key: str) -> object:
        raw = self.raw(key)
        return decode(raw) if raw is not None else None

    def has(self, *keys: str) -> bool:
        return any(key in self.parameters or key in self.body_members for key in keys)

    def asks(self, key: str) -> bool:
        """Whether it is there, and neither null nor false."""
        return self.parameters.get(key, self.value(key)) not in (None, False, "false")


class _DeclinedError(Exception):
    """The search is left alone; ends the planning from wherever that is found out."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def plan_search(
    request: Request, policy: Policy, indices: tuple[str, ...], answers: Answers, dialect: Dialect
) -> SearchPlan | PassThrough | Questions:
    """The widened search, or why it is left alone, or what the engine has to be asked first."""
    del answers, dialect
    if not policy.is_on:
        return PassThrough(Reason.MODE_OFF)
    try:
        return _plan(request, policy, indices)
    except _DeclinedError as declined:
        return PassThrough(declined.reason)
    except _codings.TooLargeError:
        return PassThrough(Reason.BODY_TOO_LARGE)
    except _codings.CodingError:
        return PassThrough(Reason.CONTENT_ENCODING)
    except RawJsonError:
        return PassThrough(Reason.NOT_JSON)


def _plan(request: Request, policy: Policy, indices: tuple[str, ...]) -> SearchPlan:
    search = _read(request, policy)
    for reason, applies in _REFUSALS:
        if applies(search):
            raise _DeclinedError(reason)
    overrides_sort = _overrides_sort(search, policy)
    start, size = _page(search, policy)
    meant, promoted = _meaning(search, policy)
    text_fields = policy.text_fields or tuple(TextField(name) for name in meant.fields)
    widening = _widen(search, text_fields, overrides_sort=overrides_sort)
    fetched = {"from": 0, "size": max(policy.window, start + size), **widening.body}
    if promoted is not None:
        fetched["query"] = promoted
    return SearchPlan(
        request=_widened_request(request, search, fetched, widening.parameters),
        query_text=meant.text,
        text_fields=text_fields,
        start=start,
        size=size,
        policy=policy,
        indices=indices,
        is_reordered=overrides_sort or promoted is not None,
        restore=widening.restore,
    )


def _read(request: Request, policy: Policy) -> _Search:
    if _READ_OTHERWISE.search(request.query_string):
        raise _DeclinedError(Reason.BODY_SHAPE)
    parameters = parse_qsl(request.query_string, keep_blank_values=True, errors="surrogateescape")
    named = dict(parameters)
    if len(named) != len(parameters):
        raise _DeclinedError(Reason.BODY_SHAPE)
    body = _codings.decoded(request.body, request.header("content-encoding"), policy.max_body_bytes)
    media_type = request.header("content-type")
    if not body and "source" in named:
        body = named.pop("source").encode(errors="surrogateescape")
        media_type = named.pop("source_content_type", None)
    # Without a body too: the engines reply in the format of the request.
    if (body or media_type is not None) and not _codings.is_json(media_type):
        raise _DeclinedError(Reason.CONTENT_TYPE)
    if _codings.asks_for_another_format(named.get("format") or request.header("accept") or ""):
        raise _DeclinedError(Reason.REPLY_FORMAT)
    body = body or b"{}"
    decode(body)
    search = _Search(named, body, members(body))
    if not isinstance(search.value("fields"), list | None):
        raise _DeclinedError(Reason.BODY_SHAPE)
    return search


def _has_inner_hits(search: _Search) -> bool:
    collapse = search.value("collapse")
    return isinstance(collapse, dict) and "inner_hits" in collapse


def _names_pipeline(search: _Search) -> bool:
    ext = search.value("ext")
    return search.has("search_pipeline") or (isinstance(ext, dict) and "rerank" in ext)


def _disables_stored_fields(search: _Search) -> bool:
    value = search.parameters.get("stored_fields") or search.value("stored_fields")
    return value in ("_none_", ["_none_"])


def _page(search: _Search, policy: Policy) -> tuple[int, int]:
    """The client's ``from`` and ``size``."""
    start, size = _count(search, "from", 0), _count(search, "size", DEFAULT_SIZE)
    if size == 0:
        raise _DeclinedError(Reason.SIZE_ZERO)
    if start >= policy.window:
        raise _DeclinedError(Reason.BEYOND_WINDOW)
    return start, size


def _count(search: _Search, key: str, default: int) -> int:
    in_body = search.value(key) if key in search.body_members else default
    text = search.parameters.get(key, "0")
    in_url = int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else None
    if not _is_count(in_body) or not _is_count(in_url):  # the engine may read it otherwise, or refuse it
        raise _DeclinedError(Reason.BODY_SHAPE)
    return in_url if key in search.parameters else in_body


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_INT


def _overrides_sort(search: _Search, policy: Policy) -> bool:
    """Whether the client's sort is to give way to the scores; declines where it is to stand."""
    keys = _sort_keys(search)
    if not keys or _is_by_score(keys[0]):
        return False
    if not policy.sort_override or not _sort_override.is_possible(search.asks, keys):
        raise _DeclinedError(Reason.SORTED)
    return True


def _sort_keys(search: _Search) -> list[object]:
    """The body's, then those of the URL: the one parameter that adds to the body instead of replacing it."""
    value = search.value("sort")
    in_body = value if isinstance(value, list) else [value] if value is not None else []
    names = [name.strip() for name in search.parameters.get("sort", "").split(",")]
    return [*in_body, *(dict([name.split(":", 1)]) if ":" in name else name for name in names if name)]


def _is_by_score(key: object) -> bool:
    if key == "_score":
        return True
    if not isinstance(key, dict) or list(key) != ["_score"]:
        return False
    order = key["_score"].get("order", "desc") if isinstance(key["_score"], dict) else key["_score"]
    return isinstance(order, str) and order.lower() == "desc"


_REFUSALS: tuple[tuple[Reason, Callable[[_Search], bool]], ...] = (
    (Reason.SCROLL, lambda search: search.has("scroll")),
    (Reason.RETRIEVER, lambda search: search.has("retriever", "rank", "sub_searches")),
    (Reason.VECTOR_SEARCH, lambda search: search.has("knn")),
    (Reason.SEARCH_PIPELINE, _names_pipeline),
    (Reason.SEARCH_AFTER, lambda search: search.has("search_after")),
    (Reason.SLICE, lambda search: search.has("slice")),
    (Reason.RESCORE, lambda search: search.has("rescore")),
    (Reason.COLLAPSE_INNER_HITS, _has_inner_hits),
    (Reason.STORED_FIELDS_NONE, _disables_stored_fields),
)


def _meaning(search: _Search, policy: Policy) -> tuple[query_text.QueryText, object]:
    """What the search means, and the query to ask in place of its own so that the words rank; None: its own."""
    meant, promoted = _read_meaning(search, policy)
    meant = configured_words.configured(meant, decode(search.body), policy)
    if isinstance(meant, Reason):
        raise _DeclinedError(meant)
    return meant, promoted


def _read_meaning(search: _Search, policy: Policy) -> tuple[query_text.QueryText | Reason, object]:
    if "q" in search.parameters:
        words = _readable(search.parameters["q"])
        return query_text.read_query_string(words, search.parameters.get("df")), None
    query = search.value("query")
    meant, unscored = query_text.read(query), _promote.clauses(query)
    if not unscored or (isinstance(meant, Reason) and meant is not Reason.NO_QUERY_TEXT):
        return meant, None
    aggregations = [search.value(key) for key in ("aggs", "aggregations")]
    if policy.promote and _promote.is_possible(search.asks, aggregations):
        return query_text.read(_promote.words(unscored)), _promote.promoted(search.raw("query") or b"", unscored)
    return Reason.FILTER_ONLY if meant is Reason.NO_QUERY_TEXT else meant, None


def _readable(parameter: str) -> str:
    """A parameter whose bytes are not all UTF-8, as the engines read it."""
    return parameter.encode(errors="surrogateescape").decode(errors="replace")


class _Widening(NamedTuple):
    body: Mapping[str, object]
    parameters: Mapping[str, str]
    restore: Restore


def _widen(search: _Search, text_fields: tuple[TextField, ...], *, overrides_sort: bool) -> _Widening:
    """What to ask for beside the client's own wishes, so that a model has text to read."""
    value = search.parameters.get("filter_path", "")
    shown = _filter_path.parse(value)
    fetch_source = _fetched_source(search)
    reads_source = fetch_source == "whole" and not shown.shows_part_of(*_HIT, "_source")
    if not shown.shows(*_HIT) or (not reads_source and shown.shows_part_of(*_HIT, "fields")):
        raise _DeclinedError(Reason.FILTER_PATH)
    asked = tuple(_asked_names(search))
    added = () if reads_source else _added_fields(text_fields, asked, fetches_some_source=fetch_source == "part")
    wider = _filter_path.widened(value, ("_score", "_source" if reads_source else "fields"))
    if wider is None:
        raise _DeclinedError(Reason.FILTER_PATH)
    hidden = {key for key in ("_source", "fields") if not shown.shows(*_HIT, key)}
    if not shown.shows_scalar(*_HIT, "_score"):
        hidden.add("_score")
    if added and not asked:
        hidden |= {"fields", "ignored_field_values"}
    restore = Restore(
        hit_keys=frozenset(hidden),
        fields_asked=asked if added and asked else None,
        score_in_sort=bool(_sort_keys(search)) and not overrides_sort,
        score_before_sort=overrides_sort,
        nulls_scores=overrides_sort and not _tracks_scores(search),
        drops_empty_hits=bool(value),
    )
    body: dict[str, object] = {"fields": [*_listed(search.value("fields")), *added]} if added else {}
    parameters = {"filter_path": wider} if value else {}
    if overrides_sort:
        # In the body alone: the keys of the URL come behind those of the body.
        body |= {"sort": _sort_override.by_score_first(search.raw("sort")), "track_scores": True}
        parameters["track_scores"] = ""
    return _Widening(body, parameters, restore)


def _tracks_scores(search: _Search) -> bool:
    """Whether hits have scores beside their sort."""
    parameter = search.parameters.get("track_scores")
    return search.value("track_scores") in (True, "true") if parameter is None else _BOOLEANS.get(parameter, True)


def _fetched_source(search: _Search) -> Literal["whole", "part", "none"]:
    """How much of its document the client gets with a hit."""
    named = _SOURCE_PARAMETERS & search.parameters.keys()
    if named:
        wanted: object = _BOOLEANS.get(search.parameters["_source"], "") if named == {"_source"} else ""
    elif "_source" in search.body_members:
        wanted = search.value("_source")
    else:
        wanted = not search.has("stored_fields", "script_fields")
    return "whole" if wanted is True else "none" if wanted is False else "part"


def _added_fields(
    text_fields: tuple[TextField, ...], asked: tuple[str, ...], *, fetches_some_source: bool
) -> tuple[str, ...]:
    """The ``fields`` to fetch beside the client's; all of them where nothing else says what to read."""
    if text_fields:
        return tuple(field.name for field in text_fields if not any(_overlap(field.name, name) for name in asked))
    return () if asked or fetches_some_source else ("*",)


def _overlap(added: str, asked: str) -> bool:
    """Whether both may name one field: what the engine shows of it for the one could not be told from the other."""
    return matches(added, asked) or matches(asked, added) or (is_pattern(added) and is_pattern(asked))


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _asked_names(search: _Search) -> list[str]:
    """Names and patterns of everything that the client wants in a hit's ``fields`` block."""
    collapse = _entry_name(search.value("collapse"))  # its value stands there too
    names = [collapse] if collapse else []
    for key in _FIELDS_BLOCK:
        value = search.value(key)
        entries = value if isinstance(value, list) else list(value) if isinstance(value, dict) else [value]
        names += [name for entry in entries if (name := _entry_name(entry))]
        names += [name for name in search.parameters.get(key, "").split(",") if name]
    return names


def _entry_name(entry: object) -> str | None:
    name = entry.get("field") if isinstance(entry, dict) else entry
    return name if isinstance(name, str) else None


def _widened_request(
    request: Request, search: _Search, body: Mapping[str, object], changed: Mapping[str, str]
) -> Request:
    replaced = {"from", "size", *changed}
    kept = {name: value for name, value in search.parameters.items() if name not in replaced}
    query = urlencode({**kept, **{name: value for name, value in changed.items() if value}}, errors="surrogateescape")
    rewritten = _REWRITTEN if request.body else _REWRITTEN | {"content-type"}
    headers = [(name, value) for name, value in request.headers if name.lower() not in rewritten]
    codings = _codings.readable_codings(request.header("accept-encoding") or "")
    if codings:
        headers.append(("Accept-Encoding", codings))
    if not request.body:
        headers.append(("Content-Type", _codings.json_type_like(request.header("accept"))))
    return Request(
        method=request.method if request.body else "POST",
        target=f"{request.path}?{query}" if query else request.path,
        headers=tuple(headers),
        body=with_members(search.body, body),
    )
