"""The async front of a model: a bounded queue, batches across searches, a deadline for each search, scores kept.

Texts whose score is known, or that a window has twice, are not scored again. The others are read (tokenised) in a
thread of their own, a little ahead of the model, and scored in batches under a budget of real tokens. Searches join
between batches, nearest deadline first; a batch goes to whichever replica of the model is free, at once and never by a
timer. A failed batch answers every search in it, and the scorer lives on.

What a search is answered with is a prefix of its window, whatever is known of the rest, so that no text rises because
another search happened to ask for it. What ends it early:

- its deadline passes;
- its next text, by the speed measured, would not be done by its deadline. That is not begun then, and the search is
  answered as soon as its texts under way are scored. The first two are begun all the same: without them there is no
  order, and the estimate may be wrong.

``bridge.packing`` says who shares a batch, and how long texts and short ones take turns.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

from bridge.errors import DeadlineError, OverloadedError, ScoringError
from bridge.model_window import ModelWindow
from bridge.models.base import Model, Tokens
from bridge.packing import estimated_tokens
from bridge.queue import MIN_SCORED, Batch, Queue, Search, Unread
from bridge.score_cache import ScoreCache, score_keys
from bridge.scorer_samples import Scoring, samples
from bridge.telemetry import Steps, Telemetry

_READ_AHEAD = 2  # batches of each replica that are read: one that is prefetched, and one to fill the next from
_BATCHES = {"cpu": 1, "cuda": 2}  # that a replica is given: a GPU must find the next one when it ends the one before


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a scorer."""

    queue_pairs: int
    """Texts that may wait, over all searches."""
    batch_tokens: int | None = None
    """Tokens of one batch; None: as many as the model says."""


