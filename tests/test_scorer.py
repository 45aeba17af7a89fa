"""The scorer: batches across searches, deadlines, shedding, kept scores, replicas, failures, and its end."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.errors import DeadlineError, OverloadedError, ScoringError
from bridge.models.base import Model, Tokens
from bridge.score_cache import ENTRY_BYTES, ScoreCache
from bridge.scorer import Limits, Scorer
from bridge.telemetry import Telemetry
from tests.doubles.small_models import GivenModel, HeldModel, LengthModel, UnreadableModel

PATIENT = Limits(queue_pairs=100)
ONE_BY_ONE = Limits(queue_pairs=100, batch_tokens=1)


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class TimedModel(LengthModel):
    """Takes a second for each token, by the clock of the test."""

    clock: Clock | None = None

    def score(self, read: Sequence[Tokens]) -> list[float]:
        assert self.clock is not None
        self.clock.now += sum(entry.cost for entry in read)
        return super().score(read)


@asynccontextmanager
async def scorer(*models: Model, limits: Limits = PATIENT, telemetry: Telemetry | None = None) -> AsyncIterator[Scorer]:
    async with Scorer(models, limits, ScoreCache(1_000 * ENTRY_BYTES), telemetry or Telemetry()) as running:
        yield running


@asynccontextmanager
async def timed(batch_tokens: int = 1_000) -> AsyncIterator[tuple[Scorer, TimedModel, Clock]]:
    """A scorer whose model was measured to take a second for each token."""
    clock = Clock()
    model = TimedModel(clock=clock, batch_tokens=batch_tokens)
    async with Scorer([model], PATIENT, ScoreCache(1_000 * ENTRY_BYTES), Telemetry(), clock) as running:
        await running.score("", ["measured"])
        model.batches.clear()
        yield running, model, clock


async def begun(model: HeldModel) -> None:
    """Returns when the model has begun a batch."""
    await asyncio.to_thread(model.begun.acquire)


async def settled(running: Scorer) -> None:
    """Returns when every search that was begun has been read as far as it is without the model."""
    for _ in range(10):  # chunks, of which no test has more
        await asyncio.sleep(0)
        await asyncio.wrap_future(running._reader.submit(int))


def soon(seconds: float = 1.0) -> float:
    return time.monotonic() + seconds


async def test_each_text_has_its_score_in_its_place() -> None:
    """Scores come in the order of the texts, and an empty text has none and is not read."""
    model = LengthModel()
    async with scorer(model) as running:
        assert running.model_name == "small"
        assert await running.score("q", ["aaa", "", "a", "aa"]) == [3.0, None, 1.0, 2.0]
        assert await running.score("q", ["", ""]) == [None, None]
        assert await running.score("q", []) == []
    assert model.texts == [["aaa", "a", "aa"]]


async def test_known_scores_are_not_computed_again() -> None:
    """The same search costs no model time again; a text more costs that text."""
    model, telemetry = LengthModel(), Telemetry()
    async with scorer(model, telemetry=telemetry) as running:
        for _ in range(2):
            assert await running.score("q", ["a", "bb"]) == [1.0, 2.0]
        assert await running.score("q", ["ccc", "bb"]) == [3.0, 2.0]
    assert model.texts == [["a", "bb"], ["ccc"]]
    assert b'rerank_bridge_known_pairs_total{model="small"} 3.0' in telemetry.exposition()


@pytest.mark.parametrize(("query_text", "instruction"), [("other", ""), ("q", "other")])
async def test_another_query_or_instruction_is_scored_for_itself(query_text: str, instruction: str) -> None:
    """What the model is told beside the text is part of what its score depends on."""
    model = LengthModel()
    async with scorer(model) as running:
        await running.score("q", ["a"])
        await running.score(query_text, ["a"], instruction=instruction)
    assert model.texts == [["a"], ["a"]]
    assert model.instructions == ["", instruction]


async def test_models_of_another_revision_share_no_scores() -> None:
    """Two models may keep their scores in one place."""
    cache = ScoreCache(1_000 * ENTRY_BYTES)
    models = [LengthModel(revision="1"), LengthModel(revision="2")]
    for model in models:
        async with Scorer([model], PATIENT, cache, Telemetry()) as running:
            await running.score("q", ["a"])
    assert [model.texts for model in models] == [[["a"]], [["a"]]]


async def test_a_text_that_stands_twice_is_scored_once() -> None:
    """Hits with the same text get the same score, for the price of one."""
    model = LengthModel()
    async with scorer(model) as running:
        assert await running.score("q", ["aa", "b", "aa", "", "aa"]) == [2.0, 1.0, 2.0, None, 2.0]
    assert model.texts == [["aa", "b"]]


async def test_a_repeated_page_of_a_hundred_hits_is_quick() -> None:
    """A known window needs neither a thread nor a turn of the event loop."""
    texts = [f"{number} " * 300 for number in range(100)]
    async with scorer(LengthModel(batch_tokens=100_000)) as running:
        first = await running.score("q", texts)
        again = running.score("q", texts)
        with pytest.raises(StopIteration) as ended:
            again.send(None)
        assert ended.value.value == first


async def test_searches_share_batches() -> None:
    """What several searches wait for while the model works is scored together, each search getting its own."""
    model = HeldModel()
    async with scorer(model) as running:
        first = asyncio.create_task(running.score("one", ["a"]))
        await begun(model)
        others = [asyncio.create_task(running.score(query, ["bb", "ccc"])) for query in ("two", "three")]
        await settled(running)
        model.go_on(2)
        assert await first == [1.0]
        assert await asyncio.gather(*others) == [[2.0, 3.0], [2.0, 3.0]]
    assert [[pair.query_text for pair in batch] for batch in model.batches] == [
        ["one"],
        ["two", "two", "three", "three"],
    ]


async def test_what_is_asked_at_once_is_scored_at_once() -> None:
    """The windows of one request, which all come at the same moment, fill one batch, though the model is idle."""
    model = HeldModel()
    async with scorer(model, limits=Limits(5_000)) as running:
        model.go_on(1)
        searches = [running.score(f"query {number}", ["a", "bb"]) for number in range(50)]
        assert await asyncio.gather(*searches) == [[1.0, 2.0]] * 50
    assert [len(batch) for batch in model.batches] == [100]


async def test_the_next_texts_are_read_while_the_model_scores() -> None:
    """What comes while a batch runs is tokenised when the batch ends, as far as the next ones need it."""
    model = HeldModel(batch_tokens=10)
    async with scorer(model) as running:
        first = asyncio.create_task(running.score("", ["x"]))
        await begun(model)
        others = [asyncio.create_task(running.score("", [letter * 10])) for letter in "abcd"]
        await settled(running)
        assert len(model.instructions) == 1 + 2
        model.go_on(5)
        await asyncio.gather(first, *others)


@pytest.mark.parametrize(
    ("batch_tokens", "expected"),
    [(1, [["a"], ["b"], ["c"]]), (4, [["a", "b", "c"]])],
)
async def test_batches_keep_to_their_budget(batch_tokens: int, expected: list[list[str]]) -> None:
    """No batch has more tokens than its budget, the search's own counted once, and texts come in first-stage order."""
    model = HeldModel(batch_tokens=batch_tokens)
    async with scorer(model) as running:
        before = asyncio.create_task(running.score("", ["x"]))
        await begun(model)
        search = asyncio.create_task(running.score("q", ["a", "b", "c"]))
        await settled(running)
        model.go_on(4)
        await asyncio.gather(before, search)
    assert model.texts == [["x"], *expected]


