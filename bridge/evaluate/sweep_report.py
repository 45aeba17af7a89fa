"""A sweep for people and programs: quality by window and blend, the front, a plot, and the configuration to use."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import yaml
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bridge.errors import DataError
from bridge.evaluate import pareto
from bridge.evaluate.grid import Configuration
from bridge.evaluate.sweep import Measured, Sweep

SCHEMA = 1
_PLOT_COLUMNS, _PLOT_ROWS = 60, 14
_DRAWN = _DOMINATED, _ON_FRONT, _ENGINE, _CHOSEN = ".", "o", "E", "X"
"""Marks of the plot, where two have the same place the later one is seen."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the figures of a sweep say. Rows are the engine alone, as 0, and then what was measured."""

    points: tuple[pareto.Point, ...]
    front: tuple[int, ...]
    """Cheapest first."""
    chosen: int
    best: int
    intervals: tuple[tuple[float, float], ...]
    """Of each row's difference to the engine alone."""
    validation: pareto.CrossValidation | None


def chosen_from(sweep: Sweep) -> Choice:
    """The choice, by ``pareto.RULE``."""
    query_ids = list(sweep.engine)
    rows = [sweep.engine, *(one.values for one in sweep.measured)]
    values = np.array([[row[query_id] for query_id in query_ids] for row in rows])
    costs = [0.0, *(one.score_ms for one in sweep.measured)]
    points = tuple(pareto.Point(cost, float(mean)) for cost, mean in zip(costs, values.mean(axis=1), strict=True))
    return Choice(
        points,
        tuple(pareto.front(points)),
        pareto.choose(values, costs),
        int(values.mean(axis=1).argmax()),
        tuple(pareto.intervals(values - values[0])),
        pareto.cross_validated(values, costs),
    )


def settings(measured: Measured | None) -> dict[str, object]:
    """The settings of a configuration, as its file has them; of the engine alone for None."""
    if measured is None:
        return {"mode": "off"}
    model, window, blend = measured.configuration
    blended = {} if blend is None else {"ranking": "blend", "blend_weight": blend}
    return {"model": model, "window": window, **blended}


def show(sweep: Sweep, console: Console) -> None:
    """Prints the tables, the plot, the configuration to use, and what speaks against trusting it."""
    choice = chosen_from(sweep)
    for title, table in _grids(sweep):
        _print(console, title, table)
    title = f"no other is better for less: {sweep.plan.measure} and the models' time for a search"
    _print(console, title, _front(sweep, choice))
    for line in plotted(sweep, choice):
        console.print(line, markup=False, highlight=False, no_wrap=True)
    console.print()
    console.print("use", style="bold")
    console.print(_yaml(sweep, choice), markup=False, highlight=False, end="")
    console.print()
    console.print(f"chosen: {pareto.RULE}", style="dim", markup=False)
    for note in notes(sweep, choice):
        console.print(note, style="yellow", markup=False, highlight=False)


def notes(sweep: Sweep, choice: Choice) -> Iterator[str]:
    """What the choice is worth on queries that it was not made on, and what else to know of the figures."""
    validation, count = choice.validation, len(sweep.engine)
    if validation is not None:
        yield (
            f"tuned to these {count} queries: chosen anew on random halves of them ({pareto.SPLITS} times), "
            f"{sweep.plan.measure} is {validation.seen:.4f} on the half that it was chosen on and "
            f"{validation.unseen:.4f} on the other (the engine alone there: {validation.reference:.4f}); "
            f"{validation.agreement:.0%} of the halves choose the same"
        )
    if count < pareto.FEW_QUERIES:
        yield f"{count} queries are few to choose by: with other queries another choice is likely"
    for searches in sorted(set(sweep.left_alone.values()) - {0}):
        windows = ", ".join(str(window) for window, left in sweep.left_alone.items() if left == searches)
        yield f"{searches} of {count} searches are left to the engine, with a window of {windows}"


def write_json(sweep: Sweep, file: Path) -> None:
    """Writes ``to_builtins`` into a file, indented. Raises ``DataError`` where that can't be done."""
    try:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(to_builtins(sweep))) + b"\n")
    except OSError as error:
        raise DataError(str(file), f"can't be written: {error}") from error


def to_builtins(sweep: Sweep) -> Mapping[str, object]:
    """The report as JSON has it, with each query's value in each configuration."""
    choice = chosen_from(sweep)
    validation = choice.validation
    return {
        "schema": SCHEMA,
        "index": sweep.plan.index,
        "measure": sweep.plan.measure,
        "queries": list(sweep.engine),
        "rule": pareto.RULE,
        "use": settings(_row(sweep, choice.chosen)),
        "cross_validation": None
        if validation is None
        else {
            "chosen_on_half": validation.seen,
            "on_other_half": validation.unseen,
            "engine_on_other_half": validation.reference,
            "agreement": validation.agreement,
            "splits": pareto.SPLITS,
        },
        "configurations": [_as_json(sweep, choice, row) for row in range(len(choice.points))],
        "notes": list(notes(sweep, choice)),
    }