class Scorer:
    """Scores texts by a model, of which there may be a replica on each device; use it as an async context manager."""

    def __init__(
        self,
        models: Sequence[Model],
        limits: Limits,
        cache: ScoreCache,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = models[0]
        self._window = ModelWindow(self._model)
        self._replicas = [_Replica(model) for model in models]
        self._batch_tokens = limits.batch_tokens or self._model.batch_tokens
        self._queue_pairs = limits.queue_pairs
        self._cache = cache
        self._telemetry = telemetry
        self._clock = clock
        self._queue = Queue()
        self._pace = _Pace()
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")
        self._is_reading = False
        self._is_to_advance = False
        self._is_running = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._watched = ExitStack()

    @property
    def model_name(self) -> str:
        """The model's name, as users know it."""
        return self._model.name

    async def __aenter__(self) -> Self:
        self._is_running = True
        models = [replica.model for replica in self._replicas]
        scoring = Scoring(models, self._queue, self._queue_pairs, self._batch_tokens)
        for source in (partial(samples, scoring), self._cache.samples):
            self._watched.enter_context(self._telemetry.watching(source))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_running = False
        self._watched.close()
        self._queue.fail(ScoringError("the bridge stops"))
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for thread in (self._reader, *(replica.threads for replica in self._replicas)):
            thread.shutdown(wait=False, cancel_futures=True)

    async def readable_chars(self, query_text: str, texts: Sequence[str], *, instruction: str = "") -> list[int]:
        """Characters of each text that the model reads at once, about: ``len(result) == len(texts)``, same order.

        Raises ``ScoringError``.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._reader, self._window.chars, query_text, texts, instruction)
        except Exception as error:
            raise _translated(error) from error

    async def score(
        self, query_text: str, texts: Sequence[str], *, instruction: str = "", deadline: float = math.inf
    ) -> list[float | None]:
        """One score per text, same order; None for an empty text, and for what the deadline left out.

        ``deadline`` is a moment on the scorer's clock. Where it comes first, the scored texts are a prefix of those
        that are not empty, two at least. Raises ``OverloadedError``, ``DeadlineError``, ``ScoringError``.
        """
        if not self._is_running:
            raise ScoringError("the scorer does not run")
        search = self._asked(query_text, texts, instruction, deadline)
        refusal = self._refusal(search) if search.unread else None
        if search.unread and refusal is None:
            await self._worked_off(search)
        scores = _prefix(texts, search.scores)
        left_out = any(text and score is None for text, score in zip(texts, scores, strict=True))
        if left_out and len(scores) - scores.count(None) < MIN_SCORED:
            raise refusal or DeadlineError("the deadline passed before any order was known")
        return scores

    async def _worked_off(self, search: Search) -> None:
        """Returns when all of a search is scored, or its deadline passed. Raises ``ScoringError``."""
        self._queue.add(search)
        self._advance_soon()
        try:
            await asyncio.wait({search.done}, timeout=self._left_s(search.deadline))
        finally:
            self._queue.discard(search)
            self._telemetry.search_worked_off(self.model_name, Steps(search.queue_s, search.read_s, search.score_s))
        if search.done.done():
            search.done.result()

    def _asked(self, query_text: str, texts: Sequence[str], instruction: str, deadline: float) -> Search:
        """The search with the scores that are known; what is not known is unread."""
        keys = score_keys(self._model.revision, instruction, query_text, texts)
        scores: list[float | None] = [None] * len(texts)
        places: dict[bytes, list[int]] = {}
        unread: deque[Unread] = deque()
        for place, (key, text) in enumerate(zip(keys, texts, strict=True)):
            if not text:
                continue
            if key in places:
                places[key].append(place)
                continue
            scores[place] = self._cache.get(key)
            if scores[place] is None:
                places[key] = [place]
                tokens = estimated_tokens(len(query_text) + len(text), self._model.max_tokens)
                unread.append(Unread(key, text, tokens))
        self._telemetry.pairs_known(self.model_name, sum(score is not None for score in scores))
        waiting_tokens = sum(text.tokens for text in unread)
        search = Search(query_text, instruction, deadline, scores, places, unread, waiting_tokens=waiting_tokens)
        search.asked_at = self._clock()
        return search

    def _refusal(self, search: Search) -> ScoringError | None:
        """Why a search does not get into the queue; None where it may."""
        left_s = self._left_s(search.deadline)
        if left_s is not None and left_s <= 0:
            return DeadlineError("the deadline had passed before")
        if self._queue.pairs + search.waiting_pairs > self._queue_pairs:
            return OverloadedError(f"more than {self._queue_pairs} texts wait to be scored")
        if left_s is not None and self._waiting_s() > left_s:
            return OverloadedError("what waits to be scored takes longer than the deadline allows")
        return None

    def _left_s(self, deadline: float) -> float | None:
        return None if math.isinf(deadline) else deadline - self._clock()

    def _waiting_s(self) -> float:
        """Seconds until the model is done with what waits now, by the speed measured."""
        return self._queue.tokens * self._pace.seconds_per_token / len(self._replicas)

    def _advance_soon(self) -> None:
        """Begins what can be begun once all that is asked at this moment, as by one request, is in the queue."""
        if not self._is_to_advance:
            self._is_to_advance = True
            asyncio.get_running_loop().call_soon(self._advance)

    def _advance(self) -> None:
        """Begins whatever can be begun now."""
        self._is_to_advance = False
        if not self._is_running:
            return
        self._read_on()
        if self._is_reading and self._queue.read_tokens < self._batch_tokens:
            return  # what is read next goes into the same batch; reading takes a small part of what scoring does
        for replica in sorted(self._replicas, key=lambda entry: entry.free_at):
            while replica.is_free and (batch := self._next_batch(replica)):
                self._begin(self._run(replica, batch))
        self._read_on()

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _read_on(self) -> None:
        if self._is_reading:
            return
        chunk = self._queue.next_chunk(self._batch_tokens, _READ_AHEAD * len(self._replicas))
        if chunk is not None:
            self._is_reading = True
            self._begin(self._read(*chunk))

    async def _read(self, search: Search, chunk: Sequence[Unread]) -> None:
        texts = [text for _, text, _ in chunk]
        loop = asyncio.get_running_loop()
        try:
            read, seconds = await loop.run_in_executor(self._reader, self._timed_read, search, texts)
            search.read_s += seconds
            search.put_read(chunk, read)
        except Exception as error:  # noqa: BLE001 - whatever a model raises, the search gets its answer
            search.fail(_translated(error))
        finally:
            self._is_reading = False
            self._advance()

    def _timed_read(self, search: Search, texts: Sequence[str]) -> tuple[Sequence[Tokens], float]:
        started = self._clock()
        return self._model.read(search.query_text, texts, search.instruction), self._clock() - started

    def _next_batch(self, replica: _Replica) -> Batch | None:
        starts_at = max(self._clock(), replica.free_at)
        batch = self._queue.next_batch(self._batch_tokens, lambda deadline: self._pace.tokens(deadline - starts_at))
        if batch is not None:
            replica.batches += 1
            for search in batch.searches:
                search.queue_s = search.queue_s or starts_at - search.asked_at
            replica.free_at = starts_at + batch.tokens * self._pace.seconds_per_token
        return batch

    async def _run(self, replica: _Replica, batch: Batch) -> None:
        loop = asyncio.get_running_loop()
        try:
            scores, started = await loop.run_in_executor(
                replica.threads, self._timed, replica.model, [text.tokens for _, text in batch.texts]
            )
            self._deliver(batch, _checked(scores, len(batch.texts)), replica.spent_s(started, self._clock()))
        except Exception as error:  # noqa: BLE001 - whatever a model raises, every waiter gets its answer
            for search in batch.searches:
                search.fail(_translated(error))
        finally:
            replica.batches -= 1
            if not replica.batches:
                replica.free_at = self._clock()
            for search, _ in batch.texts:
                search.under_way -= 1
            for search in batch.searches:
                search.settle()
            self._advance()

    def _timed(self, model: Model, texts: list[Tokens]) -> tuple[Sequence[float], float]:
        """The scores, and when the model began."""
        started = self._clock()
        return model.score(texts), started

    def _deliver(self, batch: Batch, scores: Sequence[float], seconds: float) -> None:
        self._pace.note(batch.tokens, seconds)
        fill = batch.tokens / self._batch_tokens
        self._telemetry.batch_scored(self.model_name, len(batch.texts), batch.tokens, fill, seconds)
        for search in batch.searches:
            search.score_s += seconds
        for (search, text), score in zip(batch.texts, scores, strict=True):
            self._cache.put(text.key, score)
            search.put_score(text.key, score)


class _Replica:
    """A model on one device, and the threads that run it."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._most_batches = _BATCHES[model.device.partition(":")[0]]
        self._done_at = -math.inf
        self.threads = ThreadPoolExecutor(max_workers=self._most_batches, thread_name_prefix="model")
        self.batches = 0
        """Given to it, and not done."""
        self.free_at = 0.0
        """When it will be done with them, by the speed measured."""

    @property
    def is_free(self) -> bool:
        return self.batches < self._most_batches

    def spent_s(self, started: float, ended: float) -> float:
        """What a batch took of the device's time: it may have begun while the one before it was still scored."""
        began, self._done_at = max(started, self._done_at), ended
        return ended - began


class _Pace:
    """The speed of the last batches, where each counts half of the one that follows.

    By tokens, so that a batch of a few, whose time says nothing of large ones, hardly counts.
    """

    def __init__(self) -> None:
        self._tokens = 0.0
        self._seconds = 0.0

    def note(self, tokens: int, seconds: float) -> None:
        self._tokens = self._tokens / 2 + tokens
        self._seconds = self._seconds / 2 + seconds

    @property
    def seconds_per_token(self) -> float:
        return self._seconds / self._tokens if self._tokens else 0.0

    def tokens(self, seconds: float) -> float:
        """What can be scored in this time; no bound where nothing was measured."""
        return seconds / self.seconds_per_token if self.seconds_per_token else math.inf


def _prefix(texts: Sequence[str], scores: Sequence[float | None]) -> list[float | None]:
    """The scores up to the first text that has none."""
    missing = (place for place, text in enumerate(texts) if text and scores[place] is None)
    end = next(missing, len(texts))
    return [*scores[:end], *[None] * (len(texts) - end)]


def _checked(scores: Sequence[float], expected: int) -> list[float]:
    values = [float(score) for score in scores]
    if len(values) != expected:
        raise ScoringError(f"the model gave {len(values)} scores for {expected} texts")
    if not all(map(math.isfinite, values)):
        raise ScoringError("the model gave a score that is not a finite number")
    return values


def _translated(error: Exception) -> ScoringError:
    """An error without the foreign one's words, which may be those of a text."""
    return error if isinstance(error, ScoringError) else ScoringError(type(error).__name__)
