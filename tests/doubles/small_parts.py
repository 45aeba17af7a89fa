"""Small real parts that stand in for a connector and an exchange."""
# ruff: noqa: ARG002 - they have the methods that are asked for, and little in them

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors.base import (
    Answers,
    ExchangePlan,
    HitPage,
    Order,
    Page,
    PassThrough,
    PolicyOf,
    Questions,
    Reason,
    Reply,
    Request,
)

NO_TEXT = PassThrough(Reason.NO_QUERY_TEXT)


class SmallConnector:
    """Knows which requests are searches and how an error looks; reads no search."""

    name = "small"
    info_target = "/"

    def is_search(self, method: str, path: str) -> bool:
        return method in {"GET", "POST"} and path.endswith("/_search")

    def plan(self, request: Request, policy_of: PolicyOf, answers: Answers) -> ExchangePlan | PassThrough | Questions:
        return PassThrough(Reason.NO_QUERY_TEXT)

    def parse(self, plan: ExchangePlan, reply: Reply) -> Sequence[Page]:
        return [PassThrough(Reason.REPLY_SHAPE)]

    def repeat(self, plan: ExchangePlan, failed: Sequence[int]) -> Request | None:
        return None

    def merged(self, plan: ExchangePlan, reply: Reply, failed: Sequence[int], again: Reply) -> Reply:
        return again

    def splice(self, plan: ExchangePlan, pages: Sequence[Page], reply: Reply, orders: Sequence[Order | None]) -> Reply:
        return reply

    def identity(self, page: HitPage, place: int) -> Mapping[str, object]:
        return {}

    def forwarded(self, request: Request) -> Request:
        return request

    def error(self, status: int, reason: str) -> Reply:
        body = json.dumps({"error": {"type": "bridge", "reason": reason}, "status": status}).encode()
        return Reply(status, "Error", (("Content-Type", "application/json"),), body)

    def identify(self, info: Mapping[str, object]) -> str | None:
        return None


@dataclass
class SmallExchange:
    """Answers every search alike, and notes those that it was given whole."""

    declined: Reason | None = None
    outcome: Reply | PassThrough | Exception = NO_TEXT
    searches: list[Request] = field(default_factory=list)

    def declines(self, head: Request) -> Reason | None:
        return Reason.OFF if head.header("X-Rerank") == "off" else self.declined

    async def search(self, request: Request) -> Reply | PassThrough:
        self.searches.append(request)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome
