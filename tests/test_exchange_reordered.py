"""Searches that are fetched in another order than the client's: it gets its own where no model orders them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.base import Policy, Reason, Reply, Request
from tests.doubles.small_exchange import exchange
from tests.doubles.small_models import GivenModel
from tests.doubles.small_sender import JSON, SmallSender, json_reply, search_request, shown

POLICY = Policy(window=4, promote=True, sort_override=True)
TITLE: dict[str, Any] = {"match": {"title": "quick fox"}}
REORDERED = (search_request(query={"bool": {"filter": [TITLE]}}), search_request(sort=["price"]))


@pytest.mark.parametrize("request_", REORDERED)
async def test_they_are_reranked(request_: Request) -> None:
    """One request to the engine, and the model's order."""
    async with exchange(policy=POLICY) as small:
        reply = await small.search(request_)
        assert shown(reply) == [3, 2, 1, 0, 4]
        assert len(small.sender.requests) == 1


@pytest.mark.parametrize("request_", REORDERED)
async def test_a_failing_model_leaves_the_clients_own_order(request_: Request) -> None:
    """The search is asked anew as it came, in the order that the client wants."""
    async with exchange(None, GivenModel(answers=[RuntimeError("broken")]), policy=POLICY) as small:
        assert await small.skipped(request_) is Reason.MODEL_FAILED


@pytest.mark.parametrize("request_", REORDERED)
async def test_hits_that_can_not_be_reranked_come_in_the_clients_own_order(request_: Request) -> None:
    """A page with one hit shows what the engine says of it, not what it says of the words alone."""
    async with exchange(SmallSender(hits=1), policy=POLICY) as small:
        assert await small.skipped(request_) is Reason.TOO_FEW_HITS


async def test_a_struggling_engine_is_not_asked_again() -> None:
    """Its error goes back as it came."""
    error = json_reply({"error": {"type": "es_rejected_execution_exception"}, "status": 429}, 429)
    async with exchange(SmallSender(answers=[error]), policy=POLICY) as small:
        reply = await small.search(REORDERED[0])
        assert (reply.status, reply.body) == (429, error.body)
        assert len(small.sender.requests) == 1


def several(*bodies: dict[str, Any]) -> Request:
    lines = b"".join(b"{}\n" + json.dumps(body).encode() + b"\n" for body in bodies)
    return Request("POST", "/index/_msearch", (("Content-Type", "application/x-ndjson"),), lines)


def answers(*pages: Reply) -> Reply:
    responses = ",".join(json.dumps({**json.loads(page.body), "status": 200}) for page in pages)
    return Reply(200, "OK", JSON, b'{"took":1,"responses":[%b]}' % responses.encode())


async def test_among_several_searches_only_they_are_asked_anew() -> None:
    """Where no model orders them, the one in its own order is kept, and the other one is replaced in its place."""
    engine = SmallSender()
    wide, own = engine.page(search_request(size=10)), engine.page(search_request(size=2, **{"from": 1}))
    small_engine = SmallSender(answers=[answers(wide, wide), answers(own)])
    broken = GivenModel(answers=[RuntimeError("broken"), RuntimeError("broken")])
    async with exchange(small_engine, broken, policy=POLICY) as small:
        bodies = {"query": TITLE, "size": 2}, {"query": TITLE, "size": 2, "from": 1, "sort": ["price"]}
        reply = await small.search(several(*bodies))
        first, second = json.loads(reply.body)["responses"]
        assert [hit["_id"] for hit in first["hits"]["hits"]] == ["0", "1"]
        assert second["hits"] == json.loads(own.body)["hits"]
        assert reply.header("x-rerank") == "skipped; searches=2; reranked=0; reasons=model-failed:2"
        assert json.loads(small.sender.requests[1].body.splitlines()[1]) == bodies[1]
