"""Each index in its own way, with the real engine and the embedded model: long texts, and hits that stay on top."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from opensearchpy import OpenSearch, helpers

from bridge.composition import bridging
from bridge.config_sources import load

FILLING = "The committee read the minutes of its last meeting and went on with other matters. "
ANSWER = (
    "For how many hours a day does a kitten sleep? A kitten sleeps for about twenty hours a day while it grows. "
    "Hours of sleep are what a kitten grows by: a kitten that sleeps for few hours a day does not grow as it should. "
)
TEXTS = {
    "long": "Minutes of a meeting about many matters. " + FILLING * 40 + ANSWER * 4,
    "other": "A kitten may sleep in a basket, which should be washed now and then with the rest of the laundry.",
    "code": "Kitten Sleep",
}
SOLD = {"other": 9, "long": 5, "code": 1}
INDEX = "ways-of-an-index"
ALIASES = ("as-it-is", "by-passages", "exact", "boosted")
INDICES = [
    {"pattern": "by-passages", "long_documents": "best_passage"},
    {"pattern": "exact", "exact_fields": "text"},
    {"pattern": "boosted", "boost_weight": 1.0},
]


@pytest.fixture(scope="module")
def engine(opensearch_url: str) -> Iterator[str]:
    with OpenSearch(opensearch_url) as client:
        client.indices.create(
            index=INDEX,
            body={
                "settings": {"number_of_shards": 1, "number_of_replicas": 0},
                "aliases": {alias: {} for alias in ALIASES},
            },
        )
        documents = ({"_index": INDEX, "_id": name, "text": text, "sold": SOLD[name]} for name, text in TEXTS.items())
        helpers.bulk(client, documents, refresh=True)
        yield opensearch_url
        client.indices.delete(index=INDEX)


@pytest.fixture(scope="module")
async def client(engine: str) -> AsyncIterator[OpenSearch]:
    flags = {"upstream": engine, "listen": "127.0.0.1:0", "score_timeout_s": 60, "ranking": "model"}
    async with bridging(load({**flags, "indices": INDICES}, None, {})) as bridge:
        with OpenSearch(bridge.running.url) as client:
            yield client


async def searched(client: OpenSearch, index: str, query: dict[str, Any], **more: object) -> list[str]:
    reply = await asyncio.to_thread(lambda: client.search(index=index, body={"query": query, **more}))
    return [hit["_id"] for hit in reply["hits"]["hits"]]


def words(text: str) -> dict[str, Any]:
    return {"match": {"text": text}}


ASKED = words("for how many hours a day does a kitten sleep while it grows")


async def test_a_long_text_counts_by_the_sentence_that_answers(client: OpenSearch) -> None:
    """An answer at the end of a long text is found where passages are read, and not where texts are cut."""
    assert await searched(client, "as-it-is", ASKED) == ["code", "other", "long"]
    assert await searched(client, "by-passages", ASKED) == ["code", "long", "other"]


async def test_a_hit_that_is_the_query_stays_on_top(client: OpenSearch) -> None:
    """Whatever the client fetches of it; elsewhere the model decides."""
    for more in ({}, {"_source": False}, {"_source": ["sold"]}):
        assert (await searched(client, "exact", words(" kitten SLEEP"), **more))[0] == "code"


async def test_what_a_function_raises_keeps_its_place(client: OpenSearch) -> None:
    """With the whole weight, the order is the engine's; without a function the model's."""
    best_sold = {
        "function_score": {"query": ASKED, "field_value_factor": {"field": "sold"}, "boost_mode": "replace"},
    }
    assert await searched(client, "boosted", best_sold) == ["other", "long", "code"]
    assert await searched(client, "boosted", ASKED) == await searched(client, "as-it-is", ASKED)
