"""What a client sends is what the engine receives."""

from __future__ import annotations

import gzip

import pytest

from tests.doubles.raw_http import OK, RawEngine
from tests.doubles.small_bridge import Bridges, SmallBridge

TARGETS = [
    b"/",
    b"/index/_doc/1?refresh=true",
    b"/empty-query?",
    b"/two??questions?&&=",
    b"//double//slashes//",
    b"/a/../dots/./here/..",
    b"/%2e%2e/%2F/%252F/%c3%a9/%C3%A9",
    b"/%zz/%/not-percent-encoded",
    b"/%0A%0D%00",
    b"/plus+and%20space?q=a+b%20c%2Bd",
    b"/logs-*,-logs-2020.*,cluster:index/_count",
    b"/<logs-{now/d}>/_search_shards",
    b"/a;b=c,d|e^f`g\\h[i]\"j'k",
    b"/?q=a#fragment",
    b"/x#y?z",
    b"/_bridges/health",
    b"/INDEX/_DOC?Pretty",
    b"/long?" + b"x" * 20_000,
]

# Field lines as a client writes them; all of them must reach the engine in this order.
FIELDS = [
    [b"x-lower: 1", b"X-Upper: 2", b"X-MiXeD-cAsE: 3"],
    [b"x-Twice: a", b"X-Other: -", b"x-Twice: b", b"x-Twice: a"],
    [b"accept: */*", b"Accept-Encoding: gzip, br;q=0.5, zstd", b"user-agent: curl/8"],
    [b"Authorization: Basic dXNlcjpwYXNz", b"Proxy-Authorization: Basic eA=="],
    [b"X-Empty: ", b'X-Quoted: "a, b"; c=d', b"X-Comma: a,,b , c"],
    [b"Cookie: a=1; b=2", b"Cookie: c=3"],
    [b"X-Utf8: \xe2\x82\xac\xc3\xa9"],
    [b"X-Long: " + b"y" * 30_000],
    [b'If-None-Match: "x"', b"Range: bytes=0-1", b"Origin: http://o", b"Forwarded: for=1.2.3.4", b"Via: 1.1 p"],
    [b"X-Opaque-Id: 42", b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
]

HOP_BY_HOP = [
    [b"Connection: keep-alive", b"Keep-Alive: timeout=5"],
    [b"Connection: X-Private, x-other", b"X-Private: 1", b"X-Other: 2"],
    [b"TE: trailers", b"Trailer: X-Checksum"],
    [b"Proxy-Connection: keep-alive"],
    [b"Connection: Upgrade", b"Upgrade: h2c"],
    [b"X-Rerank: something"],
]

BODILESS = [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE"]


def written(start: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([start, b"Host: client.example", *fields, b"", body])


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target[:20].decode("latin-1"))
async def test_a_target_reaches_the_engine_byte_for_byte(bridge: SmallBridge, target: bytes) -> None:
    """No target is decoded, normalised or cut."""
    await bridge.ask(written(b"GET %b HTTP/1.1" % target))
    assert bridge.engine.request.start == b"GET %b HTTP/1.1" % target


@pytest.mark.parametrize(
    ("absolute", "origin"),
    [
        (b"http://elsewhere.example/a//b?c", b"/a//b?c"),
        (b"http://elsewhere.example:9200", b"/"),
        (b"http://elsewhere.example?q=/x", b"/?q=/x"),
        (b"HTTP://user:p@elsewhere.example/%2F", b"/%2F"),
    ],
)
async def test_an_absolute_target_becomes_its_path(bridge: SmallBridge, absolute: bytes, origin: bytes) -> None:
    """A target in absolute form names the bridge as its server, so only path and query travel on."""
    await bridge.ask(written(b"GET %b HTTP/1.1" % absolute))
    assert bridge.engine.request.start == b"GET %b HTTP/1.1" % origin


async def test_the_asterisk_target_is_kept(bridge: SmallBridge) -> None:
    """A question about the server as a whole is asked as such."""
    await bridge.ask(written(b"OPTIONS * HTTP/1.1"))
    assert bridge.engine.request.start == b"OPTIONS * HTTP/1.1"


async def test_a_path_prefix_stands_before_the_target(engine: RawEngine, bridges: Bridges) -> None:
    """The upstream address's own path comes first, and its last slash is not doubled."""
    bridge = await bridges.start(engine, upstream=f"{engine.url}/search%2Fengine/")
    await bridge.ask(written(b"GET //a?b HTTP/1.1"))
    assert engine.request.start == b"GET /search%2Fengine//a?b HTTP/1.1"


@pytest.mark.parametrize("fields", FIELDS, ids=lambda fields: fields[0][:20].decode("latin-1"))
async def test_fields_reach_the_engine_as_written(bridge: SmallBridge, fields: list[bytes]) -> None:
    """Order, case, repetition and values of header fields are the client's, and no field is added."""
    await bridge.ask(written(b"GET / HTTP/1.1", *fields))
    host, *others = bridge.engine.request.fields
    assert host == f"Host: localhost:{bridge.engine.port}".encode()
    assert others == fields


@pytest.mark.parametrize("fields", HOP_BY_HOP, ids=lambda fields: fields[0].decode())
async def test_hop_by_hop_fields_end_at_the_bridge(bridge: SmallBridge, fields: list[bytes]) -> None:
    """Fields of the client's own connection, those that it names so, and our own control field stay here."""
    await bridge.ask(written(b"GET / HTTP/1.1", *fields, b"X-Kept: 1"))
    assert bridge.engine.request.fields[1:] == [b"X-Kept: 1"]


async def test_a_repeated_field_has_one_spelling(bridge: SmallBridge) -> None:
    """No value of a field is lost where its name is spelt in several ways; aiohttp would keep the last spelling's."""
    await bridge.ask(written(b"GET / HTTP/1.1", b"X-Twice: a", b"X-Other: -", b"x-twice: b"))
    assert bridge.engine.request.fields[1:] == [b"X-Twice: a", b"X-Other: -", b"X-Twice: b"]


async def test_bytes_that_are_no_utf8_arrive_as_the_characters_they_mean(bridge: SmallBridge) -> None:
    """A field in Latin-1 loses no character; aiohttp can write it only in UTF-8."""
    await bridge.ask(written(b"GET / HTTP/1.1", b"X-Name: caf\xe9"))
    assert bridge.engine.request.fields[1:] == ["X-Name: café".encode()]


@pytest.mark.parametrize("method", BODILESS)
async def test_a_request_without_body_stays_without(bridge: SmallBridge, method: bytes) -> None:
    """No length is made up for a request that has none."""
    bridge.engine.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    reply = await bridge.ask(written(b"%b /x HTTP/1.1" % method), bodiless=method == b"HEAD")
    assert reply.start == b"HTTP/1.1 200 OK"
    assert bridge.engine.request.start == b"%b /x HTTP/1.1" % method
    assert len(bridge.engine.request.fields) == 1


@pytest.mark.parametrize("method", [b"GET", b"POST", b"PUT", b"DELETE", b"PATCH"])
@pytest.mark.parametrize("body", [b"", b"{}", bytes(range(256)) * 300], ids=["empty", "short", "long"])
async def test_a_body_of_known_length_keeps_it(bridge: SmallBridge, method: bytes, body: bytes) -> None:
    """A length is neither dropped nor changed, whatever the method."""
    length = b"content-length: %d" % len(body)
    await bridge.ask(written(b"%b /x HTTP/1.1" % method, length, b"X-After: 1", body=body))
    assert bridge.engine.request.fields[1:] == [length, b"X-After: 1"]
    assert bridge.engine.request.body == body


@pytest.mark.parametrize("method", [b"GET", b"POST", b"DELETE"])
@pytest.mark.parametrize("chunks", [(), (b"{}",), (b"a" * 9, b"\r\n0\r\n\r\n", b"z" * 200_000)])
async def test_a_chunked_body_stays_chunked(bridge: SmallBridge, method: bytes, chunks: tuple[bytes, ...]) -> None:
    """A body of unknown length is passed on as such, and its bytes arrive."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    await bridge.ask(written(b"%b /x HTTP/1.1" % method, b"Transfer-Encoding: chunked", body=body))
    assert bridge.engine.request.fields[1:] == [b"Transfer-Encoding: chunked"]
    assert bridge.engine.request.body == b"".join(chunks)


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br"])
async def test_a_coded_body_is_not_decoded(bridge: SmallBridge, coding: bytes) -> None:
    """A compressed upload travels as it is, even where it is no such thing."""
    body = gzip.compress(b"x" * 1000)
    fields = [b"Content-Encoding: %b" % coding, b"Content-Length: %d" % len(body)]
    await bridge.ask(written(b"POST /_bulk HTTP/1.1", *fields, body=body))
    assert bridge.engine.request.fields[1:] == fields
    assert bridge.engine.request.body == body


async def test_requests_share_connections_on_both_sides(bridge: SmallBridge) -> None:
    """Keep-alive works: several requests in a row need one connection to the bridge and one to the engine."""
    async with bridge.connected() as client:
        for number in range(5):
            await client.ask(written(b"POST /%d HTTP/1.1" % number, b"Content-Length: 1", body=b"x"))
    assert [request.start for request in bridge.engine.requests] == [b"POST /%d HTTP/1.1" % n for n in range(5)]
    assert bridge.engine.connections == 1


async def test_pipelined_requests_are_answered_in_order(bridge: SmallBridge) -> None:
    """A client may send its next request before the last one's reply."""
    async with bridge.connected() as client:
        await client.send(written(b"GET /1 HTTP/1.1") + written(b"GET /2 HTTP/1.1"))
        assert (await client.receive()).body + (await client.receive()).body == b"{}{}"
    assert [request.start[5:6] for request in bridge.engine.requests] == [b"1", b"2"]


async def test_no_connection_is_lent_to_a_forward_proxy(bridge: SmallBridge) -> None:
    """CONNECT is answered by the bridge, in the engine's envelope."""
    reply = await bridge.ask(written(b"CONNECT elsewhere.example:443 HTTP/1.1"))
    assert reply.start == b"HTTP/1.1 405 Error"
    assert bridge.engine.requests == []


@pytest.mark.parametrize(
    "raw",
    [
        b"no http at all\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /?q=caf\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["start line", "no host", "control character", "not percent-encoded", "two lengths"],
)
async def test_what_is_not_http_is_refused(bridge: SmallBridge, raw: bytes) -> None:
    """A malformed request gets a 400 and never reaches the engine; the next one does."""
    reply = await bridge.ask(raw)
    assert reply.start.endswith(b" 400 Bad Request")
    assert bridge.engine.requests == []
    assert (await bridge.ask(written(b"GET / HTTP/1.1"))).body == OK[-2:]
