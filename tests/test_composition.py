"""A bridge as it comes up."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from bridge.composition import bridging, described_indices, described_scoring, identify
from bridge.config import Config
from bridge.errors import UpstreamError
from bridge.models.base import Tokens
from bridge.upstream import Upstream
from tests.doubles.raw_http import Conversation, Message, RawEngine, ask
from tests.doubles.small_models import LengthModel, pair

BODY = json.dumps({"query": {"match": {"title": "quick fox"}}}).encode()
SEARCH = b"POST /i/_search HTTP/1.1\r\nHost: b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s"
FOUND = [
    {"_id": str(number), "_score": score, "_source": {"title": "x" * (number + 1)}}
    for number, score in enumerate([9.0, 1.0, 0.9, 0.8])
]
PAGE = json.dumps({"took": 1, "hits": {"hits": FOUND}}).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(PAGE), PAGE)


async def test_an_engine_that_is_silent_at_the_start_is_named() -> None:
    """A bridge does not wait without a word for an engine that hangs."""

    async def stays_silent(conversation: Conversation) -> None:
        await conversation.client_left()

    async with RawEngine(answer=stays_silent) as engine:
        config = Config.model_validate({"upstream": engine.url})
        async with Upstream(config) as upstream:
            with pytest.raises(UpstreamError, match=f"{engine.url}: no answer to GET / in 0.05 seconds"):
                await identify(config, upstream, timeout_s=0.05)


class ReverseModel(LengthModel):
    """Likes the shortest text best."""

    def score(self, read: Sequence[Tokens]) -> list[float]:
        return [-score for score in super().score(read)]


class FoxModel(LengthModel):
    """Counts foxes in what it reads, a token for each character."""

    def read(self, query_text: str, texts: Sequence[str], instruction: str = "") -> list[Tokens]:
        return super().read(query_text, [text[: self.max_tokens - len(query_text)] for text in texts], instruction)

    def score(self, read: Sequence[Tokens]) -> list[float]:
        return [float(pair(tokens).text.count("fox")) for tokens in read]


def page_of(texts: Sequence[str], pins: Sequence[bytes]) -> bytes:
    scores = [*pins, *(b"%.1f" % (9.0 - place) for place in range(len(texts) - len(pins)))]
    hits = [
        b'{"_id":"%d","_score":%s,"_source":%s}' % (place, score, json.dumps({"title": text}).encode())
        for place, (text, score) in enumerate(zip(texts, scores, strict=True))
    ]
    return b'{"took":1,"hits":{"max_score":%s,"hits":[%s]}}' % (scores[0], b",".join(hits))


@dataclass
class Whole:
    """A whole bridge."""

    host: str
    port: int

    async def search(self, index: str, query: dict[str, object] | None = None) -> Message:
        body = json.dumps({"query": query or {"match": {"title": "quick fox"}}}).encode()
        return await ask(
            self.host, self.port, (SEARCH % (len(body), b"", body)).replace(b"/i/", b"/%s/" % index.encode())
        )


@asynccontextmanager
async def bridge_of(
    models: Mapping[str, LengthModel],
    texts: Sequence[str] = ("a", "bb", "ccc", "dddd"),
    *,
    pins: Sequence[bytes] = (),
    **settings: object,
) -> AsyncIterator[Whole]:
    page = page_of(texts, pins)
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page)
    async with RawEngine(answer=answer) as engine:
        given = {"upstream": engine.url, "engine": "opensearch", "listen": "127.0.0.1:0", **settings}
        loaded = {name: (model,) for name, model in models.items()}
        async with bridging(Config.model_validate(given), loaded) as bridge:
            yield Whole(bridge.running.host, bridge.running.port)


async def asked(bridge: Whole, index: str, query: dict[str, object] | None = None) -> tuple[bytes, list[str]]:
    """The X-Rerank header of a search, and its hits."""
    reply = await bridge.search(index, query)
    return reply.values(b"X-Rerank")[0], [hit["_id"] for hit in json.loads(reply.body)["hits"]["hits"]]


async def searched(extra: bytes, *models: LengthModel, **settings: object) -> tuple[bytes, list[str]]:
    """The X-Rerank header of a search through a whole bridge of these models, and its hits."""
    settings.setdefault("model", models[0].name)
    async with RawEngine(answer=ANSWER) as engine:
        given = {"upstream": engine.url, "engine": "opensearch", "listen": "127.0.0.1:0", **settings}
        config = Config.model_validate(given)
        async with bridging(config, {model.name: (model,) for model in models}) as bridge:
            data = SEARCH % (len(BODY), extra, BODY)
            reply = await ask(bridge.running.host, bridge.running.port, data)
        assert b"nstruction" not in engine.request.head
    hits = [hit["_id"] for hit in json.loads(reply.body)["hits"]["hits"]]
    return reply.values(b"X-Rerank")[0], hits


async def test_a_bridge_of_two_stages() -> None:
    """A bi-encoder's stage blends with the engine's scores, a cross-encoder's stage behind it goes by its own."""
    first = LengthModel(name="first", kind="bi-encoder")
    told, hits = await searched(b"", first, LengthModel(name="second", revision="2"), model="first:2,second")
    assert told == b"applied; window=4; model=first,second; scored=4,2"
    assert hits == ["3", "2", "0", "1"]
    told, hits = await searched(b"", first, blend_weight=0.0)
    assert hits == ["0", "1", "2", "3"]


