"""A replay's summary and verdict as one HTML file, which opens from disk and asks no network for anything.

The little script of the page searches, filters and sorts the list of queries; all of it can be read without.
"""

from __future__ import annotations

from pathlib import Path

from bridge.pages import html
from bridge.replay import report_queries, report_view
from bridge.replay.summary import Summary
from bridge.replay.verdict import Verdict


def write_html(summary: Summary, verdict: Verdict, file: Path) -> None:
    """Writes the page. Raises ``DataError`` where the file can't be written."""
    html.write(page(summary, verdict), file)


def page(summary: Summary, verdict: Verdict) -> str:
    """The HTML."""
    members = {
        "summary": summary,
        "verdict": verdict,
        "view": report_view,
        "queries": report_queries.queries(summary),
    }
    return html.rendered("bridge.replay", "report.html.jinja", "report.js", members)
