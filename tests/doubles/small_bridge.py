"""A bridge of the real server and upstream around small parts, and the raw sockets at both its ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from bridge.config import Config
from bridge.server import Running, create_app, listening
from bridge.telemetry import Telemetry
from bridge.upstream import Upstream
from connectors.nodes import NodeLists
from tests.doubles.raw_http import Message, RawClient, RawEngine, ask, connected
from tests.doubles.small_parts import SmallConnector, SmallExchange


@dataclass
class SmallBridge:
    """A running bridge and what it was made of."""

    engine: RawEngine
    exchange: SmallExchange
    telemetry: Telemetry
    running: Running
    ready: bool = True

    async def ask(self, data: bytes, *, bodiless: bool = False) -> Message:
        return await ask(self.running.host, self.running.port, data, bodiless=bodiless)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[RawClient]:
        async with connected(self.running.host, self.running.port) as client:
            yield client

    def counts(self, sample: str) -> bool:
        """Whether the metrics page has this line."""
        return sample.encode() in self.telemetry.exposition().splitlines()


class Bridges:
    """Starts bridges that end with the stack."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def start(self, engine: RawEngine, **settings: object) -> SmallBridge:
        return await self._stack.enter_async_context(small_bridge(engine, **settings))


@asynccontextmanager
async def small_bridge(engine: RawEngine, **settings: object) -> AsyncIterator[SmallBridge]:
    config = Config.model_validate({"upstream": engine.url, **settings})
    telemetry, exchange = Telemetry(), SmallExchange()
    async with Upstream(config) as upstream:
        app = create_app(
            connector=SmallConnector(),
            exchange=exchange,
            upstream=upstream,
            telemetry=telemetry,
            ready=lambda: bridge.ready,
            max_search_body_bytes=config.max_search_body_bytes,
            nodes=NodeLists(config.published_address) if config.sniffing else None,
        )
        async with listening(app, "127.0.0.1", 0, shutdown_timeout_s=config.shutdown_timeout_s) as running:
            bridge = SmallBridge(engine, exchange, telemetry, running)
            yield bridge
