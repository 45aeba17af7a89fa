"""JSON files whose mistakes are told by line, though they are decoded at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from bridge.errors import DataError
from bridge.evaluate.lines import read_whole

_MAX_BYTES = 1 << 30
_BYTE = re.compile(r"\(byte (\d+)\)")

_Kind = TypeVar("_Kind")


class JsonText:
    """One JSON text."""

    def __init__(self, path: Path) -> None:
        """Raises ``DataError`` where the file can't be read, or is larger than 1 GiB."""
        self._path = path
        self._content = read_whole(path, _MAX_BYTES)

    def decode(self, kind: type[_Kind]) -> _Kind:
        """All of it. Raises ``DataError``: with the line where it is no JSON, else with the member that is wrong."""
        try:
            return msgspec.json.decode(self._content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DataError(self._place(error), str(error)) from error

    def each(self, raws: Sequence[msgspec.Raw], kind: type[_Kind]) -> Iterator[tuple[str, _Kind]]:
        """The parts, which come one after the other in the text, each with the line where it begins.

        Raises ``DataError`` at that line where one is not as it is meant to be.
        """
        at = line = 0
        for raw in raws:
            found = self._content.find(bytes(raw), at)
            line += self._content.count(b"\n", at, found)
            at = found
            place = f"{self._path}:{line + 1}"
            try:
                yield place, msgspec.json.decode(raw, type=kind)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise DataError(place, str(error)) from error
            at += len(bytes(raw))
            line += bytes(raw).count(b"\n")

    def _place(self, error: Exception) -> str:
        byte = _BYTE.search(str(error))
        if byte is not None:
            lines = self._content.count(b"\n", 0, int(byte[1])) + 1
            return f"{self._path}:{lines}"
        is_cut = "truncated" in str(error)
        return f"{self._path}:{len(self._content.splitlines())}" if is_cut else str(self._path)
