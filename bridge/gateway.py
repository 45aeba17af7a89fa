"""The client's side: each request is a page of ours, a search, or passed on as it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

import structlog
from aiohttp import web

from bridge.client import Client
from bridge.errors import UpstreamError
from bridge.explanation import of_skipped
from bridge.headers import CONTROL_HEADER, EXPLAIN, control_words, skipped, without
from bridge.logs import without_message
from bridge.rollout import Shadowed
from bridge.status import StatusPages, is_ours
from bridge.telemetry import Telemetry
from bridge.upload import chained, read_up_to
from bridge.upstream import StreamedReply, Upstream
from connectors.base import Connector, PassThrough, Reason, Reply, Request
from connectors.explained import with_explanation
from connectors.nodes import MAX_LIST_BYTES, NodeLists, readdressed

_MAX_EXPLAINED_BYTES = 16 << 20
"""Of a reply that is passed through with its explanation: several times a page of hits that a person reads."""

_log = structlog.get_logger(__name__)


class SearchExchange(Protocol):
    """What the gateway asks about a search."""

    def declines(self, head: Request) -> Reason | None:
        """Why a search is left alone, judged by its head alone; None: its body is needed."""
        ...

    async def search(self, request: Request) -> Reply | PassThrough:
        """The reply with its control headers, or why the search is to be passed on as it came."""
        ...


class Gateway:
    """Answers every request that reaches the bridge."""

    def __init__(  # noqa: PLR0913 - the composition root names each part
        self,
        *,
        connector: Connector,
        exchange: SearchExchange,
        upstream: Upstream,
        telemetry: Telemetry,
        status: StatusPages,
        max_search_body_bytes: int,
        nodes: NodeLists | None = None,
        heeds_clients: bool = True,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._connector = connector
        self._exchange = exchange
        self._upstream = upstream
        self._telemetry = telemetry
        self._status = status
        self._max_search_body_bytes = max_search_body_bytes
        self._nodes = nodes
        self._heeds_clients = heeds_clients
        self._clock = clock
        self._under_way = 0
        self._draining = False
        self._drained = asyncio.Event()
        self._drained.set()

    async def idle(self) -> None:
        """Returns when no request is under way."""
        await self._drained.wait()

    async def drained(self) -> None:
        """Returns when no request is under way; from now on connections are closed after their reply."""
        self._draining = True
        await self.idle()

    async def handle(self, http: web.BaseRequest) -> web.StreamResponse:
        """The reply to any request, written; errors of whatever kind end in it."""
        client = Client(http, keep_alive=not self._draining)
        with self._counted(client):
            try:
                await self._route(client)
            except UpstreamError as error:
                await self._fail(client, error)
            except ConnectionError:
                client.break_off()
            except Exception as error:  # noqa: BLE001 - no error of ours leaves a client without an answer
                _log.error("request failed", method=client.head.method, path=client.head.path, **without_message(error))
                await self._fail(client, UpstreamError(502, "the bridge failed; its log says why", "bridge"))
        return client.response

    async def _route(self, client: Client) -> None:
        head = client.head
        if is_ours(head.path):
            await client.answer(self._status.reply(head.method, head.path))
        elif head.method == "CONNECT":
            await client.answer(self._connector.error(405, "the bridge is no forward proxy"))
        elif self._connector.is_search(head.method, head.path):
            await self._search(client)
        else:
            self._telemetry.request_forwarded()
            await self._forward(client)

    async def _forward(self, client: Client) -> None:
        asked = self._nodes.asked(client.head) if self._nodes is not None else None
        if asked is None:
            async with self._upstream.stream(client.head, _body(client)) as reply:
                await client.relay(reply)
            return
        request, address = asked
        async with self._upstream.stream(request, _body(client)) as reply:
            await _send_changed(client, reply, MAX_LIST_BYTES, lambda nodes: readdressed(nodes, address))

    async def _search(self, client: Client) -> None:
        try:
            await self._rerank_or_skip(client)
        except UpstreamError as error:
            self._telemetry.search_skipped(Reason.ENGINE_ERROR)
            await self._fail(client, error, _skipped(Reason.ENGINE_ERROR))

    async def _rerank_or_skip(self, client: Client) -> None:
        head = client.head
        if not self._heeds_clients:
            head = replace(head, headers=without(head.headers, CONTROL_HEADER))
        reason = self._declined(head)
        if reason is not None:
            await self._skip(client, head, _body(client), PassThrough(reason))
            return
        chunks = client.upload.chunks()
        body, whole = await read_up_to(chunks, self._max_search_body_bytes)
        if not whole:
            await self._skip(client, head, chained(body, chunks), PassThrough(Reason.BODY_TOO_LARGE))
            return
        request = replace(head, body=body)
        outcome = await self._outcome(request)
        if isinstance(outcome, PassThrough):
            await self._skip(client, request, None, outcome)
        else:
            await client.answer(outcome)

    def _declined(self, head: Request) -> Reason | None:
        try:
            return self._exchange.declines(head)
        except Exception as error:  # noqa: BLE001 - no error of ours stops a search
            _log.error("search not understood", path=head.path, **without_message(error))
            return Reason.INTERNAL

    async def _outcome(self, request: Request) -> Reply | PassThrough:
        try:
            return await self._exchange.search(request)
        except UpstreamError:
            raise
        except Exception as error:  # noqa: BLE001 - no error of ours stops a search
            _log.error("search not reranked", path=request.path, **without_message(error))
            return PassThrough(Reason.INTERNAL)

    async def _skip(
        self, client: Client, request: Request, body: AsyncIterator[bytes] | None, why: PassThrough
    ) -> None:
        start = self._clock()
        async with self._upstream.stream(self._connector.forwarded(request), body) as reply:
            self._telemetry.search_skipped(why.reason, why.pattern)
            spent_s = self._clock() - start
            self._telemetry.skipped_timed(spent_s)
            marks = (_skipped(why.reason), ("Server-Timing", f"upstream;dur={spent_s * 1000:.1f}"))
            if EXPLAIN in control_words(request.headers):
                told, limit_bytes = of_skipped(why, spent_s), _MAX_EXPLAINED_BYTES
                await _send_changed(
                    client, reply, limit_bytes, lambda read: with_explanation(read, told, limit_bytes), *marks
                )
            else:
                await client.relay(reply, *marks)
            if isinstance(why, Shadowed):
                why.answered(reply.status)

    async def _fail(self, client: Client, error: UpstreamError, *marks: tuple[str, str]) -> None:
        """Says in the engine's envelope what went wrong, or breaks off what had begun."""
        self._telemetry.upstream_failed(error.status, error.kind)
        _log.warning("upstream failed", status=error.status, problem=error.problem, cause=_cause(error))
        if client.response.begun:
            client.break_off()
            return
        try:
            await client.answer(self._connector.error(error.status, error.problem), *marks)
        except ConnectionError:
            client.break_off()

    @contextmanager
    def _counted(self, client: Client) -> Iterator[None]:
        self._telemetry.request_started()
        self._under_way += 1
        self._drained.clear()
        try:
            yield
        finally:
            self._telemetry.request_ended(client.response.status if client.response.begun else None)
            self._under_way -= 1
            if not self._under_way:
                self._drained.set()


def _body(client: Client) -> AsyncIterator[bytes] | None:
    return client.upload.chunks() if client.upload.has_body else None


async def _send_changed(
    client: Client,
    reply: StreamedReply,
    limit_bytes: int,
    change: Callable[[Reply], Reply | None],
    *marks: tuple[str, str],
) -> None:
    """Sends what ``change`` makes of the reply; as it came where that is nothing, or the reply is over the limit."""
    body, whole = await read_up_to(reply.chunks, limit_bytes)
    changed = change(Reply(reply.status, reply.reason, reply.headers, body)) if whole else None
    if changed is None:
        await client.relay(replace(reply, chunks=chained(body, reply.chunks)), *marks)
    else:
        await client.answer(changed, *marks)


def _skipped(reason: Reason) -> tuple[str, str]:
    return CONTROL_HEADER, skipped(reason)


def _cause(error: UpstreamError) -> str:
    """What the log says of a foreign error: its text only where it is the system's, as others quote headers."""
    cause = error.__cause__
    return f"{type(cause).__name__}: {cause}" if isinstance(cause, OSError) else type(cause).__name__
