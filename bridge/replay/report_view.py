"""What the page of a replay shows, in the order of the page: figures as text, charts as SVG. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from markupsafe import Markup

from bridge.pages import charts
from bridge.pages.charts import Axis, Bar, Curve, Heading
from bridge.pages.scales import Linear, Log, Percentile, nice_step
from bridge.replay.clicks import OrderMeasures
from bridge.replay.distributions import Percentiles
from bridge.replay.summary import Summary, SystemSummary
from bridge.replay.verdict import Verdict
from connectors.base import Reason
from connectors.reasons import SENTENCES

UNKNOWN = "\N{EN DASH}"
_MAX_BARS = 24
_MAX_ERRORS = 20
_SYSTEM = "system "
"""Begins the settings that say where a system is."""
_PARTS: Mapping[str, str] = {
    "upstream": "the engine, asked by the bridge",
    "score": "the models",
    "bridge": "the bridge itself",
}
_FATE_KINDS = (("applied", "done"), ("skipped", "skipped"))


@dataclass(frozen=True, slots=True)
class Share:
    """A row of a table with a bar."""

    name: str
    count: str
    percent: str
    bar: Markup
    says: Sequence[tuple[str, bool]] = ()
    """A sentence in pieces, each with whether it is code."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, and the same as rows."""

    svg: Markup
    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def drawn(svg: str) -> Markup:
    """A chart as markup: ``charts`` has escaped what is foreign in it."""
    return Markup(svg)  # noqa: S704 - as said


def number(value: float | None, digits: int = 3) -> str:
    """A figure with so many digits behind the point."""
    return UNKNOWN if value is None else f"{value:,.{digits}f}"


def signed(value: float) -> str:
    """A difference."""
    return f"{value:+.4f}".replace("-", "\N{MINUS SIGN}")


def percent(count: float, whole: float) -> str:
    """A share."""
    return f"{count / whole:.1%}" if whole else UNKNOWN


def names(summary: Summary) -> tuple[str, str]:
    """Of the two systems that are compared."""
    return summary.run.systems[0], summary.run.systems[-1]


def addresses(summary: Summary) -> Sequence[tuple[str, str]]:
    """Each system's name and where it is, as far as that is known."""
    return [(name, summary.run.settings.get(_SYSTEM + name, "")) for name in summary.run.systems]


def settings(summary: Summary) -> Sequence[tuple[str, str]]:
    """What decided which searches were sent."""
    given = summary.run.settings.items()
    return [(name, value) for name, value in given if not name.startswith(_SYSTEM) and value not in {"", "None"}]


def thresholds(verdict: Verdict) -> Sequence[tuple[str, str]]:
    """Name and value of each."""
    return [(name, f"{value:g}") for name, value in msgspec.structs.asdict(verdict.thresholds).items()]


def fates(summary: Summary) -> Sequence[Share]:
    """What became of the searches, most first."""
    return [
        _share(fate, count, summary.searches, _fate_kind(fate), _sentence(fate))
        for fate, count in summary.fates.items()
    ]


def errors(summary: Summary) -> Sequence[Share]:
    """Why searches were not answered, by system; the rarest of many kinds in one row."""
    return [
        _share(f"{system.name}: {error}", count, summary.searches, "failed")
        for system in summary.systems
        for error, count in _most(system.errors)
    ]


