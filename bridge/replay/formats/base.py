"""What a format of logs is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bridge.evaluate.lines import Head
from bridge.evaluate.template import BodyTemplate
from bridge.replay.logged import Entries


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How logs are read that do not say all of a search."""

    index: str = ""
    """Searched where the log names no index; empty: all indices."""
    body: BodyTemplate | None = None
    """The body for logs of words alone."""
    strip: tuple[str, ...] = ()
    """JSON pointers of what is taken out of each body."""
    size: int = 10
    """Hits that are asked for where the log has words alone."""


@dataclass(slots=True)
class Notes:
    """What was done to the searches of a log, counted while it is read."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, note: str) -> None:
        """Counts a sentence."""
        self.counts[note] += 1

    def __iter__(self) -> Iterator[str]:
        """Each sentence with how many searches it is about."""
        return (f"{note} ({count:,} searches)" for note, count in self.counts.most_common())


@dataclass(frozen=True, slots=True)
class Log:
    """A log that is being read."""

    format_name: str
    entries: Entries
    """One in memory at a time; can be read once."""
    notes: Notes


@dataclass(frozen=True, slots=True)
class Format:
    """One form that a log may have."""

    name: str
    """As messages and reports say it."""
    recognises: Callable[[Head], bool]
    read: Callable[[Path, ReadOptions], Log]


__all__ = ["Format", "Head", "Log", "Notes", "ReadOptions"]
