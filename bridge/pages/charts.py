"""Charts as SVG, from values alone: what a report shows needs no library in the reader's browser, and no network.

Each chart has a title and a description for those who can't see it. Colours come from the page's classes (``c0``,
``c1``, ... for systems), and none tells anything alone: lines differ in dashes and marks as well. Nothing is placed by
a ``style`` attribute, which the page's own policy forbids. Foreign text is escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from bridge.pages.scales import Linear, Scale, short

_WIDTH = 480.0
_HEIGHT = 230.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 22.0, 24.0, 46.0
_LEGEND = 20.0
_KINDS = 6
_MAX_NAME_CHARS = 40
_MAX_LABELS = 11
_GAP = 0.15


@dataclass(frozen=True, slots=True)
class Heading:
    """What a chart is, in words."""

    key: str
    """Of the chart in its page: letters alone."""
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale and what stands on it."""

    title: str
    scale: Scale


@dataclass(frozen=True, slots=True)
class Curve:
    """A line through points, which rise in x."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram."""

    label: str
    count: int
    kind: str = ""
    """A class of the page."""
    tick: str = ""
    """What stands below it where there is room, if that is not the label."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the axes of a chart lie."""

    top: float
    bottom: float
    left: float = _LEFT
    right: float = _WIDTH - _RIGHT

    def x(self, place: float) -> float:
        return self.left + place * (self.right - self.left)

    def y(self, place: float) -> float:
        return self.bottom - place * (self.bottom - self.top)


def lines(heading: Heading, x: Axis, y: Axis, curves: Sequence[Curve]) -> str:
    """A chart of curves, with a legend above where there are several."""
    legend = _LEGEND * len(curves) if len(curves) > 1 else 0.0
    frame = _Frame(_TOP + legend, _TOP + legend + _HEIGHT - _BOTTOM)
    drawn = [
        *_grid(frame, y),
        *_ticks_below(frame, ((frame.x(place), label) for place, label in x.scale.ticks)),
        *_titles(frame, x.title, y.title, legend),
        *(part for place, curve in enumerate(curves) if legend for part in _legend(place, curve)),
        *(part for place, curve in enumerate(curves) for part in _curve(frame, x, y, curve, place % _KINDS)),
    ]
    return _svg(heading, frame.bottom + _BOTTOM, drawn)