async def test_the_configured_budget_is_taken_before_the_models_own() -> None:
    """Who sets ``batch_tokens`` has a reason."""
    model = LengthModel()
    async with scorer(model, limits=Limits(100, batch_tokens=4)) as running:
        await running.score("", ["aa", "bb", "cc"])
    assert max(map(len, model.texts)) <= 2


async def test_a_long_text_lets_the_short_ones_of_others_pass() -> None:
    """A text longer than a batch waits for one batch of others, is scored alone, and is not put off twice."""
    model = HeldModel(batch_tokens=10)
    async with scorer(model) as running:
        first = asyncio.create_task(running.score("", ["x"]))
        await begun(model)
        long = asyncio.create_task(running.score("", ["l" * 50, "m"]))
        short = asyncio.create_task(running.score("", [letter * 5 for letter in "abcd"]))
        await settled(running)
        model.go_on(5)
        await asyncio.gather(first, long, short)
    assert model.texts[:3] == [["x"], ["aaaaa", "bbbbb"], ["l" * 50]]


@pytest.mark.parametrize(("scored", "expected"), [(2, [1.0, 2.0, None, None]), (3, [1.0, 2.0, 3.0, None])])
async def test_a_deadline_leaves_a_prefix(scored: int, expected: list[float | None]) -> None:
    """What is scored when the deadline passes is a prefix of the first stage; the rest has no score."""
    model = HeldModel()
    async with scorer(model, limits=ONE_BY_ONE) as running:
        model.go_on(scored)
        assert await running.score("", ["a", "bb", "ccc", "dddd"], deadline=soon()) == expected
        model.go_on()


