"""Many configurations on the same judged queries: each is measured, though searches and scores are made once.

For each query the first stage is fetched once, at the widest window, and read as each window's bridge would read it.
A model scores the narrowest window first and then what the next one adds, so that no text is scored twice and each
window's time is measured: it is the sum of what was scored for it. Orders come from ``bridge.ranking``, which costs
next to nothing, so that blends are free.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from bridge.cascade import Cascades
from bridge.errors import DataError, ScoringError, UpstreamError
from bridge.evaluate.dialect import SEARCH_API, Dialect
from bridge.evaluate.evaluation import Plan
from bridge.evaluate.fetched import FirstStage, FirstStages, Readable
from bridge.evaluate.grid import Configuration, Grid
from bridge.evaluate.index import Progress
from bridge.evaluate.measures import Values, measure
from bridge.evaluate.runs import Run
from bridge.ranking import Rule, StageScores, order
from connectors.base import Request

_HEADERS = (("Accept", "application/json"), ("Accept-Encoding", "identity"), ("Content-Type", "application/json"))


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """What to search and vary."""

    searched: Plan
    """By whose first measure configurations are compared."""
    grid: Grid
    dialect: Dialect = SEARCH_API

    @property
    def index(self) -> str:
        """The index that is searched."""
        return self.searched.index

    @property
    def measure(self) -> str:
        """The name of the measure."""
        return self.searched.measures[0]

    def requests(self) -> Iterator[tuple[str, Request]]:
        """Query id and search of each query, with as many hits as the widest window and the run need."""
        wide = replace(self.searched, depth=max(self.searched.depth, *self.grid.windows))
        path = f"/{self.dialect.search_path(self.index)}"
        return ((query_id, Request("POST", path, _HEADERS, wide.body(query_id))) for query_id in wide.queries)


@dataclass(frozen=True, slots=True)
class Scorings:
    """The ways to score that a model of the grid stands for."""

    cascades: Cascades
    name: str
    """The way that is meant for the index."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One configuration on all queries."""

    configuration: Configuration
    values: Values
    score_ms: float
    """Of a search in its models, the median over queries; a search that is left alone takes none."""
    run: Run


@dataclass(frozen=True, slots=True)
class Sweep:
    """What came out."""

    plan: SweepPlan
    engine: Values
    """Of the engine alone."""
    measured: tuple[Measured, ...]
    """In the grid's order."""
    left_alone: Mapping[int, int]
    """Window -> searches that a bridge with it leaves to the engine."""


async def sweep(
    plan: SweepPlan, first_stages: FirstStages, scorings: Mapping[str, Scorings], on_progress: Progress
) -> Sweep:
    """The sweep of a plan, with the scorings of each of the grid's models.

    Raises ``UpstreamError`` that names the query whose search failed, ``DataError`` as ``FirstStages`` does
    and where a hit comes twice, ``ScoringError`` where a model fails: what it leaves would be measured as its order.
    """
    gathered, total = _Gathered(plan), len(plan.searched.queries)
    on_progress(0, total)
    for number, (query_id, request) in enumerate(plan.requests(), start=1):
        try:
            found = await first_stages.fetch(request, plan.grid.windows)
        except UpstreamError as error:
            raise UpstreamError(error.status, f"query {query_id!r}: {error.problem}") from error
        if len(set(found.plain)) < len(found.plain):
            raise DataError(f"query {query_id!r}", "the reply shows a hit more than once, as of several indices")
        gathered.engine[query_id] = found.plain[: plan.searched.depth]
        for model in plan.grid.models:
            await _score(gathered, query_id, found, model, scorings[model])
        on_progress(number, total)
    return gathered.sweep()


class _Gathered:
    """Runs and times, query by query."""

    def __init__(self, plan: SweepPlan) -> None:
        self.plan = plan
        self.engine: dict[str, tuple[str, ...]] = {}
        self.runs: dict[Configuration, dict[str, tuple[str, ...]]] = {c: {} for c in plan.grid.configurations()}
        self.ms: dict[tuple[str, int], list[float]] = {}
        self.left_alone = dict.fromkeys(plan.grid.windows, 0)

    def sweep(self) -> Sweep:
        plan = self.plan
        return Sweep(
            plan,
            self._values(self.engine),
            tuple(
                Measured(one, self._values(run), median(self.ms[one.model, one.window]), run)
                for one, run in self.runs.items()
            ),
            {window: count // len(plan.grid.models) for window, count in self.left_alone.items()},
        )

    def _values(self, run: Run) -> Values:
        return measure((self.plan.measure,), self.plan.searched.qrels, run)[self.plan.measure]


async def _score(gathered: _Gathered, query_id: str, found: FirstStage, model: str, scorings: Scorings) -> None:
    """Adds what a model makes of a query, window by window, the narrowest first."""
    plan, spent_s = gathered.plan, 0.0
    for window, page in found.pages.items():
        stages: Sequence[StageScores] = ()
        if page is not None:
            stages = await _scored(page, scorings)
            spent_s += sum(stage.seconds for stage in stages)
        is_reranked = bool(stages) and stages[0].scored > 0
        gathered.left_alone[window] += not is_reranked
        gathered.ms.setdefault((model, window), []).append(spent_s * 1000 if is_reranked else 0.0)
        for blend in plan.grid.blends:
            ids = _ordered(page, stages, blend) if page is not None and is_reranked else found.plain
            gathered.runs[Configuration(model, window, blend)][query_id] = ids[: plan.searched.depth]


async def _scored(page: Readable, scorings: Scorings) -> Sequence[StageScores]:
    stages = await scorings.cascades.score(replace(page.window, scoring=scorings.name))
    cut = stages[-1].cut
    if cut is not None:
        raise ScoringError(f"{stages[-1].model_name} did not score all hits of {page.window.query_text!r}: {cut}")
    return stages


def _ordered(page: Readable, stages: Sequence[StageScores], blend: float | None) -> tuple[str, ...]:
    if blend is not None:
        rule = Rule("blend", blend).keeping(page.window.first_stage_weight)
        stages = [*stages[:-1], replace(stages[-1], rule=rule)]
    ranked = order(page.first_stage_scores, stages, page.guards)
    return tuple(page.ids[hit.first_stage_index] for hit in ranked)
