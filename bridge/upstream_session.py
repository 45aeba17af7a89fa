"""The aiohttp session that adds nothing: what has to be told to aiohttp so that a request stays as it came."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from multidict import CIMultiDict

from bridge.config import Config
from connectors.base import Headers

MAX_LINE_BYTES = MAX_FIELD_BYTES = 64 * 1024
"""Longest request or status line and header field, both ways: above the engines' own limits (4 KiB and 16 KiB, Netty
settings of Elasticsearch and OpenSearch), so that an engine answers for its own, and room for raised ones."""
MAX_FIELDS = 1_000
"""Header fields of a message: deprecation warnings come one a field."""
READ_BUFFER_BYTES = 64 * 1024
"""Of each body under way; twice this much waits at most, then the sender waits."""

_ADDED_BY_AIOHTTP = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


def open_session(config: Config, *, tls: ssl.SSLContext | bool) -> aiohttp.ClientSession:
    """A session without cookies, decoding or headers of its own; needs a running loop."""
    return aiohttp.ClientSession(
        connector=_Pool(limit=config.upstream_connections, ssl=tls),
        request_class=_PlainRequest,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=_ADDED_BY_AIOHTTP,
        timeout=aiohttp.ClientTimeout(
            total=None, sock_connect=config.upstream_connect_timeout_s, sock_read=config.upstream_read_timeout_s
        ),
        read_bufsize=READ_BUFFER_BYTES,
        max_line_size=MAX_LINE_BYTES,
        max_field_size=MAX_FIELD_BYTES,
        max_headers=MAX_FIELDS,
    )


def writable(headers: Headers) -> CIMultiDict[str]:
    """The fields as aiohttp can write them: repeated names spelt alike, and text that has a form in UTF-8.

    aiohttp's session drops a value where the same name was spelt otherwise before, and its writer a byte that is no
    UTF-8; the latter are characters of Latin-1, as RFC 9110 5.5 has it.
    """
    spelling: dict[str, str] = {}
    return CIMultiDict((spelling.setdefault(name.lower(), name), _in_utf8(value)) for name, value in headers)


def _in_utf8(value: str) -> str:
    if value.isascii():
        return value
    raw = value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


async def replay_if_closed(
    request: aiohttp.ClientRequest, connect_and_send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Sends a request once more where the engine had closed a kept connection before any of a reply was read.

    aiohttp itself does so for idempotent methods; this middleware does for searches by POST, which are safe too.
    """
    try:
        return await connect_and_send(request)
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
        if isinstance(error, aiohttp.ClientConnectorError) or not getattr(request, "on_kept_connection", False):
            raise
        return await connect_and_send(request)


@contextmanager
def ended_by_close(response: aiohttp.ClientResponse) -> Iterator[None]:
    """Lets a reply fail when its connection is closed before its end.

    aiohttp closes the connection on a malformed chunk, but leaves the reader of the body waiting for ever.
    """
    content = response.content
    protocol = response.connection.protocol if response.connection is not None else None
    closed = protocol.closed if protocol is not None else None

    def fail(_: asyncio.Future[None]) -> None:
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("the connection was closed before the reply's end"))

    if closed is not None:
        closed.add_done_callback(fail)
    try:
        yield
    finally:
        if closed is not None:
            closed.remove_done_callback(fail)


class _PlainRequest(aiohttp.ClientRequest):
    """A request that stays without ``Content-Length`` where it has no body and came without."""

    on_kept_connection = False
    """Whether the connection had served another request before."""

    def update_body_from_data(self, body: Any, _stacklevel: int = 3) -> None:  # noqa: ANN401 - aiohttp's signature
        if body is not None:
            super().update_body_from_data(body, _stacklevel + 1)


class _Pool(aiohttp.TCPConnector):
    """Connections that tell a request whether they are new."""

    def __init__(self, *, limit: int, ssl: ssl.SSLContext | bool) -> None:
        super().__init__(limit=limit, ssl=ssl)
        self._used: WeakSet[ResponseHandler] = WeakSet()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        if isinstance(req, _PlainRequest) and protocol is not None:
            req.on_kept_connection = protocol in self._used
            if not req.on_kept_connection and protocol.closed is not None:
                self._used.add(protocol)
                protocol.closed.add_done_callback(_noted)
        return connection


def _noted(closed: asyncio.Future[None]) -> None:
    """Reads how a connection ended, which asyncio would otherwise report as an error that nobody saw."""
    if not closed.cancelled():
        closed.exception()
