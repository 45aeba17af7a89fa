"""What happens to searches, and what their replies say of it."""

from __future__ import annotations

import re

import pytest

from bridge.errors import ReplyTooLargeError, UpstreamError
from connectors.base import PassThrough, Reason, Reply
from tests.doubles.raw_http import Conversation, Message, RawEngine
from tests.doubles.small_bridge import Bridges, SmallBridge

SEARCH = b"POST /i/_search HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"
ENGINES_OWN = b'HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 8\r\n\r\n{"a": 1}'
CHUNKED = b"POST /i/_search HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


@pytest.fixture
async def bridge(engine: RawEngine, bridges: Bridges) -> SmallBridge:
    engine.answer = ENGINES_OWN
    return await bridges.start(engine, max_search_body_bytes=100)


def assert_skipped(reply: Message, reason: Reason) -> None:
    """The engine's own reply, and two fields more."""
    *own, rerank, timing = reply.head.split(b"\r\n")
    assert b"\r\n".join([*own, b"", reply.body]) == ENGINES_OWN
    assert rerank == b"X-Rerank: skipped; reason=" + reason.value.encode()
    assert re.fullmatch(rb"Server-Timing: upstream;dur=\d+\.\d", timing)


async def test_a_search_that_is_reranked_gets_the_exchanges_reply(bridge: SmallBridge) -> None:
    """The exchange's reply is written as it is, with the length of its body."""
    headers = (("content-type", "a/b"), ("Content-Length", "999"), ("X-Rerank", "applied; window=100; model=m"))
    bridge.exchange.outcome = Reply(200, "Fine", headers, b"reranked")
    reply = await bridge.ask(SEARCH)
    assert reply.start == b"HTTP/1.1 200 Fine"
    assert sorted(reply.fields) == [
        b"Content-Length: 8",
        b"X-Rerank: applied; window=100; model=m",
        b"content-type: a/b",
    ]
    assert reply.body == b"reranked"
    assert bridge.engine.requests == []


@pytest.mark.parametrize("raw", [SEARCH, CHUNKED], ids=["length", "chunked"])
async def test_the_exchange_reads_the_whole_search(bridge: SmallBridge, raw: bytes) -> None:
    """Method, target, fields and body are given as the client sent them."""
    await bridge.ask(raw.replace(b"/_search", b"/_search?a=%2F"))
    (request,) = bridge.exchange.searches
    assert (request.method, request.target, request.body) == ("POST", "/i/_search?a=%2F", b"{}")
    assert request.headers[0] == ("Host", "h")


@pytest.mark.parametrize("raw", [SEARCH, CHUNKED], ids=["length", "chunked"])
async def test_a_search_that_can_not_be_reranked_is_sent_as_it_came(bridge: SmallBridge, raw: bytes) -> None:
    """After its body was read, a search still reaches the engine byte for byte, and its reply says why."""
    bridge.exchange.outcome = PassThrough(Reason.SORTED)
    assert_skipped(await bridge.ask(raw), Reason.SORTED)
    assert bridge.engine.request.start == b"POST /i/_search HTTP/1.1"
    assert bridge.engine.request.fields[1:] == raw.partition(b"\r\n\r\n")[0].split(b"\r\n")[2:]
    assert bridge.engine.request.body == b"{}"
    assert bridge.counts('rerank_bridge_searches_total{index="",outcome="skipped",reason="sorted"} 1.0')


async def test_a_search_that_is_declined_by_its_head_is_not_read(bridge: SmallBridge) -> None:
    """A client's wish is known before the body is, so that the body streams; the wish itself stays here."""
    assert_skipped(await bridge.ask(SEARCH.replace(b"Host: h", b"Host: h\r\nx-rerank: off")), Reason.OFF)
    assert bridge.exchange.searches == []
    assert bridge.engine.request.fields[1:] == [b"Content-Length: 2"]
    assert bridge.engine.request.body == b"{}"


async def test_a_declined_search_without_body_stays_without(bridge: SmallBridge) -> None:
    """A search by GET alone has no length made up."""
    bridge.exchange.declined = Reason.MODE_OFF
    assert_skipped(await bridge.ask(b"GET /i/_search?q=x HTTP/1.1\r\nHost: h\r\n\r\n"), Reason.MODE_OFF)
    assert len(bridge.engine.request.fields) == 1


