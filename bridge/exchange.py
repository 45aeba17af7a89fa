"""One request with its searches, from bytes in to bytes out.

The connector reads the searches, the engine answers wider ones, the scorer scores the windows, ranking orders them, and
the connector splices the pages that the client asked for. At every step where something is not as it should be, the
client gets what the engine would have given it, and the reply says why.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from bridge.engine_answers import EngineAnswers, Sender
from bridge.errors import ReplyTooLargeError, UpstreamError
from bridge.headers import CONTROL_HEADER, INSTRUCTION_HEADER, MAX_INSTRUCTION_CHARS
from bridge.logs import without_message
from bridge.outcome import told
from bridge.ranking import StageScores, Window, order
from bridge.stopwatch import Stopwatch
from bridge.telemetry import Telemetry
from connectors.base import (
    Connector,
    ExchangePlan,
    Order,
    Page,
    PassThrough,
    Policy,
    Question,
    Questions,
    Reason,
    Reply,
    Request,
    SearchPlan,
)

_OFF = "off"
_WINDOW_LIMIT_S = 60.0  # how long a window that an engine refused is remembered: the setting may be raised
_WINDOW_LIMITS = 1_000  # indices whose limits are remembered
_MAX_ROUNDS = 4  # of questions: a template is rendered, then its mapping asked for; more would be a mistake

_log = structlog.get_logger(__name__)


class Scores(Protocol):
    """What an exchange needs of the scorers."""

    async def score(self, window: Window) -> Sequence[StageScores]:
        """What each stage gave the window, one at least."""
        ...


@dataclass(frozen=True, slots=True)
class _Scored:
    """What became of one search."""

    reason: Reason | None
    """Why it is in first-stage order; None where it is reranked."""
    stages: Sequence[StageScores] = ()
    order: Order | None = None


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
        self._answers = EngineAnswers(upstream, clock)
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
        """The reply for the client, or why the request is to be forwarded as it came.

        Raises ``UpstreamError`` where the engine gives no whole answer, and nothing else.
        """
        try:
            return await self._search(request, Stopwatch(self._clock))
        except UpstreamError:
            raise
        except ReplyTooLargeError:
            return PassThrough(Reason.REPLY_TOO_LARGE)
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not become an error of the search
            _log.error("unexpected", **without_message(error))
            return PassThrough(Reason.INTERNAL)

    async def _search(self, request: Request, watch: Stopwatch) -> Reply | PassThrough:
        plan = await self._planned(request, watch)
        if isinstance(plan, PassThrough):
            return plan
        reply, pages = await self._fetch(plan, watch)
        if self._learns_limits(plan, pages):
            plan = await self._planned(request, watch)
            if isinstance(plan, PassThrough):
                return plan
            reply, pages = await self._fetch(plan, watch)
        failed = [place for place, page in enumerate(pages) if _is_to_repeat(plan.searches[place], page)]
        if failed:
            # Asked anew as they came, so that an error is about the client's own search.
            again = self._connector.repeat(plan, failed)
            if again is None:
                return PassThrough(_reason(pages[failed[0]]))
            with watch.upstream():
                second = await self._upstream.send(again, limit_bytes=plan.max_reply_bytes)
            reply = self._connector.merged(plan, reply, failed, second)
        return await self._reranked(plan, pages, reply, request, watch)

    async def _planned(self, request: Request, watch: Stopwatch) -> ExchangePlan | PassThrough:
        answers: dict[Question, Reply | None] = {}
        for _ in range(_MAX_ROUNDS):
            plan = self._connector.plan(request, self._policy_of, answers)
            if not isinstance(plan, Questions):
                return plan
            with watch.upstream():
                answers |= await self._answers.of(plan.questions)
        raise RuntimeError("a plan that needs ever more answers")

    def _policy_of(self, indices: tuple[str, ...]) -> Policy:
        policy = self._policy(indices)
        limit, until = self._window_limits.get(indices, (policy.window, 0.0))
        return replace(policy, window=min(policy.window, limit)) if self._clock() < until else policy

    async def _fetch(self, plan: ExchangePlan, watch: Stopwatch) -> tuple[Reply, Sequence[Page]]:
        with watch.upstream():
            reply = await self._upstream.send(plan.request, limit_bytes=plan.max_reply_bytes)
        return reply, self._connector.parse(plan, reply)

    def _learns_limits(self, plan: ExchangePlan, pages: Sequence[Page]) -> bool:
        """Whether the engine refused a window, and would have answered the client's own page."""
        learned = False
        for search, page in zip(plan.searches, pages, strict=True):
            limit = page.window_limit if isinstance(page, PassThrough) else None
            if limit is not None and isinstance(search, SearchPlan) and search.start + search.size <= limit:
                self._remember_window_limit(search.indices, limit)
                learned = True
        return learned

    def _remember_window_limit(self, indices: tuple[str, ...], limit: int) -> None:
        if len(self._window_limits) >= _WINDOW_LIMITS:
            self._window_limits.pop(next(iter(self._window_limits)))
        self._window_limits[indices] = (limit, self._clock() + _WINDOW_LIMIT_S)

    async def _reranked(
        self, plan: ExchangePlan, pages: Sequence[Page], reply: Reply, request: Request, watch: Stopwatch
    ) -> Reply:
        with watch.scoring():
            scored = await asyncio.gather(
                *(
                    self._scored(search, page, _instruction(request, search))
                    for search, page in zip(plan.searches, pages, strict=True)
                )
            )
        reply = self._connector.splice(plan, pages, reply, [search.order for search in scored])
        for search in scored:
            if search.reason is None:
                self._telemetry.search_applied(watch.upstream_s, watch.score_s, watch.bridge_s, search.stages)
            else:
                self._telemetry.search_skipped(search.reason)
        if not scored:
            return reply
        outcomes = [search.reason or search.stages for search in scored]
        marks = ((CONTROL_HEADER, told(outcomes)), watch.header([search.stages for search in scored]))
        return replace(reply, headers=(*reply.headers, *marks))

    async def _scored(self, search: SearchPlan | PassThrough, page: Page, instruction: str) -> _Scored:
        if isinstance(search, PassThrough) or isinstance(page, PassThrough):
            return _Scored(_reason(search if isinstance(search, PassThrough) else page))
        if page.skip is not None:
            return _Scored(page.skip)
        texts = tuple(candidate.text for candidate in page.candidates)
        window = Window(search.query_text, texts, page.first_stage_scores[: len(texts)], instruction)
        stages = await self._scores.score(window)
        first = stages[0]
        if not first.scored:
            return _Scored(first.cut)
        return _Scored(None, stages, order(page.first_stage_scores, stages))


def _is_to_repeat(search: SearchPlan | PassThrough, page: Page) -> bool:
    return isinstance(search, SearchPlan) and isinstance(page, PassThrough)


def _reason(page: Page | SearchPlan) -> Reason:
    return page.reason if isinstance(page, PassThrough) else Reason.INTERNAL


def _instruction(request: Request, search: SearchPlan | PassThrough) -> str:
    own = request.header(INSTRUCTION_HEADER)
    if own is not None:
        return own.strip()[:MAX_INSTRUCTION_CHARS]
    return search.policy.instruction if isinstance(search, SearchPlan) else ""
