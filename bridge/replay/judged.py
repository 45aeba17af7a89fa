"""Both pages of judged queries, measured as ``rerank-bridge evaluate`` measures.

A log's search is known by its query id, where the judgments use it, by the key of its record, as ``rerank-bridge
judge`` writes it for a search without an id, or by the user's words: a search whose words are those of a judged query
counts as that query, upper and lower case alike. Of equal searches the first counts.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bridge.evaluate.comparison import compare
from bridge.evaluate.measures import measure
from bridge.evaluate.qrels import Qrels
from bridge.replay.records import Record

MEASURES = ("nDCG@10", "RR@10")


class JudgedMeasure(msgspec.Struct, frozen=True):
    """One measure of both systems, means over the judged queries that the log has."""

    measure: str
    first: float
    second: float
    difference: float
    interval: tuple[float, float] | None
    """95% bootstrap interval of the difference; None where there are fewer than two queries."""
    p_value: float | None
    wins: int
    ties: int
    losses: int


class Judged(msgspec.Struct, frozen=True):
    """What judgments say of a replay."""

    queries: int
    """Judged queries that the log has, answered by both systems."""
    measures: tuple[JudgedMeasure, ...]


class JudgedPages:
    """Collects the pages of judged queries; memory grows with their number alone."""

    def __init__(self, qrels: Qrels, texts: Mapping[str, str], measures: tuple[str, ...] = MEASURES) -> None:
        """``texts`` are the words of judged queries: query id -> text, as far as they are known."""
        self._qrels = qrels
        self._by_text = {_plain(text): query_id for query_id, text in texts.items()}
        self._measures = measures
        self._first: dict[str, tuple[str, ...]] = {}
        self._second: dict[str, tuple[str, ...]] = {}

    def add(self, record: Record) -> None:
        """Keeps both pages where the query is judged and not there yet."""
        query_id = self._query_id(record)
        if query_id is None or query_id in self._first or not all(answer.is_answered for answer in record.answers):
            return
        self._first[query_id] = _ids(record, 0)
        self._second[query_id] = _ids(record, -1)

    def _query_id(self, record: Record) -> str | None:
        if record.query_id in self._qrels:
            return record.query_id
        if record.key in self._qrels:
            return record.key
        found = self._by_text.get(_plain(record.query_text)) if record.query_text else None
        return found if found in self._qrels else None

    def judged(self) -> Judged:
        """The measures; none where the log has no judged query."""
        qrels = {query_id: self._qrels[query_id] for query_id in self._first}
        if not qrels:
            return Judged(0, ())
        first, second = (measure(self._measures, qrels, run) for run in (self._first, self._second))
        compared = [compare(name, first[name], second[name]) for name in self._measures]
        return Judged(
            len(qrels),
            tuple(
                JudgedMeasure(
                    one.measure,
                    one.first_mean,
                    one.second_mean,
                    one.difference,
                    one.interval,
                    one.p_value,
                    one.wins,
                    one.ties,
                    one.losses,
                )
                for one in compared
            ),
        )


def _ids(record: Record, system: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(hit.id for hit in record.answers[system].hits))


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
