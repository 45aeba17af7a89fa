"""A long text -> the passages that a model reads one by one, and their scores -> the text's. Pure.

A passage is as many whole sentences as a model reads at once. Each but the first begins with the last sentence of the
one before it, so that what a sentence refers to is read with it: the default of Elasticsearch's sentence chunking
("Configuring chunking", ``sentence_overlap``). A text's score is that of its best passage: MaxP of Dai and Callan,
"Deeper Text Understanding for IR with Contextual Neural Language Modeling", SIGIR 2019.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bridge.ranking import Extent

_CLOSING = "\"'”’»›)\\]}）】」』〉》"  # noqa: RUF001 - the signs that texts have
# Unicode's sentence terminals (property Sentence_Terminal, UAX 29): those of scripts with spaces end a sentence before
# one, those of scripts without always do; so does a line, since fields are joined by lines.
_END = re.compile(rf"(?:[.!?…‽؟۔।॥።፧܀]+[{_CLOSING}]*(?=\s)|[。！？｡．]+[{_CLOSING}]*|\n)\s*")  # noqa: RUF001 - likewise
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Passages:
    """What is read of a text that is longer than a model reads at once."""

    at_most: int
    """Passages of a text, from its beginning; 1 reads the beginning alone."""


def split(text: str, max_chars: int, at_most: int) -> list[Extent]:
    """Where the first passages begin and end, in order: ``1 <= len(split) <= at_most`` unless the text is empty.

    Each has ``max_chars`` at most (2 at least are taken), and none begins or ends with white space.
    """
    limit = max(max_chars, 2)
    units = list(_units(text, limit))
    passages: list[Extent] = []
    first = 0
    while first < len(units) and len(passages) < at_most:
        start = units[first][0]
        behind = next((place for place in range(first, len(units)) if units[place][1] - start > limit), len(units))
        passages.append((start, units[behind - 1][1]))
        overlaps = behind < len(units) and units[behind][1] - units[behind - 1][0] <= limit
        first = behind - 1 if overlaps and behind - 1 > first else behind
    return passages


def best(scores: Sequence[float | None]) -> tuple[float, int] | None:
    """The best score of a text's passages and its place, the first of equal ones; None where one has no score."""
    known = [score for score in scores if score is not None]
    if not known or len(known) < len(scores):
        return None
    return max(known), known.index(max(known))


def _units(text: str, limit: int) -> Iterator[Extent]:
    """Sentences without the white space around them; those beyond the limit in parts that two of fit in."""
    for start, end in _sentences(text):
        places = [start, *(_cuts(text, start, end, limit // 2) if end - start > limit else ()), end]
        for one, other in pairwise(places):
            yield from _stripped(text, one, other)


def _sentences(text: str) -> Iterator[Extent]:
    start = 0
    for match in _END.finditer(text):
        yield from _stripped(text, start, match.end())
        start = match.end()
    yield from _stripped(text, start, len(text))


def _cuts(text: str, start: int, end: int, part: int) -> Iterator[int]:
    """Where parts end: behind the last white space of their second half, or at their limit."""
    while end - start > part:
        spaces = list(_SPACE.finditer(text, start + part // 2, start + part))
        start = spaces[-1].end() if spaces else start + part
        yield start


def _stripped(text: str, start: int, end: int) -> Iterator[Extent]:
    part = text[start:end]
    if part.strip():
        yield start + len(part) - len(part.lstrip()), start + len(part.rstrip())
