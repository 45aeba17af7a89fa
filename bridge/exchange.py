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

from bridge.errors import ReplyTooLargeError, UpstreamError
from bridge.headers import CONTROL_HEADER, INSTRUCTION_HEADER, MAX_INSTRUCTION_CHARS, skipped
from bridge.logs import without_message
from bridge.ranking import StageScores, Window, order
from bridge.telemetry import Telemetry
from connectors.base import Connector, HitPage, PassThrough, Policy, Reason, Reply, Request, SearchPlan

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
    """What an exchange needs of the scorers."""

    async def score(self, window: Window) -> Sequence[StageScores]:
        """What each stage gave the window, one at least."""
        ...


class _Stopwatch:
    """Where a search's time goes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self.upstream_s = 0.0
        self.score_s = 0.0
        self.stages: Sequence[StageScores] = ()

    def since(self, moment: float) -> float:
        return self._clock() - moment

    def now(self) -> float:
        return self._clock()

    @property
    def bridge_s(self) -> float:
        """What is neither the engine's nor the model's."""
        return max(self.since(self._started) - self.upstream_s - self.score_s, 0.0)

    def header(self) -> tuple[str, str]:
        parts = (
            _timing("upstream", self.upstream_s),
            *(f'{_timing("score", stage.seconds)};desc="{quote(stage.model_name)}"' for stage in self.stages),
            _timing("bridge", self.bridge_s),
        )
        return TIMING_HEADER, ", ".join(parts)


def _timing(part: str, seconds: float) -> str:
    return f"{part};dur={seconds * 1000:.1f}"


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
        scores: Scores,
        policy: Callable[[tuple[str, ...]], Policy],
        telemetry: Telemetry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connector = connector
        self._upstream = upstream
        self._scores = scores
        self._policy = policy
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
        policy = self._policy(indices)
        plan = self._planned(request, indices, policy)
        if isinstance(plan, PassThrough):
            return plan
        fetched = await self._fetch(plan, watch)
        limit = self._refused_window(fetched)
        if limit is not None and plan.start + plan.size <= limit:
            self._remember_window_limit(indices, limit)
            plan = self._planned(request, indices, policy)
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
        return await self._rerank(plan, page, reply, _instruction(request, policy), watch)

    def _planned(self, request: Request, indices: tuple[str, ...], policy: Policy) -> SearchPlan | PassThrough:
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

    async def _rerank(
        self, plan: SearchPlan, page: HitPage, reply: Reply, instruction: str, watch: _Stopwatch
    ) -> Reply:
        reason = page.skip or await self._score(plan, page, instruction, watch)
        if reason is not None:
            return self._told(self._connector.splice(plan, page, reply, None), reason, watch)
        reply = self._connector.splice(plan, page, reply, order(page.first_stage_scores, watch.stages))
        self._telemetry.search_applied(watch.upstream_s, watch.score_s, watch.bridge_s, watch.stages)
        return _with_headers(reply, _applied(watch.stages), watch)

    async def _score(self, plan: SearchPlan, page: HitPage, instruction: str, watch: _Stopwatch) -> Reason | None:
        """Why there is no order; None where the stages that the watch then has give one."""
        texts = tuple(candidate.text for candidate in page.candidates)
        window = Window(plan.query_text, texts, page.first_stage_scores[: len(texts)], instruction)
        started = watch.now()
        try:
            watch.stages = await self._scores.score(window)
        finally:
            watch.score_s += watch.since(started)
        first = watch.stages[0]
        return first.cut if not first.scored else None

    def _remember_window_limit(self, indices: tuple[str, ...], limit: int) -> None:
        if len(self._window_limits) >= _WINDOW_LIMITS:
            self._window_limits.pop(next(iter(self._window_limits)))
        self._window_limits[indices] = (limit, self._clock() + _WINDOW_LIMIT_S)

    def _told(self, reply: Reply, reason: Reason, watch: _Stopwatch) -> Reply:
        self._telemetry.search_skipped(reason)
        return _with_headers(reply, skipped(reason), watch)


def _instruction(request: Request, policy: Policy) -> str:
    own = request.header(INSTRUCTION_HEADER)
    return policy.instruction if own is None else own.strip()[:MAX_INSTRUCTION_CHARS]


def _applied(stages: Sequence[StageScores]) -> str:
    """The control header's value: with numbers of texts scored where there are several stages, or some have none."""
    window, first, last = len(stages[0].scores), stages[0], stages[-1]
    parts = ["applied", f"window={window}", "model=" + ",".join(quote(stage.model_name) for stage in stages)]
    if len(stages) > 1 or first.scored < window:
        parts.append("scored=" + ",".join(str(stage.scored) for stage in stages))
    if last.cut is not None:
        parts.append(f"cut={last.cut.value}")
    return "; ".join(parts)


def _surprise(error: Exception) -> PassThrough:
    _log.error("unexpected", **without_message(error))
    return PassThrough(Reason.INTERNAL)


def _with_headers(reply: Reply, told: str, watch: _Stopwatch) -> Reply:
    return replace(reply, headers=(*reply.headers, (CONTROL_HEADER, told), watch.header()))
