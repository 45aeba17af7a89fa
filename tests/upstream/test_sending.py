"""Searches that are sent and read whole."""

from __future__ import annotations

import asyncio
import gc
import gzip
from pathlib import Path

import pytest
import structlog

from bridge.config import Config
from bridge.errors import ConfigError, ReplyTooLargeError, UpstreamError
from bridge.upstream import Upstream
from connectors.base import Headers, Reply, Request
from tests.doubles.raw_http import OK, Conversation, RawEngine, no_server
from tests.doubles.upstreams import Upstreams

LIMIT_BYTES = 10_000
SEARCH = Request("POST", "/i/_search?a=%2F", (("Host", "h"), ("Content-Length", "2")), b"{}")


async def send(upstream: Upstream, request: Request = SEARCH) -> Reply:
    return await upstream.send(request, limit_bytes=LIMIT_BYTES)


async def test_a_reply_is_read_whole_and_not_decoded(engine: RawEngine, upstreams: Upstreams) -> None:
    """Status, reason, fields and coded body are the engine's."""
    zipped = gzip.compress(b"{}" * 100)
    engine.answer = b"HTTP/1.1 200 Fine\r\ncontent-encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (
        len(zipped),
        zipped,
    )
    reply = await send(await upstreams.open(engine))
    fields = (("content-encoding", "gzip"), ("Content-Length", str(len(zipped))))
    assert reply == Reply(200, "Fine", fields, zipped)
    assert engine.request.start == b"POST /i/_search?a=%2F HTTP/1.1"


@pytest.mark.parametrize(
    ("body", "fields", "sent"),
    [
        (b"{} ", (("Content-Length", "2"),), [b"Content-Length: 3"]),
        (b"{} ", (("Transfer-Encoding", "chunked"),), [b"Content-Length: 3"]),
        (b"{} ", (("Expect", "100-continue"), ("A", "1")), [b"A: 1", b"Content-Length: 3"]),
        (b"", (("Content-Length", "0"),), [b"Content-Length: 0"]),
        (b"", (), []),
    ],
)
async def test_a_body_has_its_own_length(
    engine: RawEngine, upstreams: Upstreams, body: bytes, fields: Headers, sent: list[bytes]
) -> None:
    """A search that was rewritten is framed by its new body, and one without stays without."""
    await send(await upstreams.open(engine), Request("POST", "/_search", fields, body))
    assert engine.request.fields[1:] == sent
    assert engine.request.body == body


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 10001\r\n\r\n%b", b"Transfer-Encoding: chunked\r\n\r\n2711\r\n%b\r\n0\r\n\r\n"]
)
async def test_a_reply_over_the_limit_is_dropped(engine: RawEngine, upstreams: Upstreams, framing: bytes) -> None:
    """No more of it is kept than the limit, and the next request works."""
    engine.answer = b"HTTP/1.1 200 OK\r\n" + framing % (b"x" * (LIMIT_BYTES + 1))
    upstream = await upstreams.open(engine)
    with pytest.raises(ReplyTooLargeError, match="larger than 10000 bytes"):
        await send(upstream)
    engine.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + b"x" * LIMIT_BYTES
    assert (await send(upstream)).body == b"x" * LIMIT_BYTES


class ClosesAfterReply:
    """Answers, and closes the connection when the next request comes: what an idle timeout looks like from outside."""

    def __init__(self) -> None:
        self.last: Conversation | None = None
        self.heads: list[bytes] = []

    async def __call__(self, conversation: Conversation) -> None:
        await conversation.receive_body()
        self.heads.append(conversation.request.start)
        if self.last is not None and self.last.reader is conversation.reader:
            conversation.close()
        else:
            self.last = conversation
            await conversation.send(OK)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_search_on_a_closed_kept_connection_is_sent_again(
    engine: RawEngine, upstreams: Upstreams, method: str
) -> None:
    """An engine that closes an idle connection as a search comes costs the client nothing."""
    engine.answer = answer = ClosesAfterReply()
    upstream = await upstreams.open(engine)
    search = Request(method, "/_search", (("Content-Length", "2"),), b"{}")
    assert [(await send(upstream, search)).body for _ in range(2)] == [b"{}", b"{}"]
    assert len(answer.heads) == 3
    assert engine.connections == 2


