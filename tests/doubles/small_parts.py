"""Small real parts that stand in for a connector and an exchange."""
# ruff: noqa: ARG002 - they have the methods that are asked for, and little in them

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.base import HitPage, Order, PassThrough, Policy, Reason, Reply, Request, SearchPlan

NO_TEXT = PassThrough(Reason.NO_QUERY_TEXT)


class SmallConnector:
    """Knows which requests are searches and how an error looks; reads no search."""

    name = "small"

    def is_search(self, method: str, path: str) -> bool:
        return method in {"GET", "POST"} and path.endswith("/_search")

    def indices(self, request: Request) -> tuple[str, ...]:
        return (request.path.split("/")[1],)

    def plan(self, request: Request, policy: Policy) -> SearchPlan | PassThrough:
        return PassThrough(Reason.NO_QUERY_TEXT)

    def parse(self, plan: SearchPlan, reply: Reply) -> HitPage | PassThrough:
        return PassThrough(Reason.REPLY_SHAPE)

    def splice(self, plan: SearchPlan, page: HitPage, reply: Reply, order: Order | None) -> Reply:
        return reply

    def window_limit(self, reply: Reply) -> int | None:
        return None

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
