"""The graceful end, and the signals that ask for it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bridge.server import Running, serve
from tests.doubles.raw_http import Conversation, RawEngine, connected
from tests.doubles.small_bridge import small_bridge

GET = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
PUT = b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello"


class SlowAnswer:
    """An answer that is given when the test says so."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, conversation: Conversation) -> None:
        self.asked.set()
        await self.go_on.wait()
        await conversation.receive_body()
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")


@asynccontextmanager
async def serving(engine: RawEngine, **settings: object) -> AsyncIterator[tuple[Running, asyncio.Task[None]]]:
    """A bridge that is served until a signal comes, and the task that serves it."""

    @asynccontextmanager
    async def running() -> AsyncIterator[Running]:
        async with small_bridge(engine, **settings) as bridge:
            yield bridge.running

    ready: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(running(), ready.set_result))
    try:
        yield await ready, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def refused(running: Running) -> None:
    """Returns when new connections are refused."""
    while True:
        try:
            async with connected(running.host, running.port):
                await asyncio.sleep(0)
        except ConnectionError:
            return


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_serving(engine: RawEngine, number: signal.Signals) -> None:
    """Both signals that mean an orderly end close idle connections and return."""
    async with serving(engine) as (running, task), connected(running.host, running.port) as idle:
        assert (await idle.ask(GET)).body == b"{}"
        os.kill(os.getpid(), number)
        await task
        await idle.end()
        await refused(running)


@pytest.mark.parametrize("raw", [GET, PUT], ids=["reply", "upload"])
async def test_what_is_under_way_ends_while_new_connections_are_refused(engine: RawEngine, raw: bytes) -> None:
    """A reply that is waited for, and an upload that is half sent, end as ever; then their connection closes."""
    engine.answer = slow = SlowAnswer()
    async with serving(engine) as (running, task), connected(running.host, running.port) as client:
        await client.send(raw)
        await slow.asked.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await refused(running)
        if raw is PUT:
            await client.send(b"world")
        slow.go_on.set()
        assert (await client.receive()).body == b"late"
        await client.end()
        await task
    assert engine.request.body == (b"helloworld" if raw is PUT else b"")


async def test_a_request_on_a_kept_connection_is_still_served_and_is_its_last(engine: RawEngine) -> None:
    """A client that does not know of the end yet is answered, and told not to come again."""
    engine.answer = slow = SlowAnswer()
    async with serving(engine) as (running, task), connected(running.host, running.port) as first:
        async with connected(running.host, running.port) as second:
            assert (await second.ask(b"GET /_bridge/health HTTP/1.1\r\nHost: h\r\n\r\n")).values(b"Connection") == []
            await first.send(GET)
            await slow.asked.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            await refused(running)
            reply = await second.ask(b"GET /_bridge/health HTTP/1.1\r\nHost: h\r\n\r\n")
            assert reply.values(b"Connection") == [b"close"]
            await second.end()
        slow.go_on.set()
        assert (await first.receive()).body == b"late"
        await task


async def test_what_does_not_end_in_time_is_broken_off(engine: RawEngine) -> None:
    """The end comes, whatever an engine does."""
    engine.answer = slow = SlowAnswer()
    async with (
        serving(engine, shutdown_timeout_s=0.05) as (running, task),
        connected(running.host, running.port) as client,
    ):
        await client.send(GET)
        await slow.asked.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await task
        await client.end()


async def test_a_signal_before_the_bridge_is_ready_is_not_lost(engine: RawEngine) -> None:
    """A stop during a long start takes effect when the start is through."""

    @asynccontextmanager
    async def running() -> AsyncIterator[Running]:
        async with small_bridge(engine) as bridge:
            os.kill(os.getpid(), signal.SIGTERM)
            yield bridge.running

    served: list[Running] = []
    await serve(running(), served.append)
    await asyncio.gather(*map(refused, served))
