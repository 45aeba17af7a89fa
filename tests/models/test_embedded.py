from __future__ import annotations

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from bridge.models.base import Model, Pair
from bridge.models.catalog import load
from bridge.models.embedded import packaged_folder
from bridge.models.vector_cache import ENTRY_BYTES, VectorCache

QUERY = "how do I read a file line by line?"
TEXTS = [
    "Opens a file and returns an iterator over its lines.",
    "Statins and breast cancer: a cohort of women.",
    "",
    "числа и слова, 検索エンジン 🙂",
    "a long text about files and lines " * 60,
    *(f"text {number} " * number for number in range(1, 30)),
]


def by_the_card(texts: list[str]) -> torch.Tensor:
    """Vectors as the model's card makes them with transformers: one padded batch, mean pooling, normalised."""
    folder = packaged_folder()
    model = AutoModel.from_pretrained(folder, dtype=torch.float32)
    read = AutoTokenizer.from_pretrained(folder)(
        texts, padding=True, truncation=True, max_length=256, return_tensors="pt"
    )
    with torch.inference_mode():
        hidden = model(**read).last_hidden_state
    mask = read["attention_mask"].unsqueeze(-1)
    return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)


def test_scores_equal_those_of_the_model_card(embedded: Model) -> None:
    """Cosines differ by less than 1e-4 from those that plain transformers gives, also beyond 256 tokens."""
    vectors = by_the_card([QUERY, *TEXTS])
    expected = (vectors[1:] @ vectors[0]).tolist()
    assert embedded.score([Pair(QUERY, text) for text in TEXTS]) == pytest.approx(expected, rel=0, abs=1e-4)


def test_the_embedded_model_says_what_it_is(embedded: Model) -> None:
    """It is a bi-encoder that reads 256 tokens of a text."""
    assert (embedded.name, embedded.kind, embedded.max_tokens) == ("embedded", "bi-encoder", 256)


def test_meaning_wins_over_words(embedded: Model) -> None:
    """The real weights are in the package: an answer without a word of the question beats one that repeats it."""
    answer, echo = embedded.score(
        [Pair("ways to make text upper case", "Return a capitalised copy of the string."), Pair("a", "make ways")]
    )
    assert answer > echo


@pytest.mark.parametrize("cache_bytes", [0, 3 * (384 * 4 + ENTRY_BYTES), 1 << 20])
def test_the_cache_changes_no_score(cache_bytes: int, embedded: Model) -> None:
    """With no cache, one that is too small for the search, and one that holds all of it, scores are the same."""
    model = load("embedded", device="cpu", cache_bytes=cache_bytes)
    pairs = [Pair(QUERY, text) for text in TEXTS[:12]]
    expected = embedded.score(pairs)
    for _ in range(2):
        assert model.score(pairs) == pytest.approx(expected, abs=1e-6)


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def test_the_cache_keeps_within_its_bytes() -> None:
    """The bound covers vectors and what stands beside them; the entry that was used least recently goes first."""
    cache = VectorCache(3 * (8 * 4 + ENTRY_BYTES) + 5, dimensions=8)
    assert cache.capacity == 3
    cache.write([key(1), key(2), key(3)], torch.eye(8)[:3])
    cache.read([key(1)])
    cache.write([key(4)], torch.eye(8)[3:4])
    assert len(cache) == 3
    assert cache.known([key(n) for n in (1, 2, 3, 4)]) == [True, False, True, True]
    assert cache.read([key(4), key(1), key(3)]).tolist() == torch.eye(8)[[3, 0, 2]].tolist()


def test_more_vectors_than_fit_leave_the_last() -> None:
    """A search with more texts than the cache holds fills it once."""
    cache = VectorCache(2 * (8 * 4 + ENTRY_BYTES), dimensions=8)
    cache.write([key(n) for n in range(5)], torch.eye(8)[:5])
    assert cache.known([key(n) for n in range(5)]) == [False, False, False, True, True]
    assert cache.read([key(3), key(4)]).tolist() == torch.eye(8)[3:5].tolist()


def test_a_cache_of_no_bytes_keeps_nothing() -> None:
    """Zero switches the cache off."""
    cache = VectorCache(0, dimensions=8)
    cache.write([key(1)], torch.ones(1, 8))
    assert len(cache) == 0
