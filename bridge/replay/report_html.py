"""A replay's summary and verdict as one HTML file, which opens from disk and asks no network for anything.

Charts are SVG made here rather than by plotly, whose script would add 4 MB to each file and leave nothing to see
without JavaScript. The little script of the page searches, filters and sorts the list of queries; all of it can be
read without. Titles and queries are foreign text: the template escapes whatever it is given, and by its policy
(Content Security Policy Level 3, W3C) the page runs and loads nothing but the one script and style that are in it.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bridge.errors import DataError
from bridge.replay import report_queries, report_view
from bridge.replay.summary import Summary
from bridge.replay.verdict import Verdict
from bridge.version import __version__

_PACKAGE = "bridge.replay"
_TEMPLATE, _STYLE, _SCRIPT = "report.html.jinja", "report.css", "report.js"


def write_html(summary: Summary, verdict: Verdict, file: Path) -> None:
    """Writes the page. Raises ``DataError`` where the file can't be written."""
    try:
        # A name of the log may hold what is no text; the rest of the page shall not suffer.
        file.write_bytes(page(summary, verdict).encode("utf-8", errors="replace"))
    except OSError as error:
        raise DataError(str(file), f"can't be written: {error}") from error


def page(summary: Summary, verdict: Verdict) -> str:
    """The HTML."""
    style, script = _own(_STYLE), _own(_SCRIPT)
    environment = Environment(
        loader=PackageLoader(_PACKAGE, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(_TEMPLATE).render(
        summary=summary,
        verdict=verdict,
        view=report_view,
        queries=report_queries.queries(summary),
        style=style,
        script=script,
        policy=_policy(style, script),
        version=__version__,
    )


def _own(name: str) -> Markup:
    text = resources.files(_PACKAGE).joinpath(name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 - a file of this package


def _policy(style: str, script: str) -> str:
    """Nothing from anywhere, and no style or script but these two, known by what is in them."""
    return (
        f"default-src 'none'; style-src {_known(style)}; script-src {_known(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _known(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
