"""What a window was scored with, kept while its pages are walked.

A search walked page by page asks for the same window each time. Scored whole, it gets the same order each time; but
where a deadline cut the scoring, the next page might find more of it scored, and show a hit again or never. So what a
window was answered with holds for its other pages: whole scores until they are pushed out, a cut for a while. Pages
that are asked for at the same time are scored once. Keys are digests of content; nothing of the hits is kept.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from bridge.errors import DeadlineError, OverloadedError

CUT_HOLDS_S = 60.0
"""A person pages on within a minute; then a search may find a model that is faster by now."""
MAX_WINDOWS = 4_096
"""At 100 scores of 32 bytes each about 13 MB."""

Scores = tuple[float | None, ...]


class Scoring(Protocol):
    """What scores a window."""

    @property
    def model_name(self) -> str:
        """The model's name."""
        ...

    async def score(self, query_text: str, texts: Sequence[str]) -> list[float | None]:
        """One score per text, None where there is none. Raises ``ScoringError``."""
        ...


@dataclass(frozen=True, slots=True)
class _Answer:
    scores: Scores | DeadlineError | OverloadedError
    """An error where no order was known in time."""
    holds_until: float


@dataclass(slots=True)
class _UnderWay:
    task: asyncio.Task[list[float | None]]
    waiters: int = 0


class WindowScores:
    """Stands before a scorer, and answers what it knows."""

    def __init__(self, scoring: Scoring, clock: Callable[[], float] = time.monotonic) -> None:
        self._scoring = scoring
        self._clock = clock
        self._answers: OrderedDict[bytes, _Answer] = OrderedDict()
        self._under_way: dict[bytes, _UnderWay] = {}

    @property
    def model_name(self) -> str:
        """The model's name."""
        return self._scoring.model_name

    async def score(self, query_text: str, texts: Sequence[str]) -> list[float | None]:
        """One score per text, same order, None where there is none. Raises ``ScoringError``."""
        key = _key(query_text, texts)
        answer = self._known(key)
        if answer is None:
            return await self._join(key, query_text, texts)
        if isinstance(answer.scores, Exception):
            raise type(answer.scores)("so it was with another page of this search")
        return list(answer.scores)

    def _known(self, key: bytes) -> _Answer | None:
        answer = self._answers.get(key)
        if answer is None:
            return None
        if answer.holds_until < self._clock():
            del self._answers[key]
            return None
        self._answers.move_to_end(key)
        return answer

    async def _join(self, key: bytes, query_text: str, texts: Sequence[str]) -> list[float | None]:
        entry = self._under_way.get(key)
        if entry is None:
            entry = self._under_way[key] = _UnderWay(asyncio.create_task(self._run(key, query_text, texts)))
        entry.waiters += 1
        try:
            return list(await asyncio.shield(entry.task))
        finally:
            entry.waiters -= 1
            if not entry.waiters:
                del self._under_way[key]
                entry.task.cancel()  # where all clients have left; nothing happens where it is done

    async def _run(self, key: bytes, query_text: str, texts: Sequence[str]) -> list[float | None]:
        try:
            scores = await self._scoring.score(query_text, texts)
        except (DeadlineError, OverloadedError) as error:
            self._remember(key, _Answer(error.with_traceback(None), self._clock() + CUT_HOLDS_S))
            raise
        is_whole = all(score is not None for score, text in zip(scores, texts, strict=True) if text)
        self._remember(key, _Answer(tuple(scores), float("inf") if is_whole else self._clock() + CUT_HOLDS_S))
        return scores

    def _remember(self, key: bytes, answer: _Answer) -> None:
        self._answers[key] = answer
        if len(self._answers) > MAX_WINDOWS:
            self._answers.popitem(last=False)


def _key(query_text: str, texts: Sequence[str]) -> bytes:
    digest = blake2b(digest_size=16)
    for text in (query_text, *texts):
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    return digest.digest()
