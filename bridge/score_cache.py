"""Scores by what they depend on: model revision, instruction, query text and text.

A page that is asked for again, or the next page of the same search, then costs no model time. Keys are digests of
content; neither texts nor hits are kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

from bridge.cache_use import CacheUse
from bridge.metrics_table import Sample

ENTRY_BYTES = 200
"""Of one score with its key: 154 measured on CPython 3.11, and room for a table that grows."""
_KEY_BYTES = 16


class ScoreCache:
    """The scores that were asked for last, within ``max_bytes`` of memory. For one thread."""

    def __init__(self, max_bytes: int) -> None:
        self._max_entries = max_bytes // ENTRY_BYTES
        self._scores: OrderedDict[bytes, float] = OrderedDict()
        self._hits = self._misses = 0

    @property
    def use(self) -> CacheUse:
        """How it is used, until now."""
        entries = (len(self._scores) * ENTRY_BYTES, self._max_entries * ENTRY_BYTES)
        return CacheUse(self._hits, self._misses, *entries)

    def samples(self) -> Iterator[Sample]:
        """Its use as metrics."""
        return self.use.samples("score")

    def get(self, key: bytes) -> float | None:
        """The score, or None where it is not known (any more)."""
        score = self._scores.get(key)
        if score is None:
            self._misses += 1
        else:
            self._hits += 1
            self._scores.move_to_end(key)
        return score

    def put(self, key: bytes, score: float) -> None:
        """Keeps a score; what was asked for longest ago makes room."""
        self._scores[key] = score
        self._scores.move_to_end(key)
        if len(self._scores) > self._max_entries:
            self._scores.popitem(last=False)


def score_keys(revision: str, instruction: str, query_text: str, texts: Sequence[str]) -> list[bytes]:
    """A key for the score of each text: ``len(keys) == len(texts)``, same order; equal for equal texts."""
    search = blake2b(digest_size=_KEY_BYTES)
    for part in _delimited((revision, instruction, query_text)):
        search.update(part)
    keys = []
    for text in texts:
        digest = search.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        keys.append(digest.digest())
    return keys


def window_key(asked: Sequence[str], texts: Sequence[str]) -> bytes:
    """A key for a whole window: everything that is asked of it, always so many parts, and its texts in their order."""
    digest = blake2b(digest_size=_KEY_BYTES)
    for part in _delimited((*asked, *texts)):
        digest.update(part)
    return digest.digest()


def _delimited(texts: Iterable[str]) -> Iterable[bytes]:
    """The bytes of the texts, each behind its length, so that it can't run into the next one."""
    for text in texts:
        raw = text.encode("utf-8", "surrogatepass")
        yield len(raw).to_bytes(8, "little")
        yield raw
