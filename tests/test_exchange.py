"""One search from bytes to bytes: every outcome, and how often the engine is asked."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import structlog

from bridge.errors import ReplyTooLargeError, UpstreamError
from bridge.scorer import Limits
from connectors.base import (
    Answers,
    ExchangePlan,
    HitPage,
    Order,
    Page,
    PassThrough,
    Policy,
    PolicyOf,
    Questions,
    Reason,
    Reply,
    Request,
)
from connectors.elasticsearch import Elasticsearch
from tests.doubles.small_exchange import ONE_BY_ONE, exchange
from tests.doubles.small_models import GivenModel, HeldModel, LengthModel
from tests.doubles.small_sender import SmallSender, json_reply, refusal, scores, search_request, shown

SECRET = "the words of a user"


async def test_a_search_is_reranked() -> None:
    """The window in the model's order, the tail behind it, falling scores, and the rest of the reply as it was."""
    async with exchange() as small:
        reply = await small.search()
        direct = small.sender.page(search_request())
        assert shown(reply) == [3, 2, 1, 0, 4]
        assert sorted(scores(reply), reverse=True) == scores(reply)
        content, plain = json.loads(reply.body), json.loads(direct.body)
        assert content["hits"]["max_score"] == scores(reply)[0]
        assert (content["took"], content["hits"]["total"]) == (plain["took"], plain["hits"]["total"])
        assert reply.header("x-rerank") == "applied; window=4; model=small"
        assert reply.header("x-own") == "1"
        assert small.sender.windows == [10]
        assert small.counts('rerank_bridge_searches_total{index="other",outcome="applied",reason=""} 1.0')
        assert small.counts('rerank_bridge_stage_seconds_count{model="",stage="scoring"} 1.0')


@pytest.mark.parametrize(("start", "size", "window"), [(0, 2, 4), (2, 2, 4), (3, 2, 5), (0, 3, 4)])
async def test_pages_of_one_search(start: int, size: int, window: int) -> None:
    """Each page is a cut of the one order, and asks for no more than window and page."""
    async with exchange() as small:
        reply = await small.search(search_request(**{"from": start, "size": size}))
        assert shown(reply) == [3, 2, 1, 0, 4][start : start + size]
        assert small.sender.windows == [window]


async def test_durations_are_told() -> None:
    """Server-Timing says in milliseconds what engine, model and bridge took, by the clock that was given."""

    class SlowSender(SmallSender):
        def page(self, request: Request) -> Reply:
            small.now[0] += 0.25
            return super().page(request)

    async with exchange(SlowSender(), LengthModel(name="a b"), LengthModel(name="c/d", revision="2")) as small:
        timing = (await small.search()).header("server-timing")
    assert timing is not None
    told = r'upstream;dur=250\.0, score;dur=\d+\.\d;desc="a%20b", score;dur=\d+\.\d;desc="c/d", bridge;dur=0\.0'
    assert re.fullmatch(told, timing)


@pytest.mark.parametrize(
    ("word", "reason", "unknown"),
    [(None, None, 0), ("off", Reason.OFF, 0), (" OFF ", Reason.OFF, 0), ("explain", None, 0), ("", None, 1)],
)
async def test_the_control_header(word: str | None, reason: Reason | None, unknown: int) -> None:
    """The word off passes a search through, explain is known; any other is ignored and counted."""
    headers = () if word is None else (("x-rerank", word),)
    async with exchange() as small:
        assert small.exchange.declines(Request("POST", "/_search", headers)) is reason
        assert small.counts(f"rerank_bridge_unknown_control_words_total {unknown}.0")


async def test_a_search_that_is_left_alone_asks_for_nothing() -> None:
    """What planning refuses is passed through before any request is made."""
    async with exchange() as small:
        assert await small.skipped(search_request(size=0)) is Reason.SIZE_ZERO
        assert small.sender.requests == []


