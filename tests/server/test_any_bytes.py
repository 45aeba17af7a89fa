"""Whatever bytes a client and an engine exchange, they are the same on both sides of the bridge."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.doubles.raw_http import Conversation, RawEngine
from tests.doubles.small_bridge import SmallBridge, small_bridge

METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
# Every byte that the request line's grammar lets through: printable ASCII without the space that ends the target.
TARGETS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60).map(lambda rest: "/" + rest)
# Header values as RFC 9110 5.5 has them, without white space at their ends, which belongs to no value.
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40).map(str.strip)
BODIES = st.binary(max_size=3000)


@pytest.fixture(scope="session")
async def echo() -> AsyncIterator[SmallBridge]:
    """A bridge before an engine that answers each request with its own body."""

    async def answer(conversation: Conversation) -> None:
        await conversation.receive_body()
        body = conversation.request.body
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with RawEngine(answer=answer) as engine, small_bridge(engine) as bridge:
        yield bridge


def framed(body: bytes, *, chunked: bool) -> bytes:
    if not chunked:
        return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    return b"Transfer-Encoding: chunked\r\n\r\n" + (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"


@settings(max_examples=300, deadline=None)
@given(method=METHODS, target=TARGETS, value=VALUES, body=BODIES, chunked=st.booleans())
@example(method="GET", target="/_search", value="", body=b"{}", chunked=True)
@example(method="POST", target="/a/_search?%00#", value=",;=", body=b"\xff\x00", chunked=False)
async def test_any_request_arrives_as_it_was_sent(  # noqa: PLR0913 - what varies
    echo: SmallBridge, method: str, target: str, value: str, body: bytes, *, chunked: bool
) -> None:
    """Target, field values and body of any request reach the engine, and any body comes back, searches among them."""
    if target.startswith("/_bridge"):
        return
    head = f"{method} {target} HTTP/1.1\r\nHost: h\r\nX-Value: {value}\r\n".encode()
    reply = await echo.ask(head + framed(body, chunked=chunked))
    received = echo.engine.request
    assert received.start == head.split(b"\r\n")[0]
    assert received.values(b"X-Value") == [value.encode()]
    assert received.body == body
    assert reply.body == body


@settings(max_examples=200, deadline=None)
@given(
    data=st.binary(max_size=300), prefix=st.sampled_from([b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: h\r\n"])
)
async def test_any_bytes_leave_the_bridge_working(echo: SmallBridge, data: bytes, prefix: bytes) -> None:
    """What is no request does not disturb the next one."""
    async with echo.connected() as client:
        await client.send(prefix + data)
    assert (await echo.ask(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nfine")).body == b"fine"


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300), prefix=st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]))
async def test_any_reply_leaves_the_bridge_working(echo: SmallBridge, data: bytes, prefix: bytes) -> None:
    """An engine that answers with arbitrary bytes gives a reply, a 502 or a broken connection, and no more."""

    async def answer(conversation: Conversation) -> None:
        await conversation.send(prefix + data)
        conversation.close()

    usual, echo.engine.answer = echo.engine.answer, answer
    try:
        async with echo.connected() as client:
            await client.send(b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            await client.end()
    finally:
        echo.engine.answer = usual
    assert (await echo.ask(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nfine")).body == b"fine"
    assert echo.counts("rerank_bridge_requests_in_flight 0.0")
