"""The metrics: what is counted when, what is read when asked, and that the table knows them all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge.cache_use import CacheUse
from bridge.config import Config
from bridge.metrics_table import DEVICE_MEMORY, LABELS, OWN, PROCESS, Metric, Sample
from bridge.models.base import Tokens, Usage
from bridge.ranking import Rule, StageScores
from bridge.score_cache import ENTRY_BYTES, ScoreCache
from bridge.scorer import Limits, Scorer
from bridge.telemetry import Interval, Spent, Telemetry, overlap
from bridge.window_scores import WindowScores
from connectors.base import RankedHit, Reason
from tests.doubles.raw_http import RawEngine
from tests.doubles.small_bridge import small_bridge
from tests.doubles.small_exchange import ONE_BY_ONE, exchange
from tests.doubles.small_models import GivenModel, HeldModel, LengthModel
from tests.doubles.small_sender import search_request
from tests.test_exchange_many import ManySender, about, msearch

Values = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]


def told(telemetry: Telemetry) -> Values:
    """The samples, by name and labels, as a scraper reads them."""
    families = text_string_to_metric_families(telemetry.exposition().decode())
    return {
        (sample.name.removeprefix("rerank_bridge_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return told(telemetry).get((name, tuple(sorted(labels.items()))))


def ranked(*places: int) -> list[RankedHit]:
    return [RankedHit(place, 1.0) for place in places]


def stage(*scores: float | None, cut: Reason | None = None) -> StageScores:
    return StageScores(scores, Rule(), "small", 0.1, cut)


def test_the_table_has_every_metric() -> None:
    """What a scraper finds is what the table declares, kind by kind, and nothing else."""
    families = text_string_to_metric_families(Telemetry().exposition().decode())
    found = {(family.name, family.type) for family in families}
    assert found == {(metric.name, metric.kind) for metric in (*OWN, *PROCESS)}


def test_every_label_is_explained() -> None:
    """Each label that a metric has is described, and no other."""
    assert {label for metric in OWN for label in metric.labels} == LABELS.keys()


@pytest.mark.parametrize("metric", OWN, ids=lambda metric: metric.name)
def test_names_say_their_unit(metric: Metric) -> None:
    """A metric is named as Prometheus wants it: in base units, and without a suffix that its kind has."""
    words = set(metric.name.split("_"))
    assert metric.name.startswith("rerank_bridge_")
    assert words & {"ms", "milliseconds", "mib", "percent", "total", "count", "bucket", "sum"} == set()


def test_a_reranked_search_is_counted_by_its_pattern() -> None:
    """The index is the configured pattern, or other; never a name that a client made up."""
    telemetry = Telemetry()
    for pattern in ("shop-*", "", None):
        telemetry.search_applied(pattern, [stage(1.0, 2.0)], ranked(1, 0))
    for index in ("shop-*", "other", ""):
        assert value(telemetry, "searches_total", index=index, outcome="applied", reason="") == 1


def test_how_much_the_order_changed() -> None:
    """First hits that are others than the engine's are counted; the overlap is that of the first ten."""
    telemetry = Telemetry()
    telemetry.search_applied("", [stage(1.0, 2.0)], ranked(0, 1))
    for _ in range(2):
        telemetry.search_applied("", [stage(1.0, 2.0)], ranked(*range(5, 20), *range(5)))
    assert value(telemetry, "top_changed_searches_total", index="other") == 2
    assert value(telemetry, "overlap_at_10_sum", index="other") == 1.0 + 2 * 0.5
    assert value(telemetry, "overlap_at_10_bucket", index="other", le="0.5") == 2


@pytest.mark.parametrize(
    ("places", "share"),
    [
        ((0, 1), 1.0),
        ((1, 0), 1.0),
        ((2, 0, 1), 1.0),
        ((*range(10, 20), *range(10)), 0.0),
        ((*range(9), 11, 9, 10), 0.9),
    ],
)
def test_overlap(places: Sequence[int], share: float) -> None:
    """The share of the first hits, ten at most, that were among as many of the engine's."""
    assert overlap(ranked(*places), 10) == share


