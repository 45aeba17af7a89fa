"""Files of lines, gzipped or not, with the place of each line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from bridge.errors import DataError

_HEAD_BYTES = 1 << 16
_GZIP = b"\x1f\x8b"
_MAX_LINE_BYTES = 16 << 20
"""Longer lines are no searches, queries or documents that an engine would index: real ones are KiB, and a request of
100 MB is refused."""


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a file, or a folder."""

    path: Path
    lines: tuple[bytes, ...]
    """The first lines that are not blank, the last one perhaps cut; none of a folder."""
    is_folder: bool = False

    @property
    def first(self) -> bytes:
        """The first line; empty where there is none."""
        return self.lines[0] if self.lines else b""


def lines_of(path: Path) -> Iterator[tuple[str, bytes]]:
    """``file:line`` and content of each line that is not blank. Raises ``DataError`` where the file can't be read.

    What is behind 16 MiB of a line comes as a line of its own, with the same place.
    """
    number = 0
    try:
        with _opened(path) as file:
            for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE_BYTES), b""), start=1):
                if line.strip():
                    yield f"{path}:{number}", line
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}:{number + 1}", f"can't be read: {error}") from error


def read_head(path: Path) -> Head:
    """The beginning of a file, or that it is a folder. Raises ``DataError`` where it can't be read."""
    if path.is_dir():
        return Head(path, (), is_folder=True)
    try:
        with _opened(path) as file:
            content = file.read(_HEAD_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(str(path), f"can't be read: {error}") from error
    return Head(path, tuple(line for line in content.splitlines() if line.strip()))


def read_whole(path: Path, max_bytes: int) -> bytes:
    """All of a file. Raises ``DataError`` where it can't be read, or has more than ``max_bytes``."""
    try:
        with _opened(path) as file:
            content = file.read(max_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(str(path), f"can't be read: {error}") from error
    if len(content) > max_bytes:
        raise DataError(str(path), f"has more than {max_bytes:,} bytes")
    return content


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        is_packed = file.read(2) == _GZIP
    return cast("BinaryIO", gzip.open(path)) if is_packed else path.open("rb")
