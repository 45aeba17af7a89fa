"""Where a search's time goes, and how a reply says it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import quote

from bridge.explanation import Times, milliseconds
from bridge.ranking import StageScores
from bridge.telemetry import Spent

TIMING_HEADER = "Server-Timing"


class Stopwatch:
    """One exchange's time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self.upstream_s = 0.0
        self.score_s = 0.0
        self.splice_s = 0.0

    @contextmanager
    def upstream(self) -> Iterator[None]:
        """What happens in the block is the engine's time."""
        started = self._clock()
        try:
            yield
        finally:
            self.upstream_s += self._clock() - started

    @contextmanager
    def scoring(self) -> Iterator[None]:
        """What happens in the block is the models' time."""
        started = self._clock()
        try:
            yield
        finally:
            self.score_s += self._clock() - started

    @contextmanager
    def splicing(self) -> Iterator[None]:
        """What happens in the block is writing the reply, a part of the bridge's own time."""
        started = self._clock()
        try:
            yield
        finally:
            self.splice_s += self._clock() - started

    @property
    def spent(self) -> Spent:
        """Where the time went until now."""
        return Spent(self.upstream_s, self.score_s, self.splice_s, self._clock() - self._started)

    @property
    def bridge_s(self) -> float:
        """What is neither the engine's nor the models'."""
        return max(self._clock() - self._started - self.upstream_s - self.score_s, 0.0)

    def times(self) -> Times:
        """Where the time went until now."""
        return Times(*map(milliseconds, (self.upstream_s, self.score_s, self.bridge_s)))

    def header(self, scored: Sequence[Sequence[StageScores]]) -> tuple[str, str]:
        """A ``Server-Timing`` field, from what the stages of each search gave; several are scored together."""
        stages = scored[0] if len(scored) == 1 else ()
        parts = [
            _timing("upstream", self.upstream_s),
            *(f'{_timing("score", stage.seconds)};desc="{quote(stage.model_name)}"' for stage in stages),
            *([_timing("score", self.score_s)] if len(scored) > 1 else []),
            _timing("bridge", self.bridge_s),
        ]
        return TIMING_HEADER, ", ".join(parts)


def _timing(part: str, seconds: float) -> str:
    return f"{part};dur={seconds * 1000:.1f}"
