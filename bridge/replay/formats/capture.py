"""What ``rerank-bridge serve --capture DIR`` keeps: a folder of gzipped lines, or one such file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from bridge.capture import PATTERN, Captured
from bridge.replay.formats.base import Format, Head, Log, Notes, ReadOptions
from bridge.replay.formats.lines import lines_of, read_head
from bridge.replay.formats.strip import without
from bridge.replay.logged import Broken, LoggedSearch

NAME = "capture of a bridge"
_MARK = b"rerank_bridge_capture"


_DECODER = msgspec.json.Decoder(Captured)


def _recognises(head: Head) -> bool:
    if head.is_folder:
        file = next(iter(sorted(head.path.glob(PATTERN))), None)
        return file is not None and _recognises(read_head(file))
    return _MARK in head.first


def _read(path: Path, options: ReadOptions) -> Log:
    files = sorted(path.glob(PATTERN)) if path.is_dir() else [path]
    return Log(NAME, (entry for file in files for entry in _entries(file, options)), Notes())


def _entries(file: Path, options: ReadOptions) -> Iterator[LoggedSearch | Broken]:
    for place, line in lines_of(file):
        try:
            one = _DECODER.decode(line)
            body = without(one.body.encode(), options.strip)
        except (msgspec.DecodeError, UnicodeDecodeError):
            yield Broken(place, "is no captured search")
            continue
        yield LoggedSearch(place, one.method, one.target, body, one.content_type, at_s=one.at_s)


FORMAT = Format(NAME, _recognises, _read)
