"""Lengths -> shares of a batch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.packing import Waiting, batch_shares, estimated_tokens


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
        ([[5, 5, 5]], 10, [2]),
        ([[5, 5], [5, 5]], 10, [2, 0]),
        ([[5], [5, 5]], 10, [1, 1]),
        ([[50, 1]], 10, [1]),
        ([[50], [1]], 10, [1, 0]),
        ([[5], [50], [1]], 10, [1, 0, 1]),
        ([[5, 50, 1], [4, 4]], 10, [1, 1]),
        ([[10], [1]], 10, [1, 0]),
    ],
)
def test_shares(waiting: list[list[int]], budget: int, expected: list[int]) -> None:
    """The first search is served first, what fits of the others fills up, and a batch is never empty."""
    assert batch_shares([Waiting(costs) for costs in waiting], budget) == expected


def test_what_a_search_shares_counts_once() -> None:
    """The tokens that all texts of a search share come on top of its first one alone."""
    assert batch_shares([Waiting([2, 2, 2, 2], shared=4)], 10) == [3]
    assert batch_shares([Waiting([2], shared=4), Waiting([2], shared=4)], 10) == [1, 0]


def test_a_batch_ends_before_the_deadline_of_its_most_urgent_search() -> None:
    """Neither its own texts nor those of others make a search late; its first text goes in any case."""
    assert batch_shares([Waiting([3, 3, 3], room=6)], 100) == [2]
    assert batch_shares([Waiting([3], room=6), Waiting([3, 3])], 100) == [1, 1]
    assert batch_shares([Waiting([3], room=0), Waiting([3, 3])], 100) == [1, 0]


def test_a_long_text_lets_one_batch_of_others_pass() -> None:
    """A text longer than a batch goes alone: behind others that fit if it may wait, else at once."""
    assert batch_shares([Waiting([50, 1], may_wait=True), Waiting([5, 5, 5])], 10) == [0, 2]
    assert batch_shares([Waiting([50, 1], may_wait=False), Waiting([5, 5, 5])], 10) == [1, 0]
    assert batch_shares([Waiting([50, 1], may_wait=True), Waiting([60])], 10) == [1, 0]
    assert batch_shares([Waiting([50, 1], may_wait=True)], 10) == [1]
    assert batch_shares([Waiting([5, 1], may_wait=True), Waiting([5])], 10) == [2, 0]


WAITING = st.builds(
    Waiting,
    st.lists(st.integers(1, 20), min_size=1, max_size=6),
    shared=st.integers(0, 5),
    room=st.floats(0, 60),
    may_wait=st.booleans(),
)


@given(st.lists(WAITING, min_size=1, max_size=5), st.integers(1, 40))
def test_shares_keep_to_the_budget(waiting: list[Waiting], budget: int) -> None:
    """Something is taken, from the fronts alone, and only a text that goes alone may be over the budget."""
    shares = batch_shares(waiting, budget)
    assert len(shares) == len(waiting)
    assert all(0 <= share <= len(search.costs) for share, search in zip(shares, waiting, strict=True))
    taken = [cost for search, share in zip(waiting, shares, strict=True) for cost in search.costs[:share]]
    shared = sum(search.shared for search, share in zip(waiting, shares, strict=True) if share)
    assert taken
    assert sum(taken) + shared <= budget or len(taken) == 1
    assert shares[0] or (waiting[0].may_wait and waiting[0].first > budget)
