"""How likely a user is to look at each place of a page, estimated from a click log alone.

The position-based model: a hit is clicked where it was looked at and is attractive, P(click) = examined(rank) x
attractive(query, hit), fitted by expectation maximisation. It can tell both apart as far as the same hit was shown for
the same query at different ranks. Sources: Chuklin, Markov, de Rijke, "Click Models for Web Search" (2015), sections
3.3 and 4.2; Wang et al., "Position Bias Estimation for Unbiased Learning to Rank in Personal Search", WSDM 2018.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

MAX_RANK = 50
"""Deeper places are reckoned as this one."""
ROUNDS = 50
LEAST_EXAMINED = 0.1
"""Rarer places count as this, so that no click weighs more than ten (clipping: Joachims et al., WSDM 2017)."""


class Impression(NamedTuple):
    """One hit that was shown."""

    query: str
    hit: str
    rank: int
    """From 1."""
    is_clicked: bool


def examined(impressions: Iterable[Impression]) -> dict[int, float]:
    """Rank -> how likely it is looked at, of the first rank 1; at least ``LEAST_EXAMINED``. Empty for an empty log."""
    shown: dict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0])
    for one in impressions:
        counts = shown[one.query, one.hit, min(one.rank, MAX_RANK)]
        counts[0] += 1
        counts[1] += one.is_clicked
    looked = dict.fromkeys({rank for _, _, rank in shown}, 0.5)
    attractive = dict.fromkeys({(query, hit) for query, hit, _ in shown}, 0.5)
    for _ in range(ROUNDS):
        looked, attractive = _step(shown, looked, attractive)
    best = max(looked.values(), default=1.0) or 1.0
    first = looked.get(1) or best
    return {rank: min(max(value / first, LEAST_EXAMINED), 1.0) for rank, value in sorted(looked.items())}


def _step(
    shown: dict[tuple[str, str, int], list[int]], looked: dict[int, float], attractive: dict[tuple[str, str], float]
) -> tuple[dict[int, float], dict[tuple[str, str], float]]:
    """Both estimates after one round: what a click, or its absence, says of each."""
    by_rank: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    by_hit: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for (query, hit, rank), (times, clicks) in shown.items():
        seen, liked = looked[rank], attractive[query, hit]
        unclicked = max(1.0 - seen * liked, 1e-12)
        misses = times - clicks
        for sums, chance in (
            (by_rank[rank], seen * (1.0 - liked) / unclicked),
            (by_hit[query, hit], liked * (1.0 - seen) / unclicked),
        ):
            sums[0] += clicks + misses * chance
            sums[1] += times
    return (
        {rank: sums[0] / sums[1] for rank, sums in by_rank.items()},
        {pair: sums[0] / sums[1] for pair, sums in by_hit.items()},
    )
