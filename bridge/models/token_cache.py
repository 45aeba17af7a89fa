"""The tokens of texts that were read before, by content, in a memory bound; the least recently used go first."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

from tokenizers import Tokenizer

from bridge.cache_use import CacheUse
from bridge.models.tokens import encode, text_key

LIMIT_BYTES = 64 << 20
"""Some 50,000 texts of 200 tokens: the windows of the last 500 searches with 100 hits each."""
ENTRY_BYTES = 256
"""What an entry takes beside its tokens (key, array, place in the order): 238 measured."""
TOKEN_BYTES = 4


class TokenCache:
    """A tokenizer that remembers. Special tokens are never added; may be used from several threads."""

    def __init__(self, tokenizer: Tokenizer, limit_bytes: int = LIMIT_BYTES) -> None:
        self._tokenizer = tokenizer
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._known: OrderedDict[bytes, array[int]] = OrderedDict()
        self._lock = Lock()
        self._hits = self._misses = 0

    @property
    def use(self) -> CacheUse:
        """How it is used, until now."""
        return CacheUse(self._hits, self._misses, self._bytes, self._limit_bytes)

    def __len__(self) -> int:
        return len(self._known)

    def encode(self, texts: Sequence[str], max_tokens: int | None = None) -> list[tuple[int, ...]]:
        """The first ``max_tokens`` (or all) ids of each text: ``len(ids) == len(texts)``, same order."""
        keys = [text_key(text) for text in texts]
        found = self._find(keys)
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if new:
            read = encode(self._tokenizer, list(new.values()), special=False)
            made = {key: array("I", ids) for key, ids in zip(new, read, strict=True)}
            found |= made
            self._keep(made)
        return [tuple(found[key][:max_tokens]) for key in keys]

    def _find(self, keys: Sequence[bytes]) -> dict[bytes, array[int]]:
        with self._lock:
            found = {key: ids for key in keys if (ids := self._known.get(key)) is not None}
            for key in found:
                self._known.move_to_end(key)
            self._hits += len(found)
            self._misses += len(keys) - len(found)
        return found

    def _keep(self, made: dict[bytes, array[int]]) -> None:
        with self._lock:
            for key, ids in made.items():
                if key not in self._known:  # another thread may have read the same text meanwhile
                    self._known[key] = ids
                    self._bytes += _size(ids)
            while self._bytes > self._limit_bytes:
                _, dropped = self._known.popitem(last=False)
                self._bytes -= _size(dropped)


def _size(ids: array[int]) -> int:
    return ENTRY_BYTES + TOKEN_BYTES * len(ids)
