from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bridge.evaluate.pareto import Point, choose, cross_validated, front, intervals


def test_front_is_what_no_other_beats() -> None:
    """Cheapest first; equal points are named once, and what costs more for no more quality is left out."""
    points = [Point(0, 0.3), Point(5, 0.5), Point(5, 0.4), Point(9, 0.5), Point(9, 0.6), Point(20, 0.55), Point(9, 0.6)]
    assert front(points) == [0, 1, 4]


def test_front_of_one_point_is_that_point() -> None:
    """One configuration is on its front."""
    assert front([Point(3, 0.1)]) == [0]


def test_cheap_one_is_chosen_where_the_best_is_hardly_better() -> None:
    """A difference within its error does not justify the cost; one beyond it does."""
    near = np.array([[0.5, 0.5, 0.5, 0.5], [0.9, 0.2, 0.6, 0.5]])
    assert choose(near, [1.0, 10.0]) == 0
    far = np.array([[0.5, 0.5, 0.5, 0.5], [0.6, 0.7, 0.6, 0.7]])
    assert choose(far, [1.0, 10.0]) == 1


def test_difference_is_judged_query_by_query() -> None:
    """Hard and easy queries spread the means, but not the difference, so that a steady small gain is seen."""
    hard_and_easy = np.array([0.0, 0.1, 0.8, 0.9])
    assert choose(np.array([hard_and_easy, hard_and_easy + 0.05]), [0.0, 1.0]) == 1


def test_best_of_equally_cheap_ones_is_chosen() -> None:
    """Blends cost the same, so that the best one is taken."""
    values = np.array([[0.5, 0.4, 0.6], [0.6, 0.4, 0.6], [0.7, 0.4, 0.6]])
    assert choose(values, [2.0, 2.0, 2.0]) == 2


def test_one_query_chooses_the_best() -> None:
    """Without a spread there is no error to stay within."""
    assert choose(np.array([[0.1], [0.2]]), [0.0, 1.0]) == 1


def test_choosing_among_noise_looks_better_than_it_is() -> None:
    """On the half that it was chosen on a lucky configuration gains; on the other half it does not."""
    noise = np.random.default_rng(1).random((50, 40))
    found = cross_validated(noise, [1.0] * 50)
    assert found is not None
    assert found.seen > 0.6
    assert found.unseen == pytest.approx(0.5, abs=0.06)
    assert found.agreement < 0.5


def test_true_gain_holds_on_unseen_queries() -> None:
    """A configuration that is better on every query is chosen by every half, and as good on the other."""
    queries = np.linspace(0.1, 0.5, 20)
    found = cross_validated(np.array([queries, queries + 0.2]), [0.0, 1.0])
    assert found is not None
    assert (found.agreement, found.unseen - found.reference) == pytest.approx((1.0, 0.2))


def test_three_queries_can_not_be_halved() -> None:
    """Halves of one query have no spread, so nothing is said."""
    assert cross_validated(np.zeros((2, 3)), [0.0, 1.0]) is None


def test_intervals_are_those_of_a_bootstrap() -> None:
    """They agree with scipy's percentile bootstrap of the mean, row by row."""
    differences = np.random.default_rng(2).normal(0.05, 0.2, (2, 60))
    for row, (low, high) in zip(differences, intervals(differences), strict=True):
        expected = stats.bootstrap((row,), np.mean, method="percentile", rng=3).confidence_interval
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.005)
