"""A reply that leaves the bridge as it is: aiohttp adds no field to it and changes none."""

from __future__ import annotations

import re
import socket
import struct
from http import HTTPStatus

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from connectors.base import Headers, header

_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""Not allowed in a header line (RFC 9110 5.5): a line break there would begin another field."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""``struct linger``: on, for no time (socket(7))."""
_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class ExactResponse(web.StreamResponse):
    """A streamed reply with exactly these header fields, and those that frame it on this connection.

    The head waits for the first chunk, so that a short reply is one packet.
    """

    def __init__(self, status: int, reason: str, headers: Headers, *, keep_alive: bool = True) -> None:
        super().__init__(status=status, reason=reason)
        self._fields = headers
        self._kept_open = keep_alive
        self._writer: AbstractStreamWriter | None = None
        self._head = b""
        self._chunks = False
        self._bodiless = False

    @property
    def keep_alive(self) -> bool:
        """Whether the connection serves another request afterwards."""
        return self._kept_open

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Settles the framing. Raises ``ValueError`` where a field would break the head."""
        if self._writer is None:
            self._bodiless = request.method == "HEAD" or self.status in _WITHOUT_BODY
            framed = self._bodiless or header(self._fields, "Content-Length") is not None
            modern = request.version >= HttpVersion11
            self._chunks = modern and not framed
            self._kept_open = self._kept_open and request.keep_alive and (framed or modern)
            self._head = self._written_head(modern=modern)
            self._writer = request.writer
        return self._writer

    def _written_head(self, *, modern: bool) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {self.reason}", *(f"{name}: {value}" for name, value in self._fields)]
        if self._chunks:
            lines.append("Transfer-Encoding: chunked")
        if self._kept_open != modern:
            lines.append(f"Connection: {'keep-alive' if self._kept_open else 'close'}")
        if any(map(_FORBIDDEN.search, lines)):
            raise ValueError("a header field with a control character")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Sends a chunk, and waits while the client does not read. Raises ``ConnectionError``."""
        if self._writer is None:
            raise RuntimeError("prepare() comes first")
        if self._bodiless or not data:
            return
        if not self._head:
            await self._writer.write(data)
            return
        chunk = bytes(data)
        head, self._head = self._head, b""
        await self._writer.write(head + (b"%x\r\n%b\r\n" % (len(chunk), chunk) if self._chunks else chunk))
        if self._chunks:
            self._writer.enable_chunking()

    async def write_eof(self, data: bytes = b"") -> None:
        """Ends the reply. Raises ``ConnectionError``."""
        await self.write(data)
        if self._writer is None or self._eof_sent:
            return
        self._eof_sent = True
        if self._head:
            head, self._head = self._head, b""
            await self._writer.write(head + (b"0\r\n\r\n" if self._chunks else b""))
        else:
            await self._writer.write_eof()

    @property
    def begun(self) -> bool:
        """Whether the client may have read some of it."""
        return self._writer is not None and not self._head

    def break_off(self, request: web.BaseRequest) -> None:
        """Resets the connection, so that the client can't take what it has for the whole.

        A plain close would do for replies of a known length or in chunks, but not for those that end by it.
        """
        self._kept_open = False
        self._eof_sent = True
        if request.transport is not None:
            request.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            request.transport.abort()