def histogram(heading: Heading, bars: Sequence[Bar], x_title: str, y_title: str) -> str:
    """A chart of counts, one bar beside the other."""
    frame = _Frame(_TOP, _HEIGHT)
    highest = max((bar.count for bar in bars), default=0)
    y = Axis(y_title, Linear(max(highest, 1), least=1))
    width = (frame.right - frame.left) / max(len(bars), 1)
    every = max(-(-len(bars) // _MAX_LABELS), 1)
    first = next((place for place, bar in enumerate(bars) if bar.label == "0"), 0) % every
    middles = [(frame.left + (place + 0.5) * width, bar) for place, bar in enumerate(bars)]
    drawn = [
        *_grid(frame, y),
        *_ticks_below(
            frame, ((x, bar.tick or bar.label) for place, (x, bar) in enumerate(middles) if place % every == first)
        ),
        *_titles(frame, x_title, y_title),
        *(_bar(frame, x, width * (1 - _GAP), y.scale.place(bar.count), bar) for x, bar in middles),
    ]
    return _svg(heading, frame.bottom + _BOTTOM, drawn)


def differences(heading: Heading, values: Sequence[float], x_title: str, y_title: str) -> str:
    """A chart of differences, as bars from zero in the order given, which is best a falling one."""
    frame = _Frame(_TOP, _HEIGHT)
    reach = max((abs(value) for value in values), default=0.0) or 1.0
    y = Axis(y_title, Linear(reach, -reach, at_most=6))
    width = (frame.right - frame.left) / max(len(values), 1)
    zero = frame.y(y.scale.place(0.0))
    paths: dict[str, list[str]] = {"rose": [], "fell": []}
    for place, value in enumerate(values):
        if value:
            left, wide = frame.left + (place + _GAP / 2) * width, width * (1 - _GAP)
            top = frame.y(y.scale.place(value))
            paths["rose" if value > 0 else "fell"].append(f"M{_n(left)} {_n(zero)}h{wide:.2f}V{_n(top)}h-{wide:.2f}z")
    drawn = [
        *_grid(frame, y),
        *_titles(frame, x_title, y_title),
        *(f'<path class="count {kind}" d="{"".join(path)}"/>' for kind, path in paths.items() if path),
        f'<path class="axis" d="M{_n(frame.left)} {_n(zero)}H{_n(frame.right)}"/>',
    ]
    return _svg(heading, frame.bottom + _BOTTOM, drawn)


def share_bar(share: float, reach: float = 0.0, kind: str = "") -> str:
    """A bar beside its number, as wide as its cell where ``share`` is 1; a lighter one reaches on to ``reach``."""
    lighter = f'<rect class="light" width="{_n(reach * 100)}" height="8"/>' if reach > share else ""
    return (
        f'<svg class="bar {escape(kind)}" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'{lighter}<rect width="{_n(share * 100)}" height="8"/></svg>'
    )


def interval(low: float, middle: float, high: float, reach: float) -> str:
    """A difference with its interval beside its numbers, zero in the middle, ``reach`` at both ends."""
    scale = Linear(reach, -reach)
    left, at, right = (8 + scale.place(value) * 184 for value in (low, middle, high))
    return (
        '<svg class="interval" viewBox="0 0 200 24" aria-hidden="true"><path class="axis" d="M100 0V24"/>'
        f'<path class="line c1" d="M{_n(left)} 12H{_n(right)}M{_n(left)} 7v10M{_n(right)} 7v10"/>'
        f'<circle class="mark c1" cx="{_n(at)}" cy="12" r="4.5"/></svg>'
    )


def slopes(moves: Iterable[tuple[int | None, int | None]], rows: int) -> str:
    """Lines from where hits stood to where they stand, places from 0 of ``rows``; None: below the page."""
    height = 10 * max(rows, 1)
    paths: dict[str, list[str]] = {"rose": [], "fell": [], "same": [], "new": [], "gone": []}
    for before, after in moves:
        start, end = (height if place is None else 10 * place + 5 for place in (before, after))
        paths[_kind(before, after)].append(f"M0 {start}L100 {end}")
    drawn = "".join(f'<path class="{kind}" d="{"".join(path)}"/>' for kind, path in paths.items() if path)
    return f'<svg class="slopes" viewBox="0 0 100 {height}" preserveAspectRatio="none" aria-hidden="true">{drawn}</svg>'


def _kind(before: int | None, after: int | None) -> str:
    if before is None or after is None:
        return "new" if before is None else "gone"
    return "same" if before == after else "rose" if after < before else "fell"


def _svg(heading: Heading, height: float, drawn: Iterable[str]) -> str:
    key = heading.key
    return (
        f'<svg class="chart" role="img" viewBox="0 0 {_n(_WIDTH)} {_n(height)}" aria-labelledby="{key}-t {key}-d">'
        f'<title id="{key}-t">{escape(heading.title)}</title><desc id="{key}-d">{escape(heading.description)}</desc>'
        f"{''.join(drawn)}</svg>"
    )


def _grid(frame: _Frame, y: Axis) -> Iterator[str]:
    for place, label in y.scale.ticks:
        at = frame.y(place)
        yield f'<path class="grid" d="M{_n(frame.left)} {_n(at)}H{_n(frame.right)}"/>'
        yield f'<text class="end" x="{_n(frame.left - 7)}" y="{_n(at + 4)}">{escape(label)}</text>'


def _ticks_below(frame: _Frame, ticks: Iterable[tuple[float, str]]) -> Iterator[str]:
    yield f'<path class="axis" d="M{_n(frame.left)} {_n(frame.bottom)}H{_n(frame.right)}"/>'
    for x, label in ticks:
        yield f'<path class="axis" d="M{_n(x)} {_n(frame.bottom)}v4"/>'
        yield f'<text class="middle" x="{_n(x)}" y="{_n(frame.bottom + 18)}">{escape(label)}</text>'


def _titles(frame: _Frame, x_title: str, y_title: str, legend: float = 0.0) -> Iterator[str]:
    middle = (frame.left + frame.right) / 2
    yield f'<text class="middle name" x="{_n(middle)}" y="{_n(frame.bottom + 39)}">{escape(x_title)}</text>'
    yield f'<text class="name" x="2" y="{_n(legend + 13)}">{escape(y_title)}</text>'


def _legend(place: int, curve: Curve) -> Iterator[str]:
    kind, y = place % _KINDS, 10 + _LEGEND * place
    yield f'<path class="line c{kind}" d="M2 {_n(y)}H34"/>{_mark(kind, 18, y)}'
    yield f'<text x="42" y="{_n(y + 4)}">{escape(shortened(curve.name, _MAX_NAME_CHARS))}</text>'


def _curve(frame: _Frame, x: Axis, y: Axis, curve: Curve, kind: int) -> Iterator[str]:
    places = [(frame.x(x.scale.place(at)), frame.y(y.scale.place(value))) for at, value in curve.points]
    if not places:
        return
    yield f'<path class="line c{kind}" d="M{"L".join(f"{_n(at)} {_n(value)}" for at, value in places)}"/>'
    for at, value in places:
        yield _mark(kind, at, value)


def _mark(kind: int, x: float, y: float) -> str:
    shape = (
        f"M{_n(x - 4)} {_n(y)}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0",
        f"M{_n(x - 3.5)} {_n(y - 3.5)}h7v7h-7z",
        f"M{_n(x)} {_n(y - 4.5)}l4.5 8h-9z",
        f"M{_n(x)} {_n(y - 5)}l5 5l-5 5l-5 -5z",
        f"M{_n(x)} {_n(y + 4.5)}l4.5 -8h-9z",
        f"M{_n(x - 4)} {_n(y - 1.5)}h8v3h-8z",
    )[kind]
    return f'<path class="mark c{kind}" d="{shape}"/>'


def _bar(frame: _Frame, middle: float, width: float, place: float, bar: Bar) -> str:
    top = frame.y(place)
    return (
        f'<rect class="count {escape(bar.kind)}" x="{_n(middle - width / 2)}" y="{_n(top)}" width="{_n(width)}" '
        f'height="{_n(frame.bottom - top)}"><title>{escape(bar.label)}: {short(bar.count)}</title></rect>'
    )


def shortened(text: str, chars: int) -> str:
    """The text, or its beginning with an ellipsis, ``chars`` at most."""
    return text if len(text) <= chars else text[: chars - 1].rstrip() + "…"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
