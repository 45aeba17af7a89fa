"""What holds for every model, whatever its family."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.models.base import Model

MODELS = ("embedded", "qwen2", "qwen3", "deberta", "bert", "xlm_roberta", "modernbert")
TEXTS = st.text(alphabet=st.sampled_from("ab file 1.\n検ж🙂"), max_size=120)


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Model:
    found: Model = request.getfixturevalue(request.param)
    return found


def scores(model: Model, pairs: Sequence[tuple[str, str]]) -> list[float]:
    return model.score([read for query, text in pairs for read in model.read(query, [text])])


def test_no_texts_give_no_scores(model: Model) -> None:
    """An empty search is answered, not refused."""
    assert list(model.read("a", [])) == []
    assert list(model.score([])) == []


ODD_TEXTS = ("", "\x00", "\ud800", "a\udfffb", "\ud83d\ude42", "\u202e\ufeff\u0301", "[SEP]<|im_start|>", "x" * 100_000)


def test_odd_texts_have_finite_scores(model: Model) -> None:
    """Empty texts, NUL, lone surrogates, marks without a letter and 100 kB without a space are scored as anything."""
    pairs = [(query, text) for query in ODD_TEXTS for text in ODD_TEXTS[:7]] + [("a", ODD_TEXTS[7])]
    found = scores(model, pairs)
    assert len(found) == len(pairs)
    assert all(type(score) is float and math.isfinite(score) for score in found)


def test_a_surrogate_pair_is_read_as_its_character(model: Model) -> None:
    """Escapes in JSON that were decoded one by one mean the same as the character; a lone one is U+FFFD."""
    texts = ("a \U0001f642", "a \ud83d\ude42", "a \ufffd", "a \ud83d")
    whole, halves, unknown, lone = scores(model, [("file", text) for text in texts])
    assert halves == pytest.approx(whole, abs=1e-6)
    assert lone == pytest.approx(unknown, abs=1e-6)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(TEXTS, TEXTS), min_size=2, max_size=12), chosen=st.integers(0, 11))
def test_a_score_does_not_depend_on_its_neighbours(model: Model, pairs: Sequence[tuple[str, str]], chosen: int) -> None:
    """A pair has the same score alone, among others, and among others in another order."""
    wanted = pairs[chosen % len(pairs)]
    alone = scores(model, [wanted])[0]
    among = scores(model, pairs)
    turned = scores(model, pairs[::-1])
    assert among[chosen % len(pairs)] == pytest.approx(alone, abs=1e-5)
    assert among == pytest.approx(turned[::-1], abs=1e-5)


def test_threads_may_share_a_model(model: Model) -> None:
    """One batch is read and scored while another is: each gets its own scores."""
    batches = [[(f"query {number}", f"text {place} " * place) for place in range(9)] for number in range(6)]
    alone = [scores(model, batch) for batch in batches]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda batch: scores(model, batch), batches))
    assert [score for batch in together for score in batch] == pytest.approx(
        [score for batch in alone for score in batch], abs=1e-5
    )


def test_a_model_says_what_it_takes(model: Model) -> None:
    """Its memory and its batches are stated, so that an operator can plan for them."""
    footprint = model.footprint
    assert footprint.weights > 0
    assert footprint.activations > 0
    assert model.batch_tokens >= model.max_tokens / 8
    assert model.precision in {"float32", "bfloat16", "int8"}
    assert len(model.revision) == 32
