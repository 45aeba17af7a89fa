from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from bridge.errors import ConfigError, UpstreamError
from bridge.evaluate.client import SearchClient, SearchReply, open_client

Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]

PAGE = {"took": 1, "hits": {"total": {"value": 2}, "hits": [{"_id": "b", "_score": 2.0}, {"_id": "a", "_score": None}]}}


async def answer_page(_: web.Request) -> web.Response:
    return web.json_response(PAGE, headers={"X-Rerank": "applied; window=100", "Server-Timing": "score;dur=1"})


async def test_search_gives_the_hits_in_order(serve: Serve) -> None:
    """A reply's ids come in the order of the page, with what the bridge said and how long it took."""
    async with open_client(await serve(answer_page)) as client:
        reply = await client.search("books", b"{}")
    assert reply.ids == ("b", "a")
    assert (reply.rerank, reply.timing) == ("applied; window=100", "score;dur=1")
    assert reply.latency_s > 0


async def test_search_is_sent_as_a_client_would(serve: Serve) -> None:
    """The body is posted as JSON to the index under the address's prefix, with no encoding asked for."""
    seen: list[tuple[str, str, str, str, bytes]] = []

    async def answer(request: web.Request) -> web.Response:
        headers = request.headers
        seen.append(
            (
                request.method,
                request.raw_path,
                headers["Content-Type"],
                headers["Accept-Encoding"],
                await request.read(),
            )
        )
        return web.json_response(PAGE)

    async with open_client(f"{await serve(answer)}/prefix/") as client:
        await client.search("böcher,b*", b'{"size": 1}')
    assert seen == [("POST", "/prefix/b%C3%B6cher,b*/_search", "application/json", "identity", b'{"size": 1}')]


async def test_searches_share_one_connection(serve: Serve) -> None:
    """The connection is kept from search to search."""
    ports: set[object] = set()

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername"))
        return web.json_response(PAGE)

    async with open_client(await serve(answer)) as client:
        for _ in range(3):
            await client.search("books", b"{}")
    assert len(ports) == 1


async def test_user_of_the_address_is_sent_and_not_shown(serve: Serve) -> None:
    """Credentials in the address become a header, decoded, and stand in no message."""
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.json_response({"error": "no", "status": 401}, status=401)

    url = (await serve(answer)).replace("http://", "http://ann:p%40ss@")
    async with open_client(url, authorization="ApiKey unused") as client:
        with pytest.raises(UpstreamError, match="401: no") as raised:
            await client.search("books", b"{}")
    assert seen == ["Basic " + b64encode(b"ann:p@ss").decode()]
    assert "ann" not in client.url
    assert "ss@" not in raised.value.problem


async def test_authorization_is_sent_where_the_address_has_none(serve: Serve) -> None:
    """An authorization that is given goes out as it is."""
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.json_response(PAGE)

    async with open_client(await serve(answer), authorization="ApiKey abc") as client:
        await client.search("books", b"{}")
    assert seen == ["ApiKey abc"]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (None, "no X-Rerank header"),
        ("applied; window=100; model=a/b", "applied"),
        ("applied; window=100; model=m; scored=40", "applied in part"),
        ("applied;model=m;window=100", "applied"),
        ("applied; window=100; model=a,b; scored=100,30", "applied"),
        ("applied; window=100; model=a,b; scored=98,30", "applied in part"),
        ("applied; window=100; model=a,b; scored=100,3; cut=deadline", "applied in part"),
        ("skipped; reason=no-query-text", "skipped: no-query-text"),
        ("", ""),
    ],
)
def test_header_is_said_in_few_words(header: str | None, words: str) -> None:
    """What the bridge did is told apart by what it did and why, not by numbers that differ from search to search."""
    assert SearchReply(("a",), header, 0.1).outcome == words


