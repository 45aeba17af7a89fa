"""What holds for every model, whatever its family."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.models.base import Model, Pair
from bridge.models.batches import Batches, length_groups

MODELS = ("embedded", "qwen2", "deberta")
BATCHES = Batches(torch.device("cpu"))
TEXTS = st.text(alphabet=st.sampled_from("ab file 1.\n検ж🙂"), max_size=120)


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Model:
    found: Model = request.getfixturevalue(request.param)
    return found


def test_no_pairs_give_no_scores(model: Model) -> None:
    """An empty search is answered, not refused."""
    assert list(model.score([])) == []


ODD_TEXTS = ("", "\x00", "\ud800", "a\udfffb", "\ud83d\ude42", "\u202e\ufeff\u0301", "[SEP]<|im_start|>", "x" * 100_000)


def test_odd_texts_have_finite_scores(model: Model) -> None:
    """Empty texts, NUL, lone surrogates, marks without a letter and 100 kB without a space are scored as anything."""
    pairs = [Pair(query, text) for query in ODD_TEXTS for text in ODD_TEXTS[:7]] + [Pair("a", ODD_TEXTS[7])]
    scores = model.score(pairs)
    assert len(scores) == len(pairs)
    assert all(type(score) is float and math.isfinite(score) for score in scores)


def test_a_surrogate_pair_is_read_as_its_character(model: Model) -> None:
    """Escapes in JSON that were decoded one by one mean the same as the character; a lone one is U+FFFD."""
    whole, halves, unknown, lone = model.score(
        [Pair("file", text) for text in ("a \U0001f642", "a \ud83d\ude42", "a \ufffd", "a \ud83d")]
    )
    assert halves == pytest.approx(whole, abs=1e-6)
    assert lone == pytest.approx(unknown, abs=1e-6)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(TEXTS, TEXTS), min_size=2, max_size=12), chosen=st.integers(0, 11))
def test_a_score_does_not_depend_on_its_neighbours(model: Model, pairs: Sequence[tuple[str, str]], chosen: int) -> None:
    """A pair has the same score alone, among others, and among others in another order."""
    wanted = pairs[chosen % len(pairs)]
    alone = model.score([Pair(*wanted)])[0]
    among = model.score([Pair(*pair) for pair in pairs])
    turned = model.score([Pair(*pair) for pair in reversed(pairs)])
    assert among[chosen % len(pairs)] == pytest.approx(alone, abs=1e-5)
    assert among == pytest.approx(turned[::-1], abs=1e-5)


@given(lengths=st.lists(st.integers(0, 50), max_size=40), budget=st.integers(1, 120))
def test_groups_hold_each_index_once_within_the_budget(lengths: list[int], budget: int) -> None:
    """Every text is read once, and only a text that is over the budget by itself exceeds it."""
    groups = list(length_groups(lengths, budget))
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    assert all(len(g) == 1 or len(g) * max(lengths[i] for i in g) <= budget for g in groups)


@given(lengths=st.lists(st.integers(1, 5_000), min_size=1, max_size=20))
def test_rows_come_back_in_the_order_of_the_texts(lengths: list[int]) -> None:
    """Whatever the groups and the threads that read them, a text's row stands at the text's place."""
    rows = BATCHES.run(lengths, lambda group: torch.tensor([[index, lengths[index]] for index in group]))
    assert rows.tolist() == [[index, length] for index, length in enumerate(lengths)]


def test_an_error_of_one_group_is_the_caller_s_and_the_next_run_works() -> None:
    """A failing group fails its run alone; no thread is lost with it."""

    def fail(group: list[int]) -> torch.Tensor:
        raise RuntimeError(f"no memory for {len(group)}")

    with pytest.raises(RuntimeError, match="no memory"):
        BATCHES.run([5] * 4_000, fail)
    assert BATCHES.run([5], lambda group: torch.ones(len(group))).tolist() == [1.0]
