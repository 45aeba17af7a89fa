"""Texts -> groups -> rows: the budget, the order, and what happens where memory runs out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bridge.models.batches import Batches, even_groups, token_groups

CPU = torch.device("cpu")
BATCHES = Batches(CPU, token_bytes=8)


@given(costs=st.lists(st.integers(0, 50), max_size=40), budget=st.integers(1, 120))
def test_groups_hold_each_index_once_within_the_budget(costs: list[int], budget: int) -> None:
    """Every text is read once, and only a text that is over the budget by itself exceeds it."""
    groups = list(token_groups(costs, budget))
    assert sorted(index for group in groups for index in group) == list(range(len(costs)))
    assert all(len(group) == 1 or sum(costs[index] for index in group) <= budget for group in groups)


def test_groups_are_as_few_as_their_order_allows() -> None:
    """A group is filled before the next one begins, the longest text first."""
    assert list(token_groups([1, 5, 2, 4], 6)) == [[1], [3, 2], [0]]


@given(costs=st.lists(st.integers(1, 50), min_size=1, max_size=40), count=st.integers(1, 6))
def test_even_groups_hold_each_index_once_and_differ_by_a_text(costs: list[int], count: int) -> None:
    """No core has more to do than another by more than one text, so that none waits long."""
    groups = even_groups(costs, count)
    assert sorted(index for group in groups for index in group) == list(range(len(costs)))
    loads = [sum(costs[index] for index in group) for group in groups] + [0] * (count - len(groups))
    assert max(loads) - min(loads) <= max(costs)


@given(costs=st.lists(st.integers(1, 5_000), min_size=1, max_size=20))
def test_rows_come_back_in_the_order_of_the_texts(costs: list[int]) -> None:
    """Whatever the groups and the threads that read them, a text's row stands at the text's place."""
    rows = BATCHES.run(costs, lambda group: torch.tensor([[index, costs[index]] for index in group]))
    assert rows.tolist() == [[index, cost] for index, cost in enumerate(costs)]


def test_an_error_of_one_group_is_the_caller_s_and_the_next_run_works() -> None:
    """A failing group fails its run alone; no thread is lost with it."""

    def fail(group: list[int]) -> torch.Tensor:
        raise RuntimeError(f"no luck with {len(group)}")

    with pytest.raises(RuntimeError, match="no luck"):
        BATCHES.run([5] * 4_000, fail)
    assert BATCHES.run([5], lambda group: torch.ones(len(group))).tolist() == [1.0]


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_where_memory_runs_out_the_group_is_halved_until_it_fits(error: RuntimeError) -> None:
    """A device with room for three texts at a time scores a hundred of them, and later groups are smaller at once."""
    batches = Batches(CPU, token_bytes=8)
    sizes: list[int] = []

    def read(group: list[int]) -> torch.Tensor:
        sizes.append(len(group))
        if len(group) > 3:
            raise error
        return torch.tensor(group)

    assert batches.run([300] * 100, read).tolist() == list(range(100))
    assert max(sizes) > 3
    sizes.clear()
    assert batches.run([300] * 100, read).tolist() == list(range(100))
    assert max(sizes) <= 3


def test_a_text_that_does_not_fit_alone_is_an_error() -> None:
    """Halving ends at one text; its search hears of it."""

    def read(group: list[int]) -> torch.Tensor:
        raise torch.OutOfMemoryError(f"no room for {len(group)}")

    with pytest.raises(torch.OutOfMemoryError, match="no room for 1"):
        Batches(CPU, token_bytes=8).run([10, 10], read)


def test_the_budget_follows_the_speed() -> None:
    """A model that takes its time is given less at once than one that is quick, and its memory is stated for that."""
    quick, slow = Batches(CPU, token_bytes=8), Batches(CPU, token_bytes=8)
    quick.warm_up(lambda _costs: None)
    slow.warm_up(lambda _costs: sum(range(3_000_000)))
    assert slow.batch_tokens < quick.batch_tokens
    assert slow.activation_bytes == 8 * slow.batch_tokens
