"""What is to be judged: the best hits of several systems, together, in an order that tells nothing of them.

Depth-k pooling: what any of the systems has among its best k is judged, the rest is not. Source: Sparck Jones and van
Rijsbergen 1975, "Report on the need for and provision of an 'ideal' information retrieval test collection", as TREC
does it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from pathlib import Path

from bridge.errors import DataError
from bridge.evaluate.lines import lines_of
from bridge.evaluate.runs import Run

Pool = Mapping[str, tuple[str, ...]]
"""Query id -> document ids, in the order in which they are judged."""

_COLUMNS = 6


def pooled(runs: Iterable[Run], depth: int, seed: int) -> Pool:
    """The pool of runs, in the order of their queries; the same for the same pool, whichever run found what."""
    found: dict[str, set[str]] = {}
    for run in runs:
        for query_id, document_ids in run.items():
            found.setdefault(query_id, set()).update(document_ids[:depth])
    return {query_id: _shuffled(query_id, ids, seed) for query_id, ids in found.items() if ids}


def _shuffled(query_id: str, ids: Iterable[str], seed: int) -> tuple[str, ...]:
    order = sorted(ids)
    random.Random(f"{seed} {query_id}").shuffle(order)  # noqa: S311 - to hide whose they are, not to keep a secret
    return tuple(order)


def read_run(file: Path) -> Run:
    """The run in a file of TREC's format: query, Q0, document, rank, score, tag. Raises ``DataError``.

    By score, as trec_eval orders it, and where scores are equal in the order of the file. A document that comes again
    counts where it is best.
    """
    scored: dict[str, list[tuple[float, str]]] = {}
    for place, line in lines_of(file):
        columns = line.decode(errors="replace").split()
        if len(columns) != _COLUMNS:
            raise DataError(place, f"a run has {_COLUMNS} columns, this line has {len(columns)}")
        query_id, _, document_id, _, score, _ = columns
        scored.setdefault(query_id, []).append((_score(place, score), document_id))
    if not scored:
        raise DataError(str(file), "holds no run")
    return {
        query_id: tuple(dict.fromkeys(document for _, document in sorted(found, key=lambda entry: -entry[0])))
        for query_id, found in scored.items()
    }


def _score(place: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise DataError(place, f"the score {text!r} is not a number") from error
