"""What is found out before reranking is shown: what would have changed, and who placed which hit.

A search in shadow is passed on as it came. Once the client has its page, the bridge asks the engine for the window and
scores it, a bounded number of searches at a time, and none while the engine has trouble; what comes beyond is left out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from types import TracebackType
from typing import Literal, Protocol, Self

import msgspec
import structlog

from bridge.errors import ReplyTooLargeError, UpstreamError
from bridge.interleave import Team
from bridge.line_log import LineLog
from bridge.logs import without_message
from bridge.outcome import Scored, Tried
from bridge.telemetry import Telemetry, overlap
from connectors.base import HitPage, PassThrough, Reason, Reply, Request, SearchPlan
from connectors.plain_body import plain_body

PREFIX = "rollout"
VERSION = 1
TOP = 10
"""Hits of a first page: what the engines show by default."""
_STRUGGLES_S = 10.0  # for which an engine that failed is spared: the `upstream_retry_after_s` of an address
_MAX_BODY_BYTES = 1 << 20
_RUNS_ON = ("_async_search", "_asynchronous_search")  # what the engine would keep, were it asked twice

_log = structlog.get_logger(__name__)

Identity = Callable[[HitPage, int], Mapping[str, object]]
"""What names the hit at a place of a page to the client."""


@dataclass(frozen=True, slots=True)
class Shadowed(PassThrough):
    """The decision to leave an exchange as the engine has it, and to look at it once the client has its page."""

    answered: Callable[[int], None] = field(kw_only=True, compare=False)
    """To be told the status that the client got."""


class LoggedHit(msgspec.Struct, frozen=True, omit_defaults=True, rename={"index": "_index", "id": "_id"}):
    """A hit of a line."""

    index: object
    id: object
    rank: int
    first_stage_rank: int
    placed_by: Team | None = None


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One search, as a line of JSON."""

    mode: Literal["shadow", "interleave"]
    rerank_bridge_rollout: int = msgspec.field(default_factory=lambda: VERSION)
    """The version of the format."""
    at_s: float = 0.0
    """Seconds since 1970."""
    indices: tuple[str, ...] = ()
    query_text: str = ""
    opaque_id: str | None = None
    """The client's own name for the request (``X-Opaque-Id``)."""
    ubi_query_id: str | None = None
    """What events of User Behavior Insights name the search by."""
    top_changed: bool | None = None
    overlap_at_10: float | None = None
    hits: tuple[LoggedHit, ...] = ()


class RolloutLog:
    """Writes what was found out, search by search."""

    def __init__(self, lines: LineLog, identity: Identity, clock: Callable[[], float] = time.time) -> None:
        self._lines = lines
        self._identity = identity
        self._clock = clock

    def interleaved(self, request: Request, reply: Reply, placed: Tried) -> None:
        """Notes who placed the hits of a page that the client got; never raises."""
        search = placed.search
        if isinstance(search, SearchPlan):
            end = min(search.start + search.size, len(placed.scored.teams))
            query_id = _ubi_query_id(reply.body) or _ubi_query_id(plain_body(request, _MAX_BODY_BYTES) or b"")
            self._put(request, placed, Line("interleave", ubi_query_id=query_id), range(search.start, end))

    def shadowed(self, request: Request, tried: Tried) -> None:
        """Notes the hits that would have been the best; never raises."""
        order = tried.scored.order or ()
        changed = Line("shadow", top_changed=bool(order[0].first_stage_index), overlap_at_10=overlap(order, TOP))
        self._put(request, tried, changed, range(min(TOP, len(order))))

    def _put(self, request: Request, tried: Tried, line: Line, shown: Iterable[int]) -> None:
        search, page, scored = tried
        if not isinstance(search, SearchPlan) or not isinstance(page, HitPage) or scored.order is None:
            return
        try:
            whole = msgspec.structs.replace(
                line,
                at_s=round(self._clock(), 3),
                indices=search.indices,
                query_text=search.query_text,
                opaque_id=_encodable(request.header("X-Opaque-Id")),
                hits=tuple(self._hit(page, scored, place) for place in shown),
            )
        except Exception as error:  # noqa: BLE001 - a mistake in a log must not cost the search its order
            _log.error("not logged", **without_message(error))
        else:
            self._lines.put(whole)

    def _hit(self, page: HitPage, scored: Scored, place: int) -> LoggedHit:
        first_stage = scored.order[place].first_stage_index if scored.order else place
        named = self._identity(page, first_stage)
        team = scored.teams[place] if scored.teams else None
        return LoggedHit(named.get("_index"), named.get("_id"), place + 1, first_stage + 1, team)


