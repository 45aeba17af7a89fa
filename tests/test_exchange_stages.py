"""Searches through several stages, scores that are kept, and instructions: what an exchange makes of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from bridge.headers import MAX_INSTRUCTION_CHARS
from bridge.models.base import Tokens
from connectors.base import Policy
from tests.doubles.small_exchange import exchange
from tests.doubles.small_models import GivenModel, LengthModel
from tests.doubles.small_sender import scores, search_request, shown


@dataclass
class ShortModel(LengthModel):
    """Likes short texts."""

    name: str = "short"
    revision: str = "2"

    def score(self, read: Sequence[Tokens]) -> list[float]:
        return [-score for score in super().score(read)]


async def test_two_stages() -> None:
    """The second orders what the first hands on; the reply tells both, with how many texts each scored."""
    async with exchange(None, LengthModel(), ShortModel()) as small:
        reply = await small.search()
        assert shown(reply) == [2, 3, 1, 0, 4]
        assert scores(reply) == sorted(scores(reply), reverse=True)
        assert reply.header("x-rerank") == "applied; window=4; model=small,short; scored=4,2"
        assert small.counts("rerank_bridge_partly_scored_searches_total 0.0")
        for model, pairs in (("small", 4), ("short", 2)):
            assert small.counts(f'rerank_bridge_scored_pairs_total{{model="{model}"}} {pairs}.0')
            assert small.counts(f'rerank_bridge_model_seconds_count{{model="{model}"}} 1.0')


async def test_pages_walked_through_two_stages_show_each_hit_once() -> None:
    """Page by page the order is the one of the whole, also where the second stage fails on the first page."""
    for failing, whole in ((False, [2, 3, 1, 0, 4]), (True, [3, 2, 1, 0, 4])):
        answers: list[list[float] | Exception] = [RuntimeError()] if failing else []
        second = GivenModel(name="second", revision="2", answers=[*answers, [2.0, 3.0]])
        async with exchange(None, LengthModel(), second) as small:
            pages = [
                await small.search(search_request(**{"from": start, "size": size})) for start, size in ((0, 1), (1, 4))
            ]
        assert [hit for page in pages for hit in shown(page)] == whole


async def test_a_later_stage_that_fails() -> None:
    """The order of the stage before it stands, and the reply and the metrics say so."""
    async with exchange(None, LengthModel(), GivenModel(name="b", revision="2", answers=[RuntimeError()])) as small:
        reply = await small.search()
        assert shown(reply) == [3, 2, 1, 0, 4]
        assert reply.header("x-rerank") == "applied; window=4; model=small,b; scored=4,0; cut=model-failed"
        assert small.counts("rerank_bridge_partly_scored_searches_total 1.0")


async def test_a_first_stage_that_fails_leaves_the_engines_own_page() -> None:
    """No second stage can help then: the client gets the page that it would get without the bridge."""
    second = LengthModel(revision="2")
    async with exchange(None, GivenModel(answers=[RuntimeError()]), second) as small:
        reply = await small.search(search_request(**{"from": 1, "size": 2}))
        assert json.loads(reply.body) == json.loads(small.sender.page(search_request(**{"from": 1, "size": 2})).body)
        assert reply.header("x-rerank") == "skipped; reason=model-failed"
    assert second.batches == []


async def test_a_search_is_scored_once() -> None:
    """Its next page costs no model time."""
    model = LengthModel()
    async with exchange(None, model) as small:
        for start in (0, 2, 0):
            await small.search(search_request(**{"from": start, "size": 2}))
        assert len(model.texts) == 1


@pytest.mark.parametrize(
    ("header", "configured", "expected"),
    [
        (None, "", ""),
        (None, "of the index", "of the index"),
        (" of the search ", "of the index", "of the search"),
        ("", "of the index", ""),
        ("x" * 2_000, "", "x" * MAX_INSTRUCTION_CHARS),
    ],
)
async def test_the_instruction(header: str | None, configured: str, expected: str) -> None:
    """The header wins over the configuration, also with nothing in it, and is cut to its bound."""
    model, request = LengthModel(), search_request()
    if header is not None:
        request = replace(request, headers=(*request.headers, ("x-rerank-instruction", header)))
    async with exchange(None, model, policy=Policy(window=4, instruction=configured)) as small:
        await small.search(request)
    assert model.instructions == [expected]


async def test_another_instruction_is_another_search() -> None:
    """Scores for one instruction are never those for another."""
    model, request = LengthModel(), search_request()
    async with exchange(None, model) as small:
        for instruction in ("one", "two", "one"):
            headers = (*request.headers, ("X-Rerank-Instruction", instruction))
            await small.search(replace(request, headers=headers))
    assert model.instructions == ["one", "two"]