def _most(counted: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    rows = list(counted.items())
    yield from rows[:_MAX_ERRORS]
    rest = rows[_MAX_ERRORS:]
    if rest:
        yield f"{len(rest):,} other errors", sum(count for _, count in rest)


def _share(name: str, count: int, whole: int, kind: str, says: Sequence[tuple[str, bool]] = ()) -> Share:
    bar = drawn(charts.share_bar(count / whole if whole else 0.0, kind=kind))
    return Share(name, f"{count:,}", percent(count, whole), bar, says)


def _fate_kind(fate: str) -> str:
    return next((kind for word, kind in _FATE_KINDS if fate.startswith(word)), "failed")


def _sentence(fate: str) -> Sequence[tuple[str, bool]]:
    reason = fate.partition(": ")[2]
    if reason not in set(Reason):
        return ()
    pieces = SENTENCES[Reason(reason)].split("`")
    return [(piece, place % 2 == 1) for place, piece in enumerate(pieces) if piece]


def tiles(summary: Summary) -> Sequence[tuple[str, str, str]]:
    """What users would see in one figure each: name, value, what it means."""
    changes = summary.changes
    depth = changes.depth
    return (
        ("Searches compared", f"{changes.compared:,}", "both systems answered them"),
        ("Pages unchanged", percent(changes.unchanged, changes.compared), f"same first {depth} hits, same order"),
        ("First hit changed", percent(changes.top_changed, changes.compared), "another hit stands on top"),
        (f"Overlap@{depth}", number(changes.overlap), "share of hits that both pages have"),
        (
            "Rank-biased overlap",
            number(changes.rank_biased_overlap),
            "p = 0.9; 1 is the same page, the top counts most",
        ),
        ("Kendall's tau", number(changes.kendall_tau), "order of the hits on both pages; 1 same, \u22121 reversed"),
        ("Newcomers", number(changes.newcomers, 2), "hits of a page that were not on it before, mean"),
        ("Other totals", percent(changes.other_totals, changes.compared), "something else than order changed"),
    )


def similarities(summary: Summary) -> Chart:
    """How much single queries change."""
    counted = dict(summary.changes.similarities)
    bars = [Bar(f"{tenth / 10:.1f}", counted.get(tenth, 0), "c1") for tenth in range(10)]
    bars.append(Bar("same", counted.get(10, 0), "same"))
    heading = Heading(
        "similarities",
        "How much single queries change",
        f"{percent(sum(counted.get(tenth, 0) for tenth in range(5)), sum(counted.values()))} of the searches have a "
        f"rank-biased overlap below 0.5, {percent(counted.get(10, 0), sum(counted.values()))} the same page.",
    )
    svg = charts.histogram(heading, bars, "rank-biased overlap, from", "searches")
    return _chart(svg, heading, ("overlap, from", "searches"), [(bar.label, f"{bar.count:,}") for bar in bars])


def moves(summary: Summary) -> Chart:
    """By how many places hits rose or fell."""
    counted = dict(summary.changes.moves)
    reach = max((abs(move) for move in counted), default=1)
    bars = [Bar(_move(at), counted.get(at, 0), _move_kind(at)) for at in range(-reach, reach + 1)]
    whole = sum(counted.values())
    heading = Heading(
        "moves",
        "Moves of hits that both pages have",
        f"Of {whole:,} hits {percent(sum(bar.count for bar in bars if bar.kind == 'rose'), whole)} rose, "
        f"{percent(sum(bar.count for bar in bars if bar.kind == 'fell'), whole)} fell, "
        f"{percent(counted.get(0, 0), whole)} kept their place.",
    )
    svg = charts.histogram(heading, bars, "places risen (fallen: below zero)", "hits")
    return _chart(svg, heading, ("places", "hits"), [(bar.label, f"{bar.count:,}") for bar in bars if bar.count])


def _move(places: int) -> str:
    return f"{places:+d}".replace("-", "\N{MINUS SIGN}") if places else "0"


def _move_kind(places: int) -> str:
    return "same" if not places else "rose" if places > 0 else "fell"


def newcomer_depths(summary: Summary) -> Chart:
    """From which first-stage ranks newcomers came."""
    counted = summary.changes.newcomers_from
    ranks = [rank for rank, _ in counted]
    bars = list(_binned(counted))
    heading = Heading(
        "depths",
        "Where newcomers stood in the engine's order",
        f"{sum(bar.count for bar in bars):,} newcomers came from first-stage ranks {min(ranks)} to {max(ranks)}."
        if ranks
        else "No newcomer's rank is known.",
    )
    svg = charts.histogram(heading, bars, "first-stage rank, from", "newcomers")
    return _chart(svg, heading, ("ranks", "newcomers"), [(bar.label, f"{bar.count:,}") for bar in bars if bar.count])


def _binned(counted: Sequence[tuple[int, int]]) -> Iterator[Bar]:
    """Ranks in spans of one width."""
    if not counted:
        return
    lowest, highest = counted[0][0], counted[-1][0]
    width = max(int(nice_step(highest - lowest + 1, _MAX_BARS)), 1)
    start = (lowest - 1) // width * width + 1
    for low in range(start, highest + 1, width):
        count = sum(many for rank, many in counted if low <= rank < low + width)
        label = str(low) if width == 1 else f"{low}{UNKNOWN}{low + width - 1}"
        yield Bar(label, count, "new", str(low))


def latency_curves(summary: Summary) -> Chart:
    """Latency by percentile, a curve for each system."""
    x = Percentile(max((system.latency_ms.count for system in summary.systems), default=0))
    shown = [(system.name, _points(system.latency_ms, x)) for system in summary.systems]
    y = Log.around(ms for _, points in shown for _, ms in points)
    heading = Heading(
        "latency",
        "Latency by percentile",
        " ".join(
            f"{system.name}: median {system.latency_ms.p50:,.1f} ms, 99th percentile {system.latency_ms.p99:,.1f} ms."
            for system in summary.systems
        ),
    )
    svg = charts.lines(
        heading,
        Axis("percentile", x),
        Axis("ms (logarithmic)", y),
        [Curve(name, points) for name, points in shown],
    )
    columns = ("percentile", *(f"{name}, ms" for name, _ in shown))
    by_percent = [dict(points) for _, points in shown]
    told = sorted({at for points in by_percent for at in points})
    rows = [(f"{at:g}", *(number(points.get(at), 1) for points in by_percent)) for at in told]
    return _chart(svg, heading, columns, rows)


def _points(times: Percentiles, x: Percentile) -> Sequence[tuple[float, float]]:
    return [(at, ms) for at, ms in times.curve if x.has(at)]


def parts(summary: Summary) -> Sequence[tuple[str, str, Sequence[str], Markup]]:
    """Where the time went: name, what it is, percentiles, and a bar to the median that reaches on to p95."""
    found = [
        (system, part, system.parts_ms[part])
        for system in summary.systems
        for part in sorted(system.parts_ms, key=_part_order)
    ]
    longest = max((times.p95 for _, _, times in found), default=0.0) or 1.0
    return [
        (
            part if len({system.name for system, _, _ in found}) == 1 else f"{system.name}: {part}",
            _PARTS.get(part, ""),
            percentiles(times),
            drawn(charts.share_bar(times.p50 / longest, times.p95 / longest, "c1")),
        )
        for system, part, times in found
    ]


def _part_order(part: str) -> int:
    return list(_PARTS).index(part) if part in _PARTS else len(_PARTS)


def percentiles(times: Percentiles) -> Sequence[str]:
    """p50, p90, p95, p99 and the highest."""
    shown = (times.p50, times.p90, times.p95, times.p99, times.max)
    return [number(value, 1) if times.count else UNKNOWN for value in shown]


def rate(system: SystemSummary) -> str:
    """Searches a second."""
    return number(system.searches_per_s, 1)


def judged(summary: Summary) -> Sequence[tuple[str, Sequence[str], Markup]]:
    """Each measure: its name, its figures and its interval."""
    measures = summary.judged.measures if summary.judged is not None else ()
    seen = [abs(value) for one in measures for value in (one.difference, *(one.interval or ()))]
    reach = max(seen, default=0.0) or 1.0
    rows = []
    for one in measures:
        low, high = one.interval or (one.difference, one.difference)
        figures = (
            number(one.first, 4),
            number(one.second, 4),
            signed(one.difference),
            f"{signed(low)} to {signed(high)}" if one.interval else UNKNOWN,
            UNKNOWN if one.p_value is None else f"{one.p_value:.3g}",
            f"{one.wins} / {one.ties} / {one.losses}",
        )
        rows.append((one.measure, figures, drawn(charts.interval(low, one.difference, high, reach))))
    return rows


def clicks(summary: Summary) -> Sequence[tuple[str, str, str, str]]:
    """What users acted on: name, searches, both systems."""
    measures = summary.clicks.measures if summary.clicks is not None else ()
    return [row for one in measures for row in _click_rows(one)]


def _click_rows(one: OrderMeasures) -> Iterator[tuple[str, str, str, str]]:
    for name, first, second in (
        ("share still on the page", one.found_first, one.found_second),
        ("reciprocal rank", one.reciprocal_rank_first, one.reciprocal_rank_second),
        ("nDCG@10", one.ndcg_first, one.ndcg_second),
        ("gain, debiased", one.debiased_first, one.debiased_second),
    ):
        yield f"{one.kind}: {name}", f"{one.searches:,}", number(first), number(second)


def looked_at(summary: Summary) -> Chart | None:
    """How likely each rank is looked at; None where that is unknown."""
    points = summary.clicks.looked_at if summary.clicks is not None else ()
    if not points:
        return None
    lowest, highest = points[0], points[-1]
    heading = Heading(
        "propensity",
        "How likely a place is looked at",
        f"Estimated from the log: {lowest[1]:.2f} at rank {lowest[0]}, {highest[1]:.2f} at rank {highest[0]}.",
    )
    x, y = Linear(highest[0], lowest[0], at_most=10), Linear(1.0)
    curve = Curve("estimated propensity", [(float(rank), value) for rank, value in points])
    svg = charts.lines(heading, Axis("rank", x), Axis("propensity", y), [curve])
    return _chart(svg, heading, ("rank", "propensity"), [(str(rank), f"{value:.3f}") for rank, value in points])


def _chart(svg: str, heading: Heading, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Chart:
    return Chart(drawn(svg), heading.title, columns, rows)
