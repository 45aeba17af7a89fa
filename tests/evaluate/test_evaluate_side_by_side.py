"""Two orders next to each other, as a person reads them."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from bridge.evaluate.side_by_side import SideBySide, table

PAGES = SideBySide(
    direct=("a", "b", "c"),
    bridged=("c", "a", "d"),
    rerank="applied",
    labels={name: f"{name}-label" + " and more words of it" * 5 for name in "abcd"},
)


def lines(width: int) -> list[str]:
    out = StringIO()
    Console(file=out, width=width).print(table(PAGES, "words [of] a user", marked={"c"}))
    return [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]


def test_every_column_is_readable_in_80_columns() -> None:
    """Place, both labels and the former place stand in one line, however long the labels are."""
    title, header, _, *rows = lines(80)
    assert title == "words [of] a user"
    assert header.split() == ["direct", "bridged", "was"]
    assert all(len(row) <= 80 for row in rows)
    assert [(row.split()[0], row.split()[-1]) for row in rows] == [("1", "3"), ("2", "1"), ("3", ">3")]


def test_marked_hits_stand_out_on_both_sides() -> None:
    """The judged answer is marked wherever it is shown."""
    marked = [row for row in lines(120) if "* c-label" in row]
    assert [row.split()[0] for row in marked] == ["1", "3"]
