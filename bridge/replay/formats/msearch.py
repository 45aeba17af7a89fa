"""Bodies of ``_msearch``: a line with the header of a search, then one with its body, and so on.

Source: "Multi search API", Elasticsearch 7 to 9 and OpenSearch 1 to 3 manuals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

import msgspec

from bridge.replay.formats.base import Format, Head, Log, Notes, ReadOptions
from bridge.replay.formats.lines import lines_of
from bridge.replay.formats.strip import without
from bridge.replay.logged import Broken, LoggedSearch

NAME = "_msearch"
_HEADER_KEYS = frozenset(
    {
        "index",
        "search_type",
        "preference",
        "routing",
        "ignore_unavailable",
        "allow_no_indices",
        "expand_wildcards",
        "request_cache",
        "allow_partial_search_results",
        "ccs_minimize_roundtrips",
        "ignore_throttled",
    }
)
_BODY_KEYS = frozenset({"query", "size", "from", "aggs", "aggregations", "knn", "sort", "_source", "retriever"})


def _recognises(head: Head) -> bool:
    if len(head.lines) < 2:  # noqa: PLR2004 - a header and a body
        return False
    header, body = (_object(line) for line in head.lines[:2])
    is_header = header is not None and header.keys() <= _HEADER_KEYS
    return is_header and body is not None and bool(body.keys() & _BODY_KEYS or not body)


def _read(path: Path, options: ReadOptions) -> Log:
    return Log(NAME, _entries(path, options), Notes())


def _entries(path: Path, options: ReadOptions) -> Iterator[LoggedSearch | Broken]:
    header: Mapping[str, object] | None = None
    for place, line in lines_of(path):
        found = _object(line)
        if header is None:
            header = found if found is not None else {}
            if found is None:
                yield Broken(place, "is no header of a search")
        else:
            yield search_of(place, header, line, options) if found is not None else Broken(place, "is no search body")
            header = None
    if header is not None:
        yield Broken(str(path), "ends with the header of a search that has no body")


def search_of(place: str, header: Mapping[str, object], body: bytes, options: ReadOptions) -> LoggedSearch:
    """One search of several, as if it had been sent alone. ``body`` is JSON."""
    named = header.get("index", options.index)
    index = ",".join(map(str, named)) if isinstance(named, list) else str(named or "")
    parameters = {name: _parameter(value) for name, value in header.items() if name != "index" and value is not None}
    path = f"/{quote(index, safe=',*')}/_search" if index else "/_search"
    query = f"?{urlencode(parameters)}" if parameters else ""
    return LoggedSearch(place, "POST", path + query, without(body.strip(), options.strip))


def _parameter(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _object(line: bytes) -> dict[str, object] | None:
    try:
        content = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return content if isinstance(content, dict) else None


FORMAT = Format(NAME, _recognises, _read)
