"""From times and scores to a row: medians, rates, agreement."""

from __future__ import annotations

import pytest

from bridge.bench.figures import Measured, Round, Work, figures, max_difference, same_order

WORK = Work(pairs={0: 10, 1: 10}, tokens={0: 100, 1: 300}, flops={0: 400, 1: 800}, peak_flops={"float32": 100.0})


def measured(system: str, times_s: list[tuple[int, float]], scores: tuple[float, ...] = (1.0, 0.0)) -> Measured:
    rounds = [Round(search, wall_s, wall_s * 2, scores) for search, wall_s in times_s]
    return Measured(system, "float32", load_s=1.0, peak_bytes=7, device_bytes=0, rounds=rounds)


def test_repetitions_give_medians_and_searches_a_mean() -> None:
    """One slow repetition changes nothing; both searches count."""
    ours = measured("bridge", [(0, 4.0), (1, 8.0), (0, 400.0), (1, 8.0), (0, 4.0), (1, 9.0)])
    row = figures(ours, ours, WORK)
    assert (row.seconds, row.cpu_seconds) == (6.0, 12.0)
    assert row.pairs_s == pytest.approx(20 / 12)
    assert row.tokens_s == pytest.approx(400 / 12)
    assert row.peak_share == pytest.approx(1200 / 12 / 100)


def test_a_reference_is_held_against_ours_round_by_round() -> None:
    """The ratio is the median of those within a round, as the rounds see one machine; it has no share of the peak."""
    ours = measured("bridge", [(0, 1.0), (0, 10.0), (0, 1.0)])
    row = figures(measured("other", [(0, 3.0), (0, 20.0), (0, 3.0)], scores=(1.5, 0.0)), ours, WORK)
    assert row.times_ours == 3.0
    assert row.peak_share is None
    assert row.max_difference == 0.5
    assert row.same_order


def test_another_order_is_seen() -> None:
    """Scores that turn the order round are told, in whichever round."""
    ours = measured("bridge", [(0, 1.0)])
    assert not figures(measured("other", [(0, 1.0)], scores=(0.0, 1.0)), ours, WORK).same_order


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ((3.0, 2.0, 1.0), True),
        ((3.0, 1.0, 2.0), False),
        ((3.0, 1.95, 2.0), True),
        ((2.0, 2.05, 2.12), False),  # each step is small, the whole is not
    ],
)
def test_ties_may_change_places(others: tuple[float, ...], expected: bool) -> None:  # noqa: FBT001 - a table
    """An order is the same where texts that changed places have nearly the same score."""
    assert same_order((0.9, 0.5, 0.1), others, 0.1) is expected


def test_the_largest_difference_counts() -> None:
    """One score that is far off is not averaged away."""
    assert max_difference([1.0, 2.0, 3.0], [1.0, 2.5, 2.9]) == 0.5
