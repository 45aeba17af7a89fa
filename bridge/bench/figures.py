"""From times and scores to the figures of a table. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

TOLERANCES = {"float32": 1e-4, "bfloat16": 0.02, "int8": 0.02}
"""Scores that are nearer to each other than this may change places."""


@dataclass(frozen=True, slots=True)
class Round:
    """One search scored once by one system."""

    search: int
    wall_s: float
    cpu_s: float
    scores: Sequence[float]


@dataclass(slots=True)
class Measured:
    """All that one system gave, its rounds in the order that all systems share."""

    system: str
    precision: str = ""
    load_s: float = 0.0
    peak_bytes: int = 0
    device_bytes: int = 0
    rounds: list[Round] = field(default_factory=list)
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What the searches consist of, and what the device can do at most."""

    pairs: Mapping[int, int]
    """By search, as are the others."""
    tokens: Mapping[int, int]
    """As each text is read, with all that stands around it."""
    flops: Mapping[int, int]
    """Operations that had to be computed."""
    peak_flops: Mapping[str, float]
    """Operations a second, measured, by precision."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One row of a table."""

    system: str
    precision: str
    seconds: float
    """A search: the mean over searches of the median over repetitions."""
    cpu_seconds: float
    """The same in the time of all cores, which other work on the machine changes less."""
    pairs_s: float
    tokens_s: float
    peak_bytes: int
    device_bytes: int
    times_ours: float
    """How many times as long as the bridge it takes: the median over rounds."""
    peak_share: float | None
    """Of the measured matrix-multiply peak; for the bridge alone, as others compute more than they have to."""
    max_difference: float
    """Between its scores and the bridge's."""
    same_order: bool
    """As the bridge's, but for what is nearer than ``TOLERANCES``."""


def figures(measured: Measured, ours: Measured, work: Work) -> Figures:
    """The row of a system that did not fail; ``ours`` is the bridge, of the same rounds."""
    seconds = _a_search(measured, [entry.wall_s for entry in measured.rounds])
    mean_s = statistics.mean(seconds.values())
    peak = work.peak_flops.get(measured.precision) if measured.system.startswith("bridge") else None
    both = list(zip(measured.rounds, ours.rounds, strict=True))
    tolerance = max(TOLERANCES[measured.precision], TOLERANCES[ours.precision])
    return Figures(
        system=measured.system,
        precision=measured.precision,
        seconds=mean_s,
        cpu_seconds=statistics.mean(_a_search(measured, [entry.cpu_s for entry in measured.rounds]).values()),
        pairs_s=_sum_of(work.pairs, seconds) / sum(seconds.values()),
        tokens_s=_sum_of(work.tokens, seconds) / sum(seconds.values()),
        peak_bytes=measured.peak_bytes,
        device_bytes=measured.device_bytes,
        times_ours=statistics.median(theirs.wall_s / own.wall_s for theirs, own in both),
        peak_share=None if not peak else _sum_of(work.flops, seconds) / sum(seconds.values()) / peak,
        max_difference=max(max_difference(theirs.scores, own.scores) for theirs, own in both),
        same_order=all(same_order(own.scores, theirs.scores, tolerance) for theirs, own in both),
    )


def max_difference(some: Sequence[float], others: Sequence[float]) -> float:
    """The largest distance of two scores of one text."""
    return max(abs(one - other) for one, other in zip(some, others, strict=True))


def same_order(some: Sequence[float], others: Sequence[float], tolerance: float) -> bool:
    """Whether no text stands before another in the one order, and by more than ``tolerance`` behind it in the other."""
    lowest = float("inf")
    for place in sorted(range(len(some)), key=lambda place: -some[place]):
        if others[place] > lowest + tolerance:
            return False
        lowest = min(lowest, others[place])
    return True


def _a_search(measured: Measured, seconds: Sequence[float]) -> dict[int, float]:
    """The median over repetitions, by search."""
    times: dict[int, list[float]] = {}
    for entry, value in zip(measured.rounds, seconds, strict=True):
        times.setdefault(entry.search, []).append(value)
    return {search: statistics.median(values) for search, values in times.items()}


def _sum_of(amounts: Mapping[int, int], searches: Mapping[int, float]) -> int:
    return sum(amounts[search] for search in searches)
