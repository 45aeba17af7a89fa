"""A saved run as the first of two systems: now against then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from bridge.errors import DataError
from bridge.replay.records import SEARCHES, Record, Run, read_run

_RECORD = msgspec.json.Decoder(Record)


class SavedRun:
    """The answers of a run, found by what was searched; in memory is where each stands in its file."""

    def __init__(self, folder: Path) -> None:
        """Raises ``DataError`` where the folder holds no run."""
        self._file = folder / SEARCHES
        self.run = read_run(folder)
        self._places: dict[str, int] = {}
        place = 0
        try:
            with self._file.open("rb") as lines:
                for line in lines:
                    self._places.setdefault(_RECORD.decode(line).key, place)
                    place += len(line)
        except (OSError, msgspec.DecodeError) as error:
            raise DataError(str(self._file), f"can't be read: {error}") from error

    def run_against(self, new: Run) -> Run:
        """The two runs as one, of two systems."""
        return msgspec.structs.replace(new, systems=(f"{self.run.systems[-1]} (saved)", new.systems[-1]))

    def joined(self, records: Iterable[Record]) -> Iterator[Record]:
        """The new run's records, the saved answer first; those of searches that the saved run has not are left out."""
        with self._file.open("rb") as saved:
            for record in records:
                place = self._places.get(record.key)
                if place is not None:
                    saved.seek(place)
                    before = _RECORD.decode(saved.readline()).answers[-1]
                    yield msgspec.structs.replace(record, answers=(before, record.answers[-1]))