FAILING: list[tuple[Any, Reason]] = [
    (GivenModel(answers=[RuntimeError(SECRET)]), Reason.MODEL_FAILED),
    (GivenModel(answers=[[math.nan] * 4]), Reason.MODEL_FAILED),
    (GivenModel(answers=[[1.0]]), Reason.MODEL_FAILED),
]


@pytest.mark.parametrize(("model", "reason"), FAILING)
async def test_a_failing_model_leaves_the_engines_own_page(model: GivenModel, reason: Reason) -> None:
    """Whatever the model does, the client gets the first-stage page as it was, and the next search works."""
    async with exchange(None, model) as small:
        request = search_request(**{"from": 1, "size": 2})
        reply = await small.search(request)
        assert json.loads(reply.body) == json.loads(small.sender.page(request).body)
        assert reply.header("x-rerank") == f"skipped; reason={reason.value}"
        assert reply.header("server-timing") is not None
        assert len(small.sender.requests) == 1
        labels = f'index="other",outcome="skipped",reason="{reason.value}"'
        assert small.counts(f"rerank_bridge_searches_total{{{labels}}} 1.0")
        assert shown(await small.search(request)) == [2, 1]


async def test_a_model_that_is_too_slow() -> None:
    """When the deadline passes before any order is known, the client gets the first-stage page."""
    model = HeldModel()
    async with exchange(None, model, limits=ONE_BY_ONE, timeout_s=0.05) as small:
        reply = await small.search()
        model.go_on()
    assert (shown(reply), reply.header("x-rerank")) == ([0, 1, 2, 3, 4], "skipped; reason=deadline")


async def test_a_prefix_that_was_scored_in_time() -> None:
    """What was scored in time is ordered, the rest follows in first-stage order; the reply and the metrics say so."""
    model = HeldModel()
    async with exchange(None, model, limits=ONE_BY_ONE, timeout_s=1.0) as small:
        model.go_on(2)
        reply = await small.search()
        model.go_on()
        assert small.counts("rerank_bridge_partly_scored_searches_total 1.0")
        assert small.counts('rerank_bridge_stage_cuts_total{model="small",reason="deadline"} 1.0')
    assert shown(reply) == [1, 0, 2, 3, 4]
    assert reply.header("x-rerank") == "applied; window=4; model=small; scored=2; cut=deadline"


async def test_a_full_queue() -> None:
    """A search that finds no room gets the first-stage page while the one that waits is reranked."""
    model = HeldModel()
    async with exchange(None, model, limits=Limits(6, 1)) as small:
        waiting = asyncio.create_task(small.search())
        await asyncio.to_thread(model.begun.acquire)
        reply = await small.search(search_request(query={"match": {"title": "other"}}))
        assert reply.header("x-rerank") == "skipped; reason=overloaded"
        assert shown(reply) == [0, 1, 2, 3, 4]
        model.go_on(4)
        assert shown(await waiting) == [3, 2, 1, 0, 4]


@pytest.mark.parametrize(
    ("sender", "reason"),
    [
        (SmallSender(hits=0), Reason.TOO_FEW_HITS),
        (SmallSender(hits=1), Reason.TOO_FEW_HITS),
        (SmallSender(answers=[json_reply({"hits": {"hits": [{"_score": 2}, {"_score": 1}]}})]), Reason.NO_TEXT),
        (SmallSender(answers=[json_reply({"hits": {"hits": [{"_id": "a"}, {"_id": "b"}]}})]), Reason.NOT_SCORED),
    ],
)
async def test_hits_that_can_not_be_ranked(sender: SmallSender, reason: Reason) -> None:
    """The page is cut from what was fetched, without a second request, and the reply says why."""
    async with exchange(sender) as small:
        reply = await small.search()
        assert reply.header("x-rerank") == f"skipped; reason={reason.value}"
        assert len(small.sender.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_struggling_engine_is_not_asked_again(status: int) -> None:
    """Its error goes back as it came, with the reason, after one request."""
    answer = json_reply(b'{"error": "busy" }', status)
    async with exchange(SmallSender(answers=[answer])) as small:
        reply = await small.search()
        assert (reply.status, reply.body, len(small.sender.requests)) == (status, answer.body, 1)
        assert reply.header("x-rerank") == "skipped; reason=engine-error"
        assert reply.headers[: len(answer.headers)] == answer.headers


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (json_reply(b'{"error":"no such index"}', 404), Reason.ENGINE_ERROR),
        (json_reply(b'{"error":"broken query"}', 400), Reason.ENGINE_ERROR),
        (json_reply(b"", 401), Reason.ENGINE_ERROR),
        (json_reply(b'{"hits":', 200), Reason.REPLY_SHAPE),
        (json_reply(b"", 204), Reason.ENGINE_ERROR),
        (json_reply(b"", 302), Reason.ENGINE_ERROR),
        (ReplyTooLargeError(1), Reason.REPLY_TOO_LARGE),
    ],
)
async def test_what_is_asked_anew_as_it_came(answer: Reply | Exception, reason: Reason) -> None:
    """Errors about the search and replies that can't be read are the caller's to ask for once more, untouched."""
    async with exchange(SmallSender(answers=[answer])) as small:
        assert await small.skipped() is reason
        assert len(small.sender.requests) == 1


