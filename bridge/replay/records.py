"""What came of each search, one line of JSON each, in a folder that a replay can be resumed in.

``run.json`` says what was replayed and how; ``searches.ndjson`` has the records in the order in which they ended, and
``broken.ndjson`` the places of the log that could not be read. A line that a killed run left unfinished is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

import msgspec

from bridge.errors import DataError
from bridge.replay.answers import Answer

_Line = TypeVar("_Line")

SEARCHES = "searches.ndjson"
RUN = "run.json"
BROKEN = "broken.ndjson"


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """One search and how each system answered it."""

    number: int
    """Of the entry in the log, from 0, those that could not be read counted."""
    place: str
    key: str
    """The same for equal searches, so that another run's answer can be found."""
    target: str
    answers: tuple[Answer, ...]
    """In the order of the run's systems."""
    query_text: str = ""
    query_id: str = ""
    weight: int = 1
    at_s: float | None = None
    """When it was sent as the log has it, in seconds since 1970."""
    sent_s: float | None = None
    """When it was sent in this run, in the same."""


class BrokenPlace(msgspec.Struct, frozen=True):
    """A place of the log that could not be read."""

    number: int
    place: str
    problem: str


class Run(msgspec.Struct, frozen=True):
    """What was replayed, and how."""

    sources: tuple[str, ...]
    systems: tuple[str, ...]
    """Their names, in the order of each record's answers."""
    settings: dict[str, str]
    """What decides which searches are sent, and to whom: a run is resumed with the same ones alone."""
    started: str
    """ISO 8601."""


_RECORD = msgspec.json.Decoder(Record)
_BROKEN = msgspec.json.Decoder(BrokenPlace)


class Numbers:
    """A set of numbers from 0, a bit each: those of a million lines take 125 KB."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, number: int) -> None:
        """Takes a number in."""
        place, bit = divmod(number, 8)
        if place >= len(self._bits):
            self._bits.extend(bytes(place + 1 - len(self._bits)))
        self._bits[place] |= 1 << bit

    def __contains__(self, number: int) -> bool:
        place, bit = divmod(number, 8)
        return place < len(self._bits) and bool(self._bits[place] >> bit & 1)


class RunFolder:
    """A run's folder, open for records; use it as a context manager.

    Raises ``DataError`` where there is another run in it, or one that is not to be resumed.
    """

    def __init__(self, folder: Path, run: Run, *, resume: bool) -> None:
        self.folder = folder
        self.run = run
        self.done = Numbers()
        """Of the entries that had a record when the folder was opened."""
        self._files: dict[str, BinaryIO] = {}
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / RUN).is_file():
            if not resume:
                raise DataError(str(folder), "holds a run already: go on with --resume, or give another folder")
            self._go_on()
        else:
            (folder / RUN).write_bytes(msgspec.json.format(msgspec.json.encode(run)))

    def _go_on(self) -> None:
        before = read_run(self.folder)
        if (before.sources, before.systems, before.settings) != (
            self.run.sources,
            self.run.systems,
            self.run.settings,
        ):
            raise DataError(str(self.folder), "holds a run of other searches or systems: give another folder")
        self.run = before
        for name in (SEARCHES, BROKEN):
            _drop_unfinished_line(self.folder / name)
        for entries in (read_records(self.folder), read_broken(self.folder)):
            for entry in entries:
                self.done.add(entry.number)

    def __enter__(self) -> Self:
        for name in (SEARCHES, BROKEN):
            self._files[name] = (self.folder / name).open("ab")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()

    def add(self, entry: Record | BrokenPlace) -> None:
        """Writes one line."""
        file = self._files[SEARCHES if isinstance(entry, Record) else BROKEN]
        file.write(msgspec.json.encode(entry) + b"\n")


def read_run(folder: Path) -> Run:
    """What a folder holds. Raises ``DataError``."""
    try:
        return msgspec.json.decode((folder / RUN).read_bytes(), type=Run)
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(str(folder / RUN), f"is no replay: {error}") from error


def read_records(folder: Path) -> Iterator[Record]:
    """The records, one in memory at a time. Raises ``DataError``."""
    return _lines(folder / SEARCHES, _RECORD)


def read_broken(folder: Path) -> Iterator[BrokenPlace]:
    """The places that could not be read. Raises ``DataError``."""
    return _lines(folder / BROKEN, _BROKEN)


def _lines(file: Path, decoder: msgspec.json.Decoder[_Line]) -> Iterator[_Line]:
    if not file.is_file():
        return
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield decoder.decode(line)
            except msgspec.DecodeError as error:
                raise DataError(f"{file}:{number}", str(error)) from error


def _drop_unfinished_line(file: Path) -> None:
    if not file.is_file():
        return
    with file.open("rb+") as content:
        end = content.seek(0, 2)
        step = 1 << 16
        while end:
            start = max(end - step, 0)
            content.seek(start)
            place = content.read(end - start).rfind(b"\n")
            if place >= 0:
                content.truncate(start + place + 1)
                return
            end = start
        content.truncate(0)
