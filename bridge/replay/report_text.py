"""A replay's summary and verdict as tables for a terminal of 80 columns or more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bridge.replay.answers import ShownHit
from bridge.replay.distributions import Percentiles
from bridge.replay.summary import ChangedQuery, Summary
from bridge.replay.verdict import Verdict, Word

UNKNOWN = "-"
SHOWN_QUERIES = 5
_SHOWN_HITS = 5
_TITLE_CHARS = 34
_STYLES: dict[Word, str] = {"ready": "green", "look here first": "yellow", "do not switch": "red"}


def show(summary: Summary, verdict: Verdict, console: Console) -> None:
    """Prints what was sent, what became of it, what users would see, how long it took, and the verdict."""
    sections: list[tuple[str, Table]] = [
        (f"{summary.searches:,} searches ({summary.distinct:,} sent)", _fates(summary)),
        (f"what users would see, first {summary.changes.depth} hits", _changes(summary)),
        ("latency of a search, ms", _latencies(summary)),
    ]
    if summary.judged is not None:
        sections.append((f"{summary.judged.queries} judged queries of the log", _judged(summary)))
    if summary.clicks is not None and summary.clicks.measures:
        sections.append(("what users acted on", _clicks(summary)))
    for title, table in sections:
        console.print(title, style="bold", markup=False)
        console.print(table)
    if summary.clicks is not None and summary.clicks.measures:
        console.print(summary.clicks.caveat, style="dim", markup=False)
    for query in summary.changed[:SHOWN_QUERIES]:
        console.print(_side_by_side(query, summary))
    for place in summary.broken_places[:SHOWN_QUERIES]:
        console.print(f"not sent: {place.place}: {place.problem}", style="yellow", markup=False)
    if summary.broken > SHOWN_QUERIES:
        console.print(f"not sent: {summary.broken:,} places of the log in all", style="yellow", markup=False)
    _show_verdict(verdict, console)


def _show_verdict(verdict: Verdict, console: Console) -> None:
    console.print(f"verdict: {verdict.word}", style=f"bold {_STYLES[verdict.word]}", markup=False)
    for check in verdict.checks:
        console.print(f"  {check.word}: {check.says}", style=_STYLES[check.word], markup=False)


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place else "left")
    return table


def _fates(summary: Summary) -> Table:
    table = _table("through the last system", "searches", "share")
    for fate, count in summary.fates.items():
        table.add_row(fate, f"{count:,}", _percent(count, summary.searches))
    for system in summary.systems:
        for error, count in system.errors.items():
            table.add_row(f"{system.name} failed: {error}", f"{count:,}", _percent(count, summary.searches))
    return table


def _changes(summary: Summary) -> Table:
    changes = summary.changes
    table = _table("", "")
    deep = [rank for rank, _ in changes.newcomers_from]
    rows = (
        ("searches compared", f"{changes.compared:,}"),
        ("page unchanged", _percent(changes.unchanged, changes.compared)),
        ("first hit changed", _percent(changes.top_changed, changes.compared)),
        (f"overlap@{changes.depth}", _number(changes.overlap)),
        ("rank-biased overlap (p = 0.9)", _number(changes.rank_biased_overlap)),
        ("Kendall's tau of the hits on both pages", _number(changes.kendall_tau)),
        ("newcomers to a page", _number(changes.newcomers)),
        ("newcomers come from first-stage ranks", f"{min(deep)} to {max(deep)}" if deep else UNKNOWN),
        ("another total of hits", _percent(changes.other_totals, changes.compared)),
    )
    for name, value in rows:
        table.add_row(name, value)
    return table


def _latencies(summary: Summary) -> Table:
    table = _table("", "p50", "p90", "p95", "p99", "max", "searches/s")
    for system in summary.systems:
        rate = UNKNOWN if system.searches_per_s is None else f"{system.searches_per_s:,}"
        table.add_row(system.name, *_times(system.latency_ms), rate)
        for part, times in system.parts_ms.items():
            table.add_row(f"  {part}", *_times(times), "")
    return table


def _times(times: Percentiles) -> Sequence[str]:
    if not times.count:
        return [UNKNOWN] * 5
    return [f"{value:,.1f}" for value in (times.p50, times.p90, times.p95, times.p99, times.max)]


def _judged(summary: Summary) -> Table:
    names = _names(summary)
    table = _table("measure", *names, "difference", "95% interval", "p", "better/same/worse")
    for one in summary.judged.measures if summary.judged is not None else ():
        low, high = one.interval or (0.0, 0.0)
        table.add_row(
            one.measure,
            f"{one.first:.4f}",
            f"{one.second:.4f}",
            f"{one.difference:+.4f}",
            f"{low:+.4f} to {high:+.4f}" if one.interval else UNKNOWN,
            UNKNOWN if one.p_value is None else f"{one.p_value:.3g}",
            f"{one.wins}/{one.ties}/{one.losses}",
        )
    return table


def _clicks(summary: Summary) -> Table:
    table = _table("", "searches", *_names(summary))
    for one in summary.clicks.measures if summary.clicks is not None else ():
        pairs = (
            ("on the page", one.found_first, one.found_second),
            ("reciprocal rank", one.reciprocal_rank_first, one.reciprocal_rank_second),
            ("nDCG@10", one.ndcg_first, one.ndcg_second),
            ("debiased gain", one.debiased_first, one.debiased_second),
        )
        for name, first, second in pairs:
            table.add_row(f"{one.kind}: {name}", f"{one.searches:,}", _number(first), _number(second))
    return table


def _side_by_side(query: ChangedQuery, summary: Summary) -> Table:
    names = _names(summary)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=f"{query.query_text or query.place}", title_justify="left")
    for name in ("", names[0], names[1], "was"):
        table.add_column(name, no_wrap=True)
    places = {hit.id: place for place, hit in enumerate(query.first, start=1)}
    for place in range(min(_SHOWN_HITS, max(len(query.first), len(query.second)))):
        first = _title(query.first, place)
        second = _title(query.second, place)
        was = ""
        if place < len(query.second):
            hit = query.second[place]
            was = str(places.get(hit.id) or (f"new ({hit.first_stage_rank})" if hit.first_stage_rank else "new"))
        table.add_row(str(place + 1), first, second, was)
    return table


def _title(hits: Sequence[ShownHit], place: int) -> str:
    if place >= len(hits):
        return ""
    title = hits[place].title or hits[place].id
    return title if len(title) <= _TITLE_CHARS else title[: _TITLE_CHARS - 1] + "…"


def _names(summary: Summary) -> tuple[str, str]:
    return summary.run.systems[0], summary.run.systems[-1]


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"


def _percent(count: int, whole: int) -> str:
    return f"{count / whole:.1%}" if whole else UNKNOWN


def lines(notes: Iterable[str], console: Console) -> None:
    """Prints a note a line."""
    for note in notes:
        console.print(f"note: {note}", style="yellow", markup=False)
