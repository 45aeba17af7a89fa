"""Hits that a model may not move, or not far: what the order respects, and the scores that are written then."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.guards import UNGUARDED, Guards, guarded, guards_of, organic
from bridge.ranking import Rule, StageScores, order
from connectors.base import Candidate, KeepTop, Policy

PIN = 1.7014122e38


def guards(pinned: Iterable[int] = (), exact: Iterable[int] = (), keep: tuple[int, int] | None = None) -> Guards:
    return Guards(frozenset(pinned), frozenset(exact), KeepTop(*keep) if keep else None)


@pytest.mark.parametrize(
    ("places", "given_guards", "expected"),
    [
        ([3, 2, 1, 0], guards(), [3, 2, 1, 0]),
        ([3, 2, 1, 0], guards(pinned=[0, 1]), [0, 1, 3, 2]),
        ([3, 2, 1, 0], guards(pinned=[1]), [3, 1, 2, 0]),
        ([3, 2, 1, 0], guards(pinned=[0, 1, 2, 3]), [0, 1, 2, 3]),
        ([3, 2, 1, 0], guards(exact=[0, 2]), [0, 2, 3, 1]),
        ([4, 3, 2, 1, 0], guards(pinned=[0], exact=[0, 2, 1]), [0, 1, 2, 4, 3]),
        ([4, 3, 2, 1, 0], guards(keep=(1, 3)), [4, 3, 0, 2, 1]),
        ([4, 3, 2, 1, 0], guards(keep=(2, 3)), [4, 1, 0, 3, 2]),
        ([4, 3, 2, 1, 0], guards(keep=(2, 2)), [1, 0, 4, 3, 2]),
        ([4, 0, 3, 1, 2], guards(keep=(2, 3)), [4, 0, 1, 3, 2]),
        ([4, 3, 2, 1, 0], guards(keep=(9, 9)), [4, 3, 2, 1, 0]),
        ([4, 3, 2, 1, 0], guards(pinned=[0], keep=(2, 2)), [0, 1, 4, 3, 2]),
        ([4, 3, 2, 1, 0], guards(exact=[3, 4], keep=(1, 1)), [3, 4, 0, 2, 1]),
        ([], guards(keep=(1, 1)), []),
    ],
)
def test_what_guards_do_to_an_order(places: list[int], given_guards: Guards, expected: list[int]) -> None:
    """Pinned hits keep their places, exact ones come next, and the first stage's best fall no further than allowed."""
    assert guarded(places, given_guards) == expected


def test_the_guards_of_a_window() -> None:
    """They come from what the connector saw in each hit, and from the configuration of the index."""
    candidates = [Candidate("a", is_pinned=True), Candidate("b"), Candidate("c", is_exact=True)]
    assert guards_of(Policy(keep_top=KeepTop(1, 3)), candidates) == guards([0], [2], (1, 3))


def test_pinned_scores_do_not_hide_those_of_the_others() -> None:
    """A blend still tells a good first-stage hit from a poor one where a huge score stands above both."""
    first_stage = [PIN, 3.0, 2.9, 1.0]
    stage = StageScores((0.0, 0.5, 0.4, 0.9), Rule("blend", 0.5))
    found = [hit.first_stage_index for hit in order(first_stage, [stage], guards(pinned=[0]))]
    assert found == [0, 1, 2, 3]
    assert organic(first_stage, {0}) == (3.0, 3.0, 2.9, 1.0)
    assert organic([PIN], {0}) == (0.0,)


def test_a_pinned_hit_keeps_its_score() -> None:
    """A client that tells pinned hits by the engine's huge scores still does; the others fall below 2 as always."""
    ranked = order([PIN, 3.0, 2.0], [StageScores((0.1, 0.2, 0.3), Rule())], guards(pinned=[0]))
    assert [hit.first_stage_index for hit in ranked] == [0, 2, 1]
    assert ranked[0].score == PIN
    assert 2 > ranked[1].score > ranked[2].score > 1


