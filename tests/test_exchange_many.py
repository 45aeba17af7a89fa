"""Requests that hold several searches through the exchange: one request to the engine, windows scored together."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bridge.errors import ReplyTooLargeError, UpstreamError
from connectors.base import Policy, Reason, Reply, Request
from tests.doubles.small_exchange import ONE_BY_ONE, exchange
from tests.doubles.small_models import GivenModel, HeldModel
from tests.doubles.small_sender import SmallSender, json_reply, refusal

NDJSON = (("Content-Type", "application/x-ndjson"),)
Item = tuple[dict[str, Any], dict[str, Any]]
MISSING = {"error": {"type": "index_not_found_exception"}, "status": 404}
BUSY = {"error": {"type": "es_rejected_execution_exception"}, "status": 429}


@dataclass
class ManySender(SmallSender):
    """Answers each search of a request as the engine would answer it alone; an index of odd name has its own answer."""

    own: dict[str, Any] = field(default_factory=dict)

    def page(self, request: Request) -> Reply:
        if request.target.endswith("/_render/template"):
            return self.rendered(json.loads(request.body))
        lines = request.body.splitlines()
        responses = [self.response(json.loads(head), line) for head, line in zip(lines[::2], lines[1::2], strict=True)]
        return json_reply({"took": 1, "responses": responses})

    def response(self, head: dict[str, Any], line: bytes) -> Any:
        body = json.loads(line)
        if "source" in body:
            line = body["params"]["search"].encode()
        answer = super().page(Request("POST", "/index/_search", (), line))
        return self.own.get(head.get("index", ""), {**json.loads(answer.body), "status": answer.status})

    def rendered(self, template: dict[str, Any]) -> Reply:
        if template["id"] == "nosuch":
            return json_reply({"error": "no such template"}, 404)
        return json_reply({"template_output": {"query": {"match": {"title": template["params"]["q"]}}}})


def about(words: str, **members: Any) -> dict[str, Any]:
    return {"query": {"match": {"title": words}}, **members}


def msearch(*items: Item, path: str = "/_msearch") -> Request:
    lines = (json.dumps(part) + "\n" for item in items for part in item)
    return Request("POST", path, NDJSON, "".join(lines).encode())


def shown(reply: Reply) -> list[list[int]]:
    """The hits of each response."""
    responses = json.loads(reply.body)["responses"]
    return [[int(hit["_id"]) for hit in one.get("hits", {}).get("hits", [])] for one in responses]


def asked(small: Any) -> list[list[str]]:
    """The indices of each request's searches."""
    return [
        [json.loads(line).get("index", "") for line in request.body.splitlines()[::2]]
        for request in small.sender.requests
    ]


THREE: tuple[Item, ...] = (({}, about("cats")), ({}, about("dogs", size=0)), ({"index": "a"}, about("boats", size=2)))


async def test_several_searches() -> None:
    """Each gets its own page from one request to the engine; the header and the metrics count them."""
    async with exchange(ManySender()) as small:
        reply = await small.search(msearch(*THREE))
        assert shown(reply) == [[3, 2, 1, 0, 4], [], [3, 2]]
        assert len(small.sender.requests) == 1
        assert reply.header("x-rerank") == "applied; searches=3; reranked=2; reasons=size-zero:1"
        assert small.counts('rerank_bridge_searches_total{index="other",outcome="applied",reason=""} 2.0')
        assert small.counts('rerank_bridge_searches_total{index="other",outcome="skipped",reason="size-zero"} 1.0')


async def test_a_single_search_in_lines() -> None:
    """The header of one search is the same whichever way it came."""
    async with exchange(ManySender()) as small:
        reply = await small.search(msearch(({}, about("cats"))))
        assert reply.header("x-rerank") == "applied; window=4; model=small"


async def test_fifty_searches_are_scored_together() -> None:
    """While the first text of fifty windows is read, all the others wait: none is waited for before the next."""
    model = HeldModel()
    limits = replace(ONE_BY_ONE, queue_pairs=200)
    async with exchange(ManySender(), model, limits=limits) as small:
        searching = asyncio.create_task(small.search(msearch(*[({}, about(f"words {n}")) for n in range(50)])))
        await asyncio.to_thread(model.begun.acquire)
        assert small.counts('rerank_bridge_waiting_pairs{model="small"} 199.0')
        model.go_on(200)
        assert shown(await searching) == [[3, 2, 1, 0, 4]] * 50
        assert len(small.sender.requests) == 1


@pytest.mark.parametrize(
    ("own", "again", "expected"),
    [
        ({"gone": MISSING}, [["gone"]], MISSING),
        ({"gone": BUSY}, [], BUSY),
        ({"gone": {"odd": 1}}, [["gone"]], {"odd": 1}),
    ],
)
async def test_a_search_that_fails_beside_others(own: dict[str, Any], again: list[list[str]], expected: Any) -> None:
    """It alone is asked anew as it came, unless the engine struggles; the others are reranked, the order is kept."""
    async with exchange(ManySender(own=own)) as small:
        reply = await small.search(msearch(({}, about("cats")), ({"index": "gone"}, about("dogs")), ({}, about("it"))))
        assert json.loads(reply.body)["responses"][1] == expected
        assert shown(reply) == [[3, 2, 1, 0, 4], [], [3, 2, 1, 0, 4]]
        assert asked(small) == [["", "gone", ""], *again]
        assert "reranked=2; reasons=" in (reply.header("x-rerank") or "")


