"""elasticsearch-py 9 as its users have it: its helpers, its sniffing, its DSL, sync and async.

Its ``reindex`` asks for data streams first, which the server alone does not know: ``copied`` does the rest of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from elasticsearch import AsyncElasticsearch, Elasticsearch, NotFoundError, helpers
from elasticsearch.dsl import MultiSearch, Search

from tests.clients.bridges import bridge_to
from tests.clients.stories import (
    APPLIED,
    COUNT,
    MAPPINGS,
    WORDS,
    actions,
    body,
    ids,
    is_about_cats,
    outcome,
    same_but_for_the_order,
)

INDEX = "elasticsearch-py"
_Found = TypeVar("_Found")


@pytest.fixture(scope="module")
def engine(elasticsearch9_url: str) -> Iterator[Elasticsearch]:
    client = Elasticsearch(elasticsearch9_url)
    client.indices.create(index=INDEX, settings={"number_of_shards": 2}, mappings=MAPPINGS)
    helpers.bulk(client, actions(INDEX), refresh=True)
    yield client
    client.indices.delete(index=[INDEX, *client.indices.get(index=f"{INDEX}-*")])
    client.close()


@pytest.fixture(scope="module")
async def bridge_url(elasticsearch9_url: str) -> AsyncIterator[str]:
    async with bridge_to(elasticsearch9_url, engine="elasticsearch") as bridge:
        yield bridge.running.url


@contextmanager
def client_of(*urls: str, **options: Any) -> Iterator[Elasticsearch]:
    client = Elasticsearch(list(urls), **options)
    try:
        yield client
    finally:
        client.close()


async def both(
    client: Elasticsearch, engine: Elasticsearch, use: Callable[[Elasticsearch], _Found]
) -> tuple[_Found, _Found]:
    """What the client gets through the bridge, and directly."""
    return await asyncio.to_thread(lambda: (use(client), use(engine)))


def documents(client: Elasticsearch, index: str) -> dict[str, Any]:
    return {hit["_id"]: hit["_source"] for hit in helpers.scan(client, index=index)}


def copied(hits: Iterable[dict[str, Any]], index: str) -> Iterator[dict[str, Any]]:
    return ({"_index": index, "_id": hit["_id"], "_source": hit["_source"]} for hit in hits)


@pytest.mark.parametrize("compressed", [False, True])
async def test_a_search_is_reranked(bridge_url: str, engine: Elasticsearch, *, compressed: bool) -> None:
    """Its reply says so; only the order of the hits and their scores differ, gzip or not."""
    with client_of(bridge_url, http_compress=compressed) as client:
        bridged, direct = await both(client, engine, lambda of: of.search(index=INDEX, body=body(size=COUNT)))
    same_but_for_the_order(bridged.body, direct.body)
    assert outcome(bridged.meta.headers) == APPLIED
    assert bridged.meta.headers["content-type"] == direct.meta.headers["content-type"]


async def test_every_bulk_helper_writes_what_it_is_given(bridge_url: str, engine: Elasticsearch) -> None:
    """One request or many, one thread or several: all documents arrive, failures are told, and errors raise alike."""
    with client_of(bridge_url, http_compress=True) as client:

        def use(of: Elasticsearch) -> list[Any]:
            name = f"{INDEX}-bulk"
            of.indices.create(index=name, mappings=MAPPINGS)
            done = [
                helpers.bulk(of, actions(name), chunk_size=7, refresh=True),
                sum(ok for ok, _ in helpers.streaming_bulk(of, actions(name, 30), max_retries=2)),
                sum(ok for ok, _ in helpers.parallel_bulk(of, actions(name), thread_count=3, chunk_size=9)),
            ]
            bad = {"_index": name, "_id": "bad", "number": "no number"}
            _, errors = helpers.bulk(of, [bad], raise_on_error=False)
            of.indices.refresh(index=name)
            found = [*done, errors, documents(of, name)]
            of.indices.delete(index=name)
            with pytest.raises(NotFoundError) as caught:
                of.search(index=name, body=body())
            return [*found, caught.value.status_code, caught.value.error]

        bridged, direct = await both(client, engine, use)
    assert bridged == direct
    assert bridged[:3] == [(COUNT, []), 30, COUNT]
    assert len(bridged[3]) == 1


async def test_exports_and_copies_are_the_engines_own(bridge_url: str, engine: Elasticsearch) -> None:
    """Scrolls, in the engine's order where it is asked for, and what the client copies by them."""
    with client_of(bridge_url) as client:

        def use(of: Elasticsearch) -> list[str]:
            pages = helpers.scan(of, index=INDEX, query=body(), size=7, preserve_order=True)
            return [hit["_id"] for hit in pages]

        bridged, direct = await both(client, engine, use)

        def copy() -> tuple[dict[str, Any], dict[str, Any]]:
            hits = helpers.scan(client, index=INDEX, size=13)
            helpers.bulk(client, copied(hits, f"{INDEX}-copy"), chunk_size=11)
            client.indices.refresh(index=f"{INDEX}-copy")
            return documents(engine, f"{INDEX}-copy"), documents(engine, INDEX)

        there, original = await asyncio.to_thread(copy)
    assert bridged == direct
    assert len(bridged) == len(original) == COUNT
    assert there == original


