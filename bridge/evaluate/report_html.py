"""An evaluation as one HTML file, which opens from disk and asks no network for anything.

Its little script searches the list of queries; all of it can be read without.
"""

from __future__ import annotations

from pathlib import Path

from bridge.evaluate import report_view
from bridge.evaluate.comparison import METHOD
from bridge.evaluate.evaluation import Evaluation
from bridge.evaluate.unjudged import RULE
from bridge.pages import html


def write_html(evaluation: Evaluation, file: Path) -> None:
    """Writes the page. Raises ``DataError`` where the file can't be written."""
    html.write(page(evaluation), file)


def page(evaluation: Evaluation) -> str:
    """The HTML."""
    members = {
        "evaluation": evaluation,
        "view": report_view,
        "queries": report_view.queries(evaluation),
        "method": METHOD,
        "rule": RULE,
    }
    return html.rendered("bridge.evaluate", "report.html.jinja", "report.js", members)
