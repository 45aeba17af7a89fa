"""Which form of judgments a file has."""

from __future__ import annotations

from bridge.evaluate.formats import quepid, rank_eval, tables
from bridge.evaluate.formats.base import JudgedFormat
from bridge.evaluate.lines import Head

JUDGED_FORMATS: tuple[JudgedFormat, ...] = (rank_eval.FORMAT, quepid.JSON, quepid.LTR, tables.TABLE)
"""More telling ones first."""


def format_of(head: Head) -> JudgedFormat | None:
    """The first form that knows the beginning of the file; None for queries, and for plain judgments of TREC."""
    return next((kind for kind in JUDGED_FORMATS if kind.recognises(head)), None)
