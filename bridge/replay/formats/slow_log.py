"""The slow logs of Elasticsearch and OpenSearch, as lines of JSON or as plain text.

A slow log has a line for each shard and phase (query, fetch) of a search that took longer than a threshold; the lines
of one search, within a second of each other, count as one. Bodies stand there as the engine parsed them. Sources: "Slow
log", Elasticsearch 7.0 to 9 (JSON as ``index_search_slowlog`` until 7, ECS from 8 on); "Search shard slow logs" and
"Search request slow logs", OpenSearch 1 to 3.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from bridge.replay.formats.base import Format, Head, Log, Notes, ReadOptions
from bridge.replay.formats.lines import lines_of
from bridge.replay.formats.strip import without
from bridge.replay.logged import Broken, LoggedSearch

_SHARD = re.compile(r"\[(?P<index>[^\]\[]+)\]\[(?P<shard>\d+)\]")
_PLAIN = re.compile(
    rb"\[(?P<at>\d{4}-\d\d-\d\d[T ][\d:,.]+(?:Z|[+-]\d\d:?\d\d)?)\s*\]\s*\[\w+\s*\]\s*"
    rb"\[(?P<logger>[\w.]+)\s*\]\s*(?P<rest>.*)",
    re.DOTALL,
)
_LOGGERS = re.compile(rb"slowlog|i\.s\.s\.(?:query|fetch)|c\.s\.r\.slowlog|s\.r\.s")
_SOURCE = re.compile(r"(?:^|, )source\[")
_AFTER_SOURCE = re.compile(r"\](?:, (?:id|extra_source|routing)\[.*)?,?\s*$", re.DOTALL)
_SAME_SEARCH_S = 1.0
_KEPT = 1_000
"""Searches that later lines may belong to."""
_REPEATED = "lines of other shards and phases of the same searches were passed over"
_CUT_OFF = "the search body is cut off, or no JSON"


class _Line(NamedTuple):
    """What one line says."""

    at_s: float | None
    index_name: str
    source: str


_ReadLine = Callable[[bytes], _Line | None]
_Read = Callable[[Path, ReadOptions], Log]


class _Ecs(msgspec.Struct):
    at: str = msgspec.field(name="@timestamp", default="")
    message: str = msgspec.field(name="elasticsearch.slowlog.message", default="")
    source: str = msgspec.field(name="elasticsearch.slowlog.source", default="")
    query: str = msgspec.field(name="elasticsearch.slowlog.source_query", default="")
    dataset: str = msgspec.field(name="event.dataset", default="")


class _Json(msgspec.Struct):
    type: str = ""
    timestamp: str = ""
    message: str = ""
    source: str = ""


_ECS = msgspec.json.Decoder(_Ecs)
_JSON = msgspec.json.Decoder(_Json)


def _recognises_json(head: Head) -> bool:
    return any(word in head.first for word in (b"search_slowlog", b"elasticsearch.slowlog.", b"search_request_slowlog"))


def _recognises_text(head: Head) -> bool:
    found = _PLAIN.match(head.first)
    return found is not None and (b"source[" in head.first or _LOGGERS.search(found["logger"]) is not None)


def _json_line(line: bytes) -> _Line | None:
    """A search of a line of JSON; None where it is of another log. Raises ``msgspec.DecodeError``."""
    if b"elasticsearch.slowlog." in line:
        ecs = _ECS.decode(line)
        source = ecs.source or ecs.query
        return _Line(_seconds(ecs.at), _index(ecs.message), source) if "index_search" in ecs.dataset else None
    entry = _JSON.decode(line)
    is_search = "search_slowlog" in entry.type or "search_request" in entry.type
    return _Line(_seconds(entry.timestamp), _index(entry.message), entry.source) if is_search else None


def _text_line(line: bytes) -> _Line | None:
    """A search of a line of text; None where it is of another log. Raises ``UnicodeDecodeError``."""
    found = _PLAIN.match(line)
    if found is None:
        return None
    rest = found["rest"].decode()
    start = _SOURCE.search(rest)
    if start is None:
        return None
    source = rest[start.end() :]
    end = _AFTER_SOURCE.search(source)
    body = source[: end.start()] if end is not None else source
    if body.startswith('{\\"'):  # as some versions write it
        body = body.replace('\\"', '"').replace("\\\\", "\\")
    return _Line(_seconds(found["at"].decode()), _index(rest[: start.start()]), body)


def _reader(name: str, read_line: _ReadLine) -> _Read:
    def read(path: Path, options: ReadOptions) -> Log:
        notes = Notes()
        return Log(name, _entries(path, options, notes, read_line), notes)

    return read


def _entries(path: Path, options: ReadOptions, notes: Notes, read_line: _ReadLine) -> Iterator[LoggedSearch | Broken]:
    recent = _Recent()
    for place, line in lines_of(path):
        try:
            found = read_line(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            yield Broken(place, "is no line of a slow log")
            continue
        if found is None:
            continue
        if recent.has(found):
            notes.add(_REPEATED)
            continue
        try:
            body = without(found.source.encode(), options.strip)
            if not isinstance(msgspec.json.decode(body), dict):
                raise msgspec.DecodeError("no object")  # noqa: TRY301 - told as the others are
        except msgspec.DecodeError:
            yield Broken(place, _CUT_OFF)
            continue
        index = found.index_name or options.index
        target = f"/{quote(index, safe=',*')}/_search" if index else "/_search"
        yield LoggedSearch(place, "POST", target, body, at_s=found.at_s)


class _Recent:
    """The searches of the last second."""

    def __init__(self) -> None:
        self._at: OrderedDict[tuple[str, str], float] = OrderedDict()

    def has(self, line: _Line) -> bool:
        """Whether the line is about a search that a line before it was about; keeps it in mind."""
        key = (line.index_name, line.source)
        before = self._at.pop(key, None)
        if line.at_s is None:
            return False
        self._at[key] = line.at_s if before is None else before
        if len(self._at) > _KEPT:
            self._at.popitem(last=False)
        if before is not None and abs(line.at_s - before) < _SAME_SEARCH_S:
            return True
        self._at[key] = line.at_s
        return False


def _index(message: str) -> str:
    found = _SHARD.search(message)
    return found["index"] if found is not None else ""


def _seconds(text: str) -> float | None:
    """A log's time in seconds since 1970; one without a zone is read as UTC."""
    try:
        moment = datetime.fromisoformat(text.strip().replace(",", ".", 1))
    except ValueError:
        return None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


JSON = Format("slow log (JSON)", _recognises_json, _reader("slow log (JSON)", _json_line))
TEXT = Format("slow log (text)", _recognises_text, _reader("slow log (text)", _text_line))
