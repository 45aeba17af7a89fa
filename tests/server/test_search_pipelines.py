"""OpenSearch's search pipelines, through whole bridges before a server that has them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from bridge.composition import bridging
from bridge.config import Config
from tests.doubles.piped_engine import SETTINGS, PipedEngine
from tests.doubles.raw_http import ask
from tests.doubles.small_models import LengthModel

QUERY = {"query": {"match": {"title": "quick fox"}}, "size": 3}
FIRST_STAGE, RERANKED, OF_THE_ENGINE = ["0", "1", "2"], ["3", "2", "1"], ["2", "1", "0"]
"""The window holds four hits, the model likes long titles, and the engine's own reranker turns the page round."""
RERANK: Any = {"response_processors": [{"rerank": {"ml_opensearch": {"model_id": "m"}}}]}
TRUNCATE: Any = {"response_processors": [{"truncate_hits": {"target_size": 3}}]}
RENAME: Any = {"response_processors": [{"rename_field": {"field": "title", "target_field": "headline"}}]}
P = "/_search/pipeline/p"


@dataclass
class Bridge:
    port: int

    async def search(self, query: str = "", **members: Any) -> tuple[list[str], str]:
        """The ids of the page, and what the bridge says of it."""
        body = json.dumps(QUERY | members).encode()
        head = f"POST /i/_search{query} HTTP/1.1\r\nHost: b\r\nContent-Type: application/json\r\n"
        reply = await ask("127.0.0.1", self.port, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        hits = json.loads(reply.body)["hits"]["hits"]
        return [hit["_id"] for hit in hits], reply.values(b"X-Rerank")[0].decode()


@pytest.fixture
def engine() -> PipedEngine:
    return PipedEngine()


@pytest.fixture
async def bridge(engine: PipedEngine) -> AsyncIterator[Bridge]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(engine.server())
        given = {"upstream": server.url, "engine": "opensearch", "listen": "127.0.0.1:0", "window": 4}
        bridge = await stack.enter_async_context(bridging(Config.model_validate(given), {"embedded": (LengthModel(),)}))
        yield Bridge(bridge.running.port)


APPLIED, PIPELINE = "applied; window=4; model=small", "skipped; reason=search-pipeline"


async def test_an_order_made_by_another_reranker_stays(bridge: Bridge, engine: PipedEngine) -> None:
    """Whether the search names it or the index has it, a pipeline that reranks has the last word."""
    engine.pipelines["p"] = RERANK
    assert await bridge.search("?search_pipeline=p") == (OF_THE_ENGINE, PIPELINE)
    assert await bridge.search("?search_pipeline=_none") == (RERANKED, APPLIED)


async def test_a_default_pipeline_that_reranks(bridge: Bridge, engine: PipedEngine) -> None:
    """It is found in the settings of the index."""
    engine.pipelines["p"], engine.default = RERANK, "p"
    assert await bridge.search() == (OF_THE_ENGINE, PIPELINE)
    assert engine.paths == [f"/i/{SETTINGS}", P]


async def test_a_pipeline_that_cuts(bridge: Bridge, engine: PipedEngine) -> None:
    """It gets the client's own page to cut, whose hits are reranked among themselves."""
    engine.pipelines["p"] = TRUNCATE
    assert await bridge.search("?search_pipeline=p") == (["2", "1", "0"], "applied; window=3; model=small")
    assert (await bridge.search("?search_pipeline=p", **{"from": 3}))[0] == ["5", "4", "3"]


async def test_a_pipeline_that_renames(bridge: Bridge, engine: PipedEngine) -> None:
    """The text is read under the name that hits have for it, and not what else is there."""
    engine.pipelines["p"] = RENAME
    assert await bridge.search("?search_pipeline=p") == (RERANKED, APPLIED)


async def test_the_engine_is_asked_seldom(bridge: Bridge, engine: PipedEngine) -> None:
    """One answer serves the searches of a while."""
    for _ in range(3):
        assert await bridge.search() == (RERANKED, APPLIED)
    assert engine.paths == [f"/i/{SETTINGS}"]


@pytest.mark.parametrize(
    ("query", "forbids", "expected"),
    [
        ("", ("/i/_settings",), (RERANKED, APPLIED)),
        ("?search_pipeline=p", ("/_search/pipeline",), (OF_THE_ENGINE, PIPELINE)),
    ],
)
async def test_a_client_that_may_not_look(
    bridge: Bridge, engine: PipedEngine, query: str, forbids: tuple[str, ...], expected: Any
) -> None:
    """Without the right to see settings a search is taken to have no pipeline; one that it names passes through."""
    engine.pipelines["p"], engine.forbids = RERANK, forbids
    assert await bridge.search(query) == expected
