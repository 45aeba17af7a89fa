"""What a client gets where the engine fails, or another client does; the next request works after each."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.doubles.raw_http import Answer, Conversation, RawEngine
from tests.doubles.small_bridge import Bridges, SmallBridge

GET = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"


def says(data: bytes) -> Answer:
    """An engine that says this, and closes the connection."""

    async def answer(conversation: Conversation) -> None:
        await conversation.receive_body()
        await conversation.send(data)
        conversation.close()

    return answer


async def resets(conversation: Conversation) -> None:
    conversation.reset()


async def stays_silent(conversation: Conversation) -> None:
    await conversation.client_left()


async def assert_still_works(bridge: SmallBridge) -> None:
    bridge.engine.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
    assert (await bridge.ask(POST)).body == b"fine"
    assert bridge.counts("rerank_bridge_requests_in_flight 0.0")


KINDS = {
    "the engine closed the connection without an answer": "closed",
    "the connection to the engine broke": "connection",
    "the engine's reply is not HTTP": "not-http",
    "the engine's reply broke off": "broke-off",
    "the bridge failed; its log says why": "bridge",
    "the engine was silent for too long": "silent",
}
"""What clients read -> how it is counted."""


@pytest.mark.parametrize("request_", [GET, POST], ids=["GET", "POST"])
@pytest.mark.parametrize(
    ("answer", "status", "problem"),
    [
        (says(b""), 502, "the engine closed the connection without an answer"),
        (resets, 502, "the connection to the engine broke"),
        (says(b"this is no HTTP\r\n\r\n"), 502, "the engine's reply is not HTTP"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), 502, "the engine's reply is not HTTP"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Le"), 502, "the engine closed the connection without an answer"),
        (says(b"HTTP/1.1 200 OK\r\nX: %b\r\n\r\n" % (b"x" * 70_000)), 502, "the engine's reply is not HTTP"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), 502, "the engine's reply broke off"),
        (says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), 502, "the engine's reply is not HTTP"),
        (
            says(b"HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 0\r\n\r\n"),
            502,
            "the bridge failed; its log says why",
        ),
        (stays_silent, 504, "the engine was silent for too long"),
    ],
    ids=[
        "closed",
        "reset",
        "no http",
        "bad length",
        "half head",
        "long head",
        "no body",
        "bad chunk",
        "control",
        "silent",
    ],
)
async def test_a_failing_engine_is_an_error_in_its_own_envelope(  # noqa: PLR0913 - a table
    engine: RawEngine, bridges: Bridges, request_: bytes, answer: Answer, status: int, problem: str
) -> None:
    """Before anything of a reply was sent, the client gets a whole 502 or 504 on a connection that goes on."""
    bridge = await bridges.start(engine, upstream_read_timeout_s=0.05)
    engine.answer = answer
    async with bridge.connected() as client:
        reply = await client.ask(request_)
        assert reply.start == b"HTTP/1.1 %d Error" % status
        assert json.loads(reply.body) == {"error": {"type": "bridge", "reason": problem}, "status": status}
        engine.answer = says(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
        assert (await client.ask(request_)).body == b"fine"
    assert bridge.counts(f'rerank_bridge_upstream_errors_total{{kind="{KINDS[problem]}",status="{status}"}} 1.0')
    await assert_still_works(bridge)


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize(
    ("begin", "rest"),
    [
        (b"Content-Length: 100\r\n\r\nhalf", b""),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", b""),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", b"zz\r\n"),
        (b"Content-Length: 100\r\n\r\nhalf", None),
    ],
    ids=["length", "chunks", "bad chunk", "silent"],
)
async def test_a_reply_that_breaks_off_does_not_end_cleanly(
    engine: RawEngine, bridges: Bridges, begin: bytes, rest: bytes | None, version: bytes
) -> None:
    """Where a part of the reply was sent, the client's connection is reset, so that it can't be taken for whole."""
    bridge = await bridges.start(engine, upstream_read_timeout_s=0.05)
    half_read = asyncio.Event()

    async def answer(conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\n" + begin)
        await half_read.wait()
        if rest is None:
            await conversation.client_left()
        else:
            await conversation.send(rest)
            conversation.close()

    engine.answer = answer
    async with bridge.connected() as client:
        await client.send(GET.replace(b"1.1", version))
        await client.reader.readuntil(b"half")
        half_read.set()
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
    assert bridge.counts("rerank_bridge_requests_in_flight 0.0")
    await assert_still_works(bridge)


async def test_an_engine_that_is_down_is_a_502(engine: RawEngine, bridges: Bridges) -> None:
    """A refused connection is told at once, and an engine that comes back is found at once."""
    bridge = await bridges.start(engine)
    await engine.__aexit__()
    reply = await bridge.ask(POST)
    assert reply.start == b"HTTP/1.1 502 Error"
    assert b"the engine refused the connection" in reply.body
    async with engine:
        assert (await bridge.ask(POST)).body == b"{}"


async def test_an_engine_that_was_restarted_is_a_502_at_most_while_it_is_down(
    engine: RawEngine, bridges: Bridges
) -> None:
    """Connections that were kept to the old process are not used for the new one."""
    bridge = await bridges.start(engine)
    assert (await bridge.ask(POST)).body == b"{}"
    await engine.__aexit__()
    async with engine:
        assert (await bridge.ask(POST)).body == b"{}"


async def test_a_client_that_leaves_ends_its_request_to_the_engine(bridge: SmallBridge) -> None:
    """The engine sees its connection closed, so that it may stop working for nobody."""
    reached, left = asyncio.Event(), asyncio.Event()

    async def answer(conversation: Conversation) -> None:
        await conversation.receive_body()
        reached.set()
        await conversation.client_left()
        left.set()

    bridge.engine.answer = answer
    async with bridge.connected() as client:
        await client.send(POST)
        await reached.wait()
    await left.wait()
    await assert_still_works(bridge)


async def test_a_client_that_leaves_during_its_upload_ends_it(bridge: SmallBridge) -> None:
    """Half an upload is not passed for a whole one."""
    reached, left = asyncio.Event(), asyncio.Event()

    async def answer(conversation: Conversation) -> None:
        assert await conversation.reader.readexactly(4) == b"half"
        reached.set()
        await conversation.client_left()
        left.set()

    bridge.engine.answer = answer
    async with bridge.connected() as client:
        await client.send(b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf")
        await reached.wait()
    await left.wait()
    await assert_still_works(bridge)


async def test_a_client_that_leaves_during_its_download_ends_it(bridge: SmallBridge) -> None:
    """An engine does not go on sending what nobody reads."""
    left = asyncio.Event()

    async def answer(conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                await conversation.send(b"5\r\nhello\r\n" * 1000)
        except ConnectionError:
            left.set()

    bridge.engine.answer = answer
    async with bridge.connected() as client:
        await client.send(GET)
        await client.reader.readuntil(b"hello")
    await left.wait()
    await assert_still_works(bridge)


@pytest.mark.parametrize("path", [b"/x", b"/i/_search"])
async def test_a_client_that_frames_its_body_wrongly_is_told_so(bridge: SmallBridge, path: bytes) -> None:
    """A broken upload is the client's error, not the engine's; it never arrives as a whole one."""
    raw = b"POST %b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n" % path
    reply = await bridge.ask(raw)
    assert b" 400 " in reply.start
    assert [request for request in bridge.engine.requests if request.chunks] == []
    await assert_still_works(bridge)


async def test_a_broken_application_is_still_an_answer(bridge: SmallBridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the bridge's own is a 502 in the engine's envelope, without its details."""

    def broken(path: str) -> bool:
        return len(path) / 0 > 0

    monkeypatch.setattr("bridge.gateway.is_ours", broken)
    reply = await bridge.ask(GET)
    assert reply.start == b"HTTP/1.1 502 Error"
    assert b"division" not in reply.body
    monkeypatch.undo()
    await assert_still_works(bridge)