async def test_a_reply_over_the_limit() -> None:
    """The limit of the policy is the one that the upstream is given."""
    async with exchange(policy=Policy(window=4, max_reply_bytes=100)) as small:
        assert await small.skipped() is Reason.REPLY_TOO_LARGE


async def test_an_engine_that_is_gone() -> None:
    """An UpstreamError is the one thing that a search raises."""
    async with exchange(SmallSender(answers=[UpstreamError(502, "gone")])) as small:
        with pytest.raises(UpstreamError):
            await small.search()
        assert shown(await small.search()) == [3, 2, 1, 0, 4]


async def test_the_engines_largest_window_is_learned() -> None:
    """A refused window is made smaller and remembered for a while; then it is tried again."""
    async with exchange(SmallSender(hits=9, max_window=3), policy=Policy(window=6)) as small:
        first = search_request(size=2)
        assert shown(await small.search(first)) == [2, 1]
        assert shown(await small.search(search_request(**{"from": 2, "size": 1}))) == [0]
        assert small.sender.windows == [6, 3, 3]
        assert shown(await small.search(search_request("/other/_search", size=2))) == [2, 1]
        assert small.sender.windows[3:] == [6, 3]
        small.now[0] += 61
        small.sender.max_window = None
        assert shown(await small.search(first)) == [5, 4]
        assert small.sender.windows[5:] == [6]


async def test_a_page_beyond_the_engines_largest_window() -> None:
    """What the engine refuses of the client itself is asked anew as it came, so that the error is its own."""
    async with exchange(SmallSender(hits=9, max_window=3)) as small:
        assert await small.skipped(search_request(size=4)) is Reason.ENGINE_ERROR
        assert small.sender.windows == [4]


async def test_a_page_that_starts_behind_a_smaller_window() -> None:
    """Where the window that the engine allows ends before the page, the page is the engine's."""
    sender = SmallSender(hits=9, answers=[refusal(3, 6)])
    async with exchange(sender, policy=Policy(window=6)) as small:
        await small.search(search_request(size=1))
        assert await small.skipped(search_request(**{"from": 3, "size": 1})) is Reason.BEYOND_WINDOW


async def test_a_window_that_some_indices_refuse() -> None:
    """A reply without the hits of some indices is not used; the window that all of them allow is asked for."""
    objection = json.loads(refusal(3, 4).body)["error"]
    partial = json_reply({"_shards": {"failures": [{"reason": objection}]}, "hits": {"hits": []}})
    async with exchange(SmallSender(answers=[partial])) as small:
        assert shown(await small.search(search_request(size=3))) == [2, 1, 0]
        assert small.sender.windows == [4, 3]
    async with exchange(SmallSender(answers=[partial])) as small:
        assert await small.skipped(search_request(size=4)) is Reason.SHARDS_FAILED
        assert small.sender.windows == [4]


