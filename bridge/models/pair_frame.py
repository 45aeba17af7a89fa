"""A pair of texts as a classifier reads it: ``[CLS] query [SEP] document [SEP]``, or as the tokenizer has it.

It is cut and put together here because the tokenizer, which can do it as well, makes an encoding of every pair of
cut-off pieces: seconds and gigabytes for two long texts; and because either text may be known already.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from bridge.cache_use import CacheUse
from bridge.errors import ModelLoadError
from bridge.models.base import Tokens
from bridge.models.token_cache import TokenCache

_PROBE = "a"


class PairFrame:
    """What the folder's tokenizer puts around two texts. Raises ``ModelLoadError`` where that can't be told."""

    def __init__(self, tokenizer: Tokenizer, max_tokens: int, folder: Path, *, has_segments: bool) -> None:
        self._texts = TokenCache(tokenizer)
        self._start, self._middle, self._end, first = _around(tokenizer, folder)
        self._has_second = has_segments and first == len(self._start) + len(self._middle)
        self._room = max_tokens - len(self._start) - len(self._middle) - len(self._end)
        if self._room < 1:
            raise ModelLoadError(f"{folder}: {max_tokens} positions don't hold a pair of texts")

    @property
    def token_use(self) -> CacheUse:
        """How the tokens that are kept have served."""
        return self._texts.use

    def read(self, query_text: str, texts: Sequence[str]) -> list[Tokens]:
        """The tokens of each pair, in the same order; the first segment ends before the document."""
        (query,) = self._texts.encode([query_text])
        # Cut where no more is needed to tell which of the two is longer.
        documents = self._texts.encode(texts, max(self._room, len(query)))
        return [self._framed(query, document) for document in documents]

    def made(self, length: int) -> Tokens:
        """A pair of about this length, as far as the model reads, for warming up."""
        return self._framed((), self._start[:1] * length)

    def _framed(self, query: tuple[int, ...], document: tuple[int, ...]) -> Tokens:
        query_length, document_length = longest_first(len(query), len(document), self._room)
        first = (*self._start, *query[:query_length], *self._middle)
        own = (*first, *document[:document_length], *self._end)
        return Tokens((), own, len(first) if self._has_second else len(own))


def longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """Tokens that are kept of two texts, together at most ``room``: the longer one gives way until they are equal.

    Source: strategy ``longest_first`` of the tokenizers library; the longer gets an odd token, or the second.
    """
    if first + second <= room:
        return first, second
    shorter = min(first, second, room // 2)
    return (room - shorter, shorter) if first > second else (shorter, room - shorter)


def _around(tokenizer: Tokenizer, folder: Path) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], int]:
    """The ids before, between and behind two texts, and how many of them are of the first segment."""
    pair = tokenizer.encode(_PROBE, _PROBE)
    places = pair.sequence_ids
    if places.count(0) == 0 or places.count(1) == 0 or None not in places:
        raise ModelLoadError(f"the tokenizer in {folder} puts nothing around a pair of texts, as a reranker's does")
    query, document = places.index(0), places.index(1)
    query_end, end = query + places.count(0), document + places.count(1)
    ids = tuple(pair.ids)
    around = (*pair.type_ids[:query], *pair.type_ids[query_end:document], *pair.type_ids[end:])
    return ids[:query], ids[query_end:document], ids[end:], around.count(0)
