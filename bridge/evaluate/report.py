"""An evaluation as tables for people and as JSON for programs; both say the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bridge.errors import DataError
from bridge.evaluate.comparison import METHOD, Comparison
from bridge.evaluate.evaluation import Evaluation, SystemResult
from bridge.evaluate.statistics import Interval
from bridge.evaluate.unjudged import DEPTH, RULE

UNKNOWN = "-"
VERSION = 1
"""Of the JSON; it rises when a member changes its meaning or goes. ``docs/evaluate.md`` describes the members."""

_PAIR = 2
_MAX_SYSTEMS = 5
"""Of which every pair is shown in the terminal: ten of them for each measure. Of more, those with the first one."""


def show(evaluation: Evaluation, console: Console) -> None:
    """Prints the measures, the latencies, and what the bridges said of their searches; 80 columns hold every number."""
    for title, table in _sections(evaluation):
        console.print(title, style="bold", markup=False)
        console.print(table)
        console.print()
    console.print(METHOD, style="dim")
    console.print(RULE, style="dim")
    if len(evaluation.systems) > _MAX_SYSTEMS:
        console.print("pairs without the first system: see --json or --html", style="dim")
    for note in evaluation.notes:
        console.print(f"note: {note}", style="yellow", markup=False)


def to_builtins(evaluation: Evaluation) -> dict[str, object]:
    """The report and each query's values as JSON has them; a value that can't be known is null."""
    return {
        "version": VERSION,
        "index": evaluation.plan.index,
        "queries": len(evaluation.plan.queries),
        "depth": evaluation.plan.depth,
        "method": METHOD,
        "judged_rule": RULE,
        "systems": [_system(result) for result in evaluation.systems],
        "comparisons": [asdict(comparison) for comparison in evaluation.comparisons],
        "notes": list(evaluation.notes),
        "per_query": {query_id: _per_query(evaluation, query_id) for query_id in evaluation.plan.queries},
    }


def write_json(evaluation: Evaluation, file: Path) -> None:
    """Writes ``to_builtins`` into a file, indented. Raises ``DataError`` where that can't be done."""
    try:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(to_builtins(evaluation))) + b"\n")
    except OSError as error:
        raise DataError(str(file), f"can't be written: {error}") from error


def _system(result: SystemResult) -> Mapping[str, object]:
    return {
        "name": result.name,
        "is_bridge": result.is_bridge,
        "settings": result.settings,
        "measures": {
            name: {"mean": result.mean(name), "interval": interval} for name, interval in result.intervals.items()
        },
        "judged": result.judged,
        "latency": asdict(result.latencies),
        "costs": [asdict(cost) for cost in result.costs],
        "outcomes": dict(Counter(result.outcomes.values()).most_common()),
    }


def _per_query(evaluation: Evaluation, query_id: str) -> Mapping[str, object]:
    return {
        "text": evaluation.plan.queries[query_id],
        "outcomes": {result.name: result.outcomes[query_id] for result in evaluation.systems},
        "measures": {
            name: {result.name: result.values[name][query_id] for result in evaluation.systems}
            for name in evaluation.plan.measures
        },
    }


def _sections(evaluation: Evaluation) -> Iterator[tuple[str, Table]]:
    plan = evaluation.plan
    title = f"{len(plan.queries)} queries on {plan.index!r}, {plan.depth} hits each"
    if len(evaluation.systems) == _PAIR:
        yield title, _two_systems(evaluation)
    else:
        yield title, _means(evaluation)
        for name in plan.measures:
            yield f"{name}, every pair of systems", _pairs(evaluation, name)
    yield "latency of a search, ms", _latencies(evaluation)
    yield "cost of a reranked search, by model", _costs(evaluation)
    yield "what the bridges did (X-Rerank)", _outcomes(evaluation)


def _table(*columns: str, names: int = 1) -> Table:
    """A table whose first columns are names, which may be broken, and whose others are numbers, which are not."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns[:names]:
        table.add_column(column, overflow="fold")
    for column in columns[names:]:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _two_systems(evaluation: Evaluation) -> Table:
    first, second = evaluation.systems
    table = _table("measure", first.name, second.name, "difference", "95% interval", "p-value", "wins/ties/\nlosses")
    for one in evaluation.comparisons:
        table.add_row(one.measure, f"{one.first_mean:.4f}", f"{one.second_mean:.4f}", *_numbers(one))
    table.add_row(f"Judged@{DEPTH}", f"{first.judged:.4f}", f"{second.judged:.4f}")
    return table


def _means(evaluation: Evaluation) -> Table:
    table = _table("system", *evaluation.plan.measures, f"Judged@{DEPTH}")
    for result in evaluation.systems:
        means = [result.mean(name) for name in evaluation.plan.measures]
        table.add_row(result.name, *(f"{value:.4f}" for value in (*means, result.judged)))
    return table


def _pairs(evaluation: Evaluation, name: str) -> Table:
    table = _table("first", "second", "difference", "95% interval", "p-value", "wins/ties/\nlosses", names=2)
    are_all = len(evaluation.systems) <= _MAX_SYSTEMS
    for one in evaluation.comparisons:
        if one.measure == name and (are_all or one.first == evaluation.systems[0].name):
            table.add_row(one.first, one.second, *_numbers(one))
    return table


def _numbers(one: Comparison) -> tuple[str, str, str, str]:
    counts = f"{one.wins}/{one.ties}/{one.losses}"
    return f"{one.difference:+.4f}", interval_text(one.interval), p_value_text(one.adjusted_p_value), counts


def interval_text(interval: Interval | None) -> str:
    """An interval of a difference."""
    return UNKNOWN if interval is None else f"{interval[0]:+.4f} to {interval[1]:+.4f}"


def p_value_text(value: float | None) -> str:
    """A p-value."""
    if value is None:
        return UNKNOWN
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"  # noqa: PLR2004 - what four digits can show


def _latencies(evaluation: Evaluation) -> Table:
    table = _table("system", "p50", "p90", "p99", "max", "searches")
    for result in evaluation.systems:
        latencies = result.latencies
        values = (latencies.p50_ms, latencies.p90_ms, latencies.p99_ms, latencies.max_ms)
        table.add_row(result.name, *(f"{value:.1f}" for value in values), str(latencies.count))
    return table


def _costs(evaluation: Evaluation) -> Table:
    table = _table("system", "model", "texts scored", "ms", "searches", names=2)
    for result in evaluation.systems:
        for cost in result.costs:
            numbers = (f"{cost.mean_texts:.1f}", f"{cost.mean_ms:.1f}", str(cost.searches))
            table.add_row(result.name, cost.model, *numbers)
    return table


def _outcomes(evaluation: Evaluation) -> Table:
    table = _table("system", "outcome", "searches", names=2)
    for result in evaluation.systems:
        if result.is_bridge:
            for said, count in Counter(result.outcomes.values()).most_common():
                table.add_row(result.name, said, str(count))
    return table
