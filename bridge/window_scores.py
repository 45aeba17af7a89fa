"""What a window was answered with, kept while its pages are walked.

A search walked page by page asks for the same window each time. Scored whole, it gets the same order each time, from
the scores that are kept; but where a deadline or an overload cut the scoring, the next page might find more of it
scored, and show a hit again or never. So such an answer holds for the window's other pages for a while. Pages that are
asked for at the same time are scored once. Keys are digests of content; nothing of the hits is kept.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from bridge.cache_use import CacheUse
from bridge.metrics_table import Sample
from bridge.ranking import StageScores, Window
from bridge.score_cache import window_key
from connectors.base import Reason

CUT_HOLDS_S = 60.0
"""A person pages on within a minute; then a search may find a model that is faster by now."""
MAX_WINDOWS = 4_096
"""At 100 scores of 32 bytes each about 13 MB for each stage."""

Answer = tuple[StageScores, ...]


class Scoring(Protocol):
    """What scores a window."""

    async def score(self, window: Window) -> Answer:
        """What each stage gave, one at least."""
        ...


@dataclass(frozen=True, slots=True)
class _Cut:
    answer: Answer
    holds_until: float


@dataclass(slots=True)
class _UnderWay:
    task: asyncio.Task[Answer]
    waiters: int = 0


class WindowScores:
    """Stands before what scores windows, and answers what it knows."""

    def __init__(self, scoring: Scoring, clock: Callable[[], float] = time.monotonic) -> None:
        self._scoring = scoring
        self._clock = clock
        self._cuts: OrderedDict[bytes, _Cut] = OrderedDict()
        self._under_way: dict[bytes, _UnderWay] = {}
        self._hits = self._misses = 0

    @property
    def use(self) -> CacheUse:
        """How often an answer served another page, until now."""
        return CacheUse(self._hits, self._misses)

    def samples(self) -> Iterator[Sample]:
        """Its use as metrics."""
        return self.use.samples("window")

    async def score(self, window: Window) -> Answer:
        """What each stage gave; without seconds where that was for another page."""
        asked = (window.scoring, repr(window.first_stage_weight), window.instruction, window.query_text)
        key = window_key(asked, window.texts)
        cut = self._cuts.get(key)
        if cut is not None and self._clock() <= cut.holds_until:
            self._hits += 1
            return cut.answer
        return await self._join(key, window)

    async def _join(self, key: bytes, window: Window) -> Answer:
        entry = self._under_way.get(key)
        if entry is not None:
            self._hits += 1
        else:
            self._misses += 1
            entry = self._under_way[key] = _UnderWay(asyncio.create_task(self._run(key, window)))
        entry.waiters += 1
        try:
            return await asyncio.shield(entry.task)
        finally:
            entry.waiters -= 1
            if not entry.waiters:
                del self._under_way[key]
                entry.task.cancel()  # where all clients have left; nothing happens where it is done

    async def _run(self, key: bytes, window: Window) -> Answer:
        answer = await self._scoring.score(window)
        self._cuts.pop(key, None)
        if _is_to_hold(answer):
            self._cuts[key] = _Cut(tuple(replace(stage, seconds=0.0) for stage in answer), self._clock() + CUT_HOLDS_S)
            if len(self._cuts) > MAX_WINDOWS:
                self._cuts.popitem(last=False)
        return answer


def _is_to_hold(answer: Answer) -> bool:
    """Whether another page might get another order; after a failure of the model, which may work again, it shall."""
    cut = answer[-1].cut
    return cut is not None and not (cut is Reason.MODEL_FAILED and len(answer) == 1)
