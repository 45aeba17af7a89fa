"""What a file of judgments holds, in whatever form it has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bridge.evaluate.lines import Head
from bridge.evaluate.qrels import Qrels


@dataclass(frozen=True, slots=True)
class Judged:
    """Queries and how they are judged."""

    format_name: str
    """As messages and reports say it."""
    queries: Mapping[str, str]
    """Query id -> text, in the order of the file; none where the file has judgments alone."""
    qrels: Qrels
    """Of ``queries``, where there are any."""
    notes: tuple[str, ...] = ()
    """What was found odd and tolerated, a sentence each."""
    bodies: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Query id -> its own search body, where the file has one."""
    renderings: Mapping[str, bytes] = field(default_factory=dict)
    """Query id -> what the engine's ``_render/template`` makes its search body of, where the file has a template."""
    measures: tuple[str, ...] = ()
    """That the file asks for, by ir-measures' names."""
    index: str = ""
    """That was judged, where the file says it."""


@dataclass(frozen=True, slots=True)
class JudgedFormat:
    """One form of judgments."""

    name: str
    recognises: Callable[[Head], bool]
    read: Callable[[Path], Judged]
    """Raises ``DataError`` at the file and line where it is broken."""


def counted(notes: Mapping[str, int]) -> tuple[str, ...]:
    """The notes about anything at all, each with how many."""
    return tuple(f"{note} ({count:,})" for note, count in notes.items() if count)
