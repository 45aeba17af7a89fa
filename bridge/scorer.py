"""The async front of a model: a bounded queue, batches across searches, a deadline for each search.

One worker runs the model in a thread of its own, so the event loop never waits for it. Each batch takes texts from the
front of the searches that wait, nearest deadline first, so what is scored of a search is always a prefix of its
window. A failed batch answers every search in it, and the worker lives on.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import Self

from bridge.errors import DeadlineError, OverloadedError, ScoringError
from bridge.models.base import Model, Pair
from bridge.packing import batch_shares, estimated_tokens
from bridge.telemetry import Telemetry

_MIN_SCORED = 2  # fewer give no order


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a scorer."""

    timeout_s: float
    """For one search, from the moment that it is submitted; infinite waits for all of its scores."""
    queue_pairs: int
    """Texts that may wait, over all searches."""
    batch_tokens: int
    """Estimated tokens of one batch."""


@dataclass(slots=True)
class _Search:
    """One search's texts on their way through the model."""

    deadline: float
    waiting: deque[tuple[int, Pair, int]]
    """(place in the window, pair, estimated tokens), in first-stage order."""
    scores: list[float | None]
    missing: int
    done: asyncio.Future[None] = field(repr=False)


class Scorer:
    """Scores windows; use it as an async context manager."""

    def __init__(
        self, model: Model, limits: Limits, telemetry: Telemetry, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._model = model
        self._limits = limits
        self._telemetry = telemetry
        self._clock = clock
        self._searches: list[_Search] = []
        self._arrival = asyncio.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._worker: asyncio.Task[None] | None = None
        self._seconds_per_token = 0.0

    @property
    def model_name(self) -> str:
        """The model's name, as users know it."""
        return self._model.name

    async def __aenter__(self) -> Self:
        self._worker = asyncio.create_task(self._work())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._worker is not None:
            self._worker.cancel()
            with suppress(asyncio.CancelledError):
                await self._worker
        for search in self._searches:
            _fail(search, ScoringError("the bridge stops"))
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def score(self, query_text: str, texts: Sequence[str]) -> list[float | None]:
        """One score per text, same order; None for an empty text, and for what the deadline left out.

        Where the deadline passes, the scored texts are a prefix of those that are not empty, two at least.
        Raises ``OverloadedError``, ``DeadlineError``, ``ScoringError``.
        """
        if self._worker is None or self._worker.done():
            raise ScoringError("the scorer does not run")
        search = self._admit(query_text, texts)
        try:
            await asyncio.wait({search.done}, timeout=self._timeout_s())
        finally:
            self._dismiss(search)
        if search.done.done():
            search.done.result()
        elif len(search.scores) - search.scores.count(None) < _MIN_SCORED:
            raise DeadlineError("the deadline passed before any order was known")
        return list(search.scores)

    def _timeout_s(self) -> float | None:
        return None if math.isinf(self._limits.timeout_s) else self._limits.timeout_s

    def _admit(self, query_text: str, texts: Sequence[str]) -> _Search:
        pairs = ((place, Pair(query_text, text)) for place, text in enumerate(texts) if text)
        waiting = deque((place, pair, self._tokens(pair)) for place, pair in pairs)
        if self._waiting_pairs() + len(waiting) > self._limits.queue_pairs:
            raise OverloadedError(f"more than {self._limits.queue_pairs} texts wait to be scored")
        if waiting and self._waiting_s() > self._limits.timeout_s:
            raise OverloadedError("what waits to be scored takes longer than the deadline allows")
        done = asyncio.get_running_loop().create_future()
        search = _Search(self._clock() + self._limits.timeout_s, waiting, [None] * len(texts), len(waiting), done)
        if waiting:
            self._searches.append(search)
            self._searches.sort(key=lambda entry: entry.deadline)
            self._arrival.set()
        else:
            done.set_result(None)
        self._telemetry.waiting_pairs(self._waiting_pairs())
        return search

    def _tokens(self, pair: Pair) -> int:
        return estimated_tokens(len(pair.query_text) + len(pair.text), self._model.max_tokens)

    def _dismiss(self, search: _Search) -> None:
        if search in self._searches:
            self._searches.remove(search)
        self._telemetry.waiting_pairs(self._waiting_pairs())

    def _waiting_s(self) -> float:
        """Seconds until the model is done with what waits now, at its speed in the last batch."""
        tokens = sum(tokens for search in self._searches for *_, tokens in search.waiting)
        return tokens * self._seconds_per_token

    def _waiting_pairs(self) -> int:
        return sum(len(search.waiting) for search in self._searches)

    async def _work(self) -> None:
        while True:
            batch = self._next_batch()
            if batch:
                await self._run(batch)
            else:
                self._arrival.clear()
                await self._arrival.wait()

    def _next_batch(self) -> list[tuple[_Search, int, Pair]]:
        # Lengths beyond the budget can't matter: each text has a token at least.
        lengths = [[tokens for *_, tokens in islice(s.waiting, self._limits.batch_tokens)] for s in self._searches]
        batch: list[tuple[_Search, int, Pair]] = []
        for search, share in zip(self._searches, batch_shares(lengths, self._limits.batch_tokens), strict=True):
            for _ in range(share):
                place, pair, _tokens = search.waiting.popleft()
                batch.append((search, place, pair))
        return batch

    async def _run(self, batch: Sequence[tuple[_Search, int, Pair]]) -> None:
        pairs = [pair for _, _, pair in batch]
        loop = asyncio.get_running_loop()
        started = self._clock()
        try:
            scores = _checked(await loop.run_in_executor(self._thread, self._model.score, pairs), len(pairs))
        except Exception as error:  # noqa: BLE001 - whatever a model raises, every waiter gets its answer
            for search, _, _ in batch:
                _fail(search, error if isinstance(error, ScoringError) else ScoringError(type(error).__name__))
            return
        self._seconds_per_token = (self._clock() - started) / sum(map(self._tokens, pairs))
        self._telemetry.pairs_scored(len(pairs))
        for (search, place, _), score in zip(batch, scores, strict=True):
            search.scores[place] = score
            search.missing -= 1
            if not search.missing and not search.done.done():
                search.done.set_result(None)


def _checked(scores: Sequence[float], expected: int) -> list[float]:
    values = [float(score) for score in scores]
    if len(values) != expected:
        raise ScoringError(f"the model gave {len(values)} scores for {expected} texts")
    if not all(map(math.isfinite, values)):
        raise ScoringError("the model gave a score that is not a finite number")
    return values


def _fail(search: _Search, error: ScoringError) -> None:
    search.waiting.clear()
    if not search.done.done():
        search.done.set_exception(error)
        search.done.exception()  # marks it as seen: nobody waits for it where the deadline came first
