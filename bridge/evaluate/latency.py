"""How long searches took, as percentiles of an HDR histogram."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hdrh.histogram import HdrHistogram

HIGHEST_US = 3_600_000_000
"""An hour; longer is counted as that."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """Percentiles in milliseconds, to three significant digits."""

    count: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


def percentiles(latencies_s: Iterable[float]) -> Latencies:
    """The percentiles of latencies in seconds; of none at all, zeros."""
    histogram = HdrHistogram(1, HIGHEST_US, 3)
    for latency_s in latencies_s:
        histogram.record_value(min(round(latency_s * 1e6), HIGHEST_US))
    p50, p90, p99, highest = (histogram.get_value_at_percentile(percent) / 1e3 for percent in (50, 90, 99, 100))
    return Latencies(histogram.get_total_count(), p50, p90, p99, highest)
