from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from bridge.models.base import Model
from bridge.models.embedded import EmbeddedModel, packaged_folder
from bridge.models.linears import has_fast_int8
from bridge.models.precision import Precision
from bridge.models.vector_cache import ENTRY_BYTES, Vector, VectorCache

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


def cosines(model: Model, query: str, texts: Sequence[str]) -> list[float]:
    return model.score(model.read(query, texts))


def opened(*, cache_bytes: int = 1 << 20, precision: Precision = "float32") -> EmbeddedModel:
    return EmbeddedModel(packaged_folder(), torch.device("cpu"), cache_bytes=cache_bytes, precision=precision)


@pytest.fixture(scope="module")
def exact() -> EmbeddedModel:
    return opened()


def test_scores_equal_those_of_the_model_card(exact: EmbeddedModel) -> None:
    """Cosines differ by less than 1e-4 from those that plain transformers gives, also beyond 256 tokens."""
    vectors = by_the_card([QUERY, *TEXTS])
    expected = (vectors[1:] @ vectors[0]).tolist()
    assert cosines(exact, QUERY, TEXTS) == pytest.approx(expected, rel=0, abs=1e-4)


@pytest.mark.parametrize(
    ("precision", "error"),
    [
        ("bfloat16", 0.01),
        pytest.param("int8", 0.03, marks=pytest.mark.skipif(not has_fast_int8(), reason="no products of bytes here")),
    ],
)
def test_quicker_formats_come_close(precision: Precision, error: float, exact: EmbeddedModel) -> None:
    """Cosines in bfloat16 and int8 are those of float32 up to the format's error, and have a revision of their own."""
    model = opened(precision=precision)
    assert cosines(model, QUERY, TEXTS) == pytest.approx(cosines(exact, QUERY, TEXTS), rel=0, abs=error)
    assert (model.precision, model.revision != exact.revision) == (precision, True)


def test_the_embedded_model_says_what_it_is(embedded: Model) -> None:
    """It is a bi-encoder that reads 256 tokens of a text, and knows what it takes."""
    assert (embedded.name, embedded.kind, embedded.max_tokens) == ("embedded", "bi-encoder", 256)
    assert embedded.batch_tokens >= 256
    assert embedded.footprint.weights > 22_000_000  # its parameters, in bytes at least


def test_one_folder_and_format_have_one_revision(exact: EmbeddedModel) -> None:
    """What was scored before a restart is known to be of the same model."""
    assert opened(cache_bytes=0).revision == exact.revision


def test_meaning_wins_over_words(embedded: Model) -> None:
    """The real weights are in the package: an answer without a word of the question beats one that repeats it."""
    (answer,) = cosines(embedded, "ways to make text upper case", ["Return a capitalised copy of the string."])
    (echo,) = cosines(embedded, "a", ["make ways"])
    assert answer > echo


@pytest.mark.parametrize("cache_bytes", [0, 3 * (384 * 4 + ENTRY_BYTES), 1 << 20])
def test_the_cache_changes_no_score(cache_bytes: int, exact: EmbeddedModel) -> None:
    """With no cache, one that is too small for the search, and one that holds all of it, scores are the same."""
    model = opened(cache_bytes=cache_bytes)
    expected = cosines(exact, QUERY, TEXTS[:12])
    for _ in range(2):
        assert cosines(model, QUERY, TEXTS[:12]) == pytest.approx(expected, abs=1e-6)


def test_a_text_that_was_scored_costs_next_to_nothing() -> None:
    """It is not tokenised again, whichever query asks, and its vector is there even if the cache forgets it."""
    model = opened(cache_bytes=2 * (384 * 4 + ENTRY_BYTES))
    new = model.read(QUERY, TEXTS[:1])
    assert new[0].cost == len(new[0].own) > 3
    first = model.score(new)
    known = model.read(QUERY, TEXTS[:1])
    assert (known[0].own, known[0].cost, known[0].shared) == ((), 1, ())
    cosines(model, "another query", TEXTS[1:8])  # takes all the room
    assert model.read(QUERY, TEXTS[:1])[0].cost > 1
    assert model.score(known) == first