async def test_what_is_known_behind_a_gap_does_not_count() -> None:
    """A text that another search has scored does not rise above those that this one had no time for."""
    model = HeldModel()
    async with scorer(model, limits=ONE_BY_ONE) as running:
        model.go_on(3)
        await running.score("", ["a", "dddd", "bb"])
        assert await running.score("", ["a", "bb", "ccc", "dddd"], deadline=soon(0.1)) == [1.0, 2.0, None, None]
        model.go_on()


@pytest.mark.parametrize("scored", [0, 1])
async def test_a_deadline_without_an_order_is_an_error(scored: int) -> None:
    """One score gives no order: then the deadline is an error, and nothing waits for the texts any more."""
    model, telemetry = HeldModel(), Telemetry()
    async with scorer(model, limits=Limits(4, 1), telemetry=telemetry) as running:
        model.go_on(scored)
        with pytest.raises(DeadlineError):
            await running.score("", ["a", "bb", "ccc", "dddd"], deadline=soon(0.1))
        assert b'rerank_bridge_waiting_pairs{model="small"} 0.0' in telemetry.exposition()
        model.go_on()


async def test_a_deadline_that_has_passed_costs_no_model_time() -> None:
    """A later stage that gets no time at all says so at once."""
    model = LengthModel()
    async with scorer(model) as running:
        with pytest.raises(DeadlineError):
            await running.score("", ["a", "b"], deadline=soon(-1.0))
    assert model.texts == []


async def test_no_text_is_begun_that_could_not_be_done_in_time() -> None:
    """By the speed measured, a search ends with the texts that are done by its deadline, and need not wait for it."""
    async with timed(batch_tokens=10) as (running, model, clock):
        texts = ["a" * 5, "b" * 5, "c" * 5, "d" * 20, "e"]
        assert await running.score("", texts, deadline=clock.now + 25) == [5.0, 5.0, 5.0, None, None]
    assert [text for batch in model.texts for text in batch] == texts[:3]


async def test_the_first_two_texts_are_begun_whatever_is_estimated() -> None:
    """Without two there is no order, and an estimate may be wrong."""
    async with timed(batch_tokens=10) as (running, model, clock):
        texts = ["a" * 50, "b" * 50, "c"]
        assert await running.score("", texts, deadline=clock.now + 20) == [50.0, 50.0, None]
    assert model.texts == [texts[:1], texts[1:2]]


async def test_a_full_queue_sheds() -> None:
    """A search whose texts do not fit is refused at once, those that wait are not harmed, and then there is room."""
    model = HeldModel()
    async with scorer(model, limits=Limits(3, 1)) as running:
        waiting = asyncio.create_task(running.score("", ["a", "bb", "ccc"]))
        await begun(model)
        with pytest.raises(OverloadedError):
            await running.score("", ["x", "y"])
        fits = asyncio.create_task(running.score("", ["dddd"]))
        await settled(running)
        model.go_on(4)
        assert await waiting == [1.0, 2.0, 3.0]
        assert await fits == [4.0]
        model.go_on(3)
        assert await running.score("", ["e", "f", "g"]) == [1.0, 1.0, 1.0]


async def test_what_is_known_is_told_though_the_rest_is_refused() -> None:
    """Two texts or more whose scores are known give an order, whatever waits for the model."""
    model = HeldModel()
    async with scorer(model, limits=Limits(3, 1)) as running:
        model.go_on(2)
        assert await running.score("", ["a", "b"]) == [1.0, 1.0]
        for _ in range(2):
            await begun(model)
        waiting = asyncio.create_task(running.score("", ["x", "y", "z"]))
        await begun(model)
        assert await running.score("", ["a", "b", "c", "d"]) == [1.0, 1.0, None, None]
        with pytest.raises(OverloadedError):
            await running.score("", ["a", "c", "d", "b"])
        model.go_on(3)
        assert await waiting == [1.0, 1.0, 1.0]