async def test_a_limit_of_nobody_knows_whom_is_not_remembered() -> None:
    """A search that names no index, as beside a point in time, says nothing of what others that name none may fetch."""
    sender = SmallSender(answers=[refusal(3, 40)])
    async with exchange(sender) as small:
        assert await small.skipped(search_request("/_search", size=2)) is Reason.ENGINE_ERROR
        reply = await small.search(search_request("/_search", size=2))
        assert (reply.header("x-rerank") or "").startswith("applied; window=4")
        assert sender.windows == [4, 4]


class BrokenConnector:
    """Elasticsearch, but for one step that fails with the user's words in its error."""

    name = "broken"
    info_target = "/"

    def __init__(self, step: str) -> None:
        self._step = step
        self._real = Elasticsearch()

    def _fail_in(self, step: str) -> None:
        if step == self._step:
            raise RuntimeError(SECRET)

    def is_search(self, method: str, path: str) -> bool:
        return self._real.is_search(method, path)

    def plan(self, request: Request, policy_of: PolicyOf, answers: Answers) -> ExchangePlan | PassThrough | Questions:
        self._fail_in("plan")
        return self._real.plan(request, policy_of, answers)

    def parse(self, plan: ExchangePlan, reply: Reply) -> Sequence[Page]:
        self._fail_in("parse")
        pages = self._real.parse(plan, reply)
        if self._step == "order":
            return [replace(page, first_stage_scores=()) if isinstance(page, HitPage) else page for page in pages]
        return pages

    def repeat(self, plan: ExchangePlan, failed: Sequence[int]) -> Request | None:
        self._fail_in("repeat")
        return self._real.repeat(plan, failed)

    def merged(self, plan: ExchangePlan, reply: Reply, failed: Sequence[int], again: Reply) -> Reply:
        return self._real.merged(plan, reply, failed, again)

    def splice(self, plan: ExchangePlan, pages: Sequence[Page], reply: Reply, orders: Sequence[Order | None]) -> Reply:
        self._fail_in("splice")
        return self._real.splice(plan, pages, reply, orders)

    def identity(self, page: HitPage, place: int) -> Mapping[str, object]:
        return self._real.identity(page, place)

    def forwarded(self, request: Request) -> Request:
        return self._real.forwarded(request)

    def error(self, status: int, reason: str) -> Reply:
        return self._real.error(status, reason)

    def identify(self, info: Mapping[str, object]) -> str | None:
        return self._real.identify(info)


@pytest.mark.parametrize("step", ["plan", "parse", "order", "splice", "repeat"])
async def test_a_mistake_of_ours_passes_the_search_through(step: str) -> None:
    """An error that nobody thought of ends as a pass-through, and the log says where without a word of the search."""
    sender = SmallSender(answers=[refusal(3, 40)] if step == "repeat" else [])
    async with exchange(sender, connector=BrokenConnector(step)) as small:
        with structlog.testing.capture_logs() as logs:
            assert await small.skipped() is Reason.INTERNAL
    (entry,) = logs
    assert entry["log_level"] == "error"
    assert SECRET not in str(logs)
    assert "quick fox" not in str(logs)


async def test_a_failing_model_is_logged_without_its_words() -> None:
    """What a model's error says may be the text that it read: the log has its kind alone."""
    async with exchange(None, GivenModel(answers=[RuntimeError(SECRET)])) as small:
        with structlog.testing.capture_logs() as logs:
            await small.search()
    (entry,) = logs
    assert (entry["log_level"], entry["problem"]) == ("warning", "RuntimeError")
    assert SECRET not in str(logs)


async def test_a_model_name_can_not_break_the_header() -> None:
    """A name with spaces, semicolons or other letters is percent-encoded."""
    async with exchange(None, LengthModel(name='mine; ü\r\nx/y,"z')) as small:
        reply = await small.search()
    assert reply.header("x-rerank") == "applied; window=4; model=mine%3B%20%C3%BC%0D%0Ax/y%2C%22z"
