"""An evaluation as tables for people and as JSON for programs; both say the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bridge.errors import DataError
from bridge.evaluate.comparison import METHOD, Comparison
from bridge.evaluate.evaluation import Evaluation
from bridge.evaluate.latency import Latencies

UNKNOWN = "-"


def show(evaluation: Evaluation, console: Console) -> None:
    """Prints the measures, the latencies, and what the bridge said of its searches; 80 columns hold every number."""
    plan = evaluation.plan
    sections = (
        (f"{len(plan.queries)} queries on {plan.index!r}, {plan.depth} hits each", _measures(evaluation)),
        ("latency of a search, ms", _latencies(evaluation)),
        ("cost of a reranked search, by model", _costs(evaluation)),
        ("what the bridge did (X-Rerank)", _outcomes(evaluation)),
    )
    for title, table in sections:
        console.print(title, style="bold", markup=False)
        console.print(table)
        console.print()
    console.print(METHOD, style="dim")
    for note in evaluation.notes:
        console.print(f"note: {note}", style="yellow", markup=False)


def to_builtins(evaluation: Evaluation) -> dict[str, object]:
    """The report and each query's values as JSON has them; a value that can't be known is null."""
    return {
        "index": evaluation.plan.index,
        "queries": len(evaluation.plan.queries),
        "depth": evaluation.plan.depth,
        "method": METHOD,
        "measures": {comparison.measure: _summary(comparison) for comparison in evaluation.comparisons},
        "latency": {"direct": asdict(evaluation.direct_latencies), "bridged": asdict(evaluation.bridged_latencies)},
        "costs": [asdict(cost) for cost in evaluation.costs],
        "outcomes": dict(Counter(evaluation.outcomes.values()).most_common()),
        "notes": list(evaluation.notes),
        "per_query": {query_id: _per_query(evaluation, query_id) for query_id in evaluation.plan.queries},
    }


def write_json(evaluation: Evaluation, file: Path) -> None:
    """Writes ``to_builtins`` into a file, indented. Raises ``DataError`` where that can't be done."""
    try:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(to_builtins(evaluation))) + b"\n")
    except OSError as error:
        raise DataError(str(file), f"can't be written: {error}") from error


def _summary(comparison: Comparison) -> Mapping[str, object]:
    return {
        "direct": comparison.direct_mean,
        "bridged": comparison.bridged_mean,
        "difference": comparison.difference,
        "interval": comparison.interval,
        "p_value": comparison.p_value,
        "wins": comparison.wins,
        "ties": comparison.ties,
        "losses": comparison.losses,
    }


def _per_query(evaluation: Evaluation, query_id: str) -> Mapping[str, object]:
    return {
        "text": evaluation.plan.queries[query_id],
        "outcome": evaluation.outcomes[query_id],
        "measures": {
            comparison.measure: {"direct": comparison.direct[query_id], "bridged": comparison.bridged[query_id]}
            for comparison in evaluation.comparisons
        },
    }


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    name, *numbers = columns
    table.add_column(name, overflow="fold")
    for column in numbers:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _measures(evaluation: Evaluation) -> Table:
    table = _table("measure", "direct", "bridged", "difference", "95% interval", "p-value", "wins/ties/\nlosses")
    for comparison in evaluation.comparisons:
        table.add_row(
            comparison.measure,
            f"{comparison.direct_mean:.4f}",
            f"{comparison.bridged_mean:.4f}",
            f"{comparison.difference:+.4f}",
            _interval(comparison.interval),
            _p_value(comparison.p_value),
            f"{comparison.wins}/{comparison.ties}/{comparison.losses}",
        )
    return table


def _interval(interval: tuple[float, float] | None) -> str:
    return UNKNOWN if interval is None else f"{interval[0]:+.4f} to {interval[1]:+.4f}"


def _p_value(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"  # noqa: PLR2004 - what four digits can show


def _latencies(evaluation: Evaluation) -> Table:
    table = _table("side", "p50", "p90", "p99", "max", "searches")
    sides: tuple[tuple[str, Latencies], ...] = (
        ("direct", evaluation.direct_latencies),
        ("bridged", evaluation.bridged_latencies),
    )
    for side, latencies in sides:
        values = (latencies.p50_ms, latencies.p90_ms, latencies.p99_ms, latencies.max_ms)
        table.add_row(side, *(f"{value:.1f}" for value in values), str(latencies.count))
    return table


def _costs(evaluation: Evaluation) -> Table:
    table = _table("model", "texts scored", "ms", "searches")
    for cost in evaluation.costs:
        table.add_row(cost.model, f"{cost.mean_texts:.1f}", f"{cost.mean_ms:.1f}", str(cost.searches))
    return table


def _outcomes(evaluation: Evaluation) -> Table:
    table = _table("outcome", "searches")
    for said, count in Counter(evaluation.outcomes.values()).most_common():
        table.add_row(said, str(count))
    return table
