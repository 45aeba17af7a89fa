"""An exchange of the real scorers and ranking around a small engine and small models."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from bridge.cascade import Cascade, Stage
from bridge.exchange import Exchange
from bridge.models.base import Model
from bridge.ranking import Rule
from bridge.score_cache import ENTRY_BYTES, ScoreCache
from bridge.scorer import Limits, Scorer
from bridge.telemetry import Telemetry
from bridge.window_scores import WindowScores
from connectors.base import Connector, PassThrough, Policy, Reason, Reply, Request
from connectors.elasticsearch import Elasticsearch
from tests.doubles.small_models import LengthModel
from tests.doubles.small_sender import SmallSender, search_request

PATIENT = Limits(queue_pairs=1_000)
ONE_BY_ONE = Limits(queue_pairs=100, batch_tokens=1)


@dataclass
class Small:
    """An exchange and what it was made of."""

    sender: SmallSender
    telemetry: Telemetry
    exchange: Exchange
    now: list[float]

    async def search(self, request: Request | None = None) -> Reply:
        outcome = await self.exchange.search(request or search_request())
        assert isinstance(outcome, Reply), outcome
        return outcome

    async def skipped(self, request: Request | None = None) -> Reason:
        outcome = await self.exchange.search(request or search_request())
        assert isinstance(outcome, PassThrough), outcome
        return outcome.reason

    def counts(self, sample: str) -> bool:
        return sample.encode() in self.telemetry.exposition().splitlines()


@asynccontextmanager
async def exchange(
    sender: SmallSender | None = None,
    *models: Model,
    limits: Limits = PATIENT,
    timeout_s: float = math.inf,
    policy: Policy | None = None,
    connector: Connector | None = None,
) -> AsyncIterator[Small]:
    """Several models score one after the other, each but the last handing on two texts."""
    sender, telemetry, now = sender or SmallSender(), Telemetry(), [100.0]
    models = models or (LengthModel(),)
    async with AsyncExitStack() as stack:
        cache = ScoreCache(1_000 * ENTRY_BYTES)
        scorers = [await stack.enter_async_context(Scorer([model], limits, cache, telemetry)) for model in models]
        keeps = [*[2] * (len(models) - 1), None]
        stages = [Stage(scorer, Rule(), keep) for scorer, keep in zip(scorers, keeps, strict=True)]
        small = Exchange(
            connector=connector or Elasticsearch(),
            upstream=sender,
            scores=WindowScores(Cascade(stages, timeout_s)),
            policy=lambda _: policy or Policy(window=4),
            telemetry=telemetry,
            clock=lambda: now[0],
        )
        yield Small(sender, telemetry, small, now)
