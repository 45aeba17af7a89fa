"""Explanations as a client of the engine gets them: real OpenSearch, real model, real bridge, the official client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from opensearchpy import OpenSearch, helpers

INDEX = "explain-through-the-bridge"
EXPLAIN = {"X-Rerank": "explain"}
TEXTS = (
    "Bread bread bread, baked from wheat flour, water and yeast.",
    "How to bake a loaf of bread at home, step by step.",
    "A shop that sells bread.",
    "Bread browned by heat.",
)
WORDS = "instructions to bake bread yourself"


@pytest.fixture(scope="module")
def engine(opensearch_url: str) -> Iterator[OpenSearch]:
    client = OpenSearch(opensearch_url)
    properties = {"text": {"type": "text", "analyzer": "english"}}
    settings = {"number_of_shards": 1, "number_of_replicas": 0}
    client.indices.create(index=INDEX, body={"settings": settings, "mappings": {"properties": properties}})
    documents = ({"_index": INDEX, "_id": str(number), "text": text} for number, text in enumerate(TEXTS))
    helpers.bulk(client, documents, refresh=True)
    yield client
    client.close()


@pytest.fixture
def client(bridge_url: str, engine: OpenSearch) -> Iterator[OpenSearch]:
    assert engine.ping()
    client = OpenSearch(bridge_url, http_compress=True)
    yield client
    client.close()


def about(words: str, **more: object) -> dict[str, object]:
    return {"query": {"match": {"text": words}}, **more}


async def explained(client: OpenSearch, body: dict[str, object]) -> dict[str, Any]:
    reply: dict[str, Any] = await asyncio.to_thread(client.search, index=INDEX, body=body, headers=EXPLAIN)
    return reply


async def test_a_reranked_search(client: OpenSearch, engine: OpenSearch) -> None:
    """The client hands the member on: hits as the reply shows them, first-stage places as the engine has them."""
    body = about(WORDS, size=3)
    reply = await explained(client, body)
    direct = await asyncio.to_thread(engine.search, index=INDEX, body=body)
    (told,) = reply["rerank_bridge"]["searches"]
    shown = reply["hits"]["hits"]
    assert (told["outcome"], told["query_text"], told["fields"]) == ("applied", WORDS, ["text"])
    assert [(hit["_index"], hit["_id"], hit["score"]) for hit in told["hits"]] == [
        (hit["_index"], hit["_id"], hit["_score"]) for hit in shown
    ]
    assert [hit["passage"] for hit in told["hits"]] == [hit["_source"]["text"] for hit in shown]
    places = {hit["_id"]: (rank, hit["_score"]) for rank, hit in enumerate(direct["hits"]["hits"], start=1)}
    for hit in told["hits"]:
        if hit["_id"] in places:
            assert (hit["first_stage"]["rank"], hit["first_stage"]["score"]) == places[hit["_id"]]
    assert told["hits"][0]["_id"] == "1"


async def test_a_search_that_passes_through(client: OpenSearch, engine: OpenSearch) -> None:
    """But for the member and the time it took, the reply is the engine's."""
    body = about(WORDS, sort="_doc")
    reply = await explained(client, body)
    direct = await asyncio.to_thread(engine.search, index=INDEX, body=body)
    (told,) = reply.pop("rerank_bridge")["searches"]
    assert (told["outcome"], told["reason"]) == ("skipped", "sorted")
    assert {**reply, "took": 0} == {**direct, "took": 0}


async def test_several_searches(client: OpenSearch) -> None:
    """Each search of an ``_msearch`` has its entry, in their order."""
    lines = [{"index": INDEX}, about(WORDS, size=1), {}, about(WORDS, size=0), {"index": INDEX}, about("shop", size=2)]
    reply = await asyncio.to_thread(client.msearch, body=lines, headers=EXPLAIN)
    told = reply["rerank_bridge"]["searches"]
    assert [(one["outcome"], one.get("reason"), len(one.get("hits", ()))) for one in told] == [
        ("applied", None, 1),
        ("skipped", "size-zero", 0),
        ("skipped", "too-few-hits", 0),
    ]
    assert len(reply["responses"]) == 3


async def test_an_error_stays_the_engines(client: OpenSearch) -> None:
    """A search of an index that is not there is the error that the client knows."""
    reply = await asyncio.to_thread(client.search, index="nosuch", body=about(WORDS), headers=EXPLAIN, ignore=404)
    assert reply["status"] == 404
    assert "rerank_bridge" not in reply