class Shadows:
    """Scores searches that nobody waits for; use it as an async context manager."""

    def __init__(
        self,
        tried: Callable[[Request], Awaitable[Sequence[Tried] | Reason]],
        telemetry: Telemetry,
        limit: int,
        log: RolloutLog | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``limit`` is how many may be under way at a time."""
        self._tried = tried
        self._telemetry = telemetry
        self._limit = limit
        self._log = log
        self._clock = clock
        self._spared_until = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def begin(self, request: Request, status: int) -> None:
        """Looks at a search that the client was answered with this status, unless that is too much now."""
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._spare_engine()
        left_out = self._left_out(request, status)
        if left_out is not None:
            self._telemetry.search_shadowed(left_out)
            return
        task = asyncio.create_task(self._look(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _left_out(self, request: Request, status: int) -> str | None:
        if self._clock() < self._spared_until:
            return "engine"
        if status != HTTPStatus.OK or any(name in request.path for name in _RUNS_ON):
            return "not-reranked"
        return "busy" if len(self._tasks) >= self._limit else None

    def _spare_engine(self) -> None:
        self._spared_until = self._clock() + _STRUGGLES_S

    async def _look(self, request: Request) -> None:
        try:
            found = await self._tried(request)
            for tried in [] if isinstance(found, Reason) else found:
                self._note(request, tried)
            if isinstance(found, Reason):
                self._telemetry.search_shadowed("not-reranked")
        except UpstreamError:
            self._spare_engine()
            self._telemetry.search_shadowed("engine")
        except ReplyTooLargeError:
            self._telemetry.search_shadowed("not-reranked")
        except Exception as error:  # noqa: BLE001 - nobody waits for it
            _log.error("search in shadow failed", **without_message(error))
            self._telemetry.search_shadowed("failed")

    def _note(self, request: Request, tried: Tried) -> None:
        if not isinstance(tried.search, SearchPlan) or tried.scored.order is None:
            self._telemetry.search_shadowed("not-reranked")
            return
        self._telemetry.search_shadowed("yes")
        self._telemetry.shadow_compared(tried.search.policy.pattern, tried.scored.order)
        if self._log is not None:
            self._log.shadowed(request, tried)


class SearchExchange(Protocol):
    """What answers searches; see ``bridge.gateway``."""

    def declines(self, head: Request) -> Reason | None:
        """Why a search is left alone, judged by its head alone; None: its body is needed."""
        ...

    async def search(self, request: Request) -> Reply | PassThrough:
        """The reply, or why the search is to be passed on as it came."""
        ...


class ShadowingExchange:
    """Has the searches that an exchange leaves alone for being in shadow looked at."""

    def __init__(self, exchange: SearchExchange, shadows: Shadows) -> None:
        self._exchange = exchange
        self._shadows = shadows

    def declines(self, head: Request) -> Reason | None:
        """As the exchange."""
        return self._exchange.declines(head)

    async def search(self, request: Request) -> Reply | PassThrough:
        """As the exchange; in shadow, the caller says when the client has its page."""
        outcome = await self._exchange.search(request)
        if not isinstance(outcome, PassThrough) or outcome.reason is not Reason.SHADOW:
            return outcome
        begin = partial(self._shadows.begin, request)
        return Shadowed(Reason.SHADOW, read=outcome.read, pattern=outcome.pattern, answered=begin)


class _Ubi(msgspec.Struct):
    query_id: str | None = None


class _Extensions(msgspec.Struct):
    ubi: _Ubi | None = None


class _Extended(msgspec.Struct):
    ext: _Extensions | None = None


def _ubi_query_id(body: bytes) -> str | None:
    """As the plugin of OpenSearch has it in requests and replies (docs.opensearch.org/latest/search-plugins/ubi)."""
    try:
        found = msgspec.json.decode(body, type=_Extended)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found.ext.ubi.query_id if found.ext is not None and found.ext.ubi is not None else None


def _encodable(text: str | None) -> str | None:
    return None if text is None else text.encode(errors="replace").decode()
