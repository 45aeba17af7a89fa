"""The HTTP server: the application, its socket, and its graceful end."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

from aiohttp import web

from bridge.gateway import Gateway, SearchExchange
from bridge.status import StatusPages
from bridge.telemetry import Telemetry
from bridge.upstream import Upstream
from bridge.upstream_session import MAX_FIELD_BYTES, MAX_FIELDS, MAX_LINE_BYTES, READ_BUFFER_BYTES
from connectors.base import Connector
from connectors.nodes import NodeLists

_CLOSING_S = 0.1
"""For connections whose exchange did not end in time: they are cancelled."""
_Bridge = TypeVar("_Bridge")

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Application(Protocol):
    """What answers requests."""

    async def handle(self, http: web.BaseRequest) -> web.StreamResponse:
        """The reply to any request, written."""
        ...

    async def drained(self) -> None:
        """Returns when no request is under way; from now on connections are closed after their reply."""
        ...


@dataclass(frozen=True, slots=True)
class Running:
    """A bridge that listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """What a client is pointed at."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"


def create_app(  # noqa: PLR0913 - the composition root names each part
    *,
    connector: Connector,
    exchange: SearchExchange,
    upstream: Upstream,
    telemetry: Telemetry,
    ready: Callable[[], bool],
    max_search_body_bytes: int,
    nodes: NodeLists | None = None,
    heeds_clients: bool = True,
) -> Gateway:
    """The application: what answers requests, once ``listening`` gives it a socket."""
    return Gateway(
        connector=connector,
        exchange=exchange,
        upstream=upstream,
        telemetry=telemetry,
        status=StatusPages(telemetry, ready),
        max_search_body_bytes=max_search_body_bytes,
        nodes=nodes,
        heeds_clients=heeds_clients,
    )


@asynccontextmanager
async def listening(app: Application, host: str, port: int, *, shutdown_timeout_s: float) -> AsyncIterator[Running]:
    """The application on a socket; port 0 takes a free one. Raises ``OSError`` where it can't be had.

    At the end new connections are refused, and exchanges under way have ``shutdown_timeout_s`` to end.
    """
    runner = web.ServerRunner(_server(app), shutdown_timeout=_CLOSING_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield Running(host, site.port)
        await site.stop()
        # Not left to the runner: aiohttp stops reading bodies under way as soon as it begins to shut down.
        with suppress(TimeoutError):
            async with asyncio.timeout(shutdown_timeout_s):
                await app.drained()
    finally:
        await runner.cleanup()


def _server(app: Application) -> web.Server:
    return web.Server(
        app.handle,
        handler_cancellation=True,  # a client that leaves ends its request to the engine
        auto_decompress=False,
        max_line_size=MAX_LINE_BYTES,
        max_field_size=MAX_FIELD_BYTES,
        max_headers=MAX_FIELDS,
        read_bufsize=READ_BUFFER_BYTES,
        access_log=None,
        logger=_silent(),
    )


def _silent() -> logging.Logger:
    """A logger for what aiohttp says at length of malformed requests, which are the clients' own; never registered."""
    return logging.Logger("malformed requests", logging.CRITICAL + 1)  # noqa: LOG001 - a level of no other's concern


async def stop_signal() -> None:
    """Returns at SIGTERM or SIGINT; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def stop() -> None:
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)
        stopped.set()

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    await stopped.wait()


async def serve(bridge: AbstractAsyncContextManager[_Bridge], on_ready: Callable[[_Bridge], None]) -> None:
    """Runs a bridge until a stop signal, which may come before it is ready."""
    stopped = asyncio.ensure_future(stop_signal())
    async with bridge as running:
        if not stopped.done():
            on_ready(running)
        await stopped
