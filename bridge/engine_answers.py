"""What the engine answers when a search can't be planned without asking: mappings, rendered templates.

An answer serves equal questions for as long as its question says. A question carries the credentials of the client
that asks, so nobody learns through the bridge what the engine would not tell them.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import NamedTuple, Protocol

from bridge.errors import ReplyTooLargeError, UpstreamError
from connectors.base import Question, Reply, Request

MAX_ANSWERS = 1_000
MAX_ANSWER_BYTES = 8 << 20
"""Of one answer: the mapping of an index of 10,000 fields has about 1 MB."""
_MAX_KEPT_BYTES = 64 << 20
WAIT_S = 2.0
"""That a search waits for an answer, which comes in milliseconds as a rule. Not so in a cluster that has no master at
the moment: its nodes answer searches at once, and questions about mappings after 30 s (``master_timeout``)."""
SILENCE_HOLDS_S = 10.0
"""For so long a question that was not answered in time is not asked again, so that not every search waits."""


class Sender(Protocol):
    """What is needed of the upstream."""

    async def send(self, request: Request, *, limit_bytes: int) -> Reply:
        """The engine's reply. Raises ``UpstreamError``, ``ReplyTooLargeError``."""
        ...


class _Kept(NamedTuple):
    reply: Reply | None
    until: float


class EngineAnswers:
    """Asks the engine, and keeps what it says for a while; the least recently used go first.

    Searches that want the same answer at the same moment wait for one, so that the engine is asked once when one ends
    to hold.
    """

    def __init__(self, upstream: Sender, clock: Callable[[], float], wait_s: float = WAIT_S) -> None:
        self._upstream = upstream
        self._clock = clock
        self._wait_s = wait_s
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._kept_bytes = 0
        self._asked: dict[bytes, asyncio.Task[Reply | None]] = {}

    async def of(self, questions: Sequence[Question]) -> dict[Question, Reply | None]:
        """The answer to each; None where the engine gave none, which the search itself will tell."""
        replies = await asyncio.gather(*map(self._answer, questions))
        return dict(zip(questions, replies, strict=True))

    async def _answer(self, question: Question) -> Reply | None:
        key = _digest(question)  # not the question itself, which holds credentials
        kept = self._kept.get(key)
        if kept is not None and self._clock() < kept.until:
            self._kept.move_to_end(key)
            return kept.reply
        if question.holds_s <= 0:
            return await self._ask(question, key)
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = asyncio.create_task(self._ask(question, key))
            asked.add_done_callback(lambda _: self._asked.pop(key))
        return await asyncio.shield(asked)  # for others, where this client leaves

    async def _ask(self, question: Question, key: bytes) -> Reply | None:
        reply, holds_s = await self._asked_for(question)
        if holds_s > 0:
            self._keep(key, _Kept(reply, self._clock() + holds_s))
        return reply

    async def _asked_for(self, question: Question) -> tuple[Reply | None, float]:
        """The answer, and how long it holds."""
        try:
            async with asyncio.timeout(self._wait_s):
                return await self._upstream.send(question.request, limit_bytes=MAX_ANSWER_BYTES), question.holds_s
        except TimeoutError:
            return None, min(SILENCE_HOLDS_S, question.holds_s)
        except ReplyTooLargeError:
            return None, question.holds_s
        except UpstreamError:
            return None, 0.0

    def _keep(self, key: bytes, kept: _Kept) -> None:
        self._forget(key)
        self._kept[key] = kept
        self._kept_bytes += _size(kept)
        while len(self._kept) > MAX_ANSWERS or self._kept_bytes > _MAX_KEPT_BYTES:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: bytes) -> None:
        gone = self._kept.pop(key, None)
        self._kept_bytes -= _size(gone) if gone is not None else 0


def _size(kept: _Kept) -> int:
    return len(kept.reply.body) if kept.reply is not None else 0


def _digest(question: Question) -> bytes:
    request = question.request
    return blake2b(repr((request.method, request.target, request.headers, request.body)).encode()).digest()
