"""Scores -> order and the scores that are written."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ranking import Ranking, Rule, order
from connectors._search_reply import written_score

RULES = st.sampled_from([Rule(), Rule("blend", 0.0), Rule("blend", 0.7), Rule("blend", 1.0), Rule("rrf")])
SCORES = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -1.0, 1e308, -1e308])


def places(first_stage: list[float], model: list[float | None], rule: Rule = Rule()) -> list[int]:  # noqa: B008 - frozen
    return [hit.first_stage_index for hit in order(first_stage, model, rule)]


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


@st.composite
def windows(draw: st.DrawFn) -> tuple[list[float], list[float | None]]:
    first_stage = sorted(draw(st.lists(st.floats(0, 3e38), max_size=12)), reverse=True)
    size = draw(st.integers(0, len(first_stage)))
    return first_stage, draw(st.lists(st.none() | SCORES, min_size=size, max_size=size))


@given(windows(), RULES)
def test_every_hit_has_one_place(window: tuple[list[float], list[float | None]], rule: Rule) -> None:
    """The order is a permutation whose window comes first and whose tail is in first-stage order."""
    first_stage, model = window
    found = places(first_stage, model, rule)
    assert sorted(found[: len(model)]) == list(range(len(model)))
    assert found[len(model) :] == list(range(len(model), len(first_stage)))


@given(windows(), RULES)
def test_written_scores_fall(window: tuple[list[float], list[float | None]], rule: Rule) -> None:
    """As text and as a 32-bit float: strictly within the window, in (1, 2), and never rising in the tail, in (0, 1)."""
    first_stage, model = window
    written = [float(written_score(hit.score)) for hit in order(first_stage, model, rule)]
    narrow = [struct.unpack("f", struct.pack("f", score))[0] for score in written]
    for scores in (written, narrow):
        assert all(above > below for above, below in pairwise(scores[: len(model)]))
        assert all(above >= below for above, below in pairwise(scores[len(model) :]))
        assert all(1 < score < 2 for score in scores[: len(model)])
        assert all(0 < score < 1 for score in scores[len(model) :])


@given(windows(), RULES, st.integers(0, 5))
def test_a_longer_tail_changes_nothing(window: tuple[list[float], list[float | None]], rule: Rule, more: int) -> None:
    """What is written of a hit depends on the window alone, so a larger page agrees with a smaller one."""
    first_stage, model = window
    longer = [*first_stage, *[0.0] * more]
    assert order(longer, model, rule)[: len(first_stage)] == order(first_stage, model, rule)


@pytest.mark.parametrize("ranking", ["model", "blend", "rrf"])
def test_a_large_window_has_room_for_its_scores(ranking: Ranking) -> None:
    """Ten thousand equal hits get ten thousand different scores."""
    size = 10_000
    written = [written_score(hit.score) for hit in order([1.0] * size, [0.5] * size, Rule(ranking))]
    assert len(set(written)) == size
    assert all(b"1.0000000" < score < b"2.0000000" for score in written)