async def test_a_search_that_could_not_be_scored_in_time_is_told_so_at_once() -> None:
    """Behind more than the model does within the deadline, a client gets the engine's page now and not in a while."""
    async with timed(batch_tokens=4) as (running, _, clock):
        ahead = asyncio.create_task(running.score("", ["a" * 8, "b" * 8]))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError, match="longer than the deadline"):
            await running.score("", ["a", "b"], deadline=clock.now + 2)
        assert await ahead == [8.0, 8.0]
        assert await running.score("", ["a", "b"], deadline=clock.now + 2) == [1.0, 1.0]


BROKEN: list[list[float] | Exception] = [
    RuntimeError("about the text"),
    [math.nan, 1.0, 1.0, 1.0],
    [1.0, 1.0, 1.0, math.inf],
    [1.0],
    [1.0] * 5,
    [],
]


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_failed_batch_answers_every_search_in_it(broken: list[float] | Exception) -> None:
    """Whatever a model does wrong, all who wait hear of it, without the words of its error, and nothing is kept."""
    model = HeldModel(answers=[[1.0], broken])
    async with scorer(model) as running:
        before = asyncio.create_task(running.score("", ["x"]))
        await begun(model)
        searches = [asyncio.create_task(running.score(query, ["a", "b"])) for query in ("q", "p")]
        await settled(running)
        model.go_on(3)
        outcomes = await asyncio.gather(*searches, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [ScoringError, ScoringError]
        assert "about the text" not in str(outcomes)
        assert await before == [1.0]
        assert await running.score("q", ["a", "b"]) == [1.0, 1.0]


async def test_a_failure_ends_the_search_that_it_hit() -> None:
    """The rest of a search whose batch failed is not scored; another search is not touched."""
    model = GivenModel(answers=[[1.0], ValueError()])
    async with scorer(model, limits=ONE_BY_ONE) as running:
        failed = asyncio.create_task(running.score("", ["a", "b", "c", "d"]))
        await settled(running)
        other = asyncio.create_task(running.score("", ["ee"]))
        with pytest.raises(ScoringError):
            await failed
        assert await other == [2.0]
    assert model.texts == [["a"], ["b"], ["ee"]]


async def test_a_text_that_can_not_be_read_ends_its_search_alone() -> None:
    """What a tokenizer chokes on is that search's error, without its words; others are scored."""
    async with scorer(UnreadableModel()) as running:
        failed, other = await asyncio.gather(
            running.score("q", ["good", "bad"]), running.score("q", ["good"]), return_exceptions=True
        )
        assert isinstance(failed, ScoringError)
        assert "bad" not in str(failed)
        assert other == [4.0]


async def test_a_cancelled_search_takes_its_texts_along() -> None:
    """When a client leaves, what it waited for is not scored, and the room is free at once."""
    model = HeldModel()
    async with scorer(model, limits=Limits(3, 1)) as running:
        left = asyncio.create_task(running.score("", ["a", "bb", "ccc"]))
        await begun(model)
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
        stays = asyncio.create_task(running.score("", ["dddd", "eeeee", "ffffff"]))
        await settled(running)
        model.go_on(4)
        assert await stays == [4.0, 5.0, 6.0]
    assert model.texts == [["a"], ["dddd"], ["eeeee"], ["ffffff"]]


async def test_the_end_answers_who_waits() -> None:
    """When the scorer stops, every search that waits gets its error, and so does one that comes later."""
    model = HeldModel()
    async with scorer(model, limits=ONE_BY_ONE) as running:
        waiting = [asyncio.create_task(running.score("", ["a", "b"])) for _ in range(2)]
        await begun(model)
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    model.go_on(10)
    assert [type(outcome) for outcome in outcomes] == [ScoringError, ScoringError]
    with pytest.raises(ScoringError):
        await running.score("", ["a"])


async def test_the_most_urgent_search_comes_first() -> None:
    """Batches are filled from the search whose deadline is nearest, whenever it came."""
    model = HeldModel()
    async with scorer(model, limits=ONE_BY_ONE) as running:
        first = asyncio.create_task(running.score("", ["a"]))
        await begun(model)
        late = asyncio.create_task(running.score("", ["late"]))
        await settled(running)
        early = asyncio.create_task(running.score("", ["early"], deadline=soon(60)))
        await settled(running)
        model.go_on(3)
        await asyncio.gather(first, late, early)
    assert model.texts == [["a"], ["early"], ["late"]]


async def test_replicas_share_the_work() -> None:
    """A batch goes to whichever device is free; a search's scores come together in their places."""
    models = [HeldModel(batch_tokens=4), HeldModel(batch_tokens=4, device="cpu")]
    async with scorer(*models) as running:
        search = asyncio.create_task(running.score("", ["aaaa", "bbb", "cc", "d"]))
        for model in models:
            await begun(model)
        models[1].go_on(1)
        await begun(models[1])
        models[1].go_on(3)
        models[0].go_on(3)
        assert await search == [4.0, 3.0, 2.0, 1.0]
    assert models[0].texts[0] == ["aaaa"]
    assert len(models[1].texts) >= 2


async def test_a_replica_that_is_behind_leaves_a_prefix() -> None:
    """Where a later batch was done on another device and an earlier one was not, only what has no gap counts."""
    models = [HeldModel(batch_tokens=4), HeldModel(batch_tokens=4)]
    async with scorer(*models) as running:
        search = asyncio.create_task(running.score("", ["aa", "bb", "ccc", "dddd"], deadline=soon(0.5)))
        models[1].go_on(10)
        with pytest.raises(DeadlineError):
            await search
        models[0].go_on(10)


async def test_a_gpu_finds_its_next_batch_when_it_ends_one() -> None:
    """Two batches are given to a model on CUDA, one of which runs; to one on the CPU only that."""
    for device, batches in (("cuda:0", 2), ("cpu", 1)):
        model, telemetry = HeldModel(batch_tokens=2, device=device), Telemetry()
        async with scorer(model, telemetry=telemetry) as running:
            search = asyncio.create_task(running.score("", ["aa", "bb", "cc"]))
            await begun(model)
            await settled(running)
            with pytest.raises(OverloadedError):
                await running.score("", ["x"] + [str(number) for number in range(100 - 3 + batches)])
            model.go_on(3)
            assert await search == [2.0, 2.0, 2.0]


async def test_scores_and_waiting_texts_are_counted() -> None:
    """The metrics say how many texts were scored, how long it took, and how many wait, by model."""
    model, telemetry = HeldModel(), Telemetry()
    async with scorer(model, limits=ONE_BY_ONE, telemetry=telemetry) as running:
        search = asyncio.create_task(running.score("", ["a", "b", "c"]))
        await begun(model)
        assert b'rerank_bridge_waiting_pairs{model="small"} 2.0' in telemetry.exposition()
        model.go_on(3)
        await search
        counted = telemetry.exposition()
    assert b'rerank_bridge_waiting_pairs{model="small"} 0.0' in counted
    assert b'rerank_bridge_scored_pairs_total{model="small"} 3.0' in counted
    assert b'rerank_bridge_scoring_seconds_total{model="small"}' in counted


SEARCHES = st.lists(
    st.tuples(st.sampled_from(["", "q", "query"]), st.lists(st.text("abc", max_size=12), max_size=8)), max_size=6
)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SEARCHES, st.integers(1, 40), st.integers(1, 3))
def test_whatever_is_asked_at_once_gets_its_own_scores(
    searches: list[tuple[str, list[str]]], batch_tokens: int, replicas: int
) -> None:
    """Scores depend on the text alone, not on batches, neighbours, replicas, or what was asked before."""

    async def ask() -> list[list[float | None]]:
        models = [LengthModel(batch_tokens=batch_tokens, device="cuda:0") for _ in range(replicas)]
        async with scorer(*models, limits=Limits(1_000)) as running:
            return await asyncio.gather(*(running.score(query, texts) for query, texts in searches))

    expected = [[float(len(text)) if text else None for text in texts] for _, texts in searches]
    assert asyncio.run(ask()) == expected
