"""Quality against cost: which configurations no other beats in both, which one to use, and how far to trust that.

Pure, on a table of values: a row for each configuration, a column for each query, the same queries in all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bridge.evaluate.statistics import CONFIDENCE, RESAMPLES, TIE

Table = npt.NDArray[np.float64]

RULE = (
    "the cheapest whose mean is within one standard error of the best one's (Breiman et al. 1984, the one-standard-"
    "error rule; the error is that of the difference, query by query); among equally cheap ones the best"
)
SPLITS = 200
"""Random halves of the queries: their mean is fourteen times as steady as one of them."""
FEW_QUERIES = 50
"""The topics of a usual TREC track; see Voorhees and Buckley, "The Effect of Topic Set Size on Retrieval Experiment
Error", SIGIR 2002."""
_SEED = 20  # any number; the same one each time, so that a report can be repeated
_CHUNK = 500  # resamples that are weighed at a time, so that memory stays small for many queries


class Point(NamedTuple):
    """A configuration as a plot has it."""

    cost: float
    """Lower is better."""
    quality: float
    """Higher is better."""


def front(points: Sequence[Point]) -> list[int]:
    """Places of the points that no other beats in one respect without being worse in the other, cheapest first.

    Of equal points the first stands for all.
    """
    chosen: list[int] = []
    for place in sorted(range(len(points)), key=lambda place: (points[place].cost, -points[place].quality)):
        if not chosen or points[place].quality > points[chosen[-1]].quality + TIE:
            chosen.append(place)
    return chosen


def choose(values: Table, costs: Sequence[float]) -> int:
    """The row to use, by ``RULE``."""
    means = values.mean(axis=1)
    behind = values[int(means.argmax())] - values
    errors = behind.std(axis=1, ddof=1) / np.sqrt(values.shape[1]) if values.shape[1] > 1 else np.zeros(len(values))
    is_near = behind.mean(axis=1) <= errors + TIE
    return min(np.flatnonzero(is_near).tolist(), key=lambda row: (costs[row], -means[row]))


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """What the rule's choice gains on queries that it did not see; means over random halves of the queries."""

    seen: float
    """Of the configuration chosen on one half, on that half."""
    unseen: float
    """Of the same on the other half."""
    reference: float
    """Of the first row on the other half."""
    agreement: float
    """Share of the halves that chose what all queries choose."""


def cross_validated(values: Table, costs: Sequence[float]) -> CrossValidation | None:
    """The choice made on random halves of the queries; None where there are fewer than four."""
    queries = values.shape[1]
    if queries < 4:  # noqa: PLR2004 - two a half, so that an error can be told
        return None
    generator = np.random.default_rng(_SEED)
    overall = choose(values, costs)
    found: list[tuple[float, float, float, bool]] = []
    for _ in range(SPLITS):
        places = generator.permutation(queries)
        one, other = values[:, places[: queries // 2]], values[:, places[queries // 2 :]]
        row = choose(one, costs)
        found.append((one[row].mean(), other[row].mean(), other[0].mean(), row == overall))
    return CrossValidation(*(float(np.mean(column)) for column in zip(*found, strict=True)))


def intervals(differences: Table) -> list[tuple[float, float]]:
    """The interval of each row's mean, percentile bootstrap over the columns; the same resamples for all rows."""
    queries = differences.shape[1]
    generator = np.random.default_rng(_SEED)
    share = np.full(queries, 1 / queries)
    means = [
        differences @ generator.multinomial(queries, share, _CHUNK).T / queries for _ in range(RESAMPLES // _CHUNK)
    ]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.concatenate(means, axis=1), (tail, 1 - tail), axis=1)
    return list(zip(low.tolist(), high.tolist(), strict=True))
