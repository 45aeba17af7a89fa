"""How sure a mean over queries is: bootstrap intervals, a paired test, and its correction for several comparisons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

RESAMPLES = 10_000
"""Of the bootstrap: scipy's default is 9,999, for the same precision of a 95% interval."""

CONFIDENCE = 0.95
TIE = 1e-9
"""Smaller differences come from the order of additions."""

_SEED = 20
"""Any number; the same one each time, so that a report can be repeated."""

Numbers = np.ndarray[tuple[int], np.dtype[np.float64]]
Interval = tuple[float, float]


def interval_of(values: Numbers) -> Interval | None:
    """The percentile bootstrap interval of the mean; None of fewer than two values, which have no spread."""
    if len(values) < 2:  # noqa: PLR2004 - as said above
        return None
    result = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=100,  # keeps memory small for ten thousands of queries
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=_SEED,
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def p_value_of(differences: Numbers) -> float | None:
    """Of the paired t-test, two-sided; None where it says nothing: the same difference everywhere, or one alone."""
    if np.ptp(differences) < TIE:
        return None
    return float(stats.ttest_1samp(differences, 0.0).pvalue)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p-values adjusted so that the chance of any false alarm among them is what each of them says.

    A test that says nothing (None) stays so, and does not count.
    Source: Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure".
    """
    said = sorted((value, place) for place, value in enumerate(p_values) if value is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (value, place) in enumerate(said):
        highest = max(highest, min(1.0, value * (len(said) - rank)))
        adjusted[place] = highest
    return adjusted
