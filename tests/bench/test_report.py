"""Tables of figures: in the terminal, in a page, as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.bench.figures import Figures
from bridge.bench.machine import Machine
from bridge.bench.report import BEGIN, END, Comparison, Report, Simple, as_json, as_simple, markdown, write_page

MACHINE = Machine("2026-01-02", "a processor", 2, ("avx2",), "cpu", "2.15", "5.24", "3.11")
ROW = Figures("bridge", "float32", 0.25, 0.5, 400.0, 40_000.0, 3 << 30, 0, 1.0, 0.75, 0.0, same_order=True)
COMPARISON = Comparison("xsmall-v1: one search", (ROW,), {"infinity": "could not be installed: no | such\npackage"})
REPORT = Report(MACHINE, "scripts/bench models", 2, ("a note",), (COMPARISON, Simple("s", ("a",), (("b | b\nb",),))))


def test_a_row_says_all_and_a_failure_says_why() -> None:
    """Figures come with their units; a system that could not run is named below them, with its reason."""
    table = as_simple(COMPARISON)
    assert table.rows[0] == ("bridge", "float32", "0.250", "400", "40,000", "1.00", "3.0 GiB", "75%", "0.0e+00", "yes")
    assert table.remarks == ("Not run: infinity. could not be installed: no | such package",)


def test_markdown_keeps_its_columns() -> None:
    """Bars and line breaks in a cell do not break a table."""
    text = markdown(REPORT)
    assert "a processor, 2 cores (avx2)" in text
    assert "\n| a |\n| --- |\n| b \\| b b |\n" in f"{text}\n"


def test_a_page_keeps_what_stands_around(tmp_path: Path) -> None:
    """Only what is between the marks is replaced, as often as it is written."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_page(page, "new")
    write_page(page, "newer")
    assert page.read_text() == f"before\n{BEGIN}\n\nnewer\n\n{END}\nafter\n"


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    """Nothing is written where it is not clear what to replace."""
    page = tmp_path / "page.md"
    page.write_text("text")
    with pytest.raises(ValueError, match="no marks"):
        write_page(page, "new")
    assert page.read_text() == "text"


def test_json_has_every_figure() -> None:
    """What is in the tables can be read by a machine."""
    read = json.loads(as_json(REPORT))
    assert read["tables"][0]["rows"][0]["peak_share"] == 0.75
    assert read["machine"]["flags"] == ["avx2"]