def _as_json(sweep: Sweep, choice: Choice, row: int) -> Mapping[str, object]:
    measured, point = _row(sweep, row), choice.points[row]
    values = measured.values if measured is not None else sweep.engine
    return {
        "settings": settings(measured),
        "mean": point.quality,
        "difference": point.quality - choice.points[0].quality,
        "interval": choice.intervals[row],
        "score_ms": point.cost,
        "is_on_front": row in choice.front,
        "is_chosen": row == choice.chosen,
        "values": list(values.values()),
    }


def _row(sweep: Sweep, row: int) -> Measured | None:
    return sweep.measured[row - 1] if row else None


def _print(console: Console, title: str, table: Table) -> None:
    console.print(title, style="bold", markup=False)
    console.print(table)
    console.print()


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _grids(sweep: Sweep) -> Iterator[tuple[str, Table]]:
    """For each model its means, a row for each blend and a column for each window."""
    grid = sweep.plan.grid
    by_configuration = {one.configuration: one for one in sweep.measured}
    for model in grid.models:
        table = _table("window", *map(str, grid.windows))
        for blend in grid.blends:
            row = [by_configuration[Configuration(model, window, blend)] for window in grid.windows]
            table.add_row("mean" if blend is None else f"blend {blend:g}", *(f"{_mean(one.values):.4f}" for one in row))
        table.add_row("ms", *(_ms(one.score_ms) for one in row))
        yield f"{sweep.plan.measure} of {model}", table


def _front(sweep: Sweep, choice: Choice) -> Table:
    table = _table("model", "window", "blend", "mean", "to engine", "95% interval", "ms", "")
    table.columns[0].justify, table.columns[0].no_wrap, table.columns[0].overflow = "left", False, "fold"
    for row in sorted({0, *choice.front, choice.chosen}, key=lambda row: choice.points[row]):
        measured, point = _row(sweep, row), choice.points[row]
        model, window, blend = measured.configuration if measured is not None else ("engine", 0, None)
        low, high = choice.intervals[row]
        table.add_row(
            ",".join(part.rpartition("/")[2] for part in model.split(",")),
            str(window or "-"),
            "-" if blend is None else f"{blend:g}",
            f"{point.quality:.4f}",
            f"{point.quality - choice.points[0].quality:+.4f}" if row else "-",
            f"{low:+.4f} to {high:+.4f}" if row else "-",
            _ms(point.cost),
            ", ".join(word for word, place in (("best", choice.best), ("use", choice.chosen)) if place == row),
        )
    return table


def plotted(sweep: Sweep, choice: Choice) -> list[str]:
    """The plot in letters: cost to the right, quality upwards, each configuration at its place."""
    marks = [_DOMINATED] * len(choice.points)
    for row in choice.front:
        marks[row] = _ON_FRONT
    marks[0], marks[choice.chosen] = _ENGINE, _CHOSEN
    costs, qualities = [point.cost for point in choice.points], [point.quality for point in choice.points]
    low, high = min(qualities), max(qualities)
    cells = [[" "] * _PLOT_COLUMNS for _ in range(_PLOT_ROWS)]
    for row in sorted(range(len(marks)), key=lambda row: _DRAWN.index(marks[row])):
        x = _place(math.log1p(choice.points[row].cost), 0.0, math.log1p(max(costs)), _PLOT_COLUMNS)
        y = _place(choice.points[row].quality, low, high, _PLOT_ROWS)
        cells[_PLOT_ROWS - 1 - y][x] = marks[row]
    labels = {0: f"{high:.4f}", _PLOT_ROWS - 1: f"{low:.4f}"}
    lines = [f"{labels.get(number, ''):>8} |{''.join(line).rstrip()}" for number, line in enumerate(cells)]
    axis = f"{'0':<{_PLOT_COLUMNS // 2}}{_ms(max(costs)) + ' ms':>{_PLOT_COLUMNS // 2}}"
    return [
        f"{sweep.plan.measure}, upwards; ms in the models, to the right (logarithmic)",
        *lines,
        f"{'':>8} +{'-' * _PLOT_COLUMNS}",
        f"{'':>10}{axis}",
        f"{_ENGINE} the engine alone   {_ON_FRONT} no other is better for less   {_DOMINATED} others   {_CHOSEN} use",
    ]


def _place(value: float, low: float, high: float, places: int) -> int:
    return round((value - low) / (high - low) * (places - 1)) if high > low else 0


def _yaml(sweep: Sweep, choice: Choice) -> str:
    measured = _row(sweep, choice.chosen)
    where = f"# for all indices, or under `indices` for a pattern that {sweep.plan.index} matches\n"
    why = "" if measured is not None else "# no configuration is better than the engine alone by more than its error\n"
    return where + why + yaml.safe_dump(settings(measured), sort_keys=False)


def _mean(values: Mapping[str, float]) -> float:
    numbers: Sequence[float] = list(values.values())
    return math.fsum(numbers) / len(numbers)


def _ms(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"  # noqa: PLR2004 - no more digits than were measured
