"""The official client's helpers for several searches and for templates: real OpenSearch, real model, real bridge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opensearchpy import NotFoundError, OpenSearch, RequestError, helpers

INDEX = "several-through-the-bridge"
COUNT = 150
SUBJECTS = ("cats that sleep", "dogs that run", "boats on a lake", "trains in the snow", "bread from the oven")
STORED = "several-find"
SOURCE = '{"query":{"match":{"text":"{{words}}"}},"size":"{{size}}","from":"{{from}}{{^from}}0{{/from}}"}'


@pytest.fixture(scope="module")
def engine(opensearch_url: str) -> Iterator[OpenSearch]:
    client = OpenSearch(opensearch_url)
    client.indices.create(index=INDEX, body={"settings": {"number_of_shards": 2, "number_of_replicas": 0}})
    documents = ({"text": f"{SUBJECTS[n % 5]}, story {n} of many", "number": n} for n in range(COUNT))
    helpers.bulk(client, ({"_index": INDEX, "_id": str(n), **one} for n, one in enumerate(documents)), refresh=True)
    client.put_script(id=STORED, body={"script": {"lang": "mustache", "source": SOURCE}})
    yield client
    client.delete_script(id=STORED)
    client.close()


@pytest.fixture
def client(bridge_url: str, engine: OpenSearch) -> Iterator[OpenSearch]:
    assert engine.ping()
    client = OpenSearch(bridge_url, http_compress=True)
    yield client
    client.close()


Use = Callable[[OpenSearch], Any]


async def both(client: OpenSearch, engine: OpenSearch, use: Use) -> tuple[Any, Any]:
    """What the client gets through the bridge, and directly."""
    return await asyncio.to_thread(lambda: (use(client), use(engine)))


def about(words: str, **more: object) -> dict[str, object]:
    return {"query": {"match": {"text": words}}, **more}


def ids(reply: dict[str, Any]) -> list[str]:
    return [hit["_id"] for hit in reply["hits"]["hits"]]


def found(words: str, size: int = 10, start: int = 0) -> dict[str, Any]:
    return {"id": STORED, "params": {"words": words, "size": size, "from": start}}


def pairs(*bodies: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for body in bodies for part in ({"index": INDEX}, body)]


def same_but_for_the_order(bridged: dict[str, Any], direct: dict[str, Any]) -> None:
    """Every member but the hits, the scores and the time, and each hit where both show it."""
    for one in (bridged, direct):
        one.pop("took")
        one["hits"].pop("max_score")
    sources = [{hit["_id"]: hit["_source"] for hit in one["hits"].pop("hits")} for one in (bridged, direct)]
    assert bridged == direct
    assert len(sources[0]) == len(sources[1])
    assert all(sources[0][name] == sources[1][name] for name in sources[0].keys() & sources[1].keys())


async def test_msearch(client: OpenSearch, engine: OpenSearch) -> None:
    """Each search has its own best page, errors and order are kept, and what is left alone is the engine's."""
    left = about("story", size=3, sort=["number"])
    body = [*pairs(about("story of a kitten"), left), {"index": "no-such-index"}, about("x"), *pairs(about("sailing"))]
    bridged, direct = await both(client, engine, lambda of: of.msearch(body=body)["responses"])
    assert [response["status"] for response in bridged] == [200, 200, 404, 200]
    assert int(ids(bridged[0])[0]) % len(SUBJECTS) == 0
    assert ids(bridged[0]) != ids(direct[0])
    assert (ids(bridged[1]), bridged[2]) == (ids(direct[1]), direct[2])
    for place in (0, 1, 3):
        same_but_for_the_order(bridged[place], direct[place])


async def test_a_msearch_finds_what_the_searches_find_alone(client: OpenSearch) -> None:
    """Fifty searches in one request have the pages that each has by itself."""
    bodies = [about(f"story of {SUBJECTS[n % 5]}", size=3, **{"from": n % 7}) for n in range(50)]

    def use() -> tuple[list[list[str]], list[list[str]]]:
        together = client.msearch(body=pairs(*bodies), params={"max_concurrent_searches": 5})["responses"]
        return list(map(ids, together)), [ids(client.search(index=INDEX, body=body)) for body in bodies]

    together, alone = await asyncio.to_thread(use)
    assert together == alone


@pytest.mark.parametrize("stored", [True, False])
async def test_search_template(client: OpenSearch, engine: OpenSearch, stored: bool) -> None:  # noqa: FBT001 - both forms
    """A template finds what the search finds that it is rendered as, page by page, and says what the engine says."""
    template = found("story of a kitten", 5, 5)
    body = template if stored else {"source": SOURCE, "params": template["params"]}
    bridged, direct = await both(client, engine, lambda of: of.search_template(index=INDEX, body=body))
    plain = await asyncio.to_thread(client.search, index=INDEX, body=about("story of a kitten", size=5, **{"from": 5}))
    assert ids(bridged) == ids(plain)
    assert ids(bridged) != ids(direct)
    same_but_for_the_order(bridged, direct)


async def test_msearch_template(client: OpenSearch, engine: OpenSearch) -> None:
    """Templates side by side: each is reranked, a missing one has the engine's own error in its place."""
    body = pairs(found("story of a kitten", 4), {"id": "no-such-template"}, found("sailing story", 4))
    bridged, direct = await both(client, engine, lambda of: of.msearch_template(body=body)["responses"])
    plain = await asyncio.to_thread(client.search, index=INDEX, body=about("story of a kitten", size=4))
    assert ids(bridged[0]) == ids(plain)
    assert bridged[1] == direct[1]
    for place in (0, 2):
        same_but_for_the_order(bridged[place], direct[place])


async def test_render_search_template(client: OpenSearch, engine: OpenSearch) -> None:
    """What a template is rendered as is none of the bridge's business."""
    bridged, direct = await both(client, engine, lambda of: of.render_search_template(body=found("cats")))
    assert bridged == direct


async def test_errors_are_the_engines_own(client: OpenSearch, engine: OpenSearch) -> None:
    """What is refused as a whole raises in the client what it raises without the bridge."""
    uses: tuple[Use, ...] = (
        lambda of: of.msearch(body=[{"no-such-key": 1}, about("x")]),
        lambda of: of.msearch(body=pairs({"query": {"match": {"text": {"no": 1, "query": "x"}}}})),
        lambda of: of.search_template(index=INDEX, body={"id": "no-such-template"}),
        lambda of: of.search_template(index="no-such-index", body=found("x")),
        lambda of: of.search_template(index=INDEX, body={"source": "{{#open}}"}),
        lambda of: of.msearch_template(body=pairs({"params": {}})),
    )

    def failures(of: OpenSearch) -> list[object]:
        raised: list[object] = []
        for use in uses:
            with pytest.raises((NotFoundError, RequestError)) as caught:
                use(of)
            raised.append((caught.type, caught.value.status_code, caught.value.info))
        return raised

    assert await asyncio.to_thread(failures, client) == await asyncio.to_thread(failures, engine)
