"""Logs of searches in the forms that teams have them, recognised by their content.

Each format is a module with a ``Format``; ``open_log`` takes the first one that knows the beginning of the file. Files
may be gzipped.
"""

from __future__ import annotations

from pathlib import Path

from bridge.errors import DataError
from bridge.replay.formats import capture, har, msearch, slow_log, ubi, words
from bridge.replay.formats.base import Format, Head, Log, ReadOptions
from bridge.replay.formats.lines import read_head

FORMATS: tuple[Format, ...] = (
    ubi.FORMAT,
    capture.FORMAT,
    slow_log.JSON,
    slow_log.TEXT,
    har.FORMAT,
    msearch.FORMAT,
    *words.FORMATS,
)
"""More telling ones first."""


def open_log(path: Path, options: ReadOptions) -> Log:
    """The searches of a file or folder. Raises ``DataError`` where no format fits, or it can't be read."""
    head = read_head(path)
    known = next((kind for kind in FORMATS if kind.recognises(head)), None)
    if known is None:
        names = ", ".join(kind.name for kind in FORMATS)
        raise DataError(str(path), f"is no log that can be read; there are {names}")
    return known.read(path, options)


__all__ = ["FORMATS", "Format", "Head", "Log", "ReadOptions", "open_log"]