def test_deadlines_and_the_share_that_was_scored() -> None:
    """A search that was partly scored, or not at all, counts as missed where the deadline was why."""
    telemetry = Telemetry()
    telemetry.search_applied("", [stage(1.0, 2.0)], ranked(1, 0))
    telemetry.search_applied("", [stage(1.0, None, cut=Reason.DEADLINE)], ranked(1, 0))
    telemetry.search_applied("", [stage(1.0, 2.0), stage(1.0, None, cut=Reason.OVERLOADED)], ranked(1, 0))
    for reason in (Reason.DEADLINE, Reason.OVERLOADED, Reason.MODEL_FAILED, Reason.SORTED):
        telemetry.search_skipped(reason, "")
    assert value(telemetry, "deadline_misses_total", reranked="partly") == 1
    assert value(telemetry, "deadline_misses_total", reranked="not") == 1
    assert value(telemetry, "partly_scored_searches_total") == 2
    assert (value(telemetry, "scored_share_count"), value(telemetry, "scored_share_sum")) == (6, 2.5)
    assert value(telemetry, "scored_share_bucket", le="0.0") == 3


def test_the_stages_of_a_request() -> None:
    """Each stage has its seconds; what is neither the engine's nor the models' is the bridge's, splicing included."""
    telemetry = Telemetry()
    asked = (Interval("upstream", 10.0, 11.5), Interval("upstream", 11.5, 12.0))
    parts = (*asked, Interval("scoring", 12.0, 15.0), Interval("splice", 15.5, 16.0))
    telemetry.exchange_timed(Spent(Interval("rerank", 10.0, 16.0), parts))
    found = {
        name: value(telemetry, "stage_seconds_sum", stage=name, model="")
        for name in ("upstream", "scoring", "splice", "bridge", "total")
    }
    assert found == {"upstream": 2.0, "scoring": 3.0, "splice": 0.5, "bridge": 1.0, "total": 6.0}


async def test_the_time_of_one_request_is_counted_once() -> None:
    """Several searches of one request are counted each, and its time once."""
    async with exchange(ManySender()) as small:
        await small.search(msearch(({}, about("cats")), ({}, about("dogs"))))
        assert value(small.telemetry, "searches_total", index="other", outcome="applied", reason="") == 2
        assert value(small.telemetry, "stage_seconds_count", stage="total", model="") == 1
        assert value(small.telemetry, "stage_seconds_count", stage="queue", model="small") == 2


async def test_the_patterns_of_searches() -> None:
    """Reranked or left alone, also within one request, a search is counted under the pattern that it goes by."""
    patterns = [{"pattern": "shop*"}, {"pattern": "logs*", "mode": "off"}]
    config = Config.model_validate({"upstream": "http://localhost", "window": 4, "indices": patterns})
    lines = [({"index": "shop1"}, about("cats")), ({"index": "logs1"}, about("cats")), ({"index": "mine"}, {"size": 0})]
    async with exchange(ManySender()) as small:
        small.exchange._policy = config.policy
        await small.search(msearch(*lines))
        counted = small.telemetry
        assert value(counted, "searches_total", index="shop*", outcome="applied", reason="") == 1
        assert value(counted, "searches_total", index="logs*", outcome="skipped", reason="mode-off") == 1
        assert value(counted, "searches_total", index="other", outcome="skipped", reason="size-zero") == 1


@dataclass
class SteppedModel(LengthModel):
    """Takes two seconds to read and five to score, by the clock of the test."""

    now: list[float] = field(default_factory=lambda: [100.0])

    def read(self, query_text: str, texts: Sequence[str], instruction: str = "") -> list[Tokens]:
        self.now[0] += 2.0
        return super().read(query_text, texts, instruction)

    def score(self, read: Sequence[Tokens]) -> list[float]:
        self.now[0] += 5.0
        return super().score(read)


async def test_the_steps_of_a_model() -> None:
    """A search waits until it is read, then for its batches: each step has the seconds that it took."""
    model, telemetry = SteppedModel(batch_tokens=2), Telemetry()
    async with Scorer([model], Limits(100), ScoreCache(10 * ENTRY_BYTES), telemetry, lambda: model.now[0]) as scorer:
        await scorer.score("", ["a", "b", "c"])
    found = [
        value(telemetry, "stage_seconds_sum", stage=step, model="small") for step in ("queue", "tokenise", "score")
    ]
    assert found == [2.0, 2.0, 10.0]


async def test_batches_are_counted() -> None:
    """Texts, tokens and seconds of what was scored, and how full the batches were."""
    telemetry = Telemetry()
    async with Scorer([LengthModel(batch_tokens=4)], Limits(100), ScoreCache(10 * ENTRY_BYTES), telemetry) as scorer:
        await scorer.score("", ["abc", "de"])
    assert value(telemetry, "scored_pairs_total", model="small") == 2
    assert value(telemetry, "scored_tokens_total", model="small") == 5
    assert value(telemetry, "batch_fill_count", model="small") == 2
    assert value(telemetry, "batch_fill_sum", model="small") == 0.75 + 0.5


