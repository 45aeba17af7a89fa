"""The connection that a replay sends its searches on."""

from __future__ import annotations

import pytest

from bridge.errors import UpstreamError
from bridge.replay.http_client import Connection, Target
from tests.doubles.raw_http import OK, Conversation, RawEngine
from tests.replay.small_systems import http, nothing

JSON = "application/json"


async def test_requests_share_a_connection() -> None:
    """What is sent is the search and no more, with the fields of the system, on one connection."""
    async with RawEngine(http(b"{}", "X-Rerank: applied")) as engine:
        target = Target("127.0.0.1", engine.port, prefix="/es", headers={"Authorization": "Basic x"})
        connection = Connection(target, 20.0)
        for _ in range(3):
            reply = await connection.send("POST", "/i/_search?q=%20", b'{"size":1}', JSON, [("X-Rerank", "explain")])
        await connection.close()
    assert (reply.status, reply.body, reply.headers["x-rerank"]) == (200, b"{}", "applied")
    assert engine.connections == 1
    assert engine.request.start == b"POST /es/i/_search?q=%20 HTTP/1.1"
    assert engine.request.body == b'{"size":1}'
    assert engine.request.values(b"Authorization") == [b"Basic x"]
    assert engine.request.values(b"X-Rerank") == [b"explain"]
    assert engine.request.values(b"Content-Type") == [b"application/json"]


async def test_a_reply_may_come_in_chunks() -> None:
    """A body without a length is read to its end."""
    chunked = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
    async with RawEngine(chunked) as engine:
        connection = Connection(Target("127.0.0.1", engine.port), 20.0)
        reply = await connection.send("GET", "/_search", b"", JSON)
        await connection.close()
    assert (reply.status, reply.body) == (404, b"{}")
    assert not engine.request.values(b"Content-Type")


async def test_a_connection_that_was_closed_between_searches_is_opened_anew() -> None:
    """An engine may close what it likes between two searches; none of them fails for that."""

    async def once(conversation: Conversation) -> None:
        await conversation.receive_body()
        await conversation.send(OK)
        conversation.close()

    async with RawEngine(once) as engine:
        connection = Connection(Target("127.0.0.1", engine.port), 20.0)
        for _ in range(2):
            assert (await connection.send("POST", "/_search", b"{}", JSON)).status == 200
        await connection.close()
        assert engine.connections == 2


@pytest.mark.parametrize(
    ("answer", "problem"),
    [(b"no HTTP\r\n\r\n", "the connection broke: HttpParser"), (nothing, "no answer within 0.05 s")],
)
async def test_a_system_that_does_not_answer(answer: bytes, problem: str) -> None:
    """Garbage and silence end in an error that says which, and quotes nothing."""
    async with RawEngine(answer) as engine:
        connection = Connection(Target("127.0.0.1", engine.port), 0.05 if callable(answer) else 20.0)
        with pytest.raises(UpstreamError) as raised:
            await connection.send("POST", "/_search", b"{}", JSON)
    assert raised.value.problem.startswith(problem)
