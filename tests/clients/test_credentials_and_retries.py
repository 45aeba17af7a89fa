"""What the official clients send of themselves, as an engine sees it, and how they meet a struggling engine."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import chain, repeat
from typing import Any
from urllib.request import urlopen

import pytest
from elasticsearch import ApiError, AsyncElasticsearch
from opensearchpy import AsyncOpenSearch, TransportError

from tests.clients.bridges import bridge_to
from tests.clients.stories import body, ids, story
from tests.doubles.raw_http import Conversation, RawEngine

PASSWORD, API_KEY = "pass-word-42", "a2V5OnNlY3JldC00Mg=="
BASIC = b"Basic " + b64encode(f"jo:{PASSWORD}".encode())
Search = Callable[[], Awaitable[Any]]


def answered(status: bytes, content: dict[str, Any]) -> bytes:
    payload = json.dumps(content).encode()
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nX-Elastic-Product: Elasticsearch\r\n" % status
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(payload), payload)


FOUND = answered(
    b"200 OK",
    {
        "took": 1,
        "timed_out": False,
        "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
        "hits": {
            "total": {"value": 3, "relation": "eq"},
            "max_score": 3.0,
            "hits": [{"_index": "i", "_id": str(n), "_score": 3.0 - n, "_source": story(n)} for n in range(3)],
        },
    },
)
BUSY = answered(b"503 Service Unavailable", {"error": {"type": "busy", "reason": "try again"}, "status": 503})


@asynccontextmanager
async def opensearch(url: str, **options: Any) -> AsyncIterator[Search]:
    async with AsyncOpenSearch(url, **options) as client:
        yield lambda: client.search(index="i", body=body("dogs"))


@asynccontextmanager
async def elasticsearch(url: str, **options: Any) -> AsyncIterator[Search]:
    async with AsyncElasticsearch(url, **options) as client:
        yield lambda: client.search(index="i", body=body("dogs"))


Client = Callable[..., AbstractAsyncContextManager[Search]]


@pytest.fixture
async def engine() -> AsyncIterator[RawEngine]:
    async with RawEngine(FOUND) as engine:
        yield engine


@pytest.fixture
async def bridge_url(engine: RawEngine) -> AsyncIterator[str]:
    async with bridge_to(engine.url, engine="elasticsearch", log_level="debug") as bridge:
        yield bridge.running.url


@pytest.mark.parametrize(
    ("client", "options", "sent"),
    [
        (opensearch, {"http_auth": ("jo", PASSWORD)}, BASIC),
        (opensearch, {"headers": {"Authorization": f"ApiKey {API_KEY}"}}, f"ApiKey {API_KEY}".encode()),
        (elasticsearch, {"basic_auth": ("jo", PASSWORD)}, BASIC),
        (elasticsearch, {"api_key": API_KEY}, f"ApiKey {API_KEY}".encode()),
    ],
)
async def test_credentials_reach_the_engine_and_nothing_else(  # noqa: PLR0913 - the table, and who is involved
    engine: RawEngine,
    bridge_url: str,
    client: Client,
    options: dict[str, Any],
    sent: bytes,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """All that the bridge asks for a client has its credentials; no log, page, reply or other client has them."""
    async with client(bridge_url, **options) as search:
        reply = await search()
    assert ids(reply)[0] == "1"
    assert [request.values(b"Authorization") for request in engine.requests] == [[sent]] * len(engine.requests)
    engine.requests.clear()
    async with client(bridge_url) as search:
        await search()
    assert [request.values(b"Authorization") for request in engine.requests] == [[]] * len(engine.requests)
    pages = [await asyncio.to_thread(read, f"{bridge_url}/_bridge/{page}") for page in ("metrics", "health")]
    said = "".join([*pages, *capfd.readouterr(), str(reply)])
    assert not any(secret in said for secret in (PASSWORD, API_KEY, sent.decode()))


def read(url: str) -> str:
    with urlopen(url) as page:
        text: str = page.read().decode()
        return text


@pytest.mark.parametrize("client", [opensearch, elasticsearch])
async def test_a_client_waits_for_a_busy_engine_itself(engine: RawEngine, bridge_url: str, client: Client) -> None:
    """Each attempt of the client's is one request to the engine, and the one that is answered is reranked."""
    engine.answer = one_after_the_other(chain([BUSY, BUSY], repeat(FOUND)))
    async with client(bridge_url, max_retries=3) as search:
        reply = await search()
    assert ids(reply)[0] == "1"
    assert [request.start for request in searches(engine)] == [b"POST /i/_search HTTP/1.1"] * 3


@pytest.mark.parametrize("client", [opensearch, elasticsearch])
async def test_a_client_that_gives_up_has_the_engines_own_error(
    engine: RawEngine, bridge_url: str, client: Client
) -> None:
    """After as many attempts as the client wants, it raises what the engine said."""
    engine.answer = BUSY
    async with client(bridge_url, max_retries=2) as search:
        with pytest.raises((ApiError, TransportError)) as caught:
            await search()
    assert getattr(caught.value, "info", None) == json.loads(BUSY.partition(b"\r\n\r\n")[2])
    assert len(searches(engine)) == 3


def searches(engine: RawEngine) -> list[Any]:
    return [request for request in engine.requests if b"/_search" in request.start]


def one_after_the_other(answers: Iterator[bytes]) -> Callable[[Conversation], Awaitable[None]]:
    async def answer(conversation: Conversation) -> None:
        await conversation.receive_body()
        is_search = b"/_search" in conversation.request.start
        await conversation.send(next(answers) if is_search else answered(b"200 OK", {}))

    return answer
