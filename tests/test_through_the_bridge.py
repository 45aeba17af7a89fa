"""Whole exchanges: a real OpenSearch, the real embedded model, and clients that know nothing of the bridge."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from opensearchpy import NotFoundError, OpenSearch, RequestError, helpers

INDEX = "through-the-bridge"
COUNT = 180
SUBJECTS = ("cats that sleep", "dogs that run", "boats on a lake", "trains in the snow", "bread from the oven")


def text(number: int) -> str:
    return f"{SUBJECTS[number % len(SUBJECTS)]}, story {number} of many" + " about nothing else" * (number % 4)


@pytest.fixture(scope="module")
def engine(opensearch_url: str) -> Iterator[OpenSearch]:
    client = OpenSearch(opensearch_url)
    client.indices.create(
        index=INDEX,
        body={
            "settings": {"number_of_shards": 2, "number_of_replicas": 0},
            "mappings": {"properties": {"text": {"type": "text"}, "number": {"type": "integer"}}},
        },
    )
    helpers.bulk(
        client,
        ({"_index": INDEX, "_id": str(n), "text": text(n), "number": n} for n in range(COUNT)),
        refresh=True,
    )
    yield client
    client.close()


@pytest.fixture
def client(bridge_url: str, engine: OpenSearch) -> Iterator[OpenSearch]:
    assert engine.ping()
    client = OpenSearch(bridge_url, http_compress=True)
    yield client
    client.close()


def ids(reply: dict[str, Any]) -> list[str]:
    return [hit["_id"] for hit in reply["hits"]["hits"]]


def about(words: str, **more: object) -> dict[str, object]:
    return {"query": {"match": {"text": words}}, **more}


async def test_the_official_client_gets_the_same_hits_in_a_better_order(client: OpenSearch, engine: OpenSearch) -> None:
    """Only the order and the scores differ: total, documents and everything else are the engine's."""
    body = about("story of a kitten", size=COUNT)
    direct, bridged = await asyncio.to_thread(
        lambda: (engine.search(index=INDEX, body=body), client.search(index=INDEX, body=body))
    )
    assert sorted(ids(bridged)) == sorted(ids(direct))
    assert ids(bridged) != ids(direct)
    assert bridged["hits"]["total"] == direct["hits"]["total"]
    sources = {hit["_id"]: hit["_source"] for hit in direct["hits"]["hits"]}
    assert all(hit["_source"] == sources[hit["_id"]] for hit in bridged["hits"]["hits"])
    assert int(ids(bridged)[0]) % len(SUBJECTS) == 0
    scores = [hit["_score"] for hit in bridged["hits"]["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert bridged["hits"]["max_score"] == scores[0]


async def test_pages_walked_through_the_bridge_show_each_hit_once(client: OpenSearch) -> None:
    """Fifteen pages of ten, over the border of the window: nothing comes twice, nothing is lost."""
    pages = [
        await asyncio.to_thread(client.search, index=INDEX, body=about("story of trains", size=10, **{"from": start}))
        for start in range(0, 150, 10)
    ]
    walked = [hit for page in pages for hit in ids(page)]
    whole = await asyncio.to_thread(client.search, index=INDEX, body=about("story of trains", size=150))
    assert len(set(walked)) == 150
    assert walked == ids(whole)


async def test_searches_at_once_get_their_own_answers(client: OpenSearch) -> None:
    """What is batched together in the model is not mixed up in the replies."""
    searches = [asyncio.to_thread(client.search, index=INDEX, body=about(subject)) for subject in SUBJECTS * 3]
    for number, reply in enumerate(await asyncio.gather(*searches)):
        assert int(ids(reply)[0]) % len(SUBJECTS) == number % len(SUBJECTS)


async def test_the_clients_helpers_work(client: OpenSearch) -> None:
    """Bulk loads, exports by scroll, counts and multi-searches go through as they are."""
    name = f"{INDEX}-helpers"

    def use() -> tuple[int, int, int, int]:
        loaded, _ = helpers.bulk(client, ({"_index": name, "text": text(n)} for n in range(500)), refresh=True)
        exported = sum(1 for _ in helpers.scan(client, index=name, query=about("story"), size=50))
        counted = client.count(index=name, body={"query": {"match_all": {}}})["count"]
        several = client.msearch(body=[{"index": name}, about("cats"), {"index": name}, about("dogs")])
        client.indices.delete(index=name)
        return loaded, exported, counted, len(several["responses"])

    assert await asyncio.to_thread(use) == (500, 500, 500, 2)


async def test_errors_are_the_engines_own(client: OpenSearch, engine: OpenSearch) -> None:
    """A missing index and a broken query raise in the client what they raise without the bridge."""

    def failures(of: OpenSearch) -> list[object]:
        found: list[object] = []
        for index, body in (
            ("no-such-index", about("x")),
            (INDEX, {"query": {"match": {"text": {"no": 1, "query": "x"}}}}),
        ):
            with pytest.raises((NotFoundError, RequestError)) as caught:
                of.search(index=index, body=body)
            found.append((caught.type, caught.value.status_code, caught.value.info))
        return found

    assert await asyncio.to_thread(failures, client) == await asyncio.to_thread(failures, engine)


async def test_a_document_that_is_written_through_the_bridge_is_found_through_it(client: OpenSearch) -> None:
    """Nothing of an index is remembered that a write would have to take back."""

    def use() -> tuple[list[str], list[str]]:
        client.index(index=INDEX, id="new", body={"text": "an umbrella stand"}, refresh=True)
        before = ids(client.search(index=INDEX, body=about("umbrella story", size=5)))
        client.index(index=INDEX, id="new", body={"text": "another thing"}, refresh=True)
        after = ids(client.search(index=INDEX, body=about("umbrella story", size=5)))
        client.delete(index=INDEX, id="new", refresh=True)
        return before, after

    before, after = await asyncio.to_thread(use)
    assert before[0] == "new"
    assert "new" not in after