def test_searches_mix_and_repeat_texts(exact: EmbeddedModel) -> None:
    """Texts of several searches, some read twice and some known, are scored at once, each for its own query."""
    queries = ("a cohort of women", "open a file", "a cohort of women")
    alone = [score for query in queries for score in cosines(exact, query, TEXTS[:5])]
    model = opened()
    cosines(model, queries[1], TEXTS[2:4])
    together = model.score([tokens for query in queries for tokens in model.read(query, TEXTS[:5])])
    assert together == pytest.approx(alone, abs=1e-6)


def test_texts_are_read_while_others_are_scored(exact: EmbeddedModel) -> None:
    """Reading threads share the cache with the scoring one, and every score is that of its text."""
    expected = cosines(exact, QUERY, TEXTS)
    model = opened(cache_bytes=9 * (384 * 4 + ENTRY_BYTES))
    parts = [range(start, start + 6) for start in range(0, 30, 3)]
    with ThreadPoolExecutor(4) as threads:
        reading = [threads.submit(model.read, QUERY, [TEXTS[place] for place in part]) for part in parts]
        for part, read in zip(parts, reading, strict=True):
            wanted = [expected[place] for place in part]
            assert model.score(read.result()) == pytest.approx(wanted, abs=1e-5)


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def rows(count: int) -> Vector:
    return np.eye(8, dtype=np.float32)[:count]


def kept(cache: VectorCache, numbers: Sequence[int]) -> list[int]:
    return [number for number in numbers if cache.find([key(number)])]


def test_the_cache_keeps_within_its_bytes() -> None:
    """The bound covers vectors and what stands beside them; the entry that was used least recently goes first."""
    cache = VectorCache(3 * (8 * 4 + ENTRY_BYTES) + 5, dimensions=8)
    assert cache.capacity == 3
    cache.write([key(1), key(2), key(3)], rows(3))
    cache.find([key(1)])
    cache.write([key(4)], rows(4)[3:])
    found = cache.find([key(n) for n in (4, 3, 2, 1)])
    assert {int.from_bytes(k): vector.tolist().index(1.0) for k, vector in found.items()} == {4: 3, 3: 2, 1: 0}
    assert len(cache) == 3


def test_more_vectors_than_fit_leave_the_last() -> None:
    """A search with more texts than the cache holds fills it once."""
    cache = VectorCache(2 * (8 * 4 + ENTRY_BYTES), dimensions=8)
    cache.write([key(n) for n in range(5)], rows(5))
    assert kept(cache, range(5)) == [3, 4]


def test_a_vector_that_is_written_twice_takes_one_place() -> None:
    """Two searches may have had the same text computed; it is kept once, and is used by that."""
    cache = VectorCache(3 * (8 * 4 + ENTRY_BYTES), dimensions=8)
    cache.write([key(1), key(2)], rows(2))
    cache.write([key(1)], rows(1))
    cache.write([key(3)], rows(3)[2:])
    found = cache.find([key(n) for n in (1, 2, 3)])
    assert [vector.tolist().index(1.0) for vector in found.values()] == [0, 1, 2]
    cache.write([key(4)], rows(4)[3:])
    assert kept(cache, (1, 2, 3, 4)) == [2, 3, 4]


def test_what_was_found_outlives_its_place() -> None:
    """A vector in use does not change when its place is given to another."""
    cache = VectorCache(8 * 4 + ENTRY_BYTES, dimensions=8)
    cache.write([key(1)], rows(1))
    found = cache.find([key(1)])[key(1)]
    cache.write([key(2)], rows(2)[1:])
    assert found.tolist() == rows(1)[0].tolist()


def test_a_cache_of_no_bytes_keeps_nothing() -> None:
    """Zero switches the cache off."""
    cache = VectorCache(0, dimensions=8)
    cache.write([key(1)], rows(1))
    assert len(cache) == 0
