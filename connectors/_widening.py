"""What a widened search asks for beside the client's own wishes, so that a model has text to read.

``Restore`` remembers what to take out of the reply again. Sources: "Retrieve selected fields", "Search API" and
"Response filtering", Elasticsearch 7.10 to 9 and OpenSearch 1.3 to 3 manuals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from connectors import _filter_path, _sort_override
from connectors._search_request import BOOLEANS, DeclinedError, Search, sort_keys
from connectors._wildcard import is_pattern, matches
from connectors.base import Reason, TextField

_SOURCE_PARAMETERS = frozenset(
    {"_source", "_source_includes", "_source_excludes", "_source_include", "_source_exclude"}
)
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


class Widening(NamedTuple):
    body: Mapping[str, object]
    parameters: Mapping[str, str]
    restore: Restore


def widen(search: Search, text_fields: tuple[TextField, ...], *, overrides_sort: bool) -> Widening:
    """What to ask for beside the client's own wishes, so that a model has text to read."""
    value = search.parameters.get("filter_path", "")
    shown = _filter_path.parse(value)
    fetch_source = _fetched_source(search)
    reads_source = fetch_source == "whole" and not shown.shows_part_of(*_HIT, "_source")
    if not shown.shows(*_HIT) or (not reads_source and shown.shows_part_of(*_HIT, "fields")):
        raise DeclinedError(Reason.FILTER_PATH)
    asked = tuple(_asked_names(search))
    added = () if reads_source else _added_fields(text_fields, asked, fetches_some_source=fetch_source == "part")
    wider = _filter_path.widened(value, ("_score", "_source" if reads_source else "fields"))
    if wider is None:
        raise DeclinedError(Reason.FILTER_PATH)
    hidden = {key for key in ("_source", "fields") if not shown.shows(*_HIT, key)}
    if not shown.shows_scalar(*_HIT, "_score"):
        hidden.add("_score")
    if added and not asked:
        hidden |= {"fields", "ignored_field_values"}
    restore = Restore(
        hit_keys=frozenset(hidden),
        fields_asked=asked if added and asked else None,
        score_in_sort=bool(sort_keys(search)) and not overrides_sort,
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
    return Widening(body, parameters, restore)


def _tracks_scores(search: Search) -> bool:
    """Whether hits have scores beside their sort."""
    parameter = search.parameters.get("track_scores")
    return search.value("track_scores") in (True, "true") if parameter is None else BOOLEANS.get(parameter, True)


def _fetched_source(search: Search) -> Literal["whole", "part", "none"]:
    """How much of its document the client gets with a hit."""
    named = _SOURCE_PARAMETERS & search.parameters.keys()
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
