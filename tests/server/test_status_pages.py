"""The pages under ``/_bridge``."""

from __future__ import annotations

import json

import pytest

from tests.doubles.small_bridge import SmallBridge


def get(path: bytes, method: bytes = b"GET") -> bytes:
    return b"%b %b HTTP/1.1\r\nHost: h\r\n\r\n" % (method, path)


async def test_health_is_there_while_the_bridge_lives(bridge: SmallBridge) -> None:
    """A bridge that answers at all is healthy, whether ready or not."""
    bridge.ready = False
    reply = await bridge.ask(get(b"/_bridge/health"))
    assert reply.start == b"HTTP/1.1 200 OK"
    assert json.loads(reply.body) == {"status": "ok"}


@pytest.mark.parametrize(("ready", "status"), [(True, b"200 OK"), (False, b"503 Service Unavailable")])
async def test_readiness_is_a_status(bridge: SmallBridge, status: bytes, *, ready: bool) -> None:
    """A load balancer reads from the status alone whether searches can be reranked."""
    bridge.ready = ready
    reply = await bridge.ask(get(b"/_bridge/ready?x=1"))
    assert reply.start == b"HTTP/1.1 " + status
    assert json.loads(reply.body) == {"ready": ready}


async def test_metrics_are_in_prometheus_form(bridge: SmallBridge) -> None:
    """The page carries the content type that scrapers expect, and what was counted."""
    await bridge.ask(get(b"/i/_count"))
    reply = await bridge.ask(get(b"/_bridge/metrics"))
    assert reply.values(b"Content-Type") == [b"text/plain; version=0.0.4; charset=utf-8"]
    assert b"rerank_bridge_forwarded_requests_total 1.0" in reply.body.splitlines()


async def test_a_page_answers_head(bridge: SmallBridge) -> None:
    """HEAD gets the fields of GET and no body."""
    async with bridge.connected() as client:
        whole = await client.ask(get(b"/_bridge/health"))
        assert await client.ask(get(b"/_bridge/health", b"HEAD"), bodiless=True) == type(whole)(whole.head)
        assert (await client.ask(get(b"/_bridge/health"))).body == whole.body


@pytest.mark.parametrize(
    "path", [b"/_bridge", b"/_bridge/", b"/_bridge/other", b"/_bridge/health/", b"/_bridge/i/_search"]
)
async def test_an_unknown_page_is_not_asked_of_the_engine(bridge: SmallBridge, path: bytes) -> None:
    """The whole of /_bridge is ours."""
    reply = await bridge.ask(get(path))
    assert reply.start == b"HTTP/1.1 404 Not Found"
    assert path.decode() in json.loads(reply.body)["error"]
    assert bridge.engine.requests == []


async def test_a_page_is_only_read(bridge: SmallBridge) -> None:
    """Other methods are refused with those that are allowed."""
    reply = await bridge.ask(get(b"/_bridge/health", b"DELETE"))
    assert reply.start == b"HTTP/1.1 405 Method Not Allowed"
    assert reply.values(b"Allow") == [b"GET, HEAD"]


@pytest.mark.parametrize("path", [b"/_bridgeX", b"/x/_bridge/health", b"//_bridge/health", b"/%5Fbridge/health"])
async def test_nothing_else_is_taken_from_the_engine(bridge: SmallBridge, path: bytes) -> None:
    """Only this very prefix is ours."""
    assert (await bridge.ask(get(path))).body == b"{}"
    assert bridge.engine.request.start == b"GET %b HTTP/1.1" % path
