"""An evaluation of three systems as it comes out, without any search."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bridge.evaluate.client import NO_HEADER
from bridge.evaluate.comparison import compare_all
from bridge.evaluate.cost import ModelCost
from bridge.evaluate.evaluation import Evaluation, Plan, SystemResult
from bridge.evaluate.latency import percentiles
from bridge.evaluate.measures import measure
from bridge.evaluate.runs import Run
from bridge.evaluate.statistics import interval_of
from bridge.evaluate.unjudged import judged_share

MEASURES = ("nDCG@10", "RR@10")
QUERIES = {"q1": "sweet apples", "q2": "sour <b>lemons</b>", "q3": "pears"}
QRELS = {"q1": {"d1": 2, "d2": 0}, "q2": {"d3": 1}, "q3": {"d2": 1}}
RUNS: Mapping[str, Run] = {
    "direct": {"q1": ("d2", "d1", "x9"), "q2": ("d3",), "q3": ("d1", "d2")},
    "small": {"q1": ("d1", "d2", "x9"), "q2": ("d3",), "q3": ("d1", "d2")},
    "large & slow": {"q1": ("x9", "d1", "d2"), "q2": (), "q3": ("d2", "d1")},
}


def made() -> Evaluation:
    """The evaluation, its first system the engine."""
    plan = Plan(QUERIES, QRELS, "fruit & more", measures=MEASURES)
    results = tuple(_result(name, run) for name, run in RUNS.items())
    comparisons = (compare_all(name, {one.name: one.values[name] for one in results}) for name in MEASURES)
    notes = ("1 of 3 searches of small were not reranked in full",)
    return Evaluation(plan, results, tuple(one for compared in comparisons for one in compared), notes)


def _result(name: str, run: Run) -> SystemResult:
    values = measure(MEASURES, QRELS, run)
    is_bridge = name != "direct"
    return SystemResult(
        name=name,
        is_bridge=is_bridge,
        settings={"model": name} if is_bridge else {},
        run=run,
        values=values,
        intervals={key: interval_of(np.array(list(found.values()))) for key, found in values.items()},
        judged=judged_share(QRELS, run, 100),
        latencies=percentiles([0.1, 0.2] if is_bridge else [0.01]),
        costs=(ModelCost(name, 2, 3.0, 12.5),) if is_bridge else (),
        outcomes=dict.fromkeys(QUERIES, "applied" if is_bridge else NO_HEADER),
    )
