"""OpenSearch User Behavior Insights: lines of ``ubi_queries``, as exported or as search hits with ``_source``.

The plugin logs the search body that the engine parsed, in which its own keys stand flat in ``ext`` (``query_id``,
``user_query``, ``client_id`` ...): no engine accepts them back, so they are taken out. Source: "UBI index schemas" and
"ubi_queries", OpenSearch 2.15 to 3 manual; plugin opensearch-project/user-behavior-insights, ``UbiQuery``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import msgspec

from bridge.replay.formats.base import Format, Head, Log, Notes, ReadOptions
from bridge.replay.formats.lines import lines_of
from bridge.replay.formats.strip import without
from bridge.replay.logged import Broken, LoggedSearch

NAME = "User Behavior Insights (ubi_queries)"
_PLUGIN_KEYS = ("query_id", "user_query", "client_id", "object_id_field", "application", "query_attributes", "ubi")
_EXT_NOTE = "the keys that the plugin wrote into ext were taken out: no engine accepts them back"
_MS = 1_000


class _Entry(msgspec.Struct):
    query: str | dict[str, object] | None = None
    user_query: str = ""
    query_id: str = ""
    timestamp: int | float | str | None = None


class _Exported(msgspec.Struct):
    source: msgspec.Raw = msgspec.field(name="_source", default=msgspec.Raw(b""))


_ENTRY = msgspec.json.Decoder(_Entry)
_EXPORTED = msgspec.json.Decoder(_Exported)


def _recognises(head: Head) -> bool:
    return b'"query_id"' in head.first and b'"user_query"' in head.first and b'"action_name"' not in head.first


def _read(path: Path, options: ReadOptions) -> Log:
    notes = Notes()
    return Log(NAME, _entries(path, options, notes), notes)


def _entries(path: Path, options: ReadOptions, notes: Notes) -> Iterator[LoggedSearch | Broken]:
    target = f"/{quote(options.index, safe=',*')}/_search" if options.index else "/_search"
    for place, line in lines_of(path):
        try:
            source = _EXPORTED.decode(line).source
            entry = _ENTRY.decode(bytes(source) or line)
            body = _body(entry, options, notes)
        except (msgspec.DecodeError, UnicodeDecodeError):
            yield Broken(place, "is no query of User Behavior Insights, or its search body no JSON")
            continue
        if body is None:
            yield Broken(place, "has no search body: its query is empty")
            continue
        yield LoggedSearch(
            place,
            "POST",
            target,
            body,
            at_s=_seconds(entry.timestamp),
            query_text=entry.user_query,
            query_id=entry.query_id,
        )


def _body(entry: _Entry, options: ReadOptions, notes: Notes) -> bytes | None:
    """The search body as an engine takes it. Raises ``msgspec.DecodeError``."""
    raw = entry.query.encode() if isinstance(entry.query, str) else msgspec.json.encode(entry.query)
    content = msgspec.json.decode(raw) if raw.strip() else None
    if not isinstance(content, dict):
        return None
    ext = content.get("ext")
    if isinstance(ext, dict) and ext.keys() & set(_PLUGIN_KEYS):
        notes.add(_EXT_NOTE)
        kept = {name: value for name, value in ext.items() if name not in _PLUGIN_KEYS}
        content = {name: value for name, value in content.items() if name != "ext"} | ({"ext": kept} if kept else {})
        raw = msgspec.json.encode(content)
    return without(raw, options.strip)


def _seconds(timestamp: float | str | None) -> float | None:
    if isinstance(timestamp, int | float):
        return timestamp / _MS
    try:
        return datetime.fromisoformat(timestamp).timestamp() if timestamp else None
    except ValueError:
        return None


FORMAT = Format(NAME, _recognises, _read)