@pytest.mark.parametrize("size", [101, 500_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_search_with_too_large_a_body_streams(bridge: SmallBridge, size: int, *, chunked: bool) -> None:
    """What was read of it and the rest reach the engine, framed as it came."""
    body = bytes(number % 251 for number in range(size))
    framing, framed = (
        (b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (size, body))
        if chunked
        else (b"Content-Length: %d" % size, body)
    )
    raw = b"POST /i/_search HTTP/1.1\r\nHost: h\r\n%b\r\n\r\n%b" % (framing, framed)
    assert_skipped(await bridge.ask(raw), Reason.BODY_TOO_LARGE)
    assert bridge.exchange.searches == []
    assert bridge.engine.request.fields[1:] == [framing]
    assert bridge.engine.request.body == body


async def test_a_search_body_at_the_limit_is_read(bridge: SmallBridge) -> None:
    """The limit itself is allowed."""
    await bridge.ask(b"POST /i/_search HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n" + b"x" * 100)
    assert bridge.exchange.searches[0].body == b"x" * 100


@pytest.mark.parametrize("surprise", [KeyError("surprise"), ReplyTooLargeError(1), ConnectionError("not the client's")])
async def test_an_error_of_ours_passes_the_search_through(bridge: SmallBridge, surprise: Exception) -> None:
    """No exception of the exchange costs a client its search."""
    bridge.exchange.outcome = surprise
    assert_skipped(await bridge.ask(SEARCH), Reason.INTERNAL)


async def test_an_engine_that_fails_during_a_search_is_an_error_that_says_so(bridge: SmallBridge) -> None:
    """The error is in the engine's envelope, counted, and marked like every search's reply."""
    bridge.exchange.outcome = UpstreamError(504, "too slow", "silent")
    reply = await bridge.ask(SEARCH)
    assert reply.start == b"HTTP/1.1 504 Error"
    assert reply.values(b"X-Rerank") == [b"skipped; reason=engine-error"]
    assert reply.body == b'{"error": {"type": "bridge", "reason": "too slow"}, "status": 504}'
    assert bridge.counts('rerank_bridge_upstream_errors_total{kind="silent",status="504"} 1.0')
    assert bridge.counts('rerank_bridge_searches_total{index="",outcome="skipped",reason="engine-error"} 1.0')
    bridge.exchange.outcome = PassThrough(Reason.MODE_OFF)
    assert_skipped(await bridge.ask(SEARCH), Reason.MODE_OFF)


async def test_a_search_that_waits_to_be_continued_is_told_so(bridge: SmallBridge) -> None:
    """A client that expects 100 Continue gets it before its search is read."""
    async with bridge.connected() as client:
        await client.send(SEARCH[:-2].replace(b"Host: h", b"Host: h\r\nExpect: 100-continue"))
        assert (await client.receive(bodiless=True)).start == b"HTTP/1.1 100 Continue"
        bridge.exchange.outcome = Reply(200, "OK", (), b"reranked")
        assert (await client.ask(b"{}")).body == b"reranked"


async def test_other_requests_carry_no_mark(bridge: SmallBridge) -> None:
    """What is no search is counted apart and comes back as the engine sent it."""
    reply = await bridge.ask(b"GET /i/_count HTTP/1.1\r\nHost: h\r\n\r\n")
    assert reply.head + b"\r\n\r\n" + reply.body == ENGINES_OWN
    assert bridge.counts("rerank_bridge_forwarded_requests_total 1.0")
    assert bridge.counts("rerank_bridge_requests_in_flight 0.0")


async def test_a_search_whose_reply_breaks_off_is_broken_off(bridge: SmallBridge) -> None:
    """A passed-through search that breaks off in the middle does not end cleanly at the client."""

    async def answer(conversation: Conversation) -> None:
        await conversation.receive_body()
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        conversation.close()

    bridge.engine.answer = answer
    async with bridge.connected() as client:
        with pytest.raises((EOFError, ConnectionError)):
            await client.ask(SEARCH)