async def test_the_async_client_is_served_alike(bridge_url: str, engine: Elasticsearch) -> None:
    """Loads, exports, copies, and searches at once, each reranked by its own words; sniffing finds the bridge alone."""
    name = f"{INDEX}-async"
    async with AsyncElasticsearch(bridge_url, http_compress=True, sniff_on_start=True) as client:
        loaded, _ = await helpers.async_bulk(client, actions(name), refresh=True)
        exported = [hit async for hit in helpers.async_scan(client, index=name, size=17)]
        words = ("a kitten story", "a puppy story", "a ship story", "a railway story", "a loaf story")
        found = await asyncio.gather(*(client.search(index=name, body=body(one, size=5)) for one in words))
        await helpers.async_bulk(client, copied(exported, f"{name}-copy"))
        await client.indices.refresh(index=f"{name}-copy")
        known = {node.base_url for node in client.transport.node_pool.all()}
    assert loaded == COUNT
    assert sorted(int(hit["_id"]) for hit in exported) == list(range(COUNT))
    assert [int(ids(one.body)[0]) % len(words) for one in found] == list(range(len(words)))
    assert known == {bridge_url}
    assert await asyncio.to_thread(lambda: documents(engine, f"{name}-copy") == documents(engine, INDEX))


def addresses(client: Elasticsearch) -> set[str]:
    return {node.base_url for node in client.transport.node_pool.all()}


async def test_a_client_that_sniffs_stays_on_the_bridge(
    bridge_url: str, engine: Elasticsearch, unused_tcp_port: int
) -> None:
    """At its start, before requests, and when a node fails: it finds the bridge, and never the engine."""
    assert engine.indices.exists(index=INDEX)
    dead = f"http://127.0.0.1:{unused_tcp_port}"

    def use() -> list[Any]:
        found = []
        options = {"sniff_before_requests": True, "min_delay_between_sniffing": 0}
        with client_of(bridge_url, sniff_on_start=True, **options) as client:
            found += [client.search(index=INDEX, body=body()), addresses(client)]
        options = {"sniff_on_node_failure": True, "randomize_nodes_in_pool": False, "retry_on_timeout": True}
        with client_of(dead, bridge_url, **options) as client:
            found += [client.search(index=INDEX, body=body()), addresses(client)]
        return found

    before, known_before, after, known_after = await asyncio.to_thread(use)
    assert known_before == {bridge_url}
    assert known_after == {bridge_url, dead}  # this client never forgets the addresses that it was given
    assert outcome(before.meta.headers) == outcome(after.meta.headers) == APPLIED


async def test_without_the_bridges_addresses_a_client_would_leave(
    elasticsearch9_url: str, engine: Elasticsearch
) -> None:
    """What the setting is for: left as they are, the engine's addresses lead past the bridge."""
    assert engine.indices.exists(index=INDEX)
    async with bridge_to(elasticsearch9_url, engine="elasticsearch", mode="off", sniffing=False) as bridge:
        url = bridge.running.url

        def use() -> set[str]:
            with client_of(url, sniff_on_start=True) as client:
                return addresses(client)

        assert await asyncio.to_thread(use) == {url, elasticsearch9_url}


async def test_the_dsl_pages_through_reranked_hits(bridge_url: str, engine: Elasticsearch) -> None:
    """Slices of one search show each hit once; its count, scan, iteration and highlights are the engine's."""
    with client_of(bridge_url) as client:

        def use() -> list[Any]:
            search = Search(using=client, index=INDEX).query("match", text=WORDS).highlight("text")
            pages = [search[start : start + 10].execute() for start in range(0, COUNT, 10)]
            iterated = [hit.meta.id for hit in search[:7].iterate()]
            return [pages, search.count(), [hit.meta.id for hit in search.scan()], iterated]

        pages, count, scanned, iterated = await asyncio.to_thread(use)
        assert engine.count(index=INDEX)["count"] == count
    walked = [hit.meta.id for page in pages for hit in page]
    assert sorted(walked) == sorted(scanned) == sorted(iterated)
    assert len(set(walked)) == count == COUNT
    assert is_about_cats(walked[0])
    assert all("<em>story</em>" in hit.meta.highlight.text[0] for page in pages for hit in page)


async def test_the_dsl_sends_several_searches_at_once(bridge_url: str, engine: Elasticsearch) -> None:
    """Each of them is reranked by its own words, beside one that is sorted and stays as it is."""
    assert engine.indices.exists(index=INDEX)
    with client_of(bridge_url) as client:

        def use() -> list[list[str]]:
            several = MultiSearch(using=client, index=INDEX)
            for words in ("a kitten story", "a puppy story"):
                several = several.add(Search().query("match", text=words))
            several = several.add(Search().query("match", text=WORDS).sort("-number"))
            return [[hit.meta.id for hit in found] for found in several.execute()]

        cats, dogs, sorted_hits = await asyncio.to_thread(use)
    assert [int(cats[0]) % 5, int(dogs[0]) % 5] == [0, 1]
    assert sorted_hits == [str(number) for number in range(COUNT - 1, COUNT - 11, -1)]
