"""Values counted as they come, in constant memory: of times as percentiles, of moves as bars."""

from __future__ import annotations

from collections import Counter

import msgspec
from hdrh.histogram import HdrHistogram

_HIGHEST_US = 3_600_000_000  # an hour; longer is counted as that
_DIGITS = 3
_CURVE = (0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0)


class Percentiles(msgspec.Struct, frozen=True):
    """Of times in milliseconds, to three significant digits; zeros where there are none."""

    count: int
    p50: float
    p90: float
    p95: float
    p99: float
    max: float
    curve: tuple[tuple[float, float], ...]
    """Percentile and milliseconds, for a plot."""


class Times:
    """Times of one kind."""

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, _HIGHEST_US, _DIGITS)

    def add(self, ms: float, weight: int = 1) -> None:
        """Counts a time."""
        self._histogram.record_value(min(max(round(ms * 1_000), 1), _HIGHEST_US), weight)

    def percentiles(self) -> Percentiles:
        """Of all that was counted."""
        count = self._histogram.get_total_count()
        p50, p90, p95, p99, highest = (self._at(percent) for percent in (50, 90, 95, 99, 100))
        curve = tuple((percent, self._at(percent)) for percent in _CURVE) if count else ()
        return Percentiles(count, p50, p90, p95, p99, highest, curve)

    def _at(self, percent: float) -> float:
        return float(self._histogram.get_value_at_percentile(percent)) / 1e3


class Mean:
    """A weighted mean."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._weight = 0

    def add(self, value: float | None, weight: int) -> None:
        """Counts a value; None is none."""
        if value is not None:
            self._sum += value * weight
            self._weight += weight

    @property
    def value(self) -> float | None:
        """None where nothing was counted; to nine decimals, so that the order of adding does not show."""
        return round(self._sum / self._weight, 9) if self._weight else None


def bars(counts: Counter[int]) -> tuple[tuple[int, int], ...]:
    """Value and count, by value."""
    return tuple(sorted(counts.items()))