async def test_a_search_on_a_new_connection_is_sent_once(engine: RawEngine, upstreams: Upstreams) -> None:
    """An engine that dies of a search is not asked the same again."""

    async def dies(conversation: Conversation) -> None:
        await conversation.receive_body()
        conversation.close()

    engine.answer = dies
    with pytest.raises(UpstreamError, match="without an answer"):
        await send(await upstreams.open(engine))
    assert len(engine.requests) == 1


async def test_a_streamed_post_is_never_sent_again(engine: RawEngine, upstreams: Upstreams) -> None:
    """What may have had an effect is not repeated."""
    engine.answer = answer = ClosesAfterReply()
    upstream = await upstreams.open(engine)
    await send(upstream)
    with pytest.raises(UpstreamError, match="without an answer"):
        async with upstream.stream(SEARCH):
            pass
    assert len(answer.heads) == 2


async def test_a_kept_connection_that_is_reset_is_nobodys_error(engine: RawEngine, upstreams: Upstreams) -> None:
    """An engine that drops an idle connection leaves no complaint of asyncio's behind."""
    kept: list[Conversation] = []

    async def in_two_parts(conversation: Conversation) -> None:
        kept.append(conversation)
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        await begun.wait()
        await conversation.send(b"lf")

    engine.answer, begun = in_two_parts, asyncio.Event()
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
    upstream = await upstreams.open(engine)
    async with upstream.stream(Request("GET", "/", ())) as reply:
        begun.set()
        assert b"".join([chunk async for chunk in reply.chunks]) == b"half"
    kept[0].reset()
    await send(upstream)
    gc.collect()
    asyncio.get_running_loop().set_exception_handler(None)
    assert complaints == []


async def test_an_upstream_is_used_open() -> None:
    """Forgetting to open it is a mistake of ours, told as such."""
    with pytest.raises(RuntimeError, match="async with"):
        await send(Upstream(Config.model_validate({"upstream": "http://h"})))


@pytest.mark.parametrize(
    ("settings", "client", "sent"),
    [
        ({}, (), []),
        ({"upstream_username": "u", "upstream_password": "p"}, (), [b"Basic dTpw"]),
        ({"upstream_api_key": "key=="}, (), [b"ApiKey key=="]),
        ({"upstream_api_key": "key=="}, (("authorization", "Bearer x"),), [b"Bearer x"]),
        ({"upstream_api_key": "key=="}, (("authorization", ""),), [b""]),
        ({"upstream": "http://me:pw@localhost:{port}"}, (), [b"Basic bWU6cHc="]),
        ({"upstream": "http://me:pw@localhost:{port}", "upstream_api_key": "key=="}, (), [b"Basic bWU6cHc="]),
        ({"upstream": "http://me:pw@localhost:{port}"}, (("Authorization", "Basic eA=="),), [b"Basic eA=="]),
    ],
)
async def test_credentials_of_ours_stand_in_for_none(
    engine: RawEngine, upstreams: Upstreams, settings: dict[str, str], client: Headers, sent: list[bytes]
) -> None:
    """The client's own credentials always win; an address's own go before the general ones."""
    settings = {name: value.replace("{port}", str(engine.port)) for name, value in settings.items()}
    await send(await upstreams.open(engine, **settings), Request("GET", "/_search", client))
    assert engine.request.values(b"Authorization") == sent


async def test_addresses_take_turns(upstreams: Upstreams) -> None:
    """Requests in a row go to all engines alike."""
    async with RawEngine() as one, RawEngine() as two:
        upstream = await upstreams.open(one, two)
        for _ in range(4):
            await send(upstream)
        assert (len(one.requests), len(two.requests)) == (2, 2)


