"""Two systems on the same queries: the difference of a measure, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from bridge.evaluate.measures import Values

RESAMPLES = 10_000
"""Of the bootstrap: scipy's default is 9,999, for the same precision of a 95% interval."""

CONFIDENCE = 0.95
TIE = 1e-9
"""Smaller differences come from the order of additions."""

METHOD = (
    "difference: bridged - direct, the mean over queries; "
    "p-value: paired t-test over queries, two-sided; "
    f"interval: {CONFIDENCE:.0%} percentile bootstrap of the mean difference, {RESAMPLES:,} resamples of the queries"
)
_SEED = 20
"""Any number; the same one each time, so that a report can be repeated."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure of two runs. Wins, ties and losses are queries, as the bridge sees them."""

    measure: str
    direct: Values
    bridged: Values
    direct_mean: float
    bridged_mean: float
    difference: float
    interval: tuple[float, float] | None
    """None where there are fewer than two queries."""
    p_value: float | None
    """None where the test says nothing: fewer than two queries, or the same difference on all of them."""
    wins: int
    ties: int
    losses: int


def compare(measure: str, direct: Values, bridged: Values) -> Comparison:
    """The comparison of two runs on the same queries, at least one."""
    differences = np.array([bridged[query_id] - direct[query_id] for query_id in direct])
    wins, losses = int((differences > TIE).sum()), int((differences < -TIE).sum())
    return Comparison(
        measure=measure,
        direct=direct,
        bridged=bridged,
        direct_mean=float(np.mean(list(direct.values()))),
        bridged_mean=float(np.mean(list(bridged.values()))),
        difference=float(differences.mean()),
        interval=_interval(differences),
        p_value=_p_value(differences),
        wins=wins,
        ties=len(differences) - wins - losses,
        losses=losses,
    )


def _interval(differences: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float] | None:
    if len(differences) < 2:  # noqa: PLR2004 - one value has no spread
        return None
    result = stats.bootstrap(
        (differences,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=100,  # keeps memory small for ten thousands of queries
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=_SEED,
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def _p_value(differences: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float | None:
    if np.ptp(differences) < TIE:
        return None
    return float(stats.ttest_1samp(differences, 0.0).pvalue)