async def test_settings_of_the_order_concern_the_last_stage() -> None:
    """The first stage keeps the rule of its kind, so that what is handed on does not change with them."""
    first, second = LengthModel(name="first"), LengthModel(name="second", revision="2")
    _, hits = await searched(b"", first, second, model="first:3,second", ranking="blend", blend_weight=0.0)
    assert hits == ["1", "2", "3", "0"]


async def test_an_instruction_goes_to_every_stage_and_not_to_the_engine() -> None:
    """The header of one search wins over the configuration of its index."""
    header = b"X-Rerank-Instruction: of the search\r\n"
    indices = [{"pattern": "i", "instruction": "of the index"}]
    for extra, expected in ((b"", "of the index"), (header, "of the search")):
        models = LengthModel(name="first"), LengthModel(name="second", revision="2")
        await searched(extra, *models, model="first:2,second", indices=indices)
        assert [model.instructions for model in models] == [[expected], [expected]]


async def test_a_bridge_says_what_memory_it_takes() -> None:
    """Each model with its devices, its number format and its bounds, and the memory of the scores."""
    config = Config.model_validate({"upstream": "http://e", "model": "a:5,b", "score_cache_mib": 2_000})
    models = {
        "a": (LengthModel(name="a"),),
        "b": (LengthModel(name="b", device="cuda:0", precision="bfloat16"), LengthModel(name="b", device="cuda:1")),
    }
    memory = "weights 3 MiB, cache up to 1 MiB, a batch up to 2 MiB"
    assert described_scoring(config, models) == (
        f"model a on cpu in float32 ({memory}); model b on cuda:0, cuda:1 in bfloat16 ({memory}); "
        "all indices: a:5,b; scores kept in up to 2,000 MiB"
    )
    assert described_scoring(config, {}) == "model none, since the mode is off"


def test_a_bridge_says_what_scores_for_which_indices() -> None:
    """Where indices differ, the line that says it is ready has a part for each pattern, and which are off."""
    indices = [{"pattern": "shop-*", "model": "b", "score_timeout_s": 2}, {"pattern": "logs-*", "mode": "off"}]
    config = Config.model_validate({"upstream": "http://e", "model": "a", "indices": indices})
    assert described_indices(config) == ["other indices: a", "shop-*: b timeout_s=2.0", "logs-*: off"]
    assert described_indices(config.model_copy(update={"indices": ()})) == []


