"""Many hits at once: windows that are scored together, and large replies that hold nobody up."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from bridge.models.base import Tokens
from bridge.scorer import Limits
from connectors.base import ExchangePlan, Order, Page, Reply, Request
from connectors.opensearch import OpenSearch
from tests.doubles.small_exchange import exchange
from tests.doubles.small_models import HeldModel
from tests.doubles.small_sender import SmallSender, json_reply, search_request, shown

SEARCHES = 50
_HANGS_AFTER_S = 20.0
"""No test waits that long but one that fails; it ends then."""


class ManySender(SmallSender):
    """Answers each search of an ``_msearch`` as if it had come alone."""

    def page(self, request: Request) -> Reply:
        lines = request.body.splitlines()
        if len(lines) < 2:
            return super().page(request)
        pages = [super(ManySender, self).page(Request("POST", "/_search", (), line)) for line in lines[1::2]]
        return json_reply({"responses": [{**json.loads(page.body), "status": 200} for page in pages]})


def msearch(count: int) -> Request:
    bodies = [json.dumps({"query": {"match": {"title": f"words of search {number}"}}}) for number in range(count)]
    body = "".join(f'{{"index":"a"}}\n{line}\n' for line in bodies)
    return Request("POST", "/_msearch", (("Content-Type", "application/x-ndjson"),), body.encode())


@dataclass
class ReadModel(HeldModel):
    """Says as well when it has read a window."""

    done_reading: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def read(self, query_text: str, texts: Sequence[str], instruction: str = "") -> list[Tokens]:
        try:
            return super().read(query_text, texts, instruction)
        finally:
            self.done_reading.release()


async def test_the_windows_of_many_searches_are_scored_together() -> None:
    """What is read while the model is busy goes into its next batch, whichever search it belongs to."""
    model = ReadModel()
    limits = Limits(queue_pairs=1_000, batch_tokens=100_000)
    async with exchange(ManySender(), model, limits=limits) as small:
        waiting = asyncio.create_task(small.search(msearch(SEARCHES)))
        for _ in range(SEARCHES):
            assert await asyncio.to_thread(model.done_reading.acquire, timeout=_HANGS_AFTER_S)
        model.go_on(SEARCHES)
        reply = await waiting
    assert reply.header("x-rerank") == f"applied; searches={SEARCHES}; reranked={SEARCHES}"
    assert sum(map(len, model.batches)) == SEARCHES * 4
    assert max(len({pair.query_text for pair in batch}) for batch in model.batches) >= SEARCHES - 2
    assert len(model.batches) <= 3


class LargeSender(SmallSender):
    """Texts of one search are large."""

    def page(self, request: Request) -> Reply:
        reply = super().page(request)
        if b"large" not in request.body:
            return reply
        content: dict[str, Any] = json.loads(reply.body)
        return json_reply({**content, "suggest": "x" * (1 << 20)})


class HeldConnector(OpenSearch):
    """Waits at one step with a large reply until the test lets it go on."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self._step = step
        self.released = threading.Event()

    def _wait(self, step: str, reply: Reply) -> None:
        if step == self._step and len(reply.body) > 1 << 20:
            assert self.released.wait(_HANGS_AFTER_S), "nothing else was answered meanwhile"

    def parse(self, plan: ExchangePlan, reply: Reply) -> Sequence[Page]:
        self._wait("parse", reply)
        return super().parse(plan, reply)

    def splice(self, plan: ExchangePlan, pages: Sequence[Page], reply: Reply, orders: Sequence[Order | None]) -> Reply:
        self._wait("splice", reply)
        return super().splice(plan, pages, reply, orders)


@pytest.mark.parametrize("step", ["parse", "splice"])
async def test_a_large_reply_holds_nobody_up(step: str) -> None:
    """While a reply of a megabyte is read or written, other searches are answered; then it is answered as any other."""
    connector = HeldConnector(step)
    async with exchange(LargeSender(), connector=connector) as small:
        large = asyncio.create_task(small.search(search_request(query={"match": {"title": "large"}})))
        for _ in range(3):
            assert shown(await small.search()) == [3, 2, 1, 0, 4]
        assert not large.done()
        connector.released.set()
        assert shown(await large) == [3, 2, 1, 0, 4]
