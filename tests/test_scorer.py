"""The scorer: batches across searches, deadlines, shedding, failures, and its end."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from bridge.errors import DeadlineError, OverloadedError, ScoringError
from bridge.models.base import Model, Pair
from bridge.scorer import Limits, Scorer
from bridge.telemetry import Telemetry
from tests.doubles.small_models import GivenModel, HeldModel, LengthModel

PATIENT = Limits(timeout_s=math.inf, queue_pairs=100, batch_tokens=1_000)
ONE_BY_ONE = Limits(timeout_s=math.inf, queue_pairs=100, batch_tokens=1)


@asynccontextmanager
async def scorer(model: Model, limits: Limits = PATIENT) -> AsyncIterator[Scorer]:
    async with Scorer(model, limits, Telemetry()) as running:
        yield running


async def begun(model: HeldModel) -> None:
    """Returns when the model has begun a batch."""
    await asyncio.to_thread(model.begun.acquire)


async def settled() -> None:
    """Returns when everything that can go on without the model has."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_each_text_has_its_score_in_its_place() -> None:
    """Scores come in the order of the texts, and an empty text has none and is not read."""
    model = LengthModel()
    async with scorer(model) as running:
        assert running.model_name == "small"
        assert await running.score("q", ["aaa", "", "a", "aa"]) == [3.0, None, 1.0, 2.0]
        assert await running.score("q", ["", ""]) == [None, None]
        assert await running.score("q", []) == []
    assert model.texts == [["aaa", "a", "aa"]]


async def test_searches_share_batches() -> None:
    """What several searches wait for while the model works is scored together, each search getting its own."""
    model = HeldModel()
    async with scorer(model) as running:
        first = asyncio.create_task(running.score("one", ["a"]))
        await begun(model)
        others = [asyncio.create_task(running.score(query, ["bb", "ccc"])) for query in ("two", "three")]
        await settled()
        model.go_on(2)
        assert await first == [1.0]
        assert await asyncio.gather(*others) == [[2.0, 3.0], [2.0, 3.0]]
    assert [[pair.query_text for pair in batch] for batch in model.batches] == [
        ["one"],
        ["two", "two", "three", "three"],
    ]


@pytest.mark.parametrize(
    ("batch_tokens", "expected"),
    [(1, [["a"], ["b"], ["c"]]), (2, [["a", "b"], ["c"]]), (3, [["a", "b", "c"]])],
)
async def test_batches_keep_to_their_budget(batch_tokens: int, expected: list[list[str]]) -> None:
    """No batch has more tokens than its budget, and texts come in first-stage order."""
    model = LengthModel()
    async with scorer(model, Limits(math.inf, 100, batch_tokens)) as running:
        await running.score("", ["a", "b", "c"])
    assert model.texts == expected


@pytest.mark.parametrize(("scored", "expected"), [(2, [1.0, 2.0, None, None]), (3, [1.0, 2.0, 3.0, None])])
async def test_a_deadline_leaves_a_prefix(scored: int, expected: list[float | None]) -> None:
    """What is scored when the deadline passes is a prefix of the first stage; the rest has no score."""
    model = HeldModel()
    async with scorer(model, Limits(1.0, 100, 1)) as running:
        model.go_on(scored)
        assert await running.score("", ["a", "bb", "ccc", "dddd"]) == expected
        model.go_on()


@pytest.mark.parametrize("scored", [0, 1])
async def test_a_deadline_without_an_order_is_an_error(scored: int) -> None:
    """One score gives no order: then the deadline is an error, and nothing waits for the texts any more."""
    model = HeldModel()
    telemetry = Telemetry()
    async with Scorer(model, Limits(0.05, 4, 1), telemetry) as running:
        model.go_on(scored)
        with pytest.raises(DeadlineError):
            await running.score("", ["a", "bb", "ccc", "dddd"])
        assert b"rerank_bridge_waiting_pairs 0.0" in telemetry.exposition()
        model.go_on()


async def test_a_full_queue_sheds() -> None:
    """A search whose texts do not fit is refused at once, those that wait are not harmed, and then there is room."""
    model = HeldModel()
    async with scorer(model, Limits(math.inf, 3, 1)) as running:
        waiting = asyncio.create_task(running.score("", ["a", "bb", "ccc"]))
        await begun(model)
        with pytest.raises(OverloadedError):
            await running.score("", ["x", "y"])
        fits = asyncio.create_task(running.score("", ["dddd"]))
        await settled()
        model.go_on(4)
        assert await waiting == [1.0, 2.0, 3.0]
        assert await fits == [4.0]
        model.go_on(3)
        assert await running.score("", ["a", "b", "c"]) == [1.0, 1.0, 1.0]


