"""Bodies of any size pass in constant memory, and only when the other side wants them."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.doubles.raw_http import Conversation, RawEngine, connected
from tests.doubles.small_bridge import SmallBridge

MIB = 1024 * 1024
EXPECTING = b"PUT /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"


async def test_an_upload_begins_when_the_engine_wants_it(bridge: SmallBridge) -> None:
    """The engine's 100 Continue is what the client's waits for, and its expectation reaches the engine."""
    async with bridge.connected() as client:
        await client.send(EXPECTING)
        assert (await client.receive(bodiless=True)).head == b"HTTP/1.1 100 Continue"
        assert (await client.ask(b"hello")).head == b"HTTP/1.1 200 OK\r\nContent-Length: 2"
        assert (await client.ask(EXPECTING, bodiless=True)).head == b"HTTP/1.1 100 Continue"
        assert (await client.ask(b"again")).body == b"{}"
    assert bridge.engine.requests[0].values(b"Expect") == [b"100-continue"]
    assert [request.body for request in bridge.engine.requests] == [b"hello", b"again"]


async def test_an_upload_that_the_engine_refuses_is_never_asked_for(bridge: SmallBridge) -> None:
    """A final answer before 100 Continue reaches a client that has sent nothing of its body."""

    async def answer(conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")

    bridge.engine.answer = answer
    async with bridge.connected() as client:
        reply = await client.ask(EXPECTING)
        assert (reply.start, reply.body) == (b"HTTP/1.1 413 Too Large", b"no!")


async def test_an_early_answer_reaches_a_client_that_still_uploads(bridge: SmallBridge) -> None:
    """An engine need not read a body to its end before it answers."""

    async def answer(conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno!")
        await conversation.client_left()

    bridge.engine.answer = answer
    async with bridge.connected() as client:
        await client.send(b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf")
        assert (await client.receive()).body == b"no!"


async def test_bodies_travel_both_ways_at_once(bridge: SmallBridge) -> None:
    """Neither side has to end before the other begins."""

    async def echo(conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(2):
            await conversation.send(await conversation.reader.readexactly(5))

    bridge.engine.answer = echo
    async with bridge.connected() as client:
        await client.send(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello")
        assert (await client.reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 OK")
        await client.send(b"world")
        assert await client.reader.readexactly(5) == b"world"


@asynccontextmanager
async def bridge_process(engine: RawEngine) -> AsyncIterator[tuple[int, int]]:
    """A bridge in a process of its own: its process id and port."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.doubles.bridge_process", engine.url),
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process.pid, int(await process.stdout.readline())
    finally:
        process.stdin.close()
        await process.wait()


def peak_bytes(pid: int) -> int:
    """The most memory that a process has had (proc(5))."""
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert peak is not None
    return int(peak[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads a process's memory from /proc, as on Linux")
async def test_a_bulk_upload_and_an_export_of_64_mib_take_constant_memory(engine: RawEngine) -> None:
    """The bridge's peak grows by a few buffers, not by what passes through it."""
    part, parts = b"x" * MIB, 64

    async def answer(conversation: Conversation) -> None:
        for _ in range(parts):
            await conversation.reader.readexactly(MIB)
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (parts * MIB))
        for _ in range(parts):
            await conversation.send(part)

    async with bridge_process(engine) as (pid, port), connected("127.0.0.1", port) as client:
        assert (await client.ask(b"GET /warm HTTP/1.1\r\nHost: h\r\n\r\n")).body == b"{}"
        before = peak_bytes(pid)
        engine.answer = answer
        await client.send(b"POST /_bulk HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (parts * MIB))
        for _ in range(parts):
            await client.send(part)
        assert (await client.receive(bodiless=True)).start == b"HTTP/1.1 200 OK"
        for _ in range(parts):
            await client.reader.readexactly(MIB)
        assert peak_bytes(pid) - before < 8 * MIB
