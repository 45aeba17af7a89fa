"""``_search``: one search, whose reply is the envelope of its hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from connectors._dialect import Dialect
from connectors._search_body import plan_search
from connectors._search_reply import parse_reply, splice_reply
from connectors._ways import Planned
from connectors.base import (
    Answers,
    ExchangePlan,
    HitPage,
    Order,
    Page,
    PolicyOf,
    Reply,
    Request,
    SearchPlan,
)


def plan_one(request: Request, policy_of: PolicyOf, answers: Answers, dialect: Dialect) -> Planned:
    """The widened search, or why it is left alone, or what has to be asked first."""
    indices = indices_of(request.path)
    policy = policy_of(indices)
    plan = plan_search(request, policy, indices, answers, dialect)
    if not isinstance(plan, SearchPlan):
        return plan
    return ExchangePlan(plan.request, (plan,), policy.max_reply_bytes, OneSearch())


def segments(path: str) -> list[str]:
    """The parts of a path, decoded."""
    return [unquote(segment) for segment in path.split("/") if segment]


def indices_of(path: str) -> tuple[str, ...]:
    """The names and patterns in front of a path; none for a search of everything."""
    first = next(iter(segments(path)), "_")
    return () if first.startswith("_") and first != "_all" else tuple(name for name in first.split(",") if name)


@dataclass(frozen=True, slots=True)
class OneSearch:
    """The reply is that of the one search."""

    def parse(self, plan: ExchangePlan, reply: Reply) -> Sequence[Page]:
        """The hits, or why they can't be read."""
        return [parse_reply(_search(plan), reply)]

    def repeat(self, plan: ExchangePlan, failed: Sequence[int]) -> Request | None:
        """None: the exchange is the search."""
        del plan, failed
        return None

    def merged(self, plan: ExchangePlan, reply: Reply, failed: Sequence[int], again: Reply) -> Reply:
        """The second reply."""
        del plan, reply, failed
        return again

    def splice(self, plan: ExchangePlan, pages: Sequence[Page], reply: Reply, orders: Sequence[Order | None]) -> Reply:
        """The reply with the client's page of the order."""
        (page,), (order,) = pages, orders
        return splice_reply(_search(plan), page, reply, order) if isinstance(page, HitPage) else reply


def _search(plan: ExchangePlan) -> SearchPlan:
    (search,) = plan.searches
    if not isinstance(search, SearchPlan):
        raise TypeError("the plan has no search")
    return search
