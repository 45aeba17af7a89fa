"""Measures of how much two pages differ, against published examples and by their own laws."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bridge.replay.overlap import average_overlap, kendall_tau, moves, newcomers, overlap, rank_biased_overlap

ids = st.lists(st.integers(0, 30), unique=True, max_size=20)


@pytest.mark.parametrize(
    ("depth", "agreement", "average"),
    [
        (1, 0.0, 0.0),
        (2, 0.0, 0.0),
        (3, 0.667, 0.222),
        (4, 0.5, 0.292),
        (5, 0.4, 0.313),
        (6, 0.333, 0.317),
        (7, 0.286, 0.312),
    ],
)
def test_the_example_of_the_paper(depth: int, agreement: float, average: float) -> None:
    """Webber et al. 2010, figure 1: agreement and average overlap of two lists at each depth."""
    first, second = "abcdefg", "zcavwxy"
    assert overlap(first, second, depth) == pytest.approx(agreement, abs=5e-4)
    assert average_overlap(first, second, depth) == pytest.approx(average, abs=5e-4)


def series(first: str, second: str, p: float, ends_at: int) -> float:
    """Equation 4 of the paper, by its definition, summed over lists that agree for ever after their end."""
    total = 0.0
    for depth in range(1, 2_000):
        seen = min(depth, ends_at)
        agreement = len(set(first[:seen]) & set(second[:seen])) / seen
        total += (1 - p) * p ** (depth - 1) * agreement
    return total


@pytest.mark.parametrize("p", [0.5, 0.9, 0.98])
@pytest.mark.parametrize(("first", "second"), [("abcdefg", "zcavwxy"), ("ab", "ba"), ("abc", "abc"), ("abc", "xyz")])
def test_rank_biased_overlap_extrapolates_the_agreement_at_the_end(first: str, second: str, p: float) -> None:
    """Equation 30 for even lists is the infinite sum of equation 4 with the last agreement going on for ever."""
    assert rank_biased_overlap(first, second, p) == pytest.approx(series(first, second, p, len(first)), abs=1e-9)


def test_uneven_lists() -> None:
    """Equation 32: the shorter list is reckoned to go on agreeing as much as it did."""
    p, short, long = 0.8, "ab", "acbd"
    shared = [1, 1, 2, 2]
    seen = sum(count / depth * p**depth for depth, count in enumerate(shared, start=1))
    assumed = sum(1 * (depth - 2) / (2 * depth) * p**depth for depth in (3, 4))
    expected = (1 - p) / p * (seen + assumed) + ((2 - 1) / 4 + 1 / 2) * p**4
    assert rank_biased_overlap(short, long, p) == pytest.approx(expected, abs=1e-12)
    assert rank_biased_overlap(long, short, p) == rank_biased_overlap(short, long, p)


@given(ids, ids)
def test_laws_of_overlap(first: list[int], second: list[int]) -> None:
    """Between 0 and 1, the same both ways, and 1 for a list with itself."""
    for measure in (rank_biased_overlap, lambda a, b: overlap(a, b, 10)):
        assert 0.0 <= measure(first, second) <= 1.0 + 1e-12
        assert measure(first, second) == pytest.approx(measure(second, first))
        assert measure(first, first) == pytest.approx(1.0)


@given(st.permutations(range(8)))
def test_tau_is_that_of_scipy(order: list[int]) -> None:
    """Kendall's tau of two orders of the same hits."""
    places = [order.index(hit) for hit in range(8)]
    assert kendall_tau(range(8), order) == pytest.approx(stats.kendalltau(range(8), places).statistic)


@pytest.mark.parametrize(
    ("first", "second", "tau"),
    [("abc", "cba", -1.0), ("abc", "xby", None), ("", "abc", None), ("abcd", "aXdY", 1.0), ("ab", "ab", 1.0)],
)
def test_tau_looks_at_what_both_have(first: str, second: str, tau: float | None) -> None:
    """Hits that one page alone has say nothing of the order, and one hit has none."""
    assert kendall_tau(first, second) == tau


def test_moves_and_newcomers() -> None:
    """A hit that rose counts up, one that fell down, one that is new apart."""
    assert moves("abcd", "dxab") == [3, -2, -2]
    assert newcomers("abcd", "dxab") == [1]
    assert list(islice(newcomers("", "ab"), 2)) == [0, 1]
