"""What a widened search asks for beside the client's own wishes, so that a model has text to read.

``Restore`` remembers what to take out of the reply again. Sources: "Retrieve selected fields", "Search API" and
"Response filtering", Elasticsearch 7.10 to 9 and OpenSearch 1.3 to 3 manuals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from connectors import _filter_path, _sort_override, _source_filter
from connectors._highlight import Fragments, Highlighting, highlighting
from connectors._protected import exact_names
from connectors._search_request import BOOLEANS, DeclinedError, Search, sort_keys
from connectors._texts import Texts
from connectors._wildcard import is_pattern, matches
from connectors.base import Policy, Reason, TextField

_FIELDS_BLOCK = ("fields", "docvalue_fields", "stored_fields", "script_fields")
_HIT = ("hits", "hits")


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
    fragments: Fragments | None = None
    """How the engine's fragments are read; None: they are not."""
    in_document_order: bool = False
    """Whether fields are read in the order of the document, not in that of the plan."""


class Widening(NamedTuple):
    """What to send in place of the client's own members and parameters."""

    body: Mapping[str, object]
    parameters: Mapping[str, str]
    """Empty ones are left out."""
    restore: Restore


def widen(search: Search, texts: Texts, policy: Policy, *, overrides_sort: bool) -> Widening:
    """What to ask for beside the client's own wishes, so that a model has text to read."""
    value = search.parameters.get("filter_path", "")
    shown = _filter_path.parse(value)
    fetch = _fetch(search, texts, shown, exact_names(policy.exact_fields))
    marked = _highlighting(search, texts, policy, shown)
    keys = ("_score", fetch.key, "highlight") if marked is not None else ("_score", fetch.key)
    wider = _filter_path.widened(value, keys)
    if wider is None:
        raise DeclinedError(Reason.FILTER_PATH)
    restore = Restore(
        hit_keys=frozenset(_hidden(shown, fetch, marked)),
        fields_asked=fetch.asked if fetch.adds and fetch.asked else None,
        fragments=marked.fragments if marked is not None else None,
        in_document_order=texts.is_mapped,
        score_in_sort=bool(sort_keys(search)) and not overrides_sort,
        score_before_sort=overrides_sort,
        nulls_scores=overrides_sort and not _tracks_scores(search),
        drops_empty_hits=bool(value),
    )
    body = dict(fetch.adds)
    if marked is not None and marked.block is not None:
        body["highlight"] = marked.block
    parameters = {"filter_path": wider} if value else {}
    if overrides_sort:
        # In the body alone: the keys of the URL come behind those of the body.
        body |= {"sort": _sort_override.by_score_first(search.raw("sort")), "track_scores": True}
        parameters["track_scores"] = ""
    return Widening(body, parameters, restore)


class _Fetch(NamedTuple):
    """Where the text is read from."""

    key: str
    """The member of a hit: ``_source`` or ``fields``."""
    adds: Mapping[str, object]
    """Members of the search body that bring it."""
    asked: tuple[str, ...]
    """What the client wants to see in ``fields``."""


def _fetch(search: Search, texts: Texts, shown: _filter_path.FilterPath, exact: Sequence[str]) -> _Fetch:
    fetched = _fetched_source(search)
    stored = () if texts.stored is None or "stored_fields" in search.parameters else texts.stored
    names = [*(field.name for field in texts.fields), *exact]
    has_texts = fetched == "whole" or (fetched == "part" and _source_filter.shows_all(search, names))
    reads_source = not stored and has_texts and not shown.shows_part_of(*_HIT, "_source")
    if not shown.shows(*_HIT) or (not reads_source and shown.shows_part_of(*_HIT, "fields")):
        raise DeclinedError(Reason.FILTER_PATH)
    asked = tuple(_asked_names(search))
    if reads_source:
        return _Fetch("_source", {}, asked)
    if stored:
        added = tuple(name for name in stored if not any(_overlap(name, other) for other in asked))
        own = search.value("stored_fields")
        return _Fetch("fields", {"stored_fields": [*(own if isinstance(own, list) else _entries(own)), *added]}, asked)
    added = _added_fields(texts.fields, asked, fetches_some_source=fetched == "part")
    compared = [TextField(name) for name in exact if not any(_overlap(name, other) for other in added)]
    added += _added_fields(tuple(compared), asked, fetches_some_source=True)
    return _Fetch("fields", {"fields": [*_listed(search.value("fields")), *added]} if added else {}, asked)


def _entries(value: object) -> list[object]:
    return [] if value is None else [value]


def _highlighting(search: Search, texts: Texts, policy: Policy, shown: _filter_path.FilterPath) -> Highlighting | None:
    """The fragments to ask for or to read; None where the whole text is read, or no fragments can be had."""
    has_ranks = search.has("rank")  # which the engine does not allow beside a highlight
    own = search.raw("highlight")
    is_odd = own is not None and not own.startswith(b"{")
    if policy.long_documents != "highlight" or has_ranks or is_odd or shown.shows_part_of(*_HIT, "highlight"):
        return None
    return highlighting(own, [field.name for field in texts.fields])


def _hidden(shown: _filter_path.FilterPath, fetch: _Fetch, marked: Highlighting | None) -> Iterator[str]:
    """Members of a hit that the client does not see."""
    read = ("_source", "fields") if marked is None else ("_source", "fields", "highlight")
    yield from (key for key in read if not shown.shows(*_HIT, key))
    if not shown.shows_scalar(*_HIT, "_score"):
        yield "_score"
    if fetch.adds and not fetch.asked:
        yield from ("fields", "ignored_field_values")


def _tracks_scores(search: Search) -> bool:
    """Whether hits have scores beside their sort."""
    parameter = search.parameters.get("track_scores")
    return search.value("track_scores") in (True, "true") if parameter is None else BOOLEANS.get(parameter, True)


def _fetched_source(search: Search) -> Literal["whole", "part", "none"]:
    """How much of its document the client gets with a hit."""
    named = _source_filter.PARAMETERS & search.parameters.keys()
    if named:
        wanted: object = BOOLEANS.get(search.parameters["_source"], "") if named == {"_source"} else ""
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


def _asked_names(search: Search) -> list[str]:
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
