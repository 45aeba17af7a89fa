"""Searches kept in a folder as clients sent them, for a replay: a sample, bounded in size, readable by its owner alone.

No header field is kept, so no credentials are; bodies are what users searched, which is why nothing is kept unless a
folder is configured. A search never waits for its capture.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import msgspec

from bridge.line_log import LineLog
from connectors.base import PassThrough, Reason, Reply, Request
from connectors.plain_body import plain_body

PREFIX = "searches"
PATTERN = f"{PREFIX}-*.ndjson.gz"
VERSION = 1
_MAX_BODY_BYTES = 16 << 20

_SAYS_WORDS = re.compile(r"(?:^|&)(?:q|source)=")  # others than a search's own: polls of asynchronous ones

_FOR_THE_MODE = frozenset({Reason.MODE_OFF, Reason.SWITCHED_OFF})


class Captured(msgspec.Struct, frozen=True, omit_defaults=True):
    """One search, as a line of JSON."""

    rerank_bridge_capture: int
    """The version of the format."""
    at_s: float
    """Seconds since 1970."""
    method: str
    target: str
    body: str
    """Its content coding undone, where it has one that the bridge reads."""
    content_type: str = "application/json"


class Capture:
    """Keeps searches; use it as a context manager. Raises ``ConfigError`` where the folder can't be written."""

    def __init__(
        self,
        folder: Path,
        share: float,
        limit_bytes: int,
        *,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._lines = LineLog("capture", folder, PREFIX, limit_bytes)
        self._share = share
        self._clock = clock
        self._chance = chance

    def __enter__(self) -> Self:
        self._lines.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.__exit__(kind, error, trace)

    def keep(self, request: Request) -> None:
        """Keeps a search, if it is in the sample and can be read. Never waits."""
        if self._chance() >= self._share:
            return
        body = plain_body(request, _MAX_BODY_BYTES)
        if body is None:
            return
        one = Captured(
            VERSION,
            round(self._clock(), 3),
            request.method,
            _readable(request.target),
            body.decode(errors="replace"),
            request.header("content-type") or "application/json",
        )
        self._lines.put(one)


class SearchExchange(Protocol):
    """What answers searches; see ``bridge.gateway``."""

    def declines(self, head: Request) -> Reason | None:
        """Why a search is left alone, judged by its head alone; None: its body is needed."""
        ...

    async def search(self, request: Request) -> Reply | PassThrough:
        """The reply, or why the search is to be passed on as it came."""
        ...


class CapturingExchange:
    """Keeps searches on their way to an exchange, also where the mode is off: a log is wanted before switching."""

    def __init__(self, exchange: SearchExchange, capture: Capture) -> None:
        self._exchange = exchange
        self._capture = capture

    def declines(self, head: Request) -> Reason | None:
        """As the exchange; a search that is left alone for the mode has its body read first."""
        reason = self._exchange.declines(head)
        return None if reason in _FOR_THE_MODE else reason

    async def search(self, request: Request) -> Reply | PassThrough:
        """As the exchange."""
        if request.body or _SAYS_WORDS.search(request.query_string):
            self._capture.keep(request)
        return await self._exchange.search(request)


def _readable(target: str) -> str:
    """A request line's text, whose bytes need not be UTF-8."""
    return target.encode(errors="surrogateescape").decode(errors="replace")
