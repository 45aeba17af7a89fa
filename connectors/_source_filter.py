"""Which fields a client's ``_source`` filter shows.

Sources: "Source filtering" in "Retrieve selected fields", Elasticsearch 7.10 to 9 and OpenSearch 1.3 to 3 manuals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from connectors._search_request import Search
from connectors._wildcard import is_pattern, matches

PARAMETERS = frozenset({"_source", "_source_includes", "_source_excludes", "_source_include", "_source_exclude"})


class _Filter(NamedTuple):
    includes: tuple[str, ...]
    """None of them: everything."""
    excludes: tuple[str, ...]


def shows_all(search: Search, names: Iterable[str]) -> bool:
    """Whether the part of a document that the client asked for has all of these fields, as far as the document has."""
    asked = _asked(search)
    return asked is not None and all(_shows(asked, name) for name in names)


def _shows(asked: _Filter, name: str) -> bool:
    # Whether ``a.b`` is a field of an object or a sub-field of the mapping, which no document has, can't be told.
    root = name.partition(".")[0]
    is_included = not asked.includes or any(matches(entry, root) for entry in asked.includes)
    return is_included and not is_pattern(name) and not any(_may_cut(entry, root) for entry in asked.excludes)


def _may_cut(excluded: str, root: str) -> bool:
    fixed, star, _ = excluded.partition("*")
    return excluded == root or excluded.startswith(f"{root}.") or (bool(star) and root.startswith(fixed))


def _asked(search: Search) -> _Filter | None:
    """The filter; None where there is none, or it is not clear how the engine reads it."""
    parameters = {name: search.parameters[name] for name in PARAMETERS if name in search.parameters}
    value = _as_in_body(parameters) if parameters else search.value("_source")
    if not isinstance(value, dict):
        value = {"includes": value}
    if not value.keys() <= {"includes", "excludes"}:
        return None
    includes, excludes = _names(value.get("includes", [])), _names(value.get("excludes", []))
    return None if includes is None or excludes is None else _Filter(includes, excludes)


def _as_in_body(parameters: Mapping[str, str]) -> object:
    """The URL's filter as a body would have it; None where both ways to include are used."""
    listed = {name.removeprefix("_source_"): value.split(",") for name, value in parameters.items()}
    shown = listed.pop("_source", ["true"])
    if shown != ["true"]:
        return None if listed or shown == ["false"] else shown
    return listed


def _names(value: object) -> tuple[str, ...] | None:
    names = value if isinstance(value, list) else [value]
    known = tuple(name for name in names if isinstance(name, str))
    return known if len(known) == len(names) else None