@dataclass
class TellingModel(HeldModel):
    """Tells of its work."""

    usage: Usage = field(default_factory=lambda: Usage(3, {"vector": CacheUse(5, 6, 700, 800)}))


async def test_what_is_read_of_a_model_at_work() -> None:
    """Queue, budget, memory and caches are as they are when somebody asks, and gone with the model."""
    model, telemetry = TellingModel(), Telemetry()
    async with Scorer([model], ONE_BY_ONE, ScoreCache(10 * ENTRY_BYTES), telemetry) as scorer:
        search = asyncio.create_task(scorer.score("", ["a", "bc", "def"]))
        await asyncio.to_thread(model.begun.acquire)
        found = told(telemetry)
        model.go_on(3)
        await search
    of_model = {name: of for (name, labels), of in found.items() if labels == (("model", "small"),)}
    assert (of_model["waiting_pairs"], of_model["waiting_tokens"]) == (2, 5)
    assert (of_model["queue_limit_pairs"], of_model["batch_budget_tokens"]) == (100, 1)
    assert of_model["batch_halvings_total"] == 3
    vector = (("cache", "vector"), ("model", "small"))
    assert [found[name, vector] for name in ("cache_hits_total", "cache_misses_total")] == [5, 6]
    assert [found[name, vector] for name in ("cache_bytes", "cache_limit_bytes")] == [700, 800]
    memory = (("device", "cpu"), ("model", "small"), ("part", "weights"))
    assert found["model_memory_bytes", memory] == 3 << 20
    assert value(telemetry, "waiting_pairs", model="small") is None


async def test_scores_that_are_kept() -> None:
    """Scores that were asked for and found are hits, once for all models over one cache."""
    telemetry, cache = Telemetry(), ScoreCache(10 * ENTRY_BYTES)
    first, second = LengthModel(), LengthModel(name="second", revision="2")
    async with Scorer([first], Limits(100), cache, telemetry) as one, Scorer([second], Limits(100), cache, telemetry):
        for _ in range(2):
            await one.score("", ["a", "b"])
        assert value(telemetry, "cache_hits_total", cache="score", model="") == 2
        assert value(telemetry, "cache_misses_total", cache="score", model="") == 2
        assert value(telemetry, "cache_bytes", cache="score", model="") == 2 * ENTRY_BYTES
        assert value(telemetry, "cache_limit_bytes", cache="score", model="") == 10 * ENTRY_BYTES


async def test_orders_that_serve_another_page() -> None:
    """What a deadline cut is a hit for the next page; pages asked for at once are scored once."""
    model = GivenModel()
    async with exchange(None, model) as small:
        windows = small.exchange._scores
        assert isinstance(windows, WindowScores)
        await asyncio.gather(small.search(), small.search(search_request(**{"from": 1, "size": 2})))
    assert windows.use == CacheUse(hits=1, misses=1)


def test_two_sources_of_one_metric() -> None:
    """While a model is exchanged for itself both are told as one sum; a device's memory is not doubled."""
    hits = Sample(OWN[[metric.name for metric in OWN].index("rerank_bridge_cache_hits")], ("score", ""), 2)
    memory = Sample(DEVICE_MEMORY, ("cuda:0", "total"), 80)

    def first() -> Iterator[Sample]:
        yield from (hits, memory)

    def second() -> Iterator[Sample]:
        yield from (hits, memory)

    telemetry = Telemetry()
    with telemetry.watching(first), telemetry.watching(second), telemetry.watching(first):
        assert value(telemetry, "cache_hits_total", cache="score", model="") == 4
        assert value(telemetry, "device_memory_bytes", device="cuda:0", kind="total") == 80
    assert value(telemetry, "cache_hits_total", cache="score", model="") is None


REPLY = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(("status", "counted"), [(200, "2xx"), (404, "4xx"), (429, "429"), (503, "5xx")])
async def test_replies_are_counted_by_class(status: int, counted: str) -> None:
    """The engine's own errors are seen without its own metrics."""
    async with RawEngine(REPLY % status) as engine, small_bridge(engine) as bridge:
        await bridge.ask(b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        await bridge.ask(b"GET /_bridge/health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        expected = {"2xx": 1.0, counted: 1.0} if counted != "2xx" else {"2xx": 2.0}
        assert {name: value(bridge.telemetry, "replies_total", status=name) for name in expected} == expected
