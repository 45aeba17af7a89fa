"""One client's request, and the way back to it."""

from __future__ import annotations

from aiohttp import web

from bridge.exact_response import ExactResponse
from bridge.headers import decode, origin_form, without
from bridge.upload import Upload
from bridge.upstream import StreamedReply
from connectors.base import Headers, Reply, Request


class Client:
    """A request under way: its head, its body, and its one reply."""

    def __init__(self, http: web.BaseRequest, *, keep_alive: bool) -> None:
        self._http = http
        self._keep_alive = keep_alive
        self.head = Request(http.method, origin_form(http.raw_path), decode(http.raw_headers))
        """The request without its body."""
        self.upload = Upload(http)
        self.response = ExactResponse(502, "", (), keep_alive=False)
        """What was sent last, or nothing yet."""

    async def answer(self, reply: Reply, *marks: tuple[str, str]) -> None:
        """Sends a whole reply and the bridge's own fields. Raises ``ConnectionError`` where the client is gone."""
        length = ("Content-Length", str(len(reply.body)))
        await self._begin(reply.status, reply.reason, (*without(reply.headers, "Content-Length"), length, *marks))
        await self.response.write_eof(reply.body)

    async def relay(self, reply: StreamedReply, *marks: tuple[str, str]) -> None:
        """Passes a reply on as it comes. Raises ``UpstreamError`` where it breaks off, ``ConnectionError`` as above."""
        await self._begin(reply.status, reply.reason, (*reply.headers, *marks))
        async for chunk in reply.chunks:
            await self.response.write(chunk)
        await self.response.write_eof()

    async def _begin(self, status: int, reason: str, headers: Headers) -> None:
        self.response = ExactResponse(status, reason, headers, keep_alive=self._keep_alive)
        await self.response.prepare(self._http)

    def break_off(self) -> None:
        """Aborts the connection: what was sent is no whole reply."""
        self.response.break_off(self._http)