BROKEN: list[Sequence[float] | Exception] = [
    RuntimeError("about the text"),
    [math.nan, 1.0, 1.0, 1.0],
    [1.0, 1.0, 1.0, math.inf],
    [1.0],
    [1.0] * 5,
    [],
]


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_failed_batch_answers_every_search_in_it(broken: Sequence[float] | Exception) -> None:
    """Whatever a model does wrong, all who wait hear of it, without the words of its error, and the worker lives on."""
    model = GivenModel(answers=[broken])
    async with scorer(model) as running:
        searches = [running.score("q", ["a", "b"]), running.score("p", ["c", "d"])]
        outcomes = await asyncio.gather(*searches, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [ScoringError, ScoringError]
        assert "about the text" not in str(outcomes)
        assert await running.score("q", ["a", "b"]) == [1.0, 1.0]


async def test_a_failure_ends_the_search_that_it_hit() -> None:
    """The rest of a search whose batch failed is not scored; another search is not touched."""
    model = GivenModel(answers=[[1.0], ValueError()])
    async with scorer(model, ONE_BY_ONE) as running:
        failed = asyncio.create_task(running.score("q", ["a", "b", "c", "d"]))
        await settled()
        other = asyncio.create_task(running.score("p", ["ee"]))
        with pytest.raises(ScoringError):
            await failed
        assert await other == [2.0]
    assert model.texts == [["a"], ["b"], ["ee"]]


async def test_a_cancelled_search_takes_its_texts_along() -> None:
    """When a client leaves, what it waited for is not scored, and the room is free at once."""
    model = HeldModel()
    async with scorer(model, Limits(math.inf, 3, 1)) as running:
        left = asyncio.create_task(running.score("", ["a", "bb", "ccc"]))
        await begun(model)
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
        stays = asyncio.create_task(running.score("", ["dddd", "eeeee", "ffffff"]))
        await settled()
        model.go_on(4)
        assert await stays == [4.0, 5.0, 6.0]
    assert model.texts == [["a"], ["dddd"], ["eeeee"], ["ffffff"]]


async def test_the_end_answers_who_waits() -> None:
    """When the scorer stops, every search that waits gets its error, and so does one that comes later."""
    model = HeldModel()
    async with scorer(model, ONE_BY_ONE) as running:
        waiting = [asyncio.create_task(running.score("", ["a", "b"])) for _ in range(2)]
        await begun(model)
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    model.go_on(10)
    assert [type(outcome) for outcome in outcomes] == [ScoringError, ScoringError]
    with pytest.raises(ScoringError):
        await running.score("", ["a"])


async def test_the_most_urgent_search_comes_first() -> None:
    """Batches are filled from the search whose deadline is nearest, by the clock that was given."""
    model = HeldModel()
    clock = [5.0]
    async with Scorer(model, Limits(100.0, 100, 1), Telemetry(), lambda: clock[0]) as running:
        first = asyncio.create_task(running.score("", ["a"]))
        await begun(model)
        late = asyncio.create_task(running.score("", ["late"]))
        await settled()
        clock[0] = 1.0
        early = asyncio.create_task(running.score("", ["early"]))
        await settled()
        model.go_on(3)
        await asyncio.gather(first, late, early)
    assert model.texts == [["a"], ["early"], ["late"]]


async def test_scores_and_waiting_texts_are_counted() -> None:
    """The metrics say how many texts were scored and how many wait."""
    telemetry = Telemetry()
    model = HeldModel()
    async with Scorer(model, ONE_BY_ONE, telemetry) as running:
        search = asyncio.create_task(running.score("", ["a", "b", "c"]))
        await begun(model)
        assert b"rerank_bridge_waiting_pairs 3.0" in telemetry.exposition()
        model.go_on(3)
        await search
        assert b"rerank_bridge_waiting_pairs 0.0" in telemetry.exposition()
        assert b"rerank_bridge_scored_pairs_total 3.0" in telemetry.exposition()


async def test_a_search_that_could_not_be_scored_in_time_is_told_so_at_once() -> None:
    """Behind more than the model does within the deadline, a client gets the engine's page now and not in a while."""
    now = 0.0

    class SlowModel(LengthModel):
        def score(self, pairs: Sequence[Pair]) -> Sequence[float]:
            nonlocal now
            now += 1.0
            return super().score(pairs)

    limits = Limits(timeout_s=3.0, queue_pairs=100, batch_tokens=1)
    async with Scorer(SlowModel(), limits, Telemetry(), clock=lambda: now) as running:
        assert await running.score("q", ["a"]) == [1.0]
        ahead = asyncio.create_task(running.score("q", ["a"] * 4))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError, match="longer than the deadline"):
            await running.score("q", ["a", "b"])
        assert await ahead == [1.0] * 4
        assert await running.score("q", ["a", "b"]) == [1.0, 1.0]
