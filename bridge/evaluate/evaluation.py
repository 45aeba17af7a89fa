"""Every judged query searched on several systems, the engine itself and bridges, and what that says of them.

::

    plan = Plan(dataset.queries, dataset.qrels, index="nfcorpus")
    async with open_client(engine_url) as direct, open_client(bridge_url) as bridged:
        await ensure_index(direct, plan.index, dataset, on_progress)
        systems = (System("direct", direct, is_bridge=False), System("bridged", bridged))
        evaluation = await evaluate(plan, systems, on_progress)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bridge.errors import ConfigError, DataError, UpstreamError
from bridge.evaluate.client import NO_HEADER, SearchClient, SearchReply
from bridge.evaluate.comparison import Comparison, compare_all
from bridge.evaluate.cost import ModelCost, costs
from bridge.evaluate.index import Progress
from bridge.evaluate.latency import Latencies, percentiles
from bridge.evaluate.measures import DEFAULT_MEASURES, Values, check_measures, measure
from bridge.evaluate.qrels import Qrels
from bridge.evaluate.runs import Run
from bridge.evaluate.statistics import Interval, interval_of
from bridge.evaluate.template import BodyTemplate, multi_match
from bridge.evaluate.unjudged import judged_share, warnings

WARM_UP = 5
"""Queries at the start whose latencies are not counted: connections open, code compiles, caches fill."""

APPLIED = "applied"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to search and how to judge it. Raises ``ConfigError`` where a measure or the depth can't be used."""

    queries: Mapping[str, str]
    """Query id -> text, at least one; all are searched, in this order."""
    qrels: Qrels
    """Judgments of exactly these queries."""
    index: str
    template: BodyTemplate = field(default_factory=lambda: multi_match("title", "text"))
    measures: tuple[str, ...] = DEFAULT_MEASURES
    depth: int = 100
    """Hits of each search. 100 as BEIR's R@100 looks at, and the bridge's own window."""
    bodies: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Query id -> search body of the queries that have one of their own."""

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise ConfigError([f"a depth of {self.depth} leaves nothing to measure"])
        check_measures(self.measures, self.depth)

    def body(self, query_id: str) -> bytes:
        """The search of a query."""
        own = self.bodies.get(query_id)
        template = self.template if own is None else BodyTemplate(own)
        return template.fill(self.queries[query_id], self.depth)


@dataclass(frozen=True, slots=True)
class System:
    """What answers searches."""

    name: str
    client: SearchClient
    is_bridge: bool = True
    """False for the engine itself."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What sets it apart, for those who read the report."""


@dataclass(frozen=True, slots=True)
class SystemResult:
    """What came out of one system."""

    name: str
    is_bridge: bool
    settings: Mapping[str, str]
    run: Run
    values: Mapping[str, Values]
    """Measure -> query id -> value."""
    intervals: Mapping[str, Interval | None]
    """Measure -> the bootstrap interval of its mean; None where there are fewer than two queries."""
    judged: float
    """The share of its first hits that are judged, 0 to 1."""
    latencies: Latencies
    costs: tuple[ModelCost, ...]
    """What its models took, in the order of the stages."""
    outcomes: Mapping[str, str]
    """Query id -> what it said of the search: ``applied``, ``applied in part``, ``skipped: <reason>``, ..."""

    def mean(self, name: str) -> float:
        """Of a measure, over the queries."""
        return float(np.mean(list(self.values[name].values())))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out: each system, every pair of them by each measure, and what a reader must know to trust it."""

    plan: Plan
    systems: tuple[SystemResult, ...]
    comparisons: tuple[Comparison, ...]
    """By the plan's measures, in their order, and then by pairs of systems."""
    notes: tuple[str, ...]
    """What speaks against reading the figures as the bridges' doing, a sentence each."""


async def evaluate(plan: Plan, systems: Sequence[System], on_progress: Progress) -> Evaluation:
    """The evaluation of systems, two or more with names of their own, on an index that is loaded.

    Searches go one at a time, and the systems take turns at being first, so that none finds the engine's caches warmed
    by the others more often. The first few latencies (``WARM_UP``, or a tenth of few queries) are not counted.

    Raises ``UpstreamError`` that names the query whose search failed; ``DataError`` where a reply shows a hit twice.
    """
    replies: dict[str, dict[str, SearchReply]] = {system.name: {} for system in systems}
    on_progress(0, len(plan.queries))
    for number, query_id in enumerate(plan.queries):
        body = plan.body(query_id)
        first = number % len(systems)
        for system in (*systems[first:], *systems[:first]):
            replies[system.name][query_id] = await _search(system.client, plan, query_id, body)
        on_progress(number + 1, len(plan.queries))
    return _evaluation(plan, [_result(plan, system, replies[system.name]) for system in systems])


async def _search(client: SearchClient, plan: Plan, query_id: str, body: bytes) -> SearchReply:
    try:
        reply = await client.search(plan.index, body)
    except UpstreamError as error:
        raise UpstreamError(error.status, f"query {query_id!r}: {error.problem}") from error
    repeated = [document_id for document_id, count in Counter(reply.ids).items() if count > 1]
    if repeated:
        raise DataError(f"query {query_id!r}", f"the reply from {client.url} shows {repeated[0]!r} more than once")
    return reply


def _result(plan: Plan, system: System, replies: Mapping[str, SearchReply]) -> SystemResult:
    run = {query_id: reply.ids for query_id, reply in replies.items()}
    values = measure(plan.measures, plan.qrels, run)
    return SystemResult(
        name=system.name,
        is_bridge=system.is_bridge,
        settings=system.settings,
        run=run,
        values=values,
        intervals={name: interval_of(np.array(list(found.values()))) for name, found in values.items()},
        judged=judged_share(plan.qrels, run, plan.depth),
        latencies=_latencies(replies.values()),
        costs=costs(reply.stages for reply in replies.values()),
        outcomes={query_id: reply.outcome for query_id, reply in replies.items()},
    )


def _evaluation(plan: Plan, results: Sequence[SystemResult]) -> Evaluation:
    comparisons = tuple(
        comparison
        for name in plan.measures
        for comparison in compare_all(name, {result.name: result.values[name] for result in results})
    )
    shares = {result.name: result.judged for result in results}
    runs = {result.name: result.run for result in results}
    notes = (*_notes(results), *warnings(comparisons, shares, runs, plan.qrels))
    return Evaluation(plan, tuple(results), comparisons, notes)


def _latencies(replies: Iterable[SearchReply]) -> Latencies:
    latencies_s = [reply.latency_s for reply in replies]
    return percentiles(latencies_s[min(WARM_UP, len(latencies_s) // 10) :])


def _notes(results: Sequence[SystemResult]) -> tuple[str, ...]:
    first, total = results[0], len(results[0].run)
    notes: dict[str, int] = {}
    for result in results:
        said = result.outcomes.values()
        if result.is_bridge:
            count = sum(outcome != APPLIED for outcome in said)
            notes[f"{count} of {total} searches of {result.name} were not reranked in full"] = count
        else:
            count = sum(outcome != NO_HEADER for outcome in said)
            notes[f"{count} of {total} searches of {result.name} went through a bridge: no engine is there"] = count
        count = sum(set(hits) != set(first.run[query_id]) for query_id, hits in result.run.items())
        notes[f"{count} of {total} searches of {result.name} found other hits than those of {first.name}"] = count
    return tuple(note for note, count in notes.items() if count)
