"""Clients that sniff: the engine's list of nodes names the bridge."""

from __future__ import annotations

import pytest

from tests.doubles.raw_http import RawEngine
from tests.doubles.small_bridge import Bridges

BODY = b'{"nodes":{"a":{"http":{"publish_address":"%b","bound_address":["%b"]},"big":12345678901234567890.0}}}'
HEAD = b"HTTP/1.1 200 OK\r\nX-elastic-product: Elasticsearch\r\nContent-Type: application/json\r\n"
ASK = b"GET /_nodes/_all/http HTTP/1.1\r\nHost: search.example:9400\r\n%b\r\n"
LIST = BODY % (b"10.0.0.1:9200", b"10.0.0.1:9200")


def answered(body: bytes) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


@pytest.mark.parametrize("more", [b"", b"X-Rerank: off\r\n", b"X-Rerank: explain\r\n"])
async def test_a_list_of_nodes_names_the_bridge(engine: RawEngine, bridges: Bridges, more: bytes) -> None:
    """By the name that the client used, whatever it wants of searches; a list is none, and has no mark of one."""
    engine.answer = answered(LIST)
    bridge = await bridges.start(engine)
    reply = await bridge.ask(ASK % more)
    assert reply.body == BODY % (b"search.example:9400", b"search.example:9400")
    assert reply.fields == [*HEAD.split(b"\r\n")[1:3], b"Content-Length: %d" % len(reply.body)]
    assert bridge.counts("rerank_bridge_forwarded_requests_total 1.0")


async def test_a_chunked_list_is_read_whole(engine: RawEngine, bridges: Bridges) -> None:
    """Engines that stream their replies are no different."""
    half = len(LIST) // 2
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (LIST[:half], LIST[half:], b""))
    engine.answer = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    reply = await (await bridges.start(engine, published_address="bridge:1")).ask(ASK % b"")
    assert not reply.is_chunked
    assert reply.body == BODY % (b"bridge:1", b"bridge:1")


async def test_an_error_passes_as_it_is(engine: RawEngine, bridges: Bridges) -> None:
    """A client without the right to see nodes learns it in the engine's words."""
    engine.answer = answered(b'{"error":{"reason":"[10.0.0.1:9200]"}}').replace(b"200 OK", b"403 Forbidden")
    reply = await (await bridges.start(engine)).ask(ASK % b"")
    assert reply.head + b"\r\n\r\n" + reply.body == engine.answer


async def test_a_list_that_is_too_large_passes_as_it_is(engine: RawEngine, bridges: Bridges) -> None:
    """Nothing of it is lost, though more than the limit was read before that was known."""
    body = LIST[:-1] + b',"more":"%b"}' % (b"x" * (17 << 20))
    engine.answer = answered(body)
    assert (await (await bridges.start(engine)).ask(ASK % b"")).body == body


async def test_a_bridge_may_leave_lists_alone(engine: RawEngine, bridges: Bridges) -> None:
    """Where sniffing is not wanted to lead to the bridge, not a byte changes."""
    engine.answer = answered(LIST)
    reply = await (await bridges.start(engine, sniffing=False)).ask(ASK % b"")
    assert reply.head + b"\r\n\r\n" + reply.body == engine.answer
