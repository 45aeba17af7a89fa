"""What a cache can tell of its use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bridge import metrics_table as table
from bridge.metrics_table import Sample


class CacheUse(NamedTuple):
    """Counted since the cache was made."""

    hits: int
    misses: int
    bytes: int | None = None
    """Memory taken, keys included; None where that is not known."""
    limit_bytes: int | None = None

    def samples(self, cache: str, model: str = "") -> Iterator[Sample]:
        """As metrics, for a cache of this name; ``model`` is the one that it belongs to."""
        values = (
            (table.CACHE_HITS, self.hits),
            (table.CACHE_MISSES, self.misses),
            (table.CACHE_BYTES, self.bytes),
            (table.CACHE_LIMIT, self.limit_bytes),
        )
        for metric, value in values:
            if value is not None:
                yield Sample(metric, (cache, model), value)
