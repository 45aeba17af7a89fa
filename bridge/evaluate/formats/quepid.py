"""What Quepid exports beside tables: ratings and whole cases as JSON, ratings for RRE, ratings as lines for LTR.

A query of a case has ``query_text``, one of ratings ``query``; ``ratings`` are document -> rating, or in old cases a
list. RRE's file has ``placeholders`` with the words and ``relevant_documents``, rating -> documents or document ->
gain. A line for learning to rank is ``rating qid:N # document words``. Source: Quepid's manual, "Export", and its views
``api/v1/export/ratings`` and ``api/v1/export/cases``; the RRE wiki, "Ratings"; RankLib's "File Format".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from bridge.errors import DataError
from bridge.evaluate.formats.base import Judged, JudgedFormat, counted
from bridge.evaluate.formats.json_text import JsonText
from bridge.evaluate.lines import Head, lines_of
from bridge.evaluate.qrels import Grades, grade_of

NAME = "ratings of Quepid"
_LTR = re.compile(r"(?P<rating>\S+)\s+qid:(?P<query_id>\S+)[^#]*#\s*(?P<document>\S+)(?:\s+(?P<words>.*?))?\s*")
_UNRATED = "queries without a rating were left out"


class _Rating(msgspec.Struct):
    doc_id: str
    rating: float | None = None


class _Gain(msgspec.Struct):
    gain: float


class _Query(msgspec.Struct):
    query: str = ""
    query_text: str = ""
    placeholders: dict[str, str] = {}
    ratings: dict[str, float | None] | list[_Rating] | None = None
    relevant_documents: dict[str, list[str] | _Gain] | None = None

    @property
    def words(self) -> str:
        return " ".join((self.query or self.query_text or next(iter(self.placeholders.values()), "")).split())


class _File(msgspec.Struct):
    queries: list[msgspec.Raw]


def _recognises(head: Head) -> bool:
    start = b"\n".join(head.lines)
    is_query = re.search(rb'"(ratings|relevant_documents)"\s*:', start)
    return start.lstrip().startswith(b"{") and b'"queries"' in start and is_query is not None


def _read(path: Path) -> Judged:
    text = JsonText(path)
    grades, queries, unrated = Grades(), dict[str, str](), 0
    for place, query in text.each(text.decode(_File).queries, _Query):
        if not query.words:
            raise DataError(place, "the query has no words")
        if query.words in queries.values():
            raise DataError(place, f"the query {query.words!r} comes twice")
        query_id = str(len(queries) + 1)
        rated = list(_ratings(query))
        if not rated:
            unrated += 1
            continue
        queries[query_id] = query.words
        for document, rating in rated:
            grades.add(place, query_id, document, grade_of(place, rating))
    if not queries:
        raise DataError(str(path), "holds no judgment")
    return Judged(NAME, queries, grades.qrels, counted({_UNRATED: unrated}))


def _ratings(query: _Query) -> Iterator[tuple[str, str]]:
    """Document and rating, as text."""
    ratings = query.ratings or {}
    pairs: Mapping[str, float | None]
    pairs = ratings if isinstance(ratings, dict) else {rating.doc_id: rating.rating for rating in ratings}
    yield from ((document, f"{rating:g}") for document, rating in pairs.items() if rating is not None)
    for name, rated in (query.relevant_documents or {}).items():
        if isinstance(rated, _Gain):
            yield name, f"{rated.gain:g}"
        else:
            yield from ((document, name) for document in rated)


def _recognises_ltr(head: Head) -> bool:
    return _LTR.fullmatch(head.first.decode(errors="replace")) is not None


def _read_ltr(path: Path) -> Judged:
    grades, queries = Grades(), dict[str, str]()
    for place, line in lines_of(path):
        match = _LTR.fullmatch(line.decode(errors="replace").rstrip("\r\n"))
        if match is None:
            raise DataError(place, "expected 'rating qid:N # document words'")
        query_id, words = match["query_id"], " ".join((match["words"] or "").split())
        if not words:
            raise DataError(place, "has no words of a query behind the document")
        if queries.setdefault(query_id, words) != words:
            raise DataError(place, f"query {query_id!r} has other words than before")
        grades.add(place, query_id, match["document"], grade_of(place, match["rating"]))
    return Judged(f"{NAME} for LTR", queries, grades.qrels)


JSON = JudgedFormat(NAME, _recognises, _read)
LTR = JudgedFormat(f"{NAME} for LTR", _recognises_ltr, _read_ltr)
