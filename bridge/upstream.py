"""The engine's side: one session to all its addresses, whose errors are two kinds of ``UpstreamError``.

Nothing is decoded, nothing is added: what a client sent reaches the engine, what the engine sent comes back.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import structlog

from bridge.addresses import Address, Rotation, basic, parse_address
from bridge.config import Config
from bridge.errors import ConfigError, ReplyTooLargeError, UpstreamError
from bridge.headers import decode, for_client, for_engine, is_chunked, without
from bridge.upstream_session import ended_by_close, open_session, replay_if_closed, writable
from connectors.base import Headers, Reply, Request, header

_NO_CONNECTION = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""Nothing was sent: another address may be tried."""

_log = structlog.get_logger(__name__)

_PROBLEMS: tuple[tuple[type[BaseException], int, str, str], ...] = (
    (aiohttp.ConnectionTimeoutError, 504, "connecting to the engine timed out", "connect-timeout"),
    (asyncio.TimeoutError, 504, "the engine was silent for too long", "silent"),
    (
        aiohttp.ClientConnectorCertificateError,
        502,
        "the engine's certificate is not trusted (see upstream_ca_file)",
        "certificate",
    ),
    (aiohttp.ClientConnectorSSLError, 502, "no TLS connection to the engine could be made", "tls"),
    (aiohttp.ClientConnectorDNSError, 502, "the engine's host name is not known", "dns"),
    (aiohttp.ClientConnectorError, 502, "the engine refused the connection", "refused"),
    (aiohttp.ServerDisconnectedError, 502, "the engine closed the connection without an answer", "closed"),
    (aiohttp.ClientPayloadError, 502, "the engine's reply broke off", "broke-off"),
    (aiohttp.ClientResponseError, 502, "the engine's reply is not HTTP", "not-http"),
    (aiohttp.ClientOSError, 502, "the connection to the engine broke", "connection"),
    (aiohttp.ClientError, 502, "the exchange with the engine failed", "other"),
    (OSError, 502, "the connection to the engine broke", "connection"),
)
"""Foreign exception -> status, what the client reads, and the kind that is counted; the first that matches counts."""
_FOREIGN = tuple(foreign for foreign, *_ in _PROBLEMS)


@dataclass(frozen=True, slots=True)
class StreamedReply:
    """An engine's reply whose body is still under way."""

    status: int
    reason: str
    headers: Headers
    """Without hop-by-hop fields."""
    chunks: AsyncIterator[bytes]
    """The body as it comes, still content-encoded; raises ``UpstreamError`` where it breaks off."""


