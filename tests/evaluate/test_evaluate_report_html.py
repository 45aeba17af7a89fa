from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bridge.errors import DataError
from bridge.evaluate import report_view
from bridge.evaluate.report_html import page, write_html
from tests.evaluate.made_evaluation import made


class Words(HTMLParser):
    """The text of a page, by cells and paragraphs, and the addresses it names."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = [""]
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "data"}]
        if tag in {"td", "th", "p", "h1", "h2", "h3", "summary", "caption", "figcaption", "tr", "nav", "svg"}:
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        self.cells[-1] = f"{self.cells[-1]} {data}"


def read(content: str) -> Words:
    words = Words()
    words.feed(content)
    words.cells = [" ".join(cell.split()) for cell in words.cells]
    return words


def test_page_says_what_was_found() -> None:
    """Systems with means and intervals, every pair, latency, outcomes, notes and the queries stand in the page."""
    cells = read(page(made())).cells
    for cell in (
        "Evaluation on fruit & more",
        "3 judged queries, 100 hits each, 3 systems",
        "Note: 1 of 3 searches of small were not reranked in full",
        "★ 0.8770 0.6309 to 1.0000",
        "large & slow model: large & slow",
        "1 / 2 / 0",
        "small against direct 1 better, 2 same, 0 worse",
        "large & slow against direct 1 better, 1 same, 1 worse",
        "sour <b>lemons</b> 1.0000 between systems · best: direct",
        "12.5",
    ):
        assert cell in cells


def test_hits_are_shown_with_their_grades() -> None:
    """Each system's first hits stand below a query, with what the judgments say of each, or that they say nothing."""
    cells = read(page(made())).cells
    assert "● d1 (grade 2) , ○ d2 (grade 0) , ? x9 (not judged)" in cells
    assert "none" in cells


def test_queries_that_differ_most_come_first() -> None:
    """The list is sorted by the difference between systems; equal ones stay in their order."""
    listed = report_view.queries(made())
    assert [(query.id, query.best) for query in listed] == [("q2", "direct"), ("q1", "small"), ("q3", "large & slow")]
    assert [query.spread for query in listed] == sorted((query.spread for query in listed), reverse=True)


def test_page_asks_nobody_for_anything() -> None:
    """No address in the page leads out of it, and its policy forbids what is not in it."""
    content = page(made())
    assert {address for address in read(content).addresses if not address.startswith("#")} == {"data:,"}
    assert "default-src &#39;none&#39;" in content


def test_foreign_text_is_escaped() -> None:
    """Words of queries, names and ids are shown as they are and do nothing."""
    evaluation = made()
    bad = '"><script>alert(1)</script>'
    plan = replace(evaluation.plan, queries={**evaluation.plan.queries, "q1": bad}, index=bad)
    first = replace(evaluation.systems[1], name=bad, run={**evaluation.systems[1].run, "q1": (bad,)})
    content = page(replace(evaluation, plan=plan, systems=(evaluation.systems[0], first), notes=(bad,)))
    assert len(re.findall("<script", content)) == 1


def test_long_list_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of very many queries those that differ most are listed."""
    monkeypatch.setattr(report_view, "MAX_LISTED", 2)
    content = page(made())
    assert "The 2 queries, those on which" in content
    assert content.count('<details class="query"') == 2


def test_page_is_written(tmp_path: Path) -> None:
    """The file holds the page; a place where no file can be made is a data error."""
    write_html(made(), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page(made())
    with pytest.raises(DataError, match="can't be written"):
        write_html(made(), tmp_path / "nowhere" / "report.html")
