"""Lengths -> shares of a batch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.packing import batch_shares, estimated_tokens


@pytest.mark.parametrize(
    ("characters", "max_tokens", "expected"),
    [(0, 512, 1), (3, 512, 1), (4, 512, 2), (400, 512, 101), (4_000, 512, 512)],
)
def test_estimated_tokens(characters: int, max_tokens: int, expected: int) -> None:
    """Four characters are a token, one token at least, and no more than the model reads."""
    assert estimated_tokens(characters, max_tokens) == expected


@pytest.mark.parametrize(
    ("waiting", "budget", "expected"),
    [
        ([], 10, []),
        ([[]], 10, [0]),
        ([[5, 5, 5]], 10, [2]),
        ([[5, 5], [5, 5]], 10, [2, 0]),
        ([[5], [5, 5]], 10, [1, 1]),
        ([[], [5]], 10, [0, 1]),
        ([[50, 1]], 10, [1]),
        ([[50], [1]], 10, [1, 0]),
        ([[5], [50], [1]], 10, [1, 0, 0]),
        ([[10], [1]], 10, [1, 0]),
    ],
)
def test_shares(waiting: list[list[int]], budget: int, expected: list[int]) -> None:
    """The first search is served first; what does not fit waits, but a batch is never empty."""
    assert batch_shares(waiting, budget) == expected


@given(st.lists(st.lists(st.integers(1, 20), max_size=6), max_size=5), st.integers(1, 40))
def test_shares_keep_to_the_budget(waiting: list[list[int]], budget: int) -> None:
    """Where anything waits something is taken, from the fronts alone, and only a lone text may be over the budget."""
    shares = batch_shares(waiting, budget)
    taken = [tokens for lengths, share in zip(waiting, shares, strict=True) for tokens in lengths[:share]]
    assert bool(taken) == any(waiting)
    assert all(0 <= share <= len(lengths) for share, lengths in zip(shares, waiting, strict=True))
    assert sum(taken) <= budget or len(taken) == 1
    served = [share == len(lengths) for share, lengths in zip(shares, waiting, strict=True)]
    assert all(served[: next((place for place, share in enumerate(shares) if not served[place]), len(shares))])
