"""The search request that Elasticsearch and OpenSearch share -> a plan, or why the search is left alone.

Sources: "Search API", Elasticsearch 7.10 to 9 and OpenSearch 1.3 to 3 manuals. The widened request differs in ``from``
and ``size``, and in what ``connectors._widening`` asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from connectors import _codings, _promote, _sort_override, configured_words, query_text
from connectors._dialect import Dialect
from connectors._raw_json import RawJsonError, decode, with_members
from connectors._search_request import DeclinedError, Search, count, is_by_score, read, sort_keys
from connectors._sizes import DEFAULT_SIZE
from connectors._widening import widen
from connectors.base import Answers, PassThrough, Policy, Questions, Reason, Request, SearchPlan, TextField

_REWRITTEN = frozenset({"content-length", "content-encoding", "transfer-encoding", "accept-encoding", "x-rerank"})


def plan_search(
    request: Request, policy: Policy, indices: tuple[str, ...], answers: Answers, dialect: Dialect
) -> SearchPlan | PassThrough | Questions:
    """The widened search, or why it is left alone, or what the engine has to be asked first."""
    del answers, dialect
    if not policy.is_on:
        return PassThrough(Reason.MODE_OFF)
    try:
        return _plan(request, policy, indices)
    except DeclinedError as declined:
        return PassThrough(declined.reason)
    except _codings.TooLargeError:
        return PassThrough(Reason.BODY_TOO_LARGE)
    except _codings.CodingError:
        return PassThrough(Reason.CONTENT_ENCODING)
    except RawJsonError:
        return PassThrough(Reason.NOT_JSON)


def _plan(request: Request, policy: Policy, indices: tuple[str, ...]) -> SearchPlan:
    search = read(request, policy)
    for reason, applies in _REFUSALS:
        if applies(search):
            raise DeclinedError(reason)
    overrides_sort = _overrides_sort(search, policy)
    start, size = _page(search, policy)
    meant, promoted = _meaning(search, policy)
    text_fields = policy.text_fields or tuple(TextField(name) for name in meant.fields)
    widening = widen(search, text_fields, overrides_sort=overrides_sort)
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


def _has_inner_hits(search: Search) -> bool:
    collapse = search.value("collapse")
    return isinstance(collapse, dict) and "inner_hits" in collapse


def _names_pipeline(search: Search) -> bool:
    ext = search.value("ext")
    return search.has("search_pipeline") or (isinstance(ext, dict) and "rerank" in ext)


def _disables_stored_fields(search: Search) -> bool:
    value = search.parameters.get("stored_fields") or search.value("stored_fields")
    return value in ("_none_", ["_none_"])


def _page(search: Search, policy: Policy) -> tuple[int, int]:
    """The client's ``from`` and ``size``."""
    start, size = count(search, "from", 0), count(search, "size", DEFAULT_SIZE)
    if size == 0:
        raise DeclinedError(Reason.SIZE_ZERO)
    if start >= policy.window:
        raise DeclinedError(Reason.BEYOND_WINDOW)
    return start, size


def _overrides_sort(search: Search, policy: Policy) -> bool:
    """Whether the client's sort is to give way to the scores; declines where it is to stand."""
    keys = sort_keys(search)
    if not keys or is_by_score(keys[0]):
        return False
    if not policy.sort_override or not _sort_override.is_possible(search.asks, keys):
        raise DeclinedError(Reason.SORTED)
    return True


_REFUSALS: tuple[tuple[Reason, Callable[[Search], bool]], ...] = (
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


def _meaning(search: Search, policy: Policy) -> tuple[query_text.QueryText, object]:
    """What the search means, and the query to ask in place of its own so that the words rank; None: its own."""
    meant, promoted = _read_meaning(search, policy)
    meant = configured_words.configured(meant, decode(search.body), policy)
    if isinstance(meant, Reason):
        raise DeclinedError(meant)
    return meant, promoted


def _read_meaning(search: Search, policy: Policy) -> tuple[query_text.QueryText | Reason, object]:
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


def _widened_request(
    request: Request, search: Search, body: Mapping[str, object], changed: Mapping[str, str]
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
