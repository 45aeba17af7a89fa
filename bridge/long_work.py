"""What takes long with a request or a reply is done in a thread, so that other requests are not held up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from connectors.base import Reply, Request

_REPLY_AT_ONCE_BYTES = 1 << 19  # a few milliseconds, as `scripts/bench overhead` has it
_REQUEST_AT_ONCE_BYTES = 1 << 16  # real ones are a few KiB, a whole MiB of words takes seconds to read
_THREADS = 4  # more would share one interpreter all the same

_Result = TypeVar("_Result")


class LongWork:
    """Threads of its own: those of the event loop may all be held by a program that runs a bridge in itself."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, "exchange")

    async def on_request(self, request: Request, work: Callable[[], _Result]) -> _Result:
        """What the work with a request gives. A compressed one may be any length."""
        is_short = len(request.body) <= _REQUEST_AT_ONCE_BYTES and request.header("content-encoding") is None
        return await self._done(work, at_once=is_short)

    async def on_reply(self, reply: Reply, work: Callable[[], _Result]) -> _Result:
        """What the work with a reply gives."""
        return await self._done(work, at_once=len(reply.body) <= _REPLY_AT_ONCE_BYTES)

    async def _done(self, work: Callable[[], _Result], *, at_once: bool) -> _Result:
        return work() if at_once else await asyncio.get_running_loop().run_in_executor(self._threads, work)