async def test_what_is_asked_anew_is_as_it_came() -> None:
    """The second request has the client's own lines of the failed search, and no window."""
    async with exchange(ManySender(own={"gone": MISSING})) as small:
        await small.search(msearch(({}, about("cats")), ({"index": "gone"}, about("dogs", size=3))))
        assert small.sender.requests[1].body == msearch(({"index": "gone"}, about("dogs", size=3))).body


async def test_an_error_of_the_second_request() -> None:
    """It stands in the places of the searches that were asked anew, and the others are reranked."""
    first = ManySender(own={"gone": MISSING}).page(msearch(({}, about("cats")), ({"index": "gone"}, about("dogs"))))
    async with exchange(ManySender(answers=[first, json_reply(BUSY, 429)])) as small:
        reply = await small.search(msearch(({}, about("cats")), ({"index": "gone"}, about("dogs"))))
        assert json.loads(reply.body)["responses"][1] == BUSY
        assert shown(reply) == [[3, 2, 1, 0, 4], []]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (json_reply({"error": "no such key"}, 400), Reason.ENGINE_ERROR),
        (json_reply({"responses": []}), Reason.REPLY_SHAPE),
        (ReplyTooLargeError(1), Reason.REPLY_TOO_LARGE),
    ],
)
async def test_a_request_that_fails_as_a_whole(answer: Reply | Exception, reason: Reason) -> None:
    """It is passed on as it came, so that what the engine says is about the client's own request."""
    async with exchange(ManySender(answers=[answer])) as small:
        assert await small.skipped(msearch(*THREE)) is reason
        assert len(small.sender.requests) == 1


async def test_a_struggling_engine_is_not_asked_again() -> None:
    """An error of the engine's for all searches goes back as it came."""
    answer = json_reply(b'{"error": "busy" }', 503)
    async with exchange(ManySender(answers=[answer])) as small:
        reply = await small.search(msearch(*THREE))
        assert (reply.status, reply.body, len(small.sender.requests)) == (503, answer.body, 1)
        assert reply.header("x-rerank") == "skipped; searches=3; reranked=0; reasons=engine-error:2,size-zero:1"


async def test_nothing_to_rerank_asks_for_nothing() -> None:
    """Where no search can be reranked the request is passed on, with the reason that most have."""
    async with exchange(ManySender()) as small:
        items: list[Item] = [({}, about("cats", size=0)), ({}, about("dogs", size=0)), ({}, about("cats", sort=["n"]))]
        assert await small.skipped(msearch(*items)) is Reason.SIZE_ZERO
        assert small.sender.requests == []


async def test_a_failing_model_leaves_the_engines_own_pages() -> None:
    """Where nothing is scored, the reply is the engine's own for the client's pages."""
    async with exchange(ManySender(), GivenModel(answers=[RuntimeError()] * 2)) as small:
        request = msearch(({}, about("cats", size=2)), ({}, about("dogs", size=3)))
        reply = await small.search(request)
        assert json.loads(reply.body) == json.loads(small.sender.page(request).body)
        assert "reranked=0; reasons=model-failed:" in (reply.header("x-rerank") or "")


async def test_a_window_that_one_of_the_indices_refuses() -> None:
    """The limit of one search's index is learned, and all searches are asked for once more."""
    refused = json.loads(refusal(3, 4).body)
    first = json_reply({"responses": [json.loads(SmallSender().page(_search()).body), refused]})
    async with exchange(ManySender(answers=[first]), policy=Policy(window=4)) as small:
        reply = await small.search(msearch(({}, about("cats", size=3)), ({"index": "narrow"}, about("dogs", size=3))))
        assert shown(reply) == [[3, 2, 1], [2, 1, 0]]
        sizes = [[json.loads(line)["size"] for line in sent.body.splitlines()[1::2]] for sent in small.sender.requests]
        assert sizes == [[4, 4], [4, 3]]


def _search() -> Request:
    return Request("POST", "/index/_search", (), json.dumps(about("cats", size=4)).encode())


async def test_templates_side_by_side() -> None:
    """Each is rendered, the missing one goes as it came, and the others are reranked in one request."""
    cats, dogs = ({"id": "find", "params": {"q": words}} for words in ("cats", "dogs"))
    items: list[Item] = [({}, cats), ({}, {"id": "nosuch"}), ({}, dogs), ({}, cats)]
    async with exchange(ManySender()) as small:
        request = msearch(*items, path="/index/_msearch/template")
        reply = await small.search(request)
        targets = [request.target for request in small.sender.requests]
        assert targets == ["/_render/template"] * 3 + ["/index/_msearch/template"]
        assert small.sender.requests[-1].body.splitlines()[3] == request.body.splitlines()[3]
        assert [hits for place, hits in enumerate(shown(reply)) if place != 1] == [[3, 2, 1, 0, 4]] * 3
        assert reply.header("x-rerank") == "applied; searches=4; reranked=3; reasons=template:1"


async def test_an_engine_that_is_gone_while_it_renders() -> None:
    """A template that could not be rendered is passed on."""
    request = Request("POST", "/_search/template", (("Content-Type", "application/json"),), b'{"id":"find"}')
    async with exchange(ManySender(answers=[UpstreamError(502, "gone")])) as small:
        assert await small.skipped(request) is Reason.TEMPLATE
