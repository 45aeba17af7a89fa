"""All figures of a replay, from its records in one pass: the JSON that ``rerank-bridge replay --json`` writes.

``docs/replay.md`` describes the members. The version rises when one changes its meaning or goes.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from bridge.replay import overlap
from bridge.replay.answers import Answer, ShownHit
from bridge.replay.clicks import ClickedPages, ClickMeasures
from bridge.replay.distributions import Mean, Percentiles, Times, bars
from bridge.replay.judged import Judged, JudgedPages
from bridge.replay.records import BrokenPlace, Record, Run

VERSION = 1
APPLIED = "applied"
NO_HEADER = "no X-Rerank header"
_MAX_BROKEN = 20


@dataclass(frozen=True, slots=True)
class SummaryOptions:
    """What a summary looks at."""

    depth: int = 10
    """Hits of a page that are compared: the first page of a search."""
    changed: int = 100
    """Queries that are kept with both pages, those that change most."""
    judged: JudgedPages | None = None
    """What collects the pages of judged queries; it is used up by one summary."""
    clicked: ClickedPages | None = None
    """The same of searches that have events."""


class SystemSummary(msgspec.Struct, frozen=True):
    """How one system did."""

    name: str
    answered: int
    failed: int
    errors: dict[str, int]
    """Why searches were not answered by hits, in few words -> how many."""
    latency_ms: Percentiles
    """Over all searches that were answered, from the moment each was meant to be sent."""
    parts_ms: dict[str, Percentiles]
    """Where the time went, as ``Server-Timing`` told it."""
    searches_per_s: float | None
    """Over the whole run; None where it was shorter than can be told."""


class Changes(msgspec.Struct, frozen=True):
    """What users would see; means over the searches that both systems answered, weighted."""

    compared: int
    depth: int
    unchanged: int
    """Searches whose page is the same, hit by hit."""
    top_changed: int
    """Searches whose first hit is another."""
    overlap: float | None
    rank_biased_overlap: float | None
    kendall_tau: float | None
    newcomers: float | None
    """Hits of a page that the first system does not show there."""
    newcomers_from: tuple[tuple[int, int], ...]
    """First-stage rank of newcomers -> how many; of those whose rank the bridge told."""
    moves: tuple[tuple[int, int], ...]
    """Places that a hit rose (negative: fell) -> how many hits."""
    other_totals: int
    """Searches for which the systems tell other totals of hits: something else than order changed."""
    similarities: tuple[tuple[int, int], ...] = ()
    """Rank-biased overlap of a search's two pages in tenths, rounded down; 10 is the same page -> searches."""


class ChangedQuery(msgspec.Struct, frozen=True):
    """One of the queries that change most."""

    number: int
    place: str
    query_text: str
    target: str
    weight: int
    rank_biased_overlap: float
    first: tuple[ShownHit, ...]
    second: tuple[ShownHit, ...]


class Summary(msgspec.Struct, frozen=True):
    """A whole replay."""

    version: int
    run: Run
    searches: int
    """Records, each weighted by the equal searches it stands for."""
    distinct: int
    """Records."""
    broken: int
    broken_places: tuple[BrokenPlace, ...]
    """The first of them."""
    systems: tuple[SystemSummary, ...]
    fates: dict[str, int]
    """What the last system said: ``applied``, ``applied in part``, ``skipped: REASON``, ... -> how many searches."""
    changes: Changes
    changed: tuple[ChangedQuery, ...]
    """Most changed first."""
    judged: Judged | None = None
    """None where no judgments were given."""
    clicks: ClickMeasures | None = None
    """None where no events were given."""

    @property
    def touched(self) -> float:
        """The share of searches that were reranked, in whole or in part."""
        applied = sum(number for fate, number in self.fates.items() if fate.startswith(APPLIED))
        return applied / self.searches if self.searches else 0.0

    @property
    def failed(self) -> int:
        """Searches that the last system did not answer by hits, though the first did."""
        return max(self.systems[-1].failed - self.systems[0].failed, 0) if self.systems else 0


def summarise(
    run: Run, records: Iterable[Record], broken: Iterable[BrokenPlace], options: SummaryOptions | None = None
) -> Summary:
    """The figures of a run."""
    counting = _Counting(run, options or SummaryOptions())
    for record in records:
        counting.add(record)
    return counting.summary(broken)


@dataclass(slots=True)
class _System:
    answered: int = 0
    failed: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    latency: Times = field(default_factory=Times)
    parts: dict[str, Times] = field(default_factory=dict)

    def add(self, answer: Answer, weight: int) -> None:
        if not answer.is_answered:
            self.failed += weight
            self.errors[answer.error] += weight
            return
        self.answered += weight
        self.latency.add(answer.latency_ms)
        for name, ms in answer.parts_ms.items():
            self.parts.setdefault(name, Times()).add(ms)

    def summary(self, name: str, spent_s: float) -> SystemSummary:
        return SystemSummary(
            name,
            self.answered,
            self.failed,
            dict(self.errors.most_common()),
            self.latency.percentiles(),
            {part: times.percentiles() for part, times in sorted(self.parts.items())},
            round(self.latency.percentiles().count / spent_s, 1) if spent_s > 0 else None,
        )


