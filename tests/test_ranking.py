"""Scores -> order and the scores that are written."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ranking import Ranking, Rule, StageScores, order, preferred
from connectors._search_reply import written_score

RULES = st.sampled_from([Rule(), Rule("blend", 0.0), Rule("blend", 0.7), Rule("blend", 1.0), Rule("rrf")])
SCORES = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -1.0, 1e308, -1e308])


def places(first_stage: list[float], model: list[float | None], rule: Rule = Rule()) -> list[int]:  # noqa: B008 - frozen
    return [hit.first_stage_index for hit in order(first_stage, stages(rule, model))]


def stages(rule: Rule, *scores: list[float | None]) -> list[StageScores]:
    return [StageScores(tuple(stage), rule) for stage in scores]


@pytest.mark.parametrize(
    ("first_stage", "model", "rule", "expected"),
    [
        ([3.0, 2.0, 1.0], [0.1, 0.2, 0.3], Rule(), [2, 1, 0]),
        ([3.0, 2.0, 1.0], [0.1, 0.1, 0.3], Rule(), [2, 0, 1]),
        ([3.0, 2.0, 1.0], [0.5, 0.5, 0.5], Rule(), [0, 1, 2]),
        ([3.0, 2.0, 1.0], [-5.0, -9.0, -1.0], Rule(), [2, 0, 1]),
        ([3.0, 2.0, 1.0, 0.5], [0.1, 0.2], Rule(), [1, 0, 2, 3]),
        ([3.0, 2.0, 1.0], [None, 0.1, 0.2], Rule(), [2, 1, 0]),
        ([3.0, 2.0, 1.0, 0.5], [0.1, 0.2, None, None], Rule(), [1, 0, 2, 3]),
        ([3.0, 2.0], [None, None], Rule(), [0, 1]),
        ([3.0, 2.9, 1.0], [0.0, 1.0, 0.9], Rule("blend", 0.0), [0, 1, 2]),
        ([3.0, 2.9, 1.0], [0.0, 1.0, 0.9], Rule("blend", 1.0), [1, 2, 0]),
        ([3.0, 2.9, 1.0], [0.0, 1.0, 0.9], Rule("blend", 0.5), [1, 0, 2]),
        ([3.0, 3.0, 3.0], [0.0, 1.0, 0.9], Rule("blend", 0.3), [1, 2, 0]),
        ([3.0, 2.0, 1.0], [0.1, 0.2, 0.3], Rule("rrf"), [0, 2, 1]),
        ([4.0, 3.0, 2.0, 1.0], [0.1, 0.4, 0.3, 0.2], Rule("rrf"), [1, 0, 2, 3]),
        ([3.0, 2.0, 1.0], [1e308, -1e308, 1.7e308], Rule("blend", 0.5), [0, 2, 1]),
        ([], [], Rule(), []),
    ],
)
def test_the_order(first_stage: list[float], model: list[float | None], rule: Rule, expected: list[int]) -> None:
    """By the model, by a weighted mean, or by ranks; ties and unscored hits in first-stage order, the tail behind."""
    assert places(first_stage, model, rule) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([0.1, 0.4, 0.3, 0.2], [None, 0.1, 0.9, None], [2, 1, 3, 0]),
        ([0.1, 0.4, 0.3, 0.2], [None, 0.1, 0.9, 0.5], [2, 3, 1, 0]),
        ([0.1, 0.4, 0.3, 0.2], [None, 0.1, None, None], [1, 2, 3, 0]),
        ([0.1, 0.4, 0.3, 0.2], [None, None, None, None], [1, 2, 3, 0]),
        ([0.1, 0.4, None, 0.2], [None, 0.1, None, 0.9], [3, 1, 0, 2]),
        ([0.1, 0.4, 0.4, 0.2], [None, 0.5, 0.5, None], [1, 2, 3, 0]),
    ],
)
def test_the_order_of_two_stages(first: list[float | None], second: list[float | None], expected: list[int]) -> None:
    """What the second scored stands first, then the rest by the first, then what has no score at all, then the tail."""
    found = order([4.0, 3.0, 2.0, 1.0, 0.5], stages(Rule(), first, second))
    assert [hit.first_stage_index for hit in found] == [*expected, 4]
    assert preferred([4.0, 3.0, 2.0, 1.0, 0.5], stages(Rule(), first, second)) == expected


def test_each_stage_has_its_own_rule() -> None:
    """A blended first stage hands on what its blend likes best; the model alone orders what comes of it."""
    blended = StageScores((0.0, 1.0, 0.9), Rule("blend", 0.0))
    alone = StageScores((0.2, 0.8, None), Rule())
    assert preferred([3.0, 2.9, 1.0], [blended]) == [0, 1, 2]
    assert preferred([3.0, 2.9, 1.0], [blended, alone]) == [1, 0, 2]


@st.composite
def windows(draw: st.DrawFn) -> tuple[list[float], list[StageScores]]:
    """A window and its tail, scored in one to three stages, each of which scores some of any that it was given."""
    first_stage = sorted(draw(st.lists(st.floats(0, 3e38), max_size=12)), reverse=True)
    size = draw(st.integers(0, len(first_stage)))
    scores = st.lists(st.none() | SCORES, min_size=size, max_size=size)
    return first_stage, [StageScores(tuple(draw(scores)), draw(RULES)) for _ in range(draw(st.integers(1, 3)))]


@given(windows())
def test_every_hit_has_one_place(window: tuple[list[float], list[StageScores]]) -> None:
    """The order is a permutation whose window comes first and whose tail is in first-stage order."""
    first_stage, done = window
    found = [hit.first_stage_index for hit in order(first_stage, done)]
    size = len(done[0].scores)
    assert sorted(found[:size]) == list(range(size))
    assert found[size:] == list(range(size, len(first_stage)))
    assert preferred(first_stage, done) == found[:size]


@given(windows())
def test_written_scores_fall(window: tuple[list[float], list[StageScores]]) -> None:
    """As text and as a 32-bit float: strictly within the window, in (1, 2), and never rising in the tail, in (0, 1)."""
    first_stage, done = window
    size = len(done[0].scores)
    written = [float(written_score(hit.score)) for hit in order(first_stage, done)]
    narrow = [struct.unpack("f", struct.pack("f", score))[0] for score in written]
    for scores in (written, narrow):
        assert all(above > below for above, below in pairwise(scores[:size]))
        assert all(above >= below for above, below in pairwise(scores[size:]))
        assert all(1 < score < 2 for score in scores[:size])
        assert all(0 < score < 1 for score in scores[size:])


@given(windows(), st.integers(0, 5))
def test_a_longer_tail_changes_nothing(window: tuple[list[float], list[StageScores]], more: int) -> None:
    """What is written of a hit depends on the window alone, so a larger page agrees with a smaller one."""
    first_stage, done = window
    longer = [*first_stage, *[0.0] * more]
    assert order(longer, done)[: len(first_stage)] == order(first_stage, done)


@given(windows())
def test_the_last_stage_comes_before_all_others(window: tuple[list[float], list[StageScores]]) -> None:
    """What a stage scored stands before what it did not, whatever the stages before it thought of that."""
    first_stage, done = window
    places = preferred(first_stage, done)
    scored = {place for place, score in enumerate(done[-1].scores) if score is not None}
    assert set(places[: len(scored)]) == scored
    rest = preferred(first_stage, done[:-1]) if len(done) > 1 else list(range(len(places)))
    assert places[len(scored) :] == [place for place in rest if place not in scored]


@pytest.mark.parametrize("ranking", ["model", "blend", "rrf"])
def test_a_large_window_has_room_for_its_scores(ranking: Ranking) -> None:
    """Ten thousand equal hits get ten thousand different scores."""
    size = 10_000
    written = [written_score(hit.score) for hit in order([1.0] * size, stages(Rule(ranking), [0.5] * size))]
    assert len(set(written)) == size
    assert all(b"1.0000000" < score < b"2.0000000" for score in written)
