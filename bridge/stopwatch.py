"""Where a search's time goes, and how a reply says it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from urllib.parse import quote

from bridge.explanation import Times, milliseconds
from bridge.ranking import StageScores
from bridge.telemetry import Interval, Spent

TIMING_HEADER = "Server-Timing"


class Stopwatch:
    """One exchange's time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self._parts: list[Interval] = []

    def upstream(self) -> AbstractContextManager[None]:
        """What happens in the block is the engine's time."""
        return self._part("upstream")

    def scoring(self) -> AbstractContextManager[None]:
        """What happens in the block is the models' time."""
        return self._part("scoring")

    def splicing(self) -> AbstractContextManager[None]:
        """What happens in the block is writing the reply, a part of the bridge's own time."""
        return self._part("splice")

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        started = self._clock()
        try:
            yield
        finally:
            self._parts.append(Interval(name, started, self._clock()))

    @property
    def spent(self) -> Spent:
        """Where the time went until now."""
        return Spent(Interval("rerank", self._started, self._clock()), tuple(self._parts))

    @property
    def upstream_s(self) -> float:
        """The engine's."""
        return self.spent.seconds("upstream")

    @property
    def score_s(self) -> float:
        """The models'."""
        return self.spent.seconds("scoring")

    @property
    def bridge_s(self) -> float:
        """What is neither the engine's nor the models'."""
        return self.spent.bridge_s

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
