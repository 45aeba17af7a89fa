"""A client's request body, read no faster than it is passed on."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import HttpVersion11, web

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Upload:
    """The body of one request, as it comes and still content-encoded.

    A client that waits for ``100 Continue`` gets it when the first chunk is wanted: for a streamed request that is
    when the engine said so, and an engine that refuses beforehand is heard before anything is sent.
    """

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._awaited = request.version >= HttpVersion11 and request.headers.get("Expect", "").lower() == "100-continue"
        self.broken = False
        """Whether the client broke off, or framed its body wrongly."""

    @property
    def has_body(self) -> bool:
        """Whether the request has a body at all."""
        return self._request.body_exists

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body's chunks; may be read in part, and further by somebody else."""
        if self._awaited:
            await self._request.writer.write(_CONTINUE)
        try:
            async for chunk in self._request.content.iter_any():
                yield chunk
        except Exception:
            self.broken = True
            raise


async def read_up_to(chunks: AsyncIterator[bytes], limit_bytes: int) -> tuple[bytes, bool]:
    """What could be read, and whether that is all; where it is not, more than the limit was read."""
    parts, size = [], 0
    async for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > limit_bytes:
            return b"".join(parts), False
    return b"".join(parts), True


async def chained(begin: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A body whose begin was read already."""
    yield begin
    async for chunk in rest:
        yield chunk
