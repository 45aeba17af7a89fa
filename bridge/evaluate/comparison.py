"""Systems on the same queries, two by two: the difference of a measure, and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from bridge.evaluate.measures import Values
from bridge.evaluate.statistics import CONFIDENCE, RESAMPLES, TIE, Interval, holm, interval_of, p_value_of

METHOD = (
    "difference: second - first system, the mean over queries; "
    "p-value: paired t-test over queries, two-sided; where there are more than two systems, adjusted by Holm's method "
    "over all pairs of systems, for each measure by itself; "
    f"interval: {CONFIDENCE:.0%} percentile bootstrap of the mean over queries, {RESAMPLES:,} resamples, not adjusted"
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure of two systems. Wins, ties and losses are queries, as the second one sees them."""

    measure: str
    first: str
    second: str
    first_mean: float
    second_mean: float
    difference: float
    interval: Interval | None
    """None where there are fewer than two queries."""
    p_value: float | None
    """None where the test says nothing: fewer than two queries, or the same difference on all of them."""
    adjusted_p_value: float | None
    """By Holm's method, over all pairs of systems that were compared together."""
    wins: int
    ties: int
    losses: int


def compare(measure: str, first: Values, second: Values, names: tuple[str, str] = ("first", "second")) -> Comparison:
    """The comparison of two systems by their values for the same queries, at least one."""
    differences = np.array([second[query_id] - value for query_id, value in first.items()])
    wins, losses = int((differences > TIE).sum()), int((differences < -TIE).sum())
    p_value = p_value_of(differences)
    return Comparison(
        measure=measure,
        first=names[0],
        second=names[1],
        first_mean=float(np.mean(list(first.values()))),
        second_mean=float(np.mean(list(second.values()))),
        difference=float(differences.mean()),
        interval=interval_of(differences),
        p_value=p_value,
        adjusted_p_value=p_value,
        wins=wins,
        ties=len(differences) - wins - losses,
        losses=losses,
    )


def compare_all(measure: str, systems: Mapping[str, Values]) -> tuple[Comparison, ...]:
    """Every pair of systems, in their order: first against second, first against third, ..."""
    found = [
        compare(measure, systems[first], systems[second], (first, second)) for first, second in combinations(systems, 2)
    ]
    adjusted = holm([comparison.p_value for comparison in found])
    return tuple(replace(one, adjusted_p_value=value) for one, value in zip(found, adjusted, strict=True))