async def test_each_index_is_scored_by_its_own_models() -> None:
    """Another model, rule, window or deadline, or off: by the index that a search names, in one bridge."""
    models = {"own": ReverseModel(name="own", revision="2"), "general": LengthModel(name="general")}
    indices = [
        {"pattern": "own", "model": "own"},
        {"pattern": "blended", "ranking": "blend", "blend_weight": 0.0},
        {"pattern": "narrow", "window": 2},
        {"pattern": "off", "mode": "off"},
        {"pattern": "hasty", "score_timeout_s": 1e-9},
    ]
    expected = {
        "hasty": (b"skipped; reason=deadline", ["0", "1", "2", "3"]),
        "own": (b"applied; window=4; model=own", ["0", "1", "2", "3"]),
        "other": (b"applied; window=4; model=general", ["3", "2", "1", "0"]),
        "blended": (b"applied; window=4; model=general", ["0", "1", "2", "3"]),
        "narrow": (b"applied; window=2; model=general", ["1", "0", "2", "3"]),
        "off": (b"skipped; reason=mode-off", ["0", "1", "2", "3"]),
    }
    async with bridge_of(models, model="general", indices=indices) as bridge:
        for index, (told, hits) in expected.items():
            assert await asked(bridge, index) == (told, hits)


async def test_a_long_text_counts_by_its_best_passage() -> None:
    """A short text with a good sentence loses to a long one with a better sentence behind what the model reads."""
    long = {"long_documents": "best_passage", "model": "own"}
    models = {"own": FoxModel(name="own", max_tokens=64), "general": FoxModel(name="general", max_tokens=64)}
    texts = ["a fox", "nothing. " * 12 + "a fox and a fox and a fox", "nothing"]
    async with bridge_of(models, texts, model="general", indices=[{"pattern": "long", **long}]) as bridge:
        assert (await asked(bridge, "other"))[1] == ["0", "1", "2"]
        assert (await asked(bridge, "long"))[1] == ["1", "0", "2"]


GUARDED = [
    ({}, ["3", "2", "1", "0"]),
    ({"exact_fields": ["title"]}, ["0", "3", "2", "1"]),
    ({"exact_fields": ["_id", "nosuch"]}, ["3", "2", "1", "0"]),
    ({"keep_top": "1/2"}, ["3", "0", "2", "1"]),
]


@pytest.mark.parametrize(("settings", "expected"), GUARDED)
async def test_hits_that_must_not_fall(settings: dict[str, Any], expected: list[str]) -> None:
    """A title that is the query text stays on top, and the first stage's best falls no further than allowed."""
    models = {"general": LengthModel(name="general")}
    texts = [" Quick  FOX", "a quick brown fox", "the quick brown fox 2", "the very quick brown foxes"]
    async with bridge_of(models, texts, model="general", **settings) as bridge:
        _, hits = await asked(bridge, "i")
    assert hits == expected


async def test_pinned_hits_keep_their_places_and_scores() -> None:
    """What the engine was told to put first stays there, with the score that says so, to the byte."""
    models = {"general": LengthModel(name="general")}
    pins = [b"1.7014124E38", b"1.7014122E38"]
    async with bridge_of(models, ["a", "bb", "ccc", "dddd"], pins=pins, model="general") as bridge:
        data = (await bridge.search("i")).body
    hits = json.loads(data)["hits"]
    assert [hit["_id"] for hit in hits["hits"]] == ["0", "1", "3", "2"]
    assert data.count(pins[0]) == 2, "of the hit and of max_score"
    assert data.count(pins[1]) == 1
    assert 2 > hits["hits"][2]["_score"] > hits["hits"][3]["_score"] > 1


BOOSTED = {"function_score": {"query": {"match": {"title": "quick fox"}}, "field_value_factor": {"field": "sold"}}}


@pytest.mark.parametrize(
    ("weight", "query", "expected"),
    [(1.0, BOOSTED, ["0", "1", "2", "3"]), (0.0, BOOSTED, ["3", "2", "1", "0"]), (1.0, None, ["3", "2", "1", "0"])],
)
async def test_a_boost_keeps_its_share(weight: float, query: dict[str, object] | None, expected: list[str]) -> None:
    """A search that raises documents by more than words is blended with the first stage, as far as configured."""
    models = {"general": LengthModel(name="general")}
    async with bridge_of(models, model="general", boost_weight=weight) as bridge:
        assert (await asked(bridge, "i", query))[1] == expected
