"""Judgments: which documents are relevant to which queries, and how much."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bridge.errors import DataError
from bridge.evaluate.lines import lines_of

Qrels = Mapping[str, Mapping[str, int]]
"""Query id -> document id -> grade, where grades above 0 are relevant."""

_IN_BEIR, _IN_TREC = 3, 4  # columns


class Grades:
    """Judgments as they are read. The same judgment may come again, another grade for it may not."""

    def __init__(self) -> None:
        self.qrels: dict[str, dict[str, int]] = {}
        """All that was added so far."""

    def add(self, place: str, query_id: str, document_id: str, grade: int) -> None:
        """Keeps a judgment. Raises ``DataError`` where it contradicts one that is kept."""
        kept = self.qrels.setdefault(query_id, {}).setdefault(document_id, grade)
        if kept != grade:
            raise DataError(
                place, f"query {query_id!r} and document {document_id!r} are judged twice, {kept} and {grade}"
            )


def grade_of(place: str, text: str) -> int:
    """The grade that is written as a whole number, perhaps with a decimal point. Raises ``DataError``."""
    try:
        value = float(text)
    except ValueError:
        value = 0.5
    if not value.is_integer():
        raise DataError(place, f"the grade {text!r} is not a whole number, which measures are computed from")
    return int(value)


def read_qrels(file: Path) -> dict[str, dict[str, int]]:
    """The judgments in a file with the columns of BEIR or of TREC. Raises ``DataError``.

    BEIR's are query, document and grade between tabs, perhaps under a header that begins with ``query``; TREC's are
    query, iteration, document and grade between any white space.
    """
    grades = Grades()
    for index, (place, line) in enumerate(lines_of(file)):
        if index == 0 and line.startswith(b"query"):
            continue
        query_id, document_id, grade = columns_of(place, line)
        grades.add(place, query_id, document_id, grade_of(place, grade))
    return grades.qrels


def columns_of(place: str, line: bytes) -> tuple[str, str, str]:
    """Query, document and grade of a line. Raises ``DataError`` where it has neither form."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise DataError(place, str(error)) from error
    columns = text.rstrip("\r\n").split("\t")
    if len(columns) == _IN_BEIR:
        return columns[0], columns[1], columns[2]
    words = text.split()
    if len(words) == _IN_TREC:
        return words[0], words[2], words[3]
    raise DataError(place, f"expected query-id, corpus-id and score between tabs, found {len(columns)} columns")