async def test_an_address_that_is_down_is_left_out_and_tried_again(upstreams: Upstreams) -> None:
    """The same request goes to the next address, later ones spare the one that is down, until its time is over."""
    async with RawEngine() as up, RawEngine() as down:
        upstream = await upstreams.open(down, up)
        await down.__aexit__()
        for _ in range(3):
            await send(upstream)
        assert len(up.requests) == 3
        async with down:
            await send(upstream)
            await send(upstream)
            assert len(up.requests) == 5
            upstreams.now += 10.0
            await send(upstream)
            await send(upstream)
            assert (len(up.requests), len(down.requests)) == (6, 1)


async def test_an_address_that_is_silent_is_left_out(upstreams: Upstreams) -> None:
    """An engine that hangs costs one search its answer, and the next ones go elsewhere until its time is over."""

    async def stays_silent(conversation: Conversation) -> None:
        await conversation.client_left()

    async with RawEngine(answer=stays_silent) as hung, RawEngine() as well:
        upstream = await upstreams.open(hung, well, upstream_read_timeout_s=0.2)
        with pytest.raises(UpstreamError, match="silent"):
            await send(upstream)
        for _ in range(3):
            await send(upstream)
        assert (len(hung.requests), len(well.requests)) == (1, 3)


async def test_which_address_is_left_out_is_logged_once(upstreams: Upstreams) -> None:
    """An operator reads which node is down, not at every search, and when it answers again."""
    async with RawEngine() as up, RawEngine() as down:
        upstream = await upstreams.open(down, up)
        await down.__aexit__()
        with structlog.testing.capture_logs() as logs:
            for _ in range(3):
                await send(upstream)
            async with down:
                upstreams.now += 10.0
                await send(upstream)
                await send(upstream)
    assert [(line["event"], line["address"]) for line in logs] == [
        ("address left out", down.url),
        ("address answers again", down.url),
    ]


async def test_addresses_that_are_all_down_are_tried_before_giving_up(upstreams: Upstreams) -> None:
    """With every address left out, one that came back is found at once."""
    async with RawEngine() as one, RawEngine() as two:
        upstream = await upstreams.open(one, two)
        await one.__aexit__()
        await two.__aexit__()
        with pytest.raises(UpstreamError, match="refused"):
            await send(upstream)
        async with two:
            assert (await send(upstream)).status == 200


async def test_a_request_that_broke_off_is_not_sent_to_the_next_address(upstreams: Upstreams) -> None:
    """Another address is for connections that could not be made, not for engines that fail."""

    async def resets(conversation: Conversation) -> None:
        conversation.reset()

    async with RawEngine(answer=resets) as one, RawEngine() as two:
        with pytest.raises(UpstreamError) as caught:
            await send(await upstreams.open(one, two))
        assert caught.value.status == 502
        assert two.requests == []


async def test_a_host_that_is_not_known_is_a_502(engine: RawEngine, upstreams: Upstreams) -> None:
    """A name without an address is told as such."""
    upstream = await upstreams.open(engine, upstream="http://no-such-host.invalid:9200")
    with pytest.raises(UpstreamError, match="host name is not known") as caught:
        await send(upstream)
    assert caught.value.status == 502


async def test_a_connection_that_takes_too_long_is_a_504(engine: RawEngine, upstreams: Upstreams) -> None:
    """An address that accepts and then shakes no hands is given up."""
    async with no_server() as port:
        upstream = await upstreams.open(engine, upstream=f"https://localhost:{port}", upstream_connect_timeout_s=0.05)
        with pytest.raises(UpstreamError, match="connecting to the engine timed out") as caught:
            await send(upstream)
    assert caught.value.status == 504


async def test_silence_is_a_504(engine: RawEngine, upstreams: Upstreams) -> None:
    """An engine that says nothing for too long is given up."""

    async def stays_silent(conversation: Conversation) -> None:
        await conversation.client_left()

    engine.answer = stays_silent
    with pytest.raises(UpstreamError, match="silent") as caught:
        await send(await upstreams.open(engine, upstream_read_timeout_s=0.05))
    assert caught.value.status == 504


def test_a_ca_file_that_is_none_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    """The message names the setting and the file."""
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    upstream = Upstream(Config.model_validate({"upstream": "https://h", "upstream_ca_file": file}))
    with pytest.raises(ConfigError, match=r"upstream_ca_file: .*ca.pem"):
        asyncio.run(upstream.__aenter__())
