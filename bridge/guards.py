"""What an order respects whatever a model thinks: hits that were put where they stand, and hits that must not fall.

Pure. Guards move hits, not scores: the scores that are written belong to the places. In this order they win:

1. pinned hits keep their places and the scores that the engine gave them;
2. hits of which a named field is the query text stand above all others, in first-stage order;
3. the first stage's best hits fall no further than allowed, where the above leaves them room.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from connectors.base import Candidate, KeepTop, Policy


@dataclass(frozen=True, slots=True)
class Guards:
    """Of one search."""

    pinned: frozenset[int] = frozenset()
    """First-stage places of pinned hits."""
    exact: frozenset[int] = frozenset()
    """First-stage places of hits of which a named field is the query text."""
    keep_top: KeepTop | None = None


UNGUARDED = Guards()


def guards_of(policy: Policy, candidates: Sequence[Candidate]) -> Guards:
    """What protects the hits of a window."""
    return Guards(
        frozenset(place for place, candidate in enumerate(candidates) if candidate.is_pinned),
        frozenset(place for place, candidate in enumerate(candidates) if candidate.is_exact),
        policy.keep_top,
    )


def organic(first_stage_scores: Sequence[float], pinned: Collection[int]) -> tuple[float, ...]:
    """First-stage scores to blend with: a pinned hit's, which says no more than its place, is the best of the others.

    Elasticsearch gives pinned hits more than 2^127, beside which all other scores would look alike.
    """
    best = max((score for place, score in enumerate(first_stage_scores) if place not in pinned), default=0.0)
    return tuple(best if place in pinned else score for place, score in enumerate(first_stage_scores))


def guarded(places: Sequence[int], guards: Guards) -> list[int]:
    """A window's first-stage places, best first, as they may stand: the same places, in another order."""
    free = [place for place in places if place not in guards.pinned]
    exact = sorted(guards.exact.intersection(free))
    others = [place for place in free if place not in guards.exact]
    if guards.keep_top is not None:
        above = len(exact) + sum(place < guards.keep_top.within for place in guards.pinned)
        others = _kept(others, guards.keep_top.first, max(guards.keep_top.within - above, 0))
    order = [*exact, *others]
    for place in sorted(guards.pinned):
        order.insert(place, place)
    return order


def _kept(places: Sequence[int], first: int, room: int) -> list[int]:
    """With what stood among the ``first`` brought up into the ``room``, in place of the lowest that may fall."""
    head, rest = places[:room], places[room:]
    fallen = [place for place in rest if place < first]
    may_fall = [place for place in head if place >= first]
    falling = may_fall[max(len(may_fall) - len(fallen), 0) :]
    return [
        *(place for place in head if place not in falling),
        *fallen,
        *falling,
        *(place for place in rest if place >= first),
    ]
