"""One search, from bytes in to bytes out.

The connector reads the search, the engine answers a wider one, the scorer scores the window, ranking orders it, and
the connector splices the page that the client asked for. At every step where something is not as it should be, the
client gets what the engine would have given it, and the reply says why.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol
from urllib.parse import quote

import structlog

from bridge.errors import DeadlineError, OverloadedError, ReplyTooLargeError, ScoringError, UpstreamError
from bridge.headers import CONTROL_HEADER, skipped
from bridge.logs import without_message
from bridge.ranking import Rule, order
from bridge.telemetry import Telemetry
from connectors.base import Connector, HitPage, Order, PassThrough, Policy, Reason, Reply, Request, SearchPlan

TIMING_HEADER = "Server-Timing"
_SERVER_ERRORS = range(500, 600)
_TOO_MANY_REQUESTS = 429
_OFF = "off"
_WINDOW_LIMIT_S = 60.0  # how long a window that an engine refused is remembered: the setting may be raised
_WINDOW_LIMITS = 1_000  # indices whose limits are remembered

_log = structlog.get_logger(__name__)


class Sender(Protocol):
    """What an exchange needs of the upstream."""

    async def send(self, request: Request, *, limit_bytes: int) -> Reply:
        """The engine's reply. Raises ``UpstreamError``, ``ReplyTooLargeError``."""
        ...


class Scores(Protocol):
    """What an exchange needs of the scorer."""

    @property
    def model_name(self) -> str:
        """The name that the reply tells."""
        ...

    async def score(self, query_text: str, texts: Sequence[str]) -> list[float | None]:
        """One score per text, None where there is none. Raises ``ScoringError``."""
        ...


