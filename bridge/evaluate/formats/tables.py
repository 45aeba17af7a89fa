"""Tables of judgments: CSV, or with tabs or semicolons, under a header that names query, document and rating.

Quepid exports its ratings so, as ``query,docid,rating`` and in detail as ``Team Name,Case Name,Case ID,Query
Text,Doc ID,Title,Rating``, with a row without a rating for what nobody rated. Source: Quepid's manual, "Export", and
its views ``api/v1/export/ratings`` and ``caseCSVSvc``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import DataError
from bridge.evaluate.formats.base import Judged, JudgedFormat, counted
from bridge.evaluate.lines import Head, read_whole
from bridge.evaluate.qrels import Grades, grade_of

NAME = "table of judgments"
_MAX_BYTES = 1 << 30
_QUERY = ("query", "query_text", "user_query", "q", "search", "search_term", "keyword", "keywords")
_QUERY_ID = ("query_id", "queryid", "qid", "topic", "topic_id")
_DOCUMENT = ("docid", "doc_id", "doc", "document_id", "document", "docno", "corpus_id", "product_id", "item_id", "id")
_RATING = ("rating", "grade", "judgment", "judgement", "relevance", "relevancy", "rel", "label", "score")
_UNRATED = "rows without a document or a rating were passed over"


@dataclass(frozen=True, slots=True)
class _Columns:
    query: int | None
    query_id: int | None
    document: int
    rating: int


def _recognises(head: Head) -> bool:
    text = head.first.decode("utf-8-sig", errors="replace")
    return _columns(next(csv.reader([text], delimiter=_delimiter(text)), [])) is not None


def _read(path: Path) -> Judged:
    grades, queries, unrated = Grades(), dict[str, str](), 0
    ids: dict[str, str] = {}
    for place, query, query_id, document, rating in _rows(path):
        if not (query or query_id):
            raise DataError(place, "has no query")
        known = query_id or ids.setdefault(query, str(len(ids) + 1))
        if query and queries.setdefault(known, query) != query:
            raise DataError(place, f"query {known!r} has other words than before")
        if not document or not rating:
            unrated += 1
            continue
        grades.add(place, known, document, grade_of(place, rating))
    if not grades.qrels:
        raise DataError(str(path), "holds no judgment")
    judged = {query_id: text for query_id, text in queries.items() if query_id in grades.qrels}
    return Judged(NAME, judged, grades.qrels, counted({_UNRATED: unrated}))


def _rows(path: Path) -> Iterator[tuple[str, str, str, str, str]]:
    """Place, query, query id, document and rating of each row; empty where a row has none."""
    try:
        text = read_whole(path, _MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(str(path), str(error)) from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text.lstrip().partition("\n")[0]))
    columns: _Columns | None = None
    begins = 1
    for cells in _told(path, reader):
        place, begins = f"{path}:{begins}", reader.line_num + 1
        if not any(cell.strip() for cell in cells):
            continue
        if columns is None:
            columns = _columns(cells)
            if columns is None:
                raise DataError(place, f"names no query, document and rating; a rating is one of {', '.join(_RATING)}")
            continue
        query, query_id, document, rating = (
            _cell(cells, place) for place in (columns.query, columns.query_id, columns.document, columns.rating)
        )
        yield place, " ".join(query.split()), query_id, document, rating


def _told(path: Path, rows: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from rows
    except csv.Error as error:
        raise DataError(str(path), f"is no table: {error}") from error


def _cell(cells: Sequence[str], place: int | None) -> str:
    return cells[place].strip() if place is not None and place < len(cells) else ""


def _columns(names: Sequence[str]) -> _Columns | None:
    plain = [name.strip().lower().replace(" ", "_").replace("-", "_") for name in names]
    query, query_id, document, rating = (_place(plain, wanted) for wanted in (_QUERY, _QUERY_ID, _DOCUMENT, _RATING))
    if document is None or rating is None or (query is None and query_id is None):
        return None
    return _Columns(query, query_id, document, rating)


def _place(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _delimiter(line: str) -> str:
    return max(("\t", ",", ";"), key=line.count)


TABLE = JudgedFormat(NAME, _recognises, _read)