@pytest.mark.parametrize(
    ("header", "timing", "expected"),
    [
        ("applied; window=9; model=a", 'score;dur=1.5;desc="a", bridge;dur=2', [("a", 9, 1.5)]),
        ("applied; window=9; model=a%2Cb; scored=4; cut=deadline", "upstream;dur=3, score;dur=1", [("a,b", 4, 1.0)]),
        ("applied; window=9; model=a,b/c; scored=9,3", "score;dur=1,score;dur=20.5", [("a", 9, 1.0), ("b/c", 3, 20.5)]),
        ("applied; window=9; model=a,b; scored=9,3", "score;dur=1", []),
        ("applied; window=x; model=a", "score;dur=1", []),
        ("applied; window=9; model=a", "myscore;dur=1", []),
        ("skipped; reason=deadline", "score;dur=1", []),
        ("", "", []),
        (None, "", []),
    ],
)
def test_costs_are_read_from_the_headers(header: str | None, timing: str, expected: list[object]) -> None:
    """Each model with the texts that it scored and its milliseconds; nothing where the headers do not agree."""
    stages = SearchReply(("a",), header, 0.1, timing).stages
    assert [(stage.model, stage.texts, stage.ms) for stage in stages] == expected


REFUSALS = {
    "an error with its reason": (
        404,
        b'{"error": {"root_cause": [], "type": "index_not_found_exception", "reason": "no such index"}, "status": 404}',
        "answered 404: index_not_found_exception: no such index",
    ),
    "an error in a word": (429, b'{"error": "busy", "status": 429}', "answered 429: busy"),
    "an error page": (502, b"<html>Bad Gateway</html>", "answered 502: <html>Bad Gateway"),
    "no JSON": (200, b"hello", "by no engine"),
    "no page of hits": (200, b'{"hits": {}}', "by no engine"),
    "hits without an id": (200, b'{"hits": {"hits": [{}]}}', "by no engine"),
    "not UTF-8": (200, b'{"hits": {"hits": [{"_id": "\xff"}]}}', "by no engine"),
}


@pytest.mark.parametrize(("status", "body", "problem"), REFUSALS.values(), ids=REFUSALS)
async def test_search_without_hits_says_why(serve: Serve, status: int, body: bytes, problem: str) -> None:
    """Whatever is not a page of hits is an upstream error with the engine's own reason."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body)

    async with open_client(await serve(answer)) as client:
        with pytest.raises(UpstreamError, match=problem) as raised:
            await client.search("books", b"{}")
    assert raised.value.status == 502


async def test_broken_off_reply_is_an_upstream_error(serve: Serve) -> None:
    """A connection that ends within a reply is an upstream error."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"{")
        assert request.transport is not None
        request.transport.close()
        return response

    async with open_client(await serve(answer)) as client:
        with pytest.raises(UpstreamError, match="can't be reached"):
            await client.search("books", b"{}")


async def test_refused_connection_is_an_upstream_error(unused_tcp_port: int) -> None:
    """An address where nobody listens is an upstream error that names it."""
    async with open_client(f"http://127.0.0.1:{unused_tcp_port}") as client:
        with pytest.raises(UpstreamError, match=f"127.0.0.1:{unused_tcp_port} can't be reached"):
            await client.search("books", b"{}")


async def test_silent_engine_is_a_gateway_timeout(serve: Serve) -> None:
    """A reply that does not come in time is an upstream error of status 504."""
    ended = asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        await ended.wait()
        return web.Response()

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.01)) as session:
        with pytest.raises(UpstreamError, match="no answer") as raised:
            await SearchClient(session, await serve(answer)).search("books", b"{}")
    ended.set()
    assert raised.value.status == 504


@pytest.mark.parametrize("url", ["localhost:9200", "ftp://localhost", "http://", "http://localhost:port", ""])
async def test_what_is_no_address_is_a_configuration_mistake(url: str) -> None:
    """An address that can't be one is refused before anything is sent."""
    with pytest.raises(ConfigError, match="address"):
        async with open_client(url):
            pass
