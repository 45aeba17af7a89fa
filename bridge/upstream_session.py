"""The aiohttp session that adds nothing: what has to be told to aiohttp so that a request stays as it came."""

from __future__ import annotations

import ssl
from typing import Any
from weakref import WeakSet

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from bridge.config import Config

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
            self._used.add(protocol)
        return connection
