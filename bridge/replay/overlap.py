"""How much two pages of hits differ. Pure functions on lists of ids, best first, none twice.

Sources: Webber, Moffat, Zobel, "A Similarity Measure for Indefinite Rankings", ACM TOIS 28 (2010): average overlap in
section 3, rank-biased overlap with extrapolation for lists of uneven length in equation 32; Kendall, "A New Measure of
Rank Correlation", Biometrika 30 (1938).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import combinations

Ids = Sequence[Hashable]

RBO_P = 0.9
"""Persistence: the first ten hits have 86% of the weight (Webber et al., section 4.4)."""


def overlap(first: Ids, second: Ids, depth: int) -> float:
    """The share of hits that both have among the first ``depth``, in [0, 1]; 1 where neither has any."""
    seen, others = set(first[:depth]), set(second[:depth])
    longest = max(len(seen), len(others))
    return len(seen & others) / longest if longest else 1.0


def average_overlap(first: Ids, second: Ids, depth: int) -> float:
    """The mean of the overlaps at depths 1 to ``depth``, each by its depth; in [0, 1]."""
    return sum(shared / at for at, shared in enumerate(_shared(first, second, depth), start=1)) / depth


def rank_biased_overlap(first: Ids, second: Ids, p: float = RBO_P) -> float:
    """The overlap of what a user sees who goes on to each next hit with probability ``p``; in [0, 1].

    Extrapolated: the agreement seen goes on behind the ends of the lists. 1 where both are empty, 0 where one is.
    """
    short, long = sorted((first, second), key=len)
    if not short:
        return 1.0 if not long else 0.0
    ends_at, length = len(short), len(long)
    shared = _shared(first, second, length)
    at_short, at_end = shared[ends_at - 1], shared[-1]
    seen = sum(count / depth * p**depth for depth, count in enumerate(shared, start=1))
    assumed = sum(
        at_short * (depth - ends_at) / (ends_at * depth) * p**depth for depth in range(ends_at + 1, length + 1)
    )
    beyond = ((at_end - at_short) / length + at_short / ends_at) * p**length
    return (1 - p) / p * (seen + assumed) + beyond


def kendall_tau(first: Ids, second: Ids) -> float | None:
    """The rank correlation of the hits that both have, in [-1, 1]; None where these are fewer than two."""
    places = {hit: place for place, hit in enumerate(second)}
    common = [places[hit] for hit in first if hit in places]
    pairs = len(common) * (len(common) - 1) // 2
    if not pairs:
        return None
    concordant = sum(before < behind for before, behind in combinations(common, 2))
    return (2 * concordant - pairs) / pairs


def moves(first: Ids, second: Ids) -> list[int]:
    """For each hit of ``second`` that ``first`` has, by how many places it rose; negative where it fell."""
    places = {hit: place for place, hit in enumerate(first)}
    return [places[hit] - place for place, hit in enumerate(second) if hit in places]


def newcomers(first: Ids, second: Ids) -> list[int]:
    """The places in ``second``, from 0, of the hits that ``first`` does not have."""
    known = set(first)
    return [place for place, hit in enumerate(second) if hit not in known]


def _shared(first: Ids, second: Ids, depth: int) -> list[int]:
    """How many hits both have among the first 1, 2, ... ``depth``."""
    seen: set[Hashable] = set()
    others: set[Hashable] = set()
    shared: list[int] = []
    count = 0
    for place in range(depth):
        hit = first[place] if place < len(first) else None
        other = second[place] if place < len(second) else None
        if hit is not None:
            seen.add(hit)
            count += hit in others
        if other is not None:
            others.add(other)
            count += other in seen
        shared.append(count)
    return shared