class _Counting:
    """The figures so far."""

    def __init__(self, run: Run, options: SummaryOptions) -> None:
        self._run = run
        self._options = options
        self._systems = [_System() for _ in run.systems]
        self._searches = self._distinct = 0
        self._fates: Counter[str] = Counter()
        self._changes = _Changes(options.depth)
        self._most_changed: list[tuple[float, int, ChangedQuery]] = []
        self._began_s: float | None = None
        self._ended_s = 0.0

    def add(self, record: Record) -> None:
        self._searches += record.weight
        self._distinct += 1
        if record.sent_s is not None:
            self._began_s = record.sent_s if self._began_s is None else min(self._began_s, record.sent_s)
            self._ended_s = max(self._ended_s, record.sent_s)
        for system, answer in zip(self._systems, record.answers, strict=True):
            system.add(answer, record.weight)
        first, last = record.answers[0], record.answers[-1]
        self._fates[fate_of(last)] += record.weight
        for collected in (self._options.judged, self._options.clicked):
            if collected is not None:
                collected.add(record)
        if first.is_answered and last.is_answered and len(record.answers) > 1:
            self._compare(record, first, last)

    def _compare(self, record: Record, first: Answer, last: Answer) -> None:
        similarity = self._changes.add(first, last, record.weight)
        if similarity >= 1.0:
            return
        depth = self._options.depth
        query = ChangedQuery(
            number=record.number,
            place=record.place,
            query_text=record.query_text,
            target=record.target,
            weight=record.weight,
            rank_biased_overlap=round(similarity, 6),
            first=first.hits[:depth],
            second=last.hits[:depth],
        )
        entry = (-similarity, -record.number, query)
        if len(self._most_changed) < self._options.changed:
            heapq.heappush(self._most_changed, entry)
        else:
            heapq.heappushpop(self._most_changed, entry)

    def summary(self, broken: Iterable[BrokenPlace]) -> Summary:
        places = _Broken()
        for place in broken:
            places.add(place)
        spent_s = self._ended_s - self._began_s if self._began_s is not None else 0.0
        return Summary(
            version=VERSION,
            run=self._run,
            searches=self._searches,
            distinct=self._distinct,
            broken=places.count,
            broken_places=tuple(places.first),
            systems=tuple(
                system.summary(name, spent_s) for system, name in zip(self._systems, self._run.systems, strict=True)
            ),
            fates=dict(self._fates.most_common()),
            changes=self._changes.summary(),
            changed=tuple(query for _, _, query in sorted(self._most_changed, reverse=True)),
            judged=self._options.judged.judged() if self._options.judged is not None else None,
            clicks=self._options.clicked.measures() if self._options.clicked is not None else None,
        )


@dataclass(slots=True)
class _Broken:
    count: int = 0
    first: list[BrokenPlace] = field(default_factory=list)

    def add(self, place: BrokenPlace) -> None:
        self.count += 1
        if len(self.first) < _MAX_BROKEN:
            self.first.append(place)


class _Changes:
    """What users would see, so far."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._counts: Counter[str] = Counter()
        self._means = {name: Mean() for name in ("overlap", "rank_biased_overlap", "kendall_tau", "newcomers")}
        self._moves: Counter[int] = Counter()
        self._from: Counter[int] = Counter()
        self._similarities: Counter[int] = Counter()

    def add(self, first: Answer, last: Answer, weight: int) -> float:
        """The rank-biased overlap of both pages."""
        depth = self._depth
        before, after = first.ids[:depth], last.ids[:depth]
        new = overlap.newcomers(before, after)
        similarity = overlap.rank_biased_overlap(before, after)
        values = {
            "overlap": overlap.overlap(before, after, depth),
            "rank_biased_overlap": similarity,
            "kendall_tau": overlap.kendall_tau(before, after),
            "newcomers": float(len(new)),
        }
        for name, value in values.items():
            self._means[name].add(value, weight)
        self._counts["compared"] += weight
        self._counts["unchanged"] += weight * (before == after)
        self._counts["top_changed"] += weight * (before[:1] != after[:1])
        self._counts["other_totals"] += weight * (first.total != last.total)
        for move in overlap.moves(before, after):
            self._moves[move] += weight
        for rank in _depths(last, new):
            self._from[rank] += weight
        self._similarities[10 if before == after else min(int(similarity * 10), 9)] += weight
        return 1.0 if before == after else similarity

    def summary(self) -> Changes:
        counts = self._counts
        return Changes(
            compared=counts["compared"],
            depth=self._depth,
            unchanged=counts["unchanged"],
            top_changed=counts["top_changed"],
            other_totals=counts["other_totals"],
            newcomers_from=bars(self._from),
            moves=bars(self._moves),
            similarities=bars(self._similarities),
            **{name: mean.value for name, mean in self._means.items()},
        )


def _depths(answer: Answer, places: Iterable[int]) -> Iterator[int]:
    ranks = (answer.hits[place].first_stage_rank for place in places)
    return (rank for rank in ranks if rank is not None)


def fate_of(answer: Answer) -> str:
    """What became of a search, in few words."""
    if not answer.is_answered:
        return "failed"
    if not answer.fate:
        return NO_HEADER
    if answer.fate == APPLIED:
        return f"{APPLIED} in part" if answer.reason else APPLIED
    return f"{answer.fate}: {answer.reason}"
