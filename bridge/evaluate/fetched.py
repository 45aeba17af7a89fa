"""One search's first stage, fetched once and read as bridges with one window or another would read it.

The connector plans and parses for each window, as in ``bridge.exchange``: which texts a model gets, which hits are
guarded and why a search is left alone is what it would be there. Where the plans of several windows send the engine
the same request, it is sent once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from bridge.engine_answers import EngineAnswers, Sender
from bridge.errors import DataError, UpstreamError
from bridge.exchange import window_of
from bridge.guards import Guards, guards_of
from bridge.ranking import Window
from connectors.base import (
    Connector,
    ExchangePlan,
    HitPage,
    PassThrough,
    Policy,
    PolicyOf,
    Question,
    Questions,
    Reply,
    Request,
    SearchPlan,
)

_OK = 200
_MAX_ROUNDS = 4  # of questions, as in an exchange
_MAX_REPLY_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Readable:
    """A page that would be reranked."""

    window: Window
    first_stage_scores: tuple[float, ...]
    """Of all hits fetched."""
    guards: Guards
    ids: tuple[str, ...]
    """Of the same hits, in first-stage order."""


@dataclass(frozen=True, slots=True)
class FirstStage:
    """What was fetched for one search."""

    plain: tuple[str, ...]
    """The ids of what its client gets from the engine alone, best first."""
    pages: Mapping[int, Readable | None]
    """By window, in the order asked for; None where a bridge would leave the search alone."""


class FirstStages:
    """Fetches searches. ``policy_of`` says what is wanted, but for the window."""

    def __init__(self, connector: Connector, upstream: Sender, policy_of: PolicyOf) -> None:
        self._connector = connector
        self._upstream = upstream
        self._policy_of = policy_of
        self._answers = EngineAnswers(upstream, time.monotonic)

    async def fetch(self, request: Request, windows: Sequence[int]) -> FirstStage:
        """The first stage of a request for one search, which asks for as many hits as the widest window.

        Raises ``UpstreamError`` where the engine does not answer it, ``DataError`` where it allows no such window.
        """
        replies: dict[Request, Reply] = {}
        plain: tuple[str, ...] = ()
        pages: dict[int, Readable | None] = {}
        for window in windows:
            page, shown = await self._page(request, window, replies)
            pages[window] = page
            plain = plain or shown
        return FirstStage(plain or await self._plain(request, replies), pages)

    async def _page(
        self, request: Request, window: int, replies: dict[Request, Reply]
    ) -> tuple[Readable | None, tuple[str, ...]]:
        """What is reranked, if anything, and what is shown otherwise, as far as that is known from the same reply."""
        plan = await self._planned(request, lambda indices: replace(self._policy_of(indices), window=window))
        if isinstance(plan, PassThrough):
            return None, ()
        (search,) = plan.searches
        reply = await self._reply(plan.request, replies)
        (page,) = self._connector.parse(plan, reply)
        if isinstance(search, PassThrough) or isinstance(page, PassThrough):
            _check_limit(page, window)
            return None, ()
        if page.skip is not None:
            return None, ()
        readable = self._readable(search, page)
        return readable, () if search.is_reordered else readable.ids

    def _readable(self, search: SearchPlan, page: HitPage) -> Readable:
        guards = guards_of(search.policy, page.candidates)
        ids = tuple(str(self._connector.identity(page, place)["_id"]) for place in range(len(page.first_stage_scores)))
        window = window_of(search, page, search.policy.instruction, guards)
        return Readable(window, page.first_stage_scores, guards, ids)

    async def _planned(self, request: Request, policy_of: Callable[[tuple[str, ...]], Policy]) -> _Plan:
        answers: dict[Question, Reply | None] = {}
        for _ in range(_MAX_ROUNDS):
            plan = self._connector.plan(request, policy_of, answers)
            if not isinstance(plan, Questions):
                return plan
            answers |= await self._answers.of(plan.questions)
        raise RuntimeError("a plan that needs ever more answers")

    async def _plain(self, request: Request, replies: dict[Request, Reply]) -> tuple[str, ...]:
        reply = await self._reply(request, replies)
        if reply.status != _OK:
            raise UpstreamError(
                502, f"the search was answered {reply.status}: {reply.body[:500].decode(errors='replace')}"
            )
        return tuple(hit.id for hit in _BODY.decode(reply.body).hits.hits)

    async def _reply(self, request: Request, replies: dict[Request, Reply]) -> Reply:
        if request not in replies:
            replies[request] = await self._upstream.send(request, limit_bytes=_MAX_REPLY_BYTES)
        return replies[request]


def _check_limit(page: HitPage | PassThrough, window: int) -> None:
    limit = page.window_limit if isinstance(page, PassThrough) else None
    if limit is not None:
        raise DataError(f"a window of {window}", f"the engine gives {limit} hits at most (index.max_result_window)")


_Plan = ExchangePlan | PassThrough


class _Hit(msgspec.Struct):
    id: str = msgspec.field(name="_id")


class _Hits(msgspec.Struct):
    hits: list[_Hit]


class _Body(msgspec.Struct):
    hits: _Hits


_BODY = msgspec.json.Decoder(_Body)
