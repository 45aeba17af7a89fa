"""What each way in has: a single search, several at once, one that runs on its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from connectors._dialect import Dialect
from connectors.base import (
    Answers,
    ExchangePlan,
    Order,
    Page,
    PassThrough,
    PolicyOf,
    Questions,
    Reply,
    Request,
)

Planned = ExchangePlan | PassThrough | Questions
Planner = Callable[[Request, PolicyOf, Answers, Dialect], Planned]


class Way(Protocol):
    """How a request came, and so where its searches stand in the reply; the verbs are those of ``Connector``."""

    def parse(self, plan: ExchangePlan, reply: Reply) -> Sequence[Page]:
        """The hits of each search of the plan."""
        ...

    def repeat(self, plan: ExchangePlan, failed: Sequence[int]) -> Request | None:
        """The request that asks these searches anew as they came; None: the whole exchange has to be."""
        ...

    def merged(self, plan: ExchangePlan, reply: Reply, failed: Sequence[int], again: Reply) -> Reply:
        """The reply with what the repeated searches were answered in the places of the failed ones."""
        ...

    def splice(self, plan: ExchangePlan, pages: Sequence[Page], reply: Reply, orders: Sequence[Order | None]) -> Reply:
        """The reply with each search's page of its order; None: of the first stage."""
        ...
