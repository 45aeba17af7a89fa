"""What the HTML report shows of an evaluation, in the order and the words in which it shows it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from markupsafe import Markup

from bridge.evaluate.comparison import Comparison
from bridge.evaluate.evaluation import Evaluation, SystemResult
from bridge.evaluate.report import interval_text, p_value_text
from bridge.evaluate.statistics import TIE
from bridge.pages import charts
from bridge.pages.charts import Heading, shortened

SHOWN_HITS = 10
MAX_LISTED = 500
"""Queries with their hits: those that differ most. All of them are in the JSON."""
_MAX_WORDS = 200


@dataclass(frozen=True, slots=True)
class Pair:
    """A row of the comparisons."""

    first: str
    second: str
    figures: tuple[str, ...]
    """Difference, interval, p-value, wins / ties / losses."""
    drawing: Markup
    is_sure: bool
    """Whether the adjusted p-value is below 0.05."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart and its figures."""

    title: str
    svg: Markup
    says: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A hit of one system."""

    id: str
    grade: str
    """In words; a hit that nobody judged has none."""
    kind: str
    """``rose`` where it is relevant, ``fell`` where it is not, ``same`` where nobody judged it."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query of the list."""

    id: str
    text: str
    spread: float
    """Between its best and its worst system, by the first measure."""
    best: str
    rows: tuple[tuple[str, str, tuple[str, ...], tuple[Hit, ...]], ...]
    """System, outcome, values of the measures, first hits."""


def systems(evaluation: Evaluation) -> list[tuple[str, str, list[tuple[str, str, bool]], str]]:
    """Name, settings, each measure's mean with its interval and whether it is the highest, and the judged share."""
    best = {name: max(result.mean(name) for result in evaluation.systems) for name in evaluation.plan.measures}
    rows = []
    for result in evaluation.systems:
        cells = []
        for name in evaluation.plan.measures:
            interval, mean = result.intervals[name], result.mean(name)
            between = "" if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}"
            cells.append((f"{mean:.4f}", between, mean >= best[name] - TIE))
        settings = ", ".join(f"{name}: {value}" for name, value in result.settings.items())
        rows.append((result.name, settings, cells, f"{result.judged:.1%}"))
    return rows


def pairs(evaluation: Evaluation, measure: str) -> list[Pair]:
    """Every pair of systems by one measure."""
    found = [one for one in evaluation.comparisons if one.measure == measure]
    reach = max((abs(end) for one in found for end in (one.interval or (one.difference,))), default=0.0) or 1.0
    return [
        Pair(
            one.first,
            one.second,
            (
                f"{one.difference:+.4f}",
                interval_text(one.interval),
                p_value_text(one.adjusted_p_value),
                f"{one.wins} / {one.ties} / {one.losses}",
            ),
            _drawn(one, reach),
            one.adjusted_p_value is not None and one.adjusted_p_value < 0.05,  # noqa: PLR2004 - as said above
        )
        for one in found
    ]


def differences(evaluation: Evaluation) -> list[Figure]:
    """For each system but the first, how each query fares by the first measure."""
    first, name = evaluation.systems[0], evaluation.plan.measures[0]
    figures = []
    for number, result in enumerate(evaluation.systems[1:]):
        values = [value - first.values[name][query_id] for query_id, value in result.values[name].items()]
        values = sorted((value if abs(value) > TIE else 0.0 for value in values), reverse=True)
        better, worse = sum(value > 0 for value in values), sum(value < 0 for value in values)
        says = f"{better:,} better, {len(values) - better - worse:,} same, {worse:,} worse"
        title = f"{result.name} against {first.name}"
        heading = Heading(f"differences{_letters(number)}", title, f"Difference of {name} by query, sorted: {says}.")
        svg = charts.differences(heading, values, "queries, from gain to loss", f"difference of {name}")
        figures.append(Figure(title, Markup(svg), says))  # noqa: S704 - charts escape their words
    return figures


def latencies(evaluation: Evaluation) -> list[tuple[str, tuple[str, ...]]]:
    """Name and percentiles of each system, in milliseconds, and the number of searches."""
    rows = []
    for result in evaluation.systems:
        told = result.latencies
        values = (told.p50_ms, told.p90_ms, told.p99_ms, told.max_ms)
        rows.append((result.name, (*(f"{value:,.1f}" for value in values), f"{told.count:,}")))
    return rows


def outcomes(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """System, what it said of searches, and of how many."""
    return [
        (result.name, said, f"{count:,}")
        for result in evaluation.systems
        if result.is_bridge
        for said, count in Counter(result.outcomes.values()).most_common()
    ]


def queries(evaluation: Evaluation) -> list[Query]:
    """The queries on which systems differ most, by the first measure, most first."""
    name = evaluation.plan.measures[0]
    found = []
    for query_id, text in evaluation.plan.queries.items():
        values = {result.name: result.values[name][query_id] for result in evaluation.systems}
        spread = max(values.values()) - min(values.values())
        best = max(values, key=lambda system: values[system]) if spread > TIE else ""
        found.append((spread, query_id, text, best))
    found.sort(key=lambda one: -one[0])  # stable: of equal ones in the order of the file
    return [
        Query(query_id, shortened(text, _MAX_WORDS), spread, best, tuple(_rows(evaluation, query_id)))
        for spread, query_id, text, best in found[:MAX_LISTED]
    ]


def _rows(evaluation: Evaluation, query_id: str) -> list[tuple[str, str, tuple[str, ...], tuple[Hit, ...]]]:
    return [
        (
            result.name,
            result.outcomes[query_id] if result.is_bridge else "",
            tuple(f"{result.values[name][query_id]:.4f}" for name in evaluation.plan.measures),
            _hits(evaluation, result, query_id),
        )
        for result in evaluation.systems
    ]


def _hits(evaluation: Evaluation, result: SystemResult, query_id: str) -> tuple[Hit, ...]:
    grades = evaluation.plan.qrels[query_id]
    return tuple(_hit(hit, grades.get(hit)) for hit in result.run[query_id][:SHOWN_HITS])


def _hit(hit_id: str, grade: int | None) -> Hit:
    if grade is None:
        return Hit(hit_id, "not judged", "same")
    return Hit(hit_id, f"grade {grade}", "rose" if grade > 0 else "fell")


def _drawn(one: Comparison, reach: float) -> Markup:
    if one.interval is None:
        return Markup()
    return Markup(charts.interval(one.interval[0], one.difference, one.interval[1], reach))  # noqa: S704 - numbers


def _letters(number: int) -> str:
    """A number in letters, of which alone a chart's key may be made: 0 is a, 26 is ba."""
    return (_letters(number // 26) if number > 25 else "") + chr(ord("a") + number % 26)  # noqa: PLR2004 - the alphabet
