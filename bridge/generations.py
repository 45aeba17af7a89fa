"""How a bridge changes while it runs: what one configuration made, and what takes its place between two exchanges.

A generation is everything that a request meets behind the socket. A request stays with the generation that it began
with; the one that is replaced is closed when its last request has ended. What two of them have alike, such as a model,
they share.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import structlog
from aiohttp import web

from bridge.config import Config
from bridge.logs import without_message
from bridge.server import Application

_Part = TypeVar("_Part")

_log = structlog.get_logger(__name__)


class Replaceable(Application, Protocol):
    """What answers requests until something else does."""

    async def idle(self) -> None:
        """Returns when no request is under way."""
        ...


@dataclass(frozen=True, slots=True)
class Generation:
    """What one configuration made."""

    config: Config
    app: Replaceable
    parts: AsyncExitStack
    """Closes all that it uses."""


class Generations:
    """The generation in force, and those before it until their last request ends."""

    def __init__(self, first: Generation, build: Callable[[Config], Awaitable[Generation]]) -> None:
        self._current = first
        self._build = build
        self._changing = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._current.config

    async def handle(self, http: web.BaseRequest) -> web.StreamResponse:
        """The reply of the generation in force now."""
        return await self._current.app.handle(http)

    async def change(self, config: Config) -> None:
        """Makes another configuration the one in force; where it can't be built, nothing changes, and that is raised.

        Raises what building raises: ``BridgeError``, ``OSError``.
        """
        async with self._changing:
            new = await self._build(config)
            old, self._current = self._current, new
            task = asyncio.create_task(_retire(old))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def drained(self) -> None:
        """Returns when no request is under way in any generation."""
        await asyncio.gather(self._current.app.drained(), *map(asyncio.shield, self._retiring))

    async def close(self) -> None:
        """Closes all generations; no request may be under way any more."""
        await asyncio.gather(*self._retiring)
        await self._current.parts.aclose()


async def _retire(old: Generation) -> None:
    try:
        await old.app.idle()
    finally:
        try:
            await old.parts.aclose()
        except Exception as error:  # noqa: BLE001 - what is in force does not depend on it
            _log.error("what was replaced did not close", **without_message(error))


@dataclass(slots=True)
class _Entry(Generic[_Part]):
    part: _Part
    close: AsyncExitStack
    users: int = 0


@dataclass(slots=True)
class Shared(Generic[_Part]):
    """Parts that several generations use: opened where first taken, closed when the last one gives it back."""

    _entries: dict[Hashable, _Entry[_Part]] = field(default_factory=dict)

    async def take(
        self, key: Hashable, opened: Callable[[], AbstractAsyncContextManager[_Part]], until: AsyncExitStack
    ) -> _Part:
        """The part of this key, given back when the stack is closed. Raises what opening raises."""
        entry = self._entries.get(key)
        if entry is None:
            async with AsyncExitStack() as stack:
                part = await stack.enter_async_context(opened())
                entry = self._entries[key] = _Entry(part, stack.pop_all())
        entry.users += 1
        until.push_async_callback(self._give_back, key)
        return entry.part

    async def _give_back(self, key: Hashable) -> None:
        entry = self._entries[key]
        entry.users -= 1
        if not entry.users:
            del self._entries[key]
            await entry.close.aclose()
