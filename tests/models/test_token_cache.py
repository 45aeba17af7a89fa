from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.models.token_cache import ENTRY_BYTES, TOKEN_BYTES, TokenCache
from bridge.models.tokens import encode
from tests.models.tiny_models import deberta_tokenizer

TOKENIZER = deberta_tokenizer()
TEXTS = ("how do I read a file?", "", "statins", "\ud800 lone", "检索 system", "statins")


@pytest.mark.parametrize("limit_bytes", [0, 1 << 20])
def test_remembered_tokens_are_those_of_the_tokenizer(limit_bytes: int) -> None:
    """Read once or again, with room to remember or none, a text has the tokens that the tokenizer gives."""
    cache = TokenCache(TOKENIZER, limit_bytes)
    expected = [tuple(ids) for ids in encode(TOKENIZER, TEXTS, special=False)]
    assert [cache.encode(TEXTS), cache.encode(TEXTS[::-1])] == [expected, expected[::-1]]


def test_a_cut_text_keeps_its_first_tokens() -> None:
    """No more than ``max_tokens`` are given, whether the text is new or known."""
    (whole,) = TokenCache(TOKENIZER).encode(["how do I read a file?"])
    cache = TokenCache(TOKENIZER)
    assert [cache.encode(["how do I read a file?"], max_tokens) for max_tokens in (3, 3, None)] == [
        [whole[:3]],
        [whole[:3]],
        [whole],
    ]


def test_the_least_recently_used_go_first() -> None:
    """Within room for two texts, one that was just used stays and the older one goes."""
    (ids,) = TokenCache(TOKENIZER).encode(["file a"])
    cache = TokenCache(TOKENIZER, 2 * (ENTRY_BYTES + TOKEN_BYTES * len(ids)))
    for text in ("file a", "file b", "file a", "file c"):
        cache.encode([text])
    assert len(cache) == 2
    kept = list(cache._known)
    cache.encode(["file a"])
    assert list(cache._known) == kept[::-1]


@given(texts=st.lists(st.text(max_size=30), max_size=20), limit_bytes=st.integers(0, 3_000))
def test_the_memory_bound_is_kept(texts: list[str], limit_bytes: int) -> None:
    """Whatever is read, what is remembered stays within the limit, and the tokens are right."""
    cache = TokenCache(TOKENIZER, limit_bytes)
    assert cache.encode(texts) == [tuple(ids) for ids in encode(TOKENIZER, texts, special=False)]
    assert sum(ENTRY_BYTES + TOKEN_BYTES * len(ids) for ids in cache._known.values()) == cache._bytes <= limit_bytes


def test_threads_may_read_the_same_texts() -> None:
    """Readers at the same time get right tokens, and each text is counted once."""
    cache = TokenCache(TOKENIZER)
    texts = [f"file {number % 50}" for number in range(400)]
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda _: cache.encode(texts), range(8)))
    assert all(tokens == read[0] for tokens in read)
    assert len(cache) == 50
    assert cache._bytes == sum(ENTRY_BYTES + TOKEN_BYTES * len(ids) for ids in cache._known.values())