class _Stopwatch:
    """Where a search's time goes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self.upstream_s = 0.0
        self.score_s = 0.0

    def since(self, moment: float) -> float:
        return self._clock() - moment

    def now(self) -> float:
        return self._clock()

    @property
    def bridge_s(self) -> float:
        """What is neither the engine's nor the model's."""
        return max(self.since(self._started) - self.upstream_s - self.score_s, 0.0)

    def header(self) -> tuple[str, str]:
        parts = (("upstream", self.upstream_s), ("score", self.score_s), ("bridge", self.bridge_s))
        return TIMING_HEADER, ", ".join(f"{name};dur={seconds * 1000:.1f}" for name, seconds in parts)


class _Fetched(NamedTuple):
    """The reply to a widened search, and its hits or why it has none."""

    reply: Reply
    page: HitPage | PassThrough


class Exchange:
    """Searches through the bridge. ``policy`` says what is wanted for the indices that a search names."""

    def __init__(  # noqa: PLR0913 - the parts of the bridge, each built elsewhere
        self,
        *,
        connector: Connector,
        upstream: Sender,
        scorer: Scores,
        policy: Callable[[tuple[str, ...]], Policy],
        rule: Rule,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connector = connector
        self._upstream = upstream
        self._scorer = scorer
        self._policy = policy
        self._rule = rule
        self._telemetry = telemetry
        self._clock = clock
        self._window_limits: dict[tuple[str, ...], tuple[int, float]] = {}

    def declines(self, head: Request) -> Reason | None:
        """Why a search passes through whatever its body says, or None."""
        word = head.header(CONTROL_HEADER)
        if word is None:
            return None
        if word.strip().lower() == _OFF:
            return Reason.OFF
        self._telemetry.unknown_word()
        return None

    async def search(self, request: Request) -> Reply | PassThrough:
        """The reply for the client, or why the search is to be forwarded as it came.

        Raises ``UpstreamError`` where the engine gives no whole answer, and nothing else.
        """
        try:
            return await self._search(request, _Stopwatch(self._clock))
        except UpstreamError:
            raise
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not become an error of the search
            return _surprise(error)

    async def _search(self, request: Request, watch: _Stopwatch) -> Reply | PassThrough:
        indices = self._connector.indices(request)
        plan = self._planned(request, indices)
        if isinstance(plan, PassThrough):
            return plan
        fetched = await self._fetch(plan, watch)
        limit = self._refused_window(fetched)
        if limit is not None and plan.start + plan.size <= limit:
            self._remember_window_limit(indices, limit)
            plan = self._planned(request, indices)
            if isinstance(plan, PassThrough):
                return plan
            fetched = await self._fetch(plan, watch)
        if isinstance(fetched, PassThrough):
            return fetched
        reply, page = fetched
        if reply.status == _TOO_MANY_REQUESTS or reply.status in _SERVER_ERRORS:
            return self._told(reply, Reason.ENGINE_ERROR, watch)
        if isinstance(page, PassThrough):
            return page  # asked anew as it came, so that an error is about the client's own
        return await self._rerank(plan, page, reply, watch)

    def _planned(self, request: Request, indices: tuple[str, ...]) -> SearchPlan | PassThrough:
        policy = self._policy(indices)
        limit, until = self._window_limits.get(indices, (policy.window, 0.0))
        if self._clock() < until:
            policy = replace(policy, window=min(policy.window, limit))
        return self._connector.plan(request, policy)

    async def _fetch(self, plan: SearchPlan, watch: _Stopwatch) -> _Fetched | PassThrough:
        started = watch.now()
        try:
            reply = await self._upstream.send(plan.request, limit_bytes=plan.max_reply_bytes)
        except ReplyTooLargeError:
            return PassThrough(Reason.REPLY_TOO_LARGE)
        finally:
            watch.upstream_s += watch.since(started)
        return _Fetched(reply, self._connector.parse(plan, reply))

    def _refused_window(self, fetched: _Fetched | PassThrough) -> int | None:
        """The window that an engine, or some of its indices, would have answered."""
        if isinstance(fetched, _Fetched) and isinstance(fetched.page, PassThrough):
            return self._connector.window_limit(fetched.reply)
        return None

    async def _rerank(self, plan: SearchPlan, page: HitPage, reply: Reply, watch: _Stopwatch) -> Reply:
        scores = page.skip or await self._score(plan, page, watch)
        if isinstance(scores, Reason):
            return self._told(self._connector.splice(plan, page, reply, None), scores, watch)
        ranked: Order = order(page.first_stage_scores, scores, self._rule)
        reply = self._connector.splice(plan, page, reply, ranked)
        is_whole = None not in scores
        self._telemetry.search_applied(watch.upstream_s, watch.score_s, watch.bridge_s, is_whole=is_whole)
        return _with_headers(reply, self._applied(scores), watch)

    async def _score(self, plan: SearchPlan, page: HitPage, watch: _Stopwatch) -> list[float | None] | Reason:
        started = watch.now()
        try:
            return await self._scorer.score(plan.query_text, [candidate.text for candidate in page.candidates])
        except ScoringError as error:
            # Late and overloaded searches come in crowds, and the metrics count them.
            tell = _log.debug if isinstance(error, DeadlineError | OverloadedError) else _log.warning
            tell("not scored", error=type(error).__name__, problem=str(error))
            return next(reason for kind, reason in _SCORING_REASONS if isinstance(error, kind))
        finally:
            watch.score_s += watch.since(started)

    def _remember_window_limit(self, indices: tuple[str, ...], limit: int) -> None:
        if len(self._window_limits) >= _WINDOW_LIMITS:
            self._window_limits.pop(next(iter(self._window_limits)))
        self._window_limits[indices] = (limit, self._clock() + _WINDOW_LIMIT_S)

    def _applied(self, scores: Sequence[float | None]) -> str:
        scored = len(scores) - scores.count(None)
        partly = f"; scored={scored}" if scored < len(scores) else ""
        return f"applied; window={len(scores)}; model={quote(self._scorer.model_name)}{partly}"

    def _told(self, reply: Reply, reason: Reason, watch: _Stopwatch) -> Reply:
        self._telemetry.search_skipped(reason)
        return _with_headers(reply, skipped(reason), watch)


_SCORING_REASONS: tuple[tuple[type[ScoringError], Reason], ...] = (
    (DeadlineError, Reason.DEADLINE),
    (OverloadedError, Reason.OVERLOADED),
    (ScoringError, Reason.MODEL_FAILED),
)


def _surprise(error: Exception) -> PassThrough:
    _log.error("unexpected", **without_message(error))
    return PassThrough(Reason.INTERNAL)


def _with_headers(reply: Reply, told: str, watch: _Stopwatch) -> Reply:
    return replace(reply, headers=(*reply.headers, (CONTROL_HEADER, told), watch.header()))
