"""Runs: which documents a system found for each query, best first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from bridge.errors import DataError

Run = Mapping[str, tuple[str, ...]]
"""Query id -> document ids, best first, none twice."""


class RunLine(NamedTuple):
    """One document of a run, with the names that ``ir-measures`` gives the fields."""

    query_id: str
    doc_id: str
    score: float


def lines(run: Run) -> Iterator[RunLine]:
    """The run with scores that fall by one from rank to rank.

    Not the engine's scores: trec_eval and its kin order by score, as 32-bit floats, and then by document id, so that
    ties (and a bridge that keeps the engine's scores) would be measured in an order that no user sees.
    """
    for query_id, document_ids in run.items():
        for index, document_id in enumerate(document_ids):
            yield RunLine(query_id, document_id, float(len(document_ids) - index))


def write_run(file: Path, run: Run, tag: str) -> None:
    """Writes ``query Q0 document rank score tag``, the format of TREC. Raises ``DataError`` where that can't be done.

    Source: https://trec.nist.gov/ (trec_eval's README, "results file").
    """
    try:
        with file.open("w", encoding="utf-8") as out:
            for query_id, document_ids in run.items():
                for line in lines({query_id: document_ids}):
                    rank = len(document_ids) + 1 - int(line.score)
                    out.write(f"{_word(file, query_id)} Q0 {_word(file, line.doc_id)} {rank} {line.score:g} {tag}\n")
    except OSError as error:
        raise DataError(str(file), f"can't be written: {error}") from error


def _word(file: Path, name: str) -> str:
    if len(name.split()) != 1:
        raise DataError(str(file), f"the id {name!r} has white space, which separates columns in this format")
    return name
