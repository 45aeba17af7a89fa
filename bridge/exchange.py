"""One request with its searches, from bytes in to bytes out.

The connector reads the searches, the engine answers wider ones, the scorer scores the windows, ranking orders them, and
the connector splices the pages that the client asked for. At every step where something is not as it should be, the
client gets what the engine would have given it, and the reply says why.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Protocol

import structlog

from bridge.engine_answers import EngineAnswers, Sender
from bridge.errors import ReplyTooLargeError, UpstreamError
from bridge.explanation import Explanation, of_search
from bridge.guards import Guards, guards_of, organic
from bridge.headers import (
    CONTROL_HEADER,
    EXPLAIN,
    INSTRUCTION_HEADER,
    MAX_INSTRUCTION_CHARS,
    OFF,
    ON,
    SHADOW,
    control_words,
)
from bridge.interleave import interleaved
from bridge.logs import without_message
from bridge.long_work import LongWork
from bridge.modes import Lane, Steering, left_alone
from bridge.outcome import Scored, Tried, interleaving, told
from bridge.ranking import StageScores, Window, order
from bridge.stopwatch import Stopwatch
from bridge.telemetry import Telemetry
from connectors.base import (
    Connector,
    ExchangePlan,
    HitPage,
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
from connectors.explained import with_explanation

_WINDOW_LIMIT_S = 60.0  # how long a window that an engine refused is remembered: the setting may be raised
_WINDOW_LIMITS = 1_000  # indices whose limits are remembered
_MAX_ROUNDS = 4  # of questions: a template is rendered, then its mapping asked for; more would be a mistake

_log = structlog.get_logger(__name__)


class Scores(Protocol):
    """What an exchange needs of the scorers."""

    async def score(self, window: Window) -> Sequence[StageScores]:
        """What each stage gave the window, one at least."""
        ...


class Placements(Protocol):
    """What hears of searches in which first stage and models took turns."""

    def interleaved(self, request: Request, reply: Reply, placed: Tried) -> None:
        """Notes who placed the hits of the client's page; never raises."""
        ...


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
        steering: Steering | None = None,
        placements: Placements | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``steering`` says which searches are reranked; None: all that can be."""
        self._placements = placements
        self._work = LongWork()
        self._steering = steering or Steering()
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
        words = control_words(head.headers)
        reason = Reason.OFF if OFF in words else self._steering.declines()
        if reason is not None:
            # An id of ours means nothing to the engine, and its page still has to be cut: the connector sees to it.
            return reason if self._connector.forwarded(head) is head else None
        if words - {EXPLAIN, ON, SHADOW}:
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
        reason = self._steering.declines()
        if reason is not None and self._connector.forwarded(request) is request:
            return PassThrough(reason)
        plan = await self._planned(request, watch)
        if isinstance(plan, PassThrough):
            return plan
        left_out = self._left_alone(request, plan)
        if left_out is not None:
            return left_out
        reply, pages = await self._fetch(plan, watch)
        if self._learns_limits(plan, pages):
            plan = await self._planned(request, watch)
            if isinstance(plan, PassThrough):
                return plan
            reply, pages = await self._fetch(plan, watch)
        failed = [place for place, page in enumerate(pages) if _is_to_repeat(plan.searches[place], page)]
        if failed:
            # Asked anew as they came, so that an error is about the client's own search.
            merged = await self._again(plan, reply, failed, watch)
            if merged is None:
                return _passed_on(plan.searches[failed[0]], pages[failed[0]])
            reply = merged
        return await self._reranked(plan, pages, reply, request, watch)

    async def tried(self, request: Request) -> Sequence[Tried] | Reason:
        """What the searches of a request that are in shadow would have become, the others skipped; or why nothing.

        Nobody waits for it, and the engine is asked once more. Raises ``UpstreamError``, also where the engine has too
        much to do, ``ReplyTooLargeError``, and what a mistake raises.
        """
        watch = Stopwatch(self._clock)
        plan = await self._planned(request, watch, is_trial=True)
        if isinstance(plan, PassThrough):
            return plan.reason
        reply, pages = await self._fetch(plan, watch)
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise UpstreamError(reply.status, "the engine has too much to do")
        self._learns_limits(plan, pages)
        scored = await asyncio.gather(
            *(
                self._scored(search, page, request, is_trial=True)
                for search, page in zip(plan.searches, pages, strict=True)
            )
        )
        return [Tried(*parts) for parts in zip(plan.searches, pages, scored, strict=True)]

    def _left_alone(self, request: Request, plan: ExchangePlan) -> PassThrough | None:
        """Why no search of a plan is to be reranked, where the request can be passed on as it came."""
        searches = [search for search in plan.searches if isinstance(search, SearchPlan)]
        reason = left_alone([self._lane(request, search) for search in searches])
        if reason is None or self._connector.forwarded(request) is not request:
            return None
        return PassThrough(reason, read=searches[0], pattern=searches[0].policy.pattern)

    def _lane(self, request: Request, search: SearchPlan) -> Lane:
        return self._steering.lane(request, search.indices, search.query_text)

    async def _again(self, plan: ExchangePlan, reply: Reply, places: Sequence[int], watch: Stopwatch) -> Reply | None:
        """The reply with what these searches are answered as they came; None: the whole exchange has to be repeated."""
        again = self._connector.repeat(plan, places)
        if again is None:
            return None
        try:
            with watch.upstream():
                second = await self._upstream.send(again, limit_bytes=plan.max_reply_bytes)
        except UpstreamError as error:  # theirs alone: the other searches have been answered
            _log.warning("upstream failed", status=error.status, problem=error.problem)
            second = self._connector.error(error.status, error.problem)
        return self._connector.merged(plan, reply, places, second)

    async def _planned(
        self, request: Request, watch: Stopwatch, *, is_trial: bool = False
    ) -> ExchangePlan | PassThrough:
        answers: dict[Question, Reply | None] = {}
        named: list[tuple[str, ...]] = []

        def policy_of(indices: tuple[str, ...]) -> Policy:
            named.append(indices)
            return self._policy_of(indices)

        for _ in range(_MAX_ROUNDS):
            plan = await self._work.on_request(request, partial(self._connector.plan, request, policy_of, answers))
            if not isinstance(plan, Questions):
                return plan
            reason = None if is_trial else self._steering.early_reason(request, named)
            if reason is not None and self._connector.forwarded(request) is request:
                # Before the client has to wait for what the engine is asked.
                return PassThrough(reason, pattern=self._policy(named[0]).pattern)
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
        return reply, await self._work.on_reply(reply, partial(self._connector.parse, plan, reply))

    def _learns_limits(self, plan: ExchangePlan, pages: Sequence[Page]) -> bool:
        """Whether the engine refused a window, and would have answered the client's own page.

        Where no index is named, as beside a point in time, it is not known whose limit that is: other searches that
        name none may go elsewhere.
        """
        learned = False
        for search, page in zip(plan.searches, pages, strict=True):
            limit = page.window_limit if isinstance(page, PassThrough) else None
            if limit is None or not isinstance(search, SearchPlan) or not search.indices:
                continue
            if search.start + search.size <= limit:
                self._remember_window_limit(search.indices, limit)
                learned = True
        return learned

    def _remember_window_limit(self, indices: tuple[str, ...], limit: int) -> None:
        if len(self._window_limits) >= _WINDOW_LIMITS:
            self._window_limits.pop(next(iter(self._window_limits)))
        self._window_limits[indices] = (limit, self._clock() + _WINDOW_LIMIT_S)

    async def _reranked(
        self, plan: ExchangePlan, pages: Sequence[Page], reply: Reply, request: Request, watch: Stopwatch
    ) -> Reply | PassThrough:
        with watch.scoring():
            scored = await asyncio.gather(
                *(self._scored(search, page, request) for search, page in zip(plan.searches, pages, strict=True))
            )
        parts = zip(plan.searches, pages, scored, strict=True)
        useless = [place for place, one in enumerate(parts) if _is_of_no_use(*one)]
        if useless:
            pages = [_unread(page, scored[place]) if place in useless else page for place, page in enumerate(pages)]
            merged = await self._again(plan, reply, useless, watch)
            if merged is None:
                return _passed_on(plan.searches[useless[0]], pages[useless[0]])
            reply = merged
        orders = [search.order for search in scored]
        with watch.splicing():
            reply = await self._work.on_reply(reply, partial(self._connector.splice, plan, pages, reply, orders))
        self._count(plan, scored, watch)
        if not scored:
            return reply
        if EXPLAIN in control_words(request.headers):
            reply = self._explained(plan, pages, reply, scored, watch)
        if self._placements is not None:
            for placed in filter(Tried.is_interleaved, map(Tried, plan.searches, pages, scored)):
                self._placements.interleaved(request, reply, placed)
        marks = (
            (CONTROL_HEADER, told([search.outcome for search in scored]) + interleaving(scored)),
            watch.header([search.stages if search.reason is None else () for search in scored]),
        )
        return replace(reply, headers=(*reply.headers, *marks))

    def _count(self, plan: ExchangePlan, scored: Sequence[Scored], watch: Stopwatch) -> None:
        for search, found in zip(plan.searches, scored, strict=True):
            pattern = _pattern(search)
            if found.reason is not None:
                self._telemetry.search_skipped(found.reason, pattern)
            elif found.order is not None:
                self._telemetry.search_applied(pattern, found.stages, found.order)
        if any(found.reason is None for found in scored):
            self._telemetry.exchange_timed(watch.spent, plan.request.headers)

    def _explained(
        self, plan: ExchangePlan, pages: Sequence[Page], reply: Reply, scored: Sequence[Scored], watch: Stopwatch
    ) -> Reply:
        """The reply with its explanation; as it is where it is an error, or the explaining fails."""
        try:
            parts = zip(plan.searches, pages, scored, strict=True)
            searches = tuple(of_search(*search, self._connector.identity) for search in parts)
            explanation = Explanation(searches, watch.times())
            return with_explanation(reply, explanation, plan.max_reply_bytes) or reply
        except Exception as error:  # noqa: BLE001 - a mistake in explaining must not cost the search its order
            _log.error("not explained", **without_message(error))
            return reply

    async def _scored(
        self, search: SearchPlan | PassThrough, page: Page, request: Request, *, is_trial: bool = False
    ) -> Scored:
        if isinstance(search, PassThrough) or isinstance(page, PassThrough):
            return Scored(_reason(search if isinstance(search, PassThrough) else page))
        if page.skip is not None:
            return Scored(page.skip)
        lane = self._lane(request, search)
        if lane.reason is not None and not (is_trial and lane.reason is Reason.SHADOW):
            return Scored(lane.reason)
        guards = guards_of(search.policy, page.candidates)
        window = window_of(search, page, _instruction(request, search), guards)
        stages = await self._scores.score(window)
        first = stages[0]
        if not first.scored:
            return Scored(first.cut, stages, None, window)
        ranked = order(page.first_stage_scores, stages, guards)
        if not lane.interleaves:
            return Scored(None, stages, ranked, window)
        coins = self._steering.coins(request, search.indices, search.query_text)
        hits, teams = interleaved(ranked, len(window.texts), guards.pinned, coins)
        return Scored(None, stages, hits, window, teams)


def window_of(search: SearchPlan, page: HitPage, instruction: str, guards: Guards) -> Window:
    """What is scored of a page."""
    texts = tuple(candidate.text for candidate in page.candidates)
    return Window(
        query_text=search.query_text,
        texts=texts,
        first_stage_scores=organic(page.first_stage_scores[: len(texts)], guards.pinned),
        instruction=instruction,
        scoring=search.policy.scoring,
        first_stage_weight=search.policy.boost_weight if search.has_boosts else 0.0,
    )


def _is_to_repeat(search: SearchPlan | PassThrough, page: Page) -> bool:
    return isinstance(search, SearchPlan) and isinstance(page, PassThrough)


def _is_of_no_use(search: SearchPlan | PassThrough, page: Page, scored: Scored) -> bool:
    """Whether the client would get hits in an order that neither it asked for nor a model made."""
    is_in_first_stage_order = isinstance(page, HitPage) and scored.order is None
    is_reordered = isinstance(search, SearchPlan) and search.is_reordered
    return is_reordered and is_in_first_stage_order and scored.reason is not Reason.ENGINE_ERROR


def _unread(page: Page, scored: Scored) -> Page:
    return PassThrough(scored.reason) if scored.reason is not None else page


def _passed_on(search: SearchPlan | PassThrough, page: Page) -> PassThrough:
    """The decision to ask anew, with what was read of the search."""
    read = search if isinstance(search, SearchPlan) else None
    return PassThrough(_reason(page), read=read, pattern=_pattern(search))


def _pattern(search: SearchPlan | PassThrough) -> str | None:
    return search.policy.pattern if isinstance(search, SearchPlan) else search.pattern


def _reason(page: Page | SearchPlan) -> Reason:
    return page.reason if isinstance(page, PassThrough) else Reason.INTERNAL


def _instruction(request: Request, search: SearchPlan | PassThrough) -> str:
    own = request.header(INSTRUCTION_HEADER)
    if own is not None:
        return own.strip()[:MAX_INSTRUCTION_CHARS]
    return search.policy.instruction if isinstance(search, SearchPlan) else ""