@st.composite
def windows(draw: st.DrawFn) -> tuple[list[float], StageScores, Guards]:
    """A window behind pinned hits, scored in any way and guarded in any way."""
    pins = draw(st.integers(0, 3))
    scores = sorted(draw(st.lists(st.floats(0, 1e6), min_size=1, max_size=10)), reverse=True)
    size = pins + len(scores)
    stage = StageScores(
        tuple(draw(st.lists(st.none() | st.floats(-5, 5), min_size=size, max_size=size))),
        draw(st.sampled_from([Rule(), Rule("blend", 0.5), Rule("rrf")])),
    )
    first = draw(st.integers(1, size))
    keep = draw(st.none() | st.builds(KeepTop, st.just(first), st.integers(first, size)))
    exact = draw(st.frozensets(st.integers(0, size - 1)))
    first_stage = [*(PIN * (1 + pin / 100) for pin in range(pins, 0, -1)), *scores]
    return first_stage, stage, Guards(frozenset(range(pins)), exact, keep)


@given(windows())
def test_guards_hold(window: tuple[list[float], StageScores, Guards]) -> None:
    """Each hit has one place; pinned ones theirs, exact ones the next; the others as high as they must be."""
    first_stage, stage, given_guards = window
    found = [hit.first_stage_index for hit in order(first_stage, [stage], given_guards)]
    assert sorted(found) == list(range(len(first_stage)))
    pins, exact = len(given_guards.pinned), sorted(given_guards.exact - given_guards.pinned)
    assert found[:pins] == list(range(pins))
    assert found[pins : pins + len(exact)] == exact
    keep = given_guards.keep_top
    if keep is not None:
        kept = set(range(keep.first))
        room = max(keep.within, len(kept | given_guards.exact | given_guards.pinned))
        assert all(found.index(place) < room for place in kept)


@given(windows())
def test_written_scores_fall_whatever_is_guarded(window: tuple[list[float], StageScores, Guards]) -> None:
    """Strictly, from the pinned hits' own down to just above 1; and the scores of places are those without guards."""
    first_stage, stage, given_guards = window
    ranked = order(first_stage, [stage], given_guards)
    assert all(above.score > below.score for above, below in pairwise(ranked))
    assert ranked[-1].score > 1
    plain = order(organic(first_stage, given_guards.pinned), [stage])
    pins = len(given_guards.pinned)
    assert [hit.score for hit in ranked[pins:]] == [hit.score for hit in plain[pins:]]


@given(windows())
def test_what_needs_no_guard_stays_in_the_models_order(window: tuple[list[float], StageScores, Guards]) -> None:
    """Hits that are not guarded keep their order among themselves, and an order without guards is left as it is."""
    first_stage, stage, given_guards = window
    kept = given_guards.keep_top.first if given_guards.keep_top else 0
    ours = [hit.first_stage_index for hit in order(first_stage, [stage], given_guards)]
    models = [hit.first_stage_index for hit in order(organic(first_stage, given_guards.pinned), [stage])]

    def is_free(place: int) -> bool:
        return place >= kept and place not in given_guards.exact and place not in given_guards.pinned

    assert list(filter(is_free, ours)) == list(filter(is_free, models))
    assert guarded(models, UNGUARDED) == models


@pytest.mark.parametrize(
    ("rule", "weight", "expected"),
    [
        (Rule(), 0.0, Rule()),
        (Rule(), 0.3, Rule("blend", 0.7)),
        (Rule("blend", 0.7), 0.5, Rule("blend", 0.5)),
        (Rule("blend", 0.2), 0.5, Rule("blend", 0.2)),
        (Rule("rrf"), 0.5, Rule("rrf")),
    ],
)
def test_a_boost_keeps_its_share(rule: Rule, weight: float, expected: Rule) -> None:
    """The first stage has the share that is configured for boosts at least, and what it had where that is more."""
    kept = rule.keeping(weight)
    assert kept.ranking == expected.ranking
    assert kept.blend_weight == pytest.approx(expected.blend_weight)
