"""Requests that hold several searches, or a template, sent both ways to a real engine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.base import (
    Connector,
    ExchangePlan,
    HitPage,
    Order,
    Page,
    PassThrough,
    Question,
    Questions,
    RankedHit,
    Reason,
    Reply,
    Request,
    SearchPlan,
)
from tests.connectors.small_engine import OK, POLICY, SmallEngine

NDJSON = ("Content-Type", "application/x-ndjson")


@dataclass(frozen=True)
class Several:
    """A widened request for several searches, and the engine's reply to it."""

    connector: Connector
    plan: ExchangePlan
    pages: Sequence[Page]
    reply: Reply

    def splice(self, orders: Sequence[Order | None] | None = None) -> Reply:
        return self.connector.splice(self.plan, self.pages, self.reply, orders or [None] * len(self.pages))

    def reversed_pages(self) -> list[Order | None]:
        """An order for each search that can be reranked: the client's page turned round."""
        return [_reversed_page(search, page) for search, page in zip(self.plan.searches, self.pages, strict=True)]


def bridged(engine: SmallEngine, request: Request) -> Several | PassThrough:
    """What the exchange does up to the ranking."""
    connector = engine.connector
    answers: dict[Question, Reply | None] = {}
    while isinstance(plan := connector.plan(request, lambda _: POLICY, answers), Questions):
        answers |= {question: engine.send(question.request) for question in plan.questions}
    if isinstance(plan, PassThrough):
        return plan
    reply = engine.send(plan.request)
    pages = connector.parse(plan, reply)
    failed = [place for place, page in enumerate(pages) if isinstance(page, PassThrough)]
    failed = [place for place in failed if isinstance(plan.searches[place], SearchPlan)]
    if failed:
        again = connector.repeat(plan, failed)
        if again is None:
            return PassThrough(Reason.ENGINE_ERROR)
        reply = connector.merged(plan, reply, failed, engine.send(again))
    return Several(connector, plan, pages, reply)


def msearch(items: Sequence[tuple[Any, Any]], target: str = "/_msearch", *headers: tuple[str, str]) -> Request:
    """Items are JSON, or bytes that are sent as they are."""
    lines = (part if isinstance(part, bytes) else json.dumps(part).encode() for item in items for part in item)
    return Request("POST", target, headers or (NDJSON,), b"".join(line + b"\n" for line in lines))


def both(engine: SmallEngine, request: Request) -> tuple[Reply, Several]:
    several = bridged(engine, request)
    assert isinstance(several, Several), several
    direct = engine.send(request)
    assert direct.status == OK, direct.body
    return direct, several


def _reversed_page(search: SearchPlan | PassThrough, page: Page) -> Order | None:
    """The client's page turned round, with scores that fall."""
    if not isinstance(page, HitPage) or page.skip is not None or not isinstance(search, SearchPlan):
        return None
    places = list(range(len(page.first_stage_scores)))
    shown = slice(search.start, search.start + search.size)
    places[shown] = places[shown][::-1]
    return [RankedHit(place, 1.9 - rank / 1_000) for rank, place in enumerate(places)]
