"""Upstreams with a clock of the test's own."""

from __future__ import annotations

from contextlib import AsyncExitStack

from bridge.config import Config
from bridge.upstream import Upstream
from tests.doubles.raw_http import RawEngine


class Upstreams:
    """Opens upstreams that are closed with the test."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.now = 1000.0
        """What their clock shows."""

    async def open(self, *engines: RawEngine, **settings: object) -> Upstream:
        config = Config.model_validate({"upstream": tuple(engine.url for engine in engines), **settings})
        return await self._stack.enter_async_context(Upstream(config, clock=lambda: self.now))
