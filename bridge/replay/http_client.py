"""One kept connection that sends a request and reads the reply whole, at little cost.

Replies are parsed by httptools, the parser that uvloop's authors made of llhttp. A connection that the other side
closed between two requests is opened anew, once, since everything that is sent here is a search.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import httptools

from bridge.errors import UpstreamError

_READ_BYTES = 1 << 18
_FAILURES = (OSError, asyncio.IncompleteReadError, httptools.HttpParserError)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect to, and what every request says."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    prefix: str = ""
    """Stands before each path."""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def authority(self) -> str:
        """As the ``Host`` field has it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A reply, read whole."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of several fields of one name the last."""
    body: bytes


class _Collected:
    """What httptools calls while it reads a reply."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.headers: dict[str, str] = {}
        self.chunks: list[bytes] = []
        self.is_complete = False
        self.keeps_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.chunks.append(body)

    def on_message_complete(self) -> None:
        self.is_complete = True
        self.keeps_alive = self.parser.should_keep_alive()  # which the parser forgets afterwards


class Connection:
    """One connection to one system; requests go one after the other."""

    def __init__(self, target: Target, timeout_s: float) -> None:
        self._target = target
        self._timeout_s = timeout_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        common = {"Host": target.authority, "Accept": "application/json", **target.headers}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in common.items()).encode("latin-1")

    async def send(
        self, method: str, path: str, body: bytes, content_type: str, headers: Sequence[tuple[str, str]] = ()
    ) -> HttpReply:
        """The reply, whatever its status. Raises ``UpstreamError`` where none comes in time."""
        head = f"{method} {self._target.prefix}{path} HTTP/1.1\r\n".encode("latin-1")
        described = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n" if body else ""
        described += "".join(f"{name}: {value}\r\n" for name, value in headers)
        message = head + self._head + described.encode("latin-1") + b"\r\n" + body
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(message)
        except TimeoutError as error:
            await self.close()
            raise UpstreamError(504, f"no answer within {self._timeout_s:g} s") from error
        except _FAILURES as error:
            await self.close()
            raise UpstreamError(502, f"the connection broke: {type(error).__name__}") from error

    async def _exchange(self, message: bytes) -> HttpReply:
        if self._streams is not None:
            try:
                return await self._ask(message)
            except _FAILURES:
                await self.close()
        self._streams = await asyncio.open_connection(
            self._target.host, self._target.port, ssl=self._target.tls, limit=_READ_BYTES
        )
        return await self._ask(message)

    async def _ask(self, message: bytes) -> HttpReply:
        assert self._streams is not None
        reader, writer = self._streams
        writer.write(message)
        collected = _Collected()
        while not collected.is_complete:
            data = await reader.read(_READ_BYTES)
            if not data:
                raise asyncio.IncompleteReadError(b"", None)
            collected.parser.feed_data(data)
        if not collected.keeps_alive:
            await self.close()
        return HttpReply(collected.parser.get_status_code(), collected.headers, b"".join(collected.chunks))

    async def close(self) -> None:
        """Closes the connection, if there is one; the next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