class Upstream:
    """Connections to one engine at one or several addresses; use as an async context manager."""

    def __init__(self, config: Config, clock: Callable[[], float] = time.monotonic) -> None:
        addresses = [parse_address(text) for text in config.upstream]
        self._rotation = Rotation(addresses, config.upstream_retry_after_s, clock)
        self._authorization = own_authorization(config)
        self._config = config
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Opens the session. Raises ``ConfigError`` where the CA file can't be used."""
        self._session = open_session(self._config, tls=tls_context(self._config.upstream_ca_file))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes all connections."""
        if self._session is not None:
            await self._session.close()

    async def send(self, request: Request, *, limit_bytes: int) -> Reply:
        """The whole reply to a search read whole, its body still content-encoded.

        For searches only, which are safe: sent again where the engine had closed a kept connection.
        Raises ``UpstreamError``, and ``ReplyTooLargeError`` over ``limit_bytes``.
        """
        with _translated():
            response = await self._open(request, _with_length(request), request.body or None, replay=True)
        async with _released(response):
            with _translated():
                body = await _read(response.content, limit_bytes)
        return Reply(response.status, response.reason or "", for_client(decode(response.raw_headers)), body)

    @asynccontextmanager
    async def stream(self, request: Request, body: AsyncIterator[bytes] | None = None) -> AsyncIterator[StreamedReply]:
        """The reply to a request, both bodies passed on while they come, in constant memory.

        ``body`` stands in for ``request.body``, framed as the request's headers say. Raises ``UpstreamError``.
        """
        chunked = is_chunked(request.headers)
        with _translated():
            response = await self._open(
                request, for_engine(request.headers), body or request.body or None, chunked=chunked
            )
        async with _released(response):
            headers = for_client(decode(response.raw_headers))
            yield StreamedReply(response.status, response.reason or "", headers, _chunks(response.content))

    async def _open(
        self,
        request: Request,
        headers: Headers,
        body: AsyncIterator[bytes] | bytes | None,
        *,
        chunked: bool = False,
        replay: bool = False,
    ) -> aiohttp.ClientResponse:
        """The reply's head from the first address that can be reached; foreign exceptions."""
        if self._session is None:
            raise RuntimeError("an upstream is used inside `async with`")
        failure: aiohttp.ClientError = aiohttp.ClientConnectionError("no address")
        for address in self._rotation.turn():
            try:
                response = await self._session.request(
                    request.method,
                    address.url(request.target),
                    headers=writable(self._authorized(headers, address)),
                    data=body,
                    chunked=True if chunked and body is not None else None,
                    middlewares=(replay_if_closed,) if replay else (),
                    allow_redirects=False,
                )
            except _NO_CONNECTION as error:
                self._leave_out(address, error)
                failure = error
            except aiohttp.SocketTimeoutError as error:
                self._leave_out(address, error)  # for others: the engine may have done what this one asks
                raise
            else:
                if self._rotation.reached(address):
                    _log.info("address answers again", address=str(address))
                return response
        raise failure

    def _leave_out(self, address: Address, error: aiohttp.ClientError) -> None:
        if self._rotation.unreachable(address):
            _log.warning("address left out", address=str(address), problem=_told(error).problem)

    def _authorized(self, headers: Headers, address: Address) -> Headers:
        own = address.authorization or self._authorization
        if own is None or header(headers, "Authorization") is not None:
            return headers
        return (*headers, ("Authorization", own))


def own_authorization(config: Config) -> str | None:
    """The ``Authorization`` that is sent where the client sends none, apart from what an address itself carries."""
    if config.upstream_api_key is not None:
        return f"ApiKey {config.upstream_api_key}"
    if config.upstream_username is not None:
        return basic(f"{config.upstream_username}:{config.upstream_password}")
    return None


def tls_context(ca_file: Path | None) -> ssl.SSLContext | bool:
    """How certificates are checked; True: as the system does. Raises ``ConfigError``."""
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigError([f"upstream_ca_file: {ca_file} is not a PEM file of certificates: {error}"]) from error


def _with_length(request: Request) -> Headers:
    """The fields for a body that is sent whole: its own length, no word of waiting for ``100 Continue``."""
    headers = without(without(for_engine(request.headers), "Content-Length"), "Expect")
    had_length = is_chunked(request.headers) or request.header("Content-Length") is not None
    return (*headers, ("Content-Length", str(len(request.body)))) if request.body or had_length else headers


@contextmanager
def _translated() -> Iterator[None]:
    """Turns every foreign exception of an exchange into an ``UpstreamError``."""
    try:
        yield
    except _FOREIGN as error:
        raise _told(error) from error


def _told(error: BaseException) -> UpstreamError:
    """What a foreign exception is to a client."""
    status, problem, kind = next(entry[1:] for entry in _PROBLEMS if isinstance(error, entry[0]))
    return UpstreamError(status, problem, kind)


@asynccontextmanager
async def _released(response: aiohttp.ClientResponse) -> AsyncIterator[None]:
    """Gives the connection back where the reply was read to its end, and closes it otherwise."""
    try:
        with ended_by_close(response):
            yield
    finally:
        response.release()
        with suppress(aiohttp.ClientError, OSError):  # of a body that was still being sent: the reply is complete
            await response.wait_for_close()


async def _chunks(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    with _translated():
        async for chunk in content.iter_any():
            yield chunk


async def _read(content: aiohttp.StreamReader, limit_bytes: int) -> bytes:
    chunks, size = [], 0
    async for chunk in content.iter_any():
        size += len(chunk)
        if size > limit_bytes:
            raise ReplyTooLargeError(limit_bytes)
        chunks.append(chunk)
    return b"".join(chunks)
