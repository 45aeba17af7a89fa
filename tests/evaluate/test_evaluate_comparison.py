from __future__ import annotations

import pytest

from bridge.evaluate.comparison import compare, compare_all
from bridge.evaluate.latency import percentiles
from bridge.evaluate.statistics import holm


def test_difference_and_paired_test_are_those_of_the_books() -> None:
    """Differences 0.1, 0.2, 0.3 have the mean 0.2 and, with t = 3.4641 on two degrees of freedom, p = 0.0742."""
    comparison = compare("P@5", {"a": 0.1, "b": 0.1, "c": 0.1}, {"a": 0.2, "b": 0.3, "c": 0.4})
    assert [comparison.first_mean, comparison.second_mean] == pytest.approx([0.1, 0.3])
    assert comparison.difference == pytest.approx(0.2)
    assert comparison.p_value == pytest.approx(0.0742, abs=1e-4)


def test_interval_holds_the_difference_and_repeats() -> None:
    """The interval lies about the difference, within the values seen, and is the same each time."""
    direct = {str(number): 0.5 for number in range(100)}
    bridged = {name: 0.5 + int(name) / 200 for name in direct}
    first, second = compare("AP", direct, bridged), compare("AP", direct, bridged)
    assert first.interval is not None
    assert 0.21 < first.interval[0] < first.difference < first.interval[1] < 0.29
    assert first.interval == second.interval


def test_queries_are_paired_by_name() -> None:
    """The order in which the sides give their values does not matter."""
    comparison = compare("AP", {"a": 0.0, "b": 1.0}, {"b": 1.0, "a": 0.0})
    assert (comparison.wins, comparison.ties, comparison.losses) == (0, 2, 0)


def test_wins_ties_and_losses_are_counted() -> None:
    """A difference in the last digits of a float is a tie, either way."""
    direct = {"a": 0.1 + 0.2, "b": 0.5, "c": 0.5, "d": 0.5, "e": 0.3}
    comparison = compare("AP", direct, {"a": 0.3, "b": 0.6, "c": 0.4, "d": 0.9, "e": 0.1 + 0.2})
    assert (comparison.wins, comparison.ties, comparison.losses) == (2, 2, 1)


@pytest.mark.parametrize("gain", [0.0, 0.25])
def test_same_difference_everywhere_leaves_the_test_silent(gain: float) -> None:
    """Without any spread there is no p-value, and the interval is a point."""
    comparison = compare("AP", {"a": 0.25, "b": 0.5}, {"a": 0.25 + gain, "b": 0.5 + gain})
    assert comparison.p_value is None
    assert list(comparison.interval or ()) == pytest.approx([gain, gain])


def test_single_query_has_no_interval() -> None:
    """One query says how large the difference is, not how sure."""
    comparison = compare("AP", {"a": 0.25}, {"a": 0.5})
    assert (comparison.difference, comparison.interval, comparison.p_value) == (0.25, None, None)


def test_holm_is_that_of_the_books() -> None:
    """The smallest of four p-values counts four times, the next one three times, and none falls below one before it."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]


def test_test_that_says_nothing_is_none_of_many() -> None:
    """What has no p-value is not corrected for, and gets none."""
    assert holm([None, 0.04, None, 0.02]) == [None, 0.04, None, 0.04]
    assert holm([]) == []


def test_all_pairs_are_compared_and_corrected_together() -> None:
    """Three systems are three pairs, in their order, whose p-values are adjusted for three tests."""
    values = {
        "direct": {"a": 0.1, "b": 0.1, "c": 0.1, "d": 0.2},
        "A": {"a": 0.2, "b": 0.3, "c": 0.4, "d": 0.3},
        "B": {"a": 0.2, "b": 0.3, "c": 0.3, "d": 0.5},
    }
    compared = compare_all("AP", values)
    assert [(one.first, one.second) for one in compared] == [("direct", "A"), ("direct", "B"), ("A", "B")]
    single = [compare("AP", values[one.first], values[one.second]).p_value for one in compared]
    assert [one.p_value for one in compared] == single
    assert [one.adjusted_p_value for one in compared] == holm(single)
    assert compared[0].adjusted_p_value != compared[0].p_value


def test_percentiles_are_in_milliseconds() -> None:
    """A hundred latencies from 1 to 100 ms have their percentiles where they should be, to three digits."""
    latencies = percentiles(number / 1000 for number in range(1, 101))
    assert latencies.count == 100
    values = [latencies.p50_ms, latencies.p90_ms, latencies.p99_ms, latencies.max_ms]
    assert values == pytest.approx([50, 90, 99, 100], rel=1e-3)


def test_extreme_latencies_are_counted() -> None:
    """Nothing is too short or too long to be counted."""
    latencies = percentiles([0.0, 1e9])
    assert latencies.count == 2
    assert latencies.max_ms == pytest.approx(3_600_000, rel=1e-3)


def test_no_latencies_have_zeros() -> None:
    """A histogram of nothing has zeros, not an error."""
    latencies = percentiles([])
    assert (latencies.count, latencies.max_ms) == (0, 0)
