"""HTTP archives that a browser writes: the searches among all that a page loaded.

For pages that search from the browser, as Searchkit's and InstantSearch's do. Source: "HAR 1.2 Spec", and what Chrome
and Firefox write. The file is one JSON text, so it is read whole.
"""

from __future__ import annotations

import base64
import binascii
import gzip
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from bridge.errors import DataError
from bridge.replay.formats.base import Format, Head, Log, Notes, ReadOptions
from bridge.replay.formats.msearch import search_of
from bridge.replay.formats.strip import without
from bridge.replay.logged import Broken, LoggedSearch
from bridge.replay.reads import is_search

NAME = "HTTP archive (HAR)"
_MAX_BYTES = 1 << 30
_OTHERS = "requests that are no searches were passed over"


class _PostData(msgspec.Struct, rename="camel"):
    text: str = ""
    mime_type: str = "application/json"
    encoding: str = ""


class _Request(msgspec.Struct, rename="camel"):
    method: str
    url: str
    post_data: _PostData | None = None


class _Entry(msgspec.Struct, rename="camel"):
    request: _Request
    started_date_time: str = ""


class _Log(msgspec.Struct):
    entries: list[_Entry]


class _Archive(msgspec.Struct):
    log: _Log


def _recognises(head: Head) -> bool:
    start = b" ".join(head.lines[:20])
    return start.lstrip().startswith(b"{") and b'"log"' in start[:200] and b'"version"' in start


def _read(path: Path, options: ReadOptions) -> Log:
    notes = Notes()
    return Log(NAME, _entries(path, options, notes), notes)


def _entries(path: Path, options: ReadOptions, notes: Notes) -> Iterator[LoggedSearch | Broken]:
    for number, entry in enumerate(_archive(path).log.entries, start=1):
        place = f"{path}: entry {number}"
        parts = urlsplit(entry.request.url)
        if not is_search(entry.request.method, parts.path):
            notes.add(_OTHERS)
            continue
        body = _body(entry.request.post_data)
        if body is None:
            yield Broken(place, "has a body that can't be read")
        elif parts.path.endswith("/_msearch"):
            yield from _several(place, body, options)
        else:
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            yield _one(place, entry, target, body, options)


def _one(place: str, entry: _Entry, target: str, body: bytes, options: ReadOptions) -> LoggedSearch | Broken:
    try:
        stripped = without(body, options.strip)
    except msgspec.DecodeError:
        return Broken(place, "has a body that is no JSON")
    content_type = entry.request.post_data.mime_type if entry.request.post_data is not None else "application/json"
    return LoggedSearch(
        place, entry.request.method, target, stripped, content_type, at_s=_seconds(entry.started_date_time)
    )


def _several(place: str, body: bytes, options: ReadOptions) -> Iterator[LoggedSearch | Broken]:
    lines = [line for line in body.splitlines() if line.strip()]
    for number, (header, search) in enumerate(list(pairwise(lines))[::2], start=1):
        try:
            yield search_of(f"{place}, search {number}", msgspec.json.decode(header), search, options)
        except (msgspec.DecodeError, AttributeError):
            yield Broken(f"{place}, search {number}", "is no search")


def _body(data: _PostData | None) -> bytes | None:
    if data is None:
        return b""
    if data.encoding != "base64":
        return data.text.encode()
    try:
        return base64.b64decode(data.text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _archive(path: Path) -> _Archive:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        if len(content) > _MAX_BYTES:
            raise DataError(str(path), "is larger than 1 GiB: save the searches alone")
        return msgspec.json.decode(content, type=_Archive)
    except (OSError, EOFError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(str(path), f"is no HTTP archive: {error}") from error


def _seconds(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


FORMAT = Format(NAME, _recognises, _read)
