"""Every judged query searched twice, directly and through the bridge, and what that says of the bridge.

::

    plan = Plan(dataset.queries, dataset.qrels, index="nfcorpus")
    async with open_client(engine_url) as direct, open_client(bridge_url) as bridged:
        await ensure_index(direct, plan.index, dataset, on_progress)
        evaluation = await evaluate(plan, direct=direct, bridged=bridged, on_progress=on_progress)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bridge.errors import ConfigError, DataError, UpstreamError
from bridge.evaluate.client import SearchClient, SearchReply
from bridge.evaluate.comparison import Comparison, compare
from bridge.evaluate.cost import ModelCost, costs
from bridge.evaluate.index import Progress
from bridge.evaluate.latency import Latencies, percentiles
from bridge.evaluate.measures import DEFAULT_MEASURES, check_measures, measure
from bridge.evaluate.qrels import Qrels
from bridge.evaluate.runs import Run
from bridge.evaluate.template import BodyTemplate, multi_match

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

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise ConfigError([f"a depth of {self.depth} leaves nothing to measure"])
        check_measures(self.measures, self.depth)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out: for each measure a comparison, and what a reader must know to trust it."""

    plan: Plan
    comparisons: tuple[Comparison, ...]
    """One for each of the plan's measures, in its order."""
    direct_run: Run
    bridged_run: Run
    direct_latencies: Latencies
    bridged_latencies: Latencies
    costs: tuple[ModelCost, ...]
    """What the bridge's models took, in the order of the stages."""
    outcomes: Mapping[str, str]
    """Query id -> what the bridge said of its search: ``applied``, ``applied in part``, ``skipped: <reason>``, ..."""
    notes: tuple[str, ...]
    """What speaks against reading the comparisons as the bridge's doing, a sentence each."""


async def evaluate(plan: Plan, *, direct: SearchClient, bridged: SearchClient, on_progress: Progress) -> Evaluation:
    """The evaluation of a bridge and of the engine behind it, on an index that is loaded.

    Searches go one at a time, and the sides take turns at being first, so that neither finds the engine's caches warmed
    by the other more often. The first few latencies (``WARM_UP``, or a tenth of few queries) are not counted.

    Raises ``UpstreamError`` that names the query whose search failed; ``DataError`` where a reply shows a hit twice.
    """
    replies: dict[str, tuple[SearchReply, SearchReply]] = {}
    on_progress(0, len(plan.queries))
    for number, (query_id, query_text) in enumerate(plan.queries.items(), start=1):
        body = plan.template.fill(query_text, plan.depth)
        if number % 2:
            first = await _search(direct, plan, query_id, body)
            replies[query_id] = first, await _search(bridged, plan, query_id, body)
        else:
            first = await _search(bridged, plan, query_id, body)
            replies[query_id] = await _search(direct, plan, query_id, body), first
        on_progress(number, len(plan.queries))
    return _evaluation(
        plan,
        direct={query_id: reply for query_id, (reply, _) in replies.items()},
        bridged={query_id: reply for query_id, (_, reply) in replies.items()},
    )


async def _search(client: SearchClient, plan: Plan, query_id: str, body: bytes) -> SearchReply:
    try:
        reply = await client.search(plan.index, body)
    except UpstreamError as error:
        raise UpstreamError(error.status, f"query {query_id!r}: {error.problem}") from error
    repeated = [document_id for document_id, count in Counter(reply.ids).items() if count > 1]
    if repeated:
        raise DataError(f"query {query_id!r}", f"the reply from {client.url} shows {repeated[0]!r} more than once")
    return reply


def _evaluation(plan: Plan, direct: Mapping[str, SearchReply], bridged: Mapping[str, SearchReply]) -> Evaluation:
    direct_run, bridged_run = _run(direct), _run(bridged)
    direct_values = measure(plan.measures, plan.qrels, direct_run)
    bridged_values = measure(plan.measures, plan.qrels, bridged_run)
    outcomes = {query_id: reply.outcome for query_id, reply in bridged.items()}
    return Evaluation(
        plan=plan,
        comparisons=tuple(compare(name, direct_values[name], bridged_values[name]) for name in plan.measures),
        direct_run=direct_run,
        bridged_run=bridged_run,
        direct_latencies=_latencies(direct.values()),
        bridged_latencies=_latencies(bridged.values()),
        costs=costs(reply.stages for reply in bridged.values()),
        outcomes=outcomes,
        notes=_notes(direct, outcomes, direct_run, bridged_run),
    )


def _run(replies: Mapping[str, SearchReply]) -> Run:
    return {query_id: reply.ids for query_id, reply in replies.items()}


def _latencies(replies: Iterable[SearchReply]) -> Latencies:
    latencies_s = [reply.latency_s for reply in replies]
    return percentiles(latencies_s[min(WARM_UP, len(latencies_s) // 10) :])


def _notes(
    direct: Mapping[str, SearchReply], outcomes: Mapping[str, str], direct_run: Run, bridged_run: Run
) -> tuple[str, ...]:
    total, not_applied = len(outcomes), sum(said != APPLIED for said in outcomes.values())
    behind_bridge = sum(reply.rerank is not None for reply in direct.values())
    other_hits = sum(set(ids) != set(bridged_run[query_id]) for query_id, ids in direct_run.items())
    notes = {
        f"{not_applied} of {total} bridged searches were not reranked in full": not_applied,
        f"{behind_bridge} of {total} direct searches went through a bridge, too: its address is not the engine's": (
            behind_bridge
        ),
        f"{other_hits} of {total} bridged searches found other hits than the direct ones": other_hits,
    }
    return tuple(note for note, count in notes.items() if count)
