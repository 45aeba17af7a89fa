"""A bridge as it comes up."""

from __future__ import annotations

import json

import pytest

from bridge.composition import bridging, described_scoring, identify
from bridge.config import Config
from bridge.errors import UpstreamError
from bridge.upstream import Upstream
from tests.doubles.raw_http import Conversation, RawEngine, ask
from tests.doubles.small_models import LengthModel

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


async def searched(extra: bytes, *models: LengthModel, **settings: object) -> tuple[bytes, list[str]]:
    """The X-Rerank header of a search through a whole bridge of these models, and its hits."""
    async with RawEngine(answer=ANSWER) as engine:
        given = {"upstream": engine.url, "engine": "opensearch", "listen": "127.0.0.1:0", **settings}
        config = Config.model_validate(given)
        async with bridging(config, tuple((model,) for model in models)) as bridge:
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
    models = (
        (LengthModel(name="a"),),
        (LengthModel(name="b", device="cuda:0", precision="bfloat16"), LengthModel(name="b", device="cuda:1")),
    )
    memory = "weights 3 MiB, cache up to 1 MiB, a batch up to 2 MiB"
    assert described_scoring(config, models) == (
        f"model a on cpu in float32 ({memory}); then b on cuda:0, cuda:1 in bfloat16 ({memory}); "
        "scores kept in up to 2,000 MiB"
    )
    assert described_scoring(config, ()) == "model none, since the mode is off"
