"""A search that asks to be explained and is passed through; and what browsers ask before they search."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.base import PassThrough, Reason
from tests.doubles.raw_http import Message, RawEngine
from tests.doubles.small_bridge import Bridges, SmallBridge

SEARCH = b"POST /i/_search HTTP/1.1\r\nHost: h\r\nX-Rerank: explain\r\nContent-Length: 2\r\n\r\n{}"
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def answered(body: bytes, head: bytes = JSON) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def searches(reply: Message) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(reply.body)["rerank_bridge"]["searches"]
    return told


@pytest.fixture
async def bridge(engine: RawEngine, bridges: Bridges) -> SmallBridge:
    engine.answer = answered(b'{ "took":1.0}\n')
    return await bridges.start(engine, max_search_body_bytes=100)


async def test_a_search_that_is_passed_through_is_explained(bridge: SmallBridge) -> None:
    """The reply has one member more, which says why; all else stays, the length fits, and the header says it too."""
    bridge.exchange.outcome = PassThrough(Reason.SORTED)
    reply = await bridge.ask(SEARCH)
    assert reply.body.startswith(b'{ "took":1.0')
    assert searches(reply) == [
        {
            "outcome": "skipped",
            "reason": "sorted",
            "because": "The order asked for is not by falling `_score` first.",
        }
    ]
    assert json.loads(reply.body)["rerank_bridge"]["milliseconds"]["engine"] >= 0
    assert reply.values(b"Content-Length") == [b"%d" % len(reply.body)]
    assert reply.values(b"X-Rerank") == [b"skipped; reason=sorted"]
    assert not any(field.lower().startswith(b"x-rerank") for field in bridge.engine.request.fields)


async def test_a_chunked_reply_is_explained(bridge: SmallBridge) -> None:
    """A reply of unknown length is read whole first."""
    bridge.engine.answer = JSON + b'Transfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n'
    reply = await bridge.ask(SEARCH)
    assert not reply.is_chunked
    assert searches(reply)[0]["reason"] == "no-query-text"


@pytest.mark.parametrize(
    "raw",
    [
        SEARCH.replace(b"explain", b"off, explain"),
        SEARCH.replace(b"X-Rerank: explain", b"X-Rerank: explain\r\nx-rerank: off"),
    ],
)
async def test_words_go_together(bridge: SmallBridge, raw: bytes) -> None:
    """A search that is switched off can be explained: that it was switched off."""
    bridge.exchange.declined = Reason.OFF
    assert searches(await bridge.ask(raw))[0]["reason"] == "off"


async def test_a_body_too_large_is_explained(bridge: SmallBridge) -> None:
    """The limit that the search ran into is told."""
    raw = SEARCH.replace(b"Length: 2", b"Length: 101").replace(b"\r\n\r\n{}", b"\r\n\r\n" + b"x" * 101)
    assert searches(await bridge.ask(raw))[0]["reason"] == "body-too-large"
    assert bridge.engine.request.body == b"x" * 101


@pytest.mark.parametrize(
    "answer",
    [
        answered(b'{"error":1}', b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n"),
        answered(b'{"hits":'),
        answered(b"---\na: 1\n", b"HTTP/1.1 200 OK\r\nContent-Type: application/yaml\r\n"),
        answered(b"{}", JSON + b"Content-Encoding: br\r\n"),
        answered(b'{"a":"' + b"x" * (17 << 20) + b'"}'),
        JSON + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n",
    ],
    ids=["error", "broken", "yaml", "coding", "large", "chunked"],
)
async def test_what_can_not_be_explained_goes_as_it_is(bridge: SmallBridge, answer: bytes) -> None:
    """The reply has the header fields of a search that is not explained, and the engine's own bytes."""
    bridge.engine.answer = answer
    reply, plain = await bridge.ask(SEARCH), await bridge.ask(SEARCH.replace(b"X-Rerank: explain\r\n", b""))
    assert reply.body == plain.body
    assert reply.head.rpartition(b"dur=")[0] == plain.head.rpartition(b"dur=")[0]
    assert reply.values(b"X-Rerank") == [b"skipped; reason=no-query-text"]


async def test_a_pre_flight_passes_through(bridge: SmallBridge) -> None:
    """What a browser asks before a search with a header of its own is the engine's to answer, both ways unchanged."""
    allowed = (
        b"HTTP/1.1 200 OK\r\naccess-control-allow-origin: https://shop.example\r\n"
        b"access-control-allow-methods: OPTIONS,HEAD,GET,POST\r\n"
        b"access-control-allow-headers: X-Requested-With,Content-Type,X-Rerank\r\n"
        b"access-control-expose-headers: X-Rerank\r\naccess-control-max-age: 1728000\r\ncontent-length: 0\r\n\r\n"
    )
    bridge.engine.answer = allowed
    asked = [
        b"Origin: https://shop.example",
        b"Access-Control-Request-Method: POST",
        b"Access-Control-Request-Headers: content-type,x-rerank",
    ]
    reply = await bridge.ask(b"\r\n".join([b"OPTIONS /i/_search HTTP/1.1", b"Host: h", *asked, b"", b""]))
    assert reply.head + b"\r\n\r\n" == allowed
    assert bridge.engine.request.start == b"OPTIONS /i/_search HTTP/1.1"
    assert bridge.engine.request.fields[1:] == asked
    assert bridge.exchange.searches == []


async def test_a_browsers_search_keeps_the_engines_permission(bridge: SmallBridge) -> None:
    """The fields by which a browser shows a reply to a page stay as the engine wrote them; ours stand behind them."""
    permission = b"access-control-allow-origin: *\r\naccess-control-expose-headers: X-elastic-product\r\n"
    bridge.engine.answer = answered(b"{}", JSON + permission)
    reply = await bridge.ask(SEARCH.replace(b"Host: h", b"Host: h\r\nOrigin: https://shop.example"))
    assert reply.head.split(b"\r\n")[2:4] == permission.split(b"\r\n")[:2]
    assert b"Origin: https://shop.example" in bridge.engine.request.fields
