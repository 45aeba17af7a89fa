"""BM25 over texts in memory: what a search engine would have put before the models. Small, for benchmarks."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

K1 = 1.2
B = 0.75
"""Lucene's defaults, and so those of the engines."""
_WORD = re.compile(r"\w+")
_SUFFIXES = ("ies", "es", "s")
_LEAST_STEM = 3


class Bm25:
    """An index of texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(words(text)) for text in texts]
        lengths = [counter.total() for counter in counts]
        mean = sum(lengths) / max(len(lengths), 1) or 1.0
        self._norms = [K1 * (1 - B + B * length / mean) for length in lengths]
        self._postings: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for place, counter in enumerate(counts):
            for word, count in counter.items():
                self._postings[word].append((place, count))

    def top(self, query: str, count: int) -> list[int]:
        """Places of at most ``count`` texts that share a word with the query, best first; ties in their order."""
        scores: defaultdict[int, float] = defaultdict(float)
        for word in set(words(query)):
            found = self._postings.get(word, ())
            weight = math.log(1 + (len(self._norms) - len(found) + 0.5) / (len(found) + 0.5))
            for place, occurrences in found:
                scores[place] += weight * occurrences / (occurrences + self._norms[place])
        return sorted(scores, key=lambda place: (-scores[place], place))[:count]


def words(text: str) -> list[str]:
    """The text's words in lower case, without the ending of an English plural."""
    return [_stem(word) for word in _WORD.findall(text.lower())]


def _stem(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _LEAST_STEM:
            return word[: -len(suffix)]
    return word
