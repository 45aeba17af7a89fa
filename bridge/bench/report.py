"""Figures as tables for the terminal and for a page, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.table import Table

from bridge.bench.figures import Figures
from bridge.bench.machine import Machine

BEGIN, END = "<!-- scripts/bench models: begin -->", "<!-- scripts/bench models: end -->"
"""Around what is generated in a page."""
_COLUMNS = (
    "system", "precision", "s a search", "pairs/s", "tokens/s", "times the bridge", "peak memory", "of the peak",
    "scores differ by", "same order",
)  # fmt: skip
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Comparison:
    """One model on one workload."""

    title: str
    rows: tuple[Figures, ...]
    failures: dict[str, str] = field(default_factory=dict)
    """System -> why it has no row."""


@dataclass(frozen=True, slots=True)
class Simple:
    """A table of another kind: its cells are text already."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    remarks: tuple[str, ...] = ()
    """Sentences below it."""


@dataclass(frozen=True, slots=True)
class Report:
    """All of one run."""

    machine: Machine
    command: str
    threads: int
    notes: tuple[str, ...]
    tables: tuple[Comparison | Simple, ...]


def as_simple(table: Comparison | Simple) -> Simple:
    """The table with its cells as text."""
    if isinstance(table, Simple):
        return table
    failed = tuple(f"Not run: {system}. {_line(reason)}" for system, reason in table.failures.items())
    return Simple(table.title, _COLUMNS, tuple(map(_cells, table.rows)), failed)


def _cells(row: Figures) -> tuple[str, ...]:
    device = f" + {row.device_bytes / _GIB:.1f} GiB on the device" if row.device_bytes else ""
    return (
        row.system,
        row.precision,
        f"{row.seconds:.2f}" if row.seconds >= 1 else f"{row.seconds:.3f}",
        f"{row.pairs_s:.3g}",
        f"{row.tokens_s:,.0f}",
        f"{row.times_ours:.2f}",
        f"{row.peak_bytes / _GIB:.1f} GiB{device}",
        "" if row.peak_share is None else f"{row.peak_share:.0%}",
        f"{row.max_difference:.1e}",
        "yes" if row.same_order else "no",
    )


def terminal_table(table: Comparison | Simple) -> Table:
    """For the terminal."""
    simple = as_simple(table)
    shown = Table(*simple.columns, title=simple.title, caption="\n".join(simple.remarks), caption_justify="left")
    for row in simple.rows:
        shown.add_row(*row)
    return shown


def markdown(report: Report) -> str:
    """For a page."""
    parts = [f"{report.machine}; {report.threads} threads.", f"`{report.command}`", *report.notes]
    parts += [_markdown_table(as_simple(table)) for table in report.tables]
    return "\n\n".join(parts)


def _markdown_table(table: Simple) -> str:
    rows = (table.columns, tuple("---" for _ in table.columns), *table.rows)
    return "\n\n".join((f"**{table.title}**", "\n".join(_markdown_row(row) for row in rows), *table.remarks))


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_line(cell).replace("|", "\\|") for cell in cells) + " |"


def _line(text: str) -> str:
    return " ".join(text.split())


def write_page(page: Path, generated: str) -> None:
    """Put the text between the page's marks. Raises ``ValueError`` where it has none."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page} has no marks {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{generated}\n\n{END}{after}")


def as_json(report: Report) -> str:
    """All figures, for machines."""
    return json.dumps(asdict(report), indent=2)
