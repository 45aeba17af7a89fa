"""What the engine answers is what the client receives."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from tests.doubles.raw_http import Conversation, RawEngine
from tests.doubles.small_bridge import Bridges, SmallBridge

GET = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
HEAD = b"HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n"
ZIPPED = gzip.compress(b"{}" * 1000)

# Replies of a known length, or of none: each comes back exactly.
WITH_BODY = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX-elastic-product: Elasticsearch\r\n\r\n{}",
    b"HTTP/1.1 200 Everything Is Fine, Thanks\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy",
    b"HTTP/1.1 599 Unheard-of\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nwww-authenticate: ApiKey\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nset-cookie: b=2; Path=/\r\nSET-COOKIE: a=1\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(ZIPPED), ZIPPED),
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.elasticsearch+json\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nServer: theirs\r\nDate: never\r\nContent-Length: 0\r\n\r\n",
    b'HTTP/1.1 200 OK\r\nWarning: 299 x "caf\xc3\xa9"\r\nX-Latin: caf\xe9\r\nContent-Length: 0\r\n\r\n',
    b"HTTP/1.1 200 OK\r\nX-Long: %b\r\nContent-Length: 0\r\n\r\n" % (b"w" * 30_000),
    b"HTTP/1.1 200 OK\r\n%bContent-Length: 0\r\n\r\n" % (b"Warning: 299 deprecated\r\n" * 500),
    b"HTTP/1.1 200 OK\r\nX-Rerank: theirs\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 256000\r\n\r\n" + bytes(range(256)) * 1000,
]

WITHOUT_BODY = [
    (GET, b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n"),
    (GET, b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 500\r\n\r\n'),
    (GET, b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    (HEAD, b"HTTP/1.1 200 OK\r\nContent-Length: 1234567\r\nContent-Type: application/json\r\n\r\n"),
    (HEAD, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"),
    (HEAD, b"HTTP/1.1 404 Not Found\r\ncontent-length: 10\r\n\r\n"),
]


def beginning(reply: bytes) -> str:
    return repr(reply[9:45])


@pytest.mark.parametrize("reply", WITH_BODY, ids=beginning)
async def test_a_reply_comes_back_byte_for_byte(bridge: SmallBridge, reply: bytes) -> None:
    """Status, reason, fields in their order and spelling, and body are the engine's, and no field is added."""
    bridge.engine.answer = reply
    async with bridge.connected() as client:
        await client.send(GET)
        assert await client.reader.readexactly(len(reply)) == reply
        assert (await client.ask(GET)).start == reply.split(b"\r\n")[0]


@pytest.mark.parametrize(("request_", "reply"), WITHOUT_BODY, ids=beginning)
async def test_a_reply_without_body_comes_back_byte_for_byte(
    bridge: SmallBridge, request_: bytes, reply: bytes
) -> None:
    """HEAD, 204 and 304 keep their fields, get no body and no framing, and leave the connection open."""
    bridge.engine.answer = reply
    async with bridge.connected() as client:
        await client.send(request_)
        assert await client.reader.readexactly(len(reply)) == reply
        assert (await client.ask(request_, bodiless=True)).start == reply.split(b"\r\n")[0]


@pytest.mark.parametrize("chunks", [[], [b"{}"], [b"a", b"\r\n0\r\n\r\n", b"z" * 300_000]])
async def test_a_chunked_reply_stays_chunked(bridge: SmallBridge, chunks: list[bytes]) -> None:
    """A reply of unknown length stays so; its bytes come back, and the connection stays open."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    bridge.engine.answer = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    async with bridge.connected() as client:
        for _ in range(2):
            reply = await client.ask(GET)
            assert reply.head == b"HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked"
            assert reply.body == b"".join(chunks)


@pytest.mark.parametrize(
    "fields",
    [
        b"Connection: close\r\n",
        b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n",
        b"Connection: X-Private\r\nX-Private: 1\r\n",
        b"Proxy-Connection: close\r\nTrailer: X\r\n",
    ],
)
async def test_hop_by_hop_fields_of_a_reply_end_at_the_bridge(bridge: SmallBridge, fields: bytes) -> None:
    """Fields of the engine's own connection say nothing of the client's."""
    bridge.engine.answer = b"HTTP/1.1 200 OK\r\n%bContent-Length: 0\r\n\r\n" % fields
    async with bridge.connected() as client:
        for _ in range(2):
            assert (await client.ask(GET)).head == b"HTTP/1.1 200 OK\r\nContent-Length: 0"


async def test_a_reply_that_ends_with_its_connection_becomes_chunked(bridge: SmallBridge) -> None:
    """Where the engine marks the end by closing, the client gets a marked end and may go on."""

    async def answer(conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        conversation.close()

    bridge.engine.answer = answer
    async with bridge.connected() as client:
        for _ in range(2):
            reply = await client.ask(GET)
            assert (reply.is_chunked, reply.body) == (True, b"hello")


async def test_interim_replies_of_the_engine_do_not_end_the_exchange(bridge: SmallBridge) -> None:
    """A 102 or 103 before the reply is passed over; the reply comes back."""
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    bridge.engine.answer = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + reply
    assert (await bridge.ask(GET)).start == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    ("version", "asked", "said", "stays_open"),
    [
        (b"1.1", b"", b"", True),
        (b"1.1", b"Connection: close\r\n", b"Connection: close", False),
        (b"1.0", b"", b"", False),
        (b"1.0", b"Connection: keep-alive\r\n", b"Connection: keep-alive", True),
    ],
)
async def test_a_connection_is_kept_as_its_client_wants(
    bridge: SmallBridge, version: bytes, asked: bytes, said: bytes, *, stays_open: bool
) -> None:
    """Keep-alive follows the client's version and wish, and the reply says so where it is not the version's default."""
    async with bridge.connected() as client:
        await client.send(b"GET / HTTP/%b\r\nHost: h\r\n%b\r\n" % (version, asked))
        head = b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: 2", *([said] if said else []), b"", b"{}"])
        assert await client.reader.readexactly(len(head)) == head
        if stays_open:
            assert (await client.ask(GET)).body == b"{}"
        else:
            assert await client.reader.read() == b""


async def test_an_old_client_gets_no_chunks(bridge: SmallBridge) -> None:
    """HTTP/1.0 knows no chunks: the reply ends with the connection, even where the client asked to keep it."""
    bridge.engine.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    async with bridge.connected() as client:
        await client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert await client.reader.read() == b"HTTP/1.1 200 OK\r\n\r\nhello"


async def test_chunks_come_as_soon_as_the_engine_sends_them(bridge: SmallBridge) -> None:
    """A reply is not held back until its end."""
    read_first = asyncio.Event()

    async def answer(conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none")
        await read_first.wait()
        await conversation.send(b"two")

    bridge.engine.answer = answer
    async with bridge.connected() as client:
        await client.send(GET)
        assert (await client.reader.readuntil(b"one")).endswith(b"\r\n\r\none")
        read_first.set()
        assert await client.reader.readexactly(3) == b"two"


async def test_cookies_and_redirects_are_the_clients_own(engine: RawEngine, bridges: Bridges) -> None:
    """The bridge follows no redirect and sends no cookie back that it saw."""
    bridge = await bridges.start(engine)
    engine.answer = b"HTTP/1.1 307 Go\r\nLocation: /other\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n"
    for _ in range(2):
        assert (await bridge.ask(GET)).start == b"HTTP/1.1 307 Go"
    assert [request.start for request in engine.requests] == [b"GET /x HTTP/1.1"] * 2
    assert engine.request.values(b"Cookie") == []
