"""opensearch-py as its users have it: its helpers, its sniffing and retries, its DSL, sync and async."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from opensearchpy import (
    AsyncOpenSearch,
    MultiSearch,
    OpenSearch,
    Search,
    Urllib3HttpConnection,
    helpers,
)

from bridge.demo.ports import HOST
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

INDEX = "opensearch-py"
_Found = TypeVar("_Found")


class Noting(Urllib3HttpConnection):
    """The client's own connection, which also notes what each reply says of reranking."""

    outcomes: list[str | None]

    def perform_request(self, *args: Any, **kwargs: Any) -> Any:
        reply = super().perform_request(*args, **kwargs)
        headers: Mapping[str, str] = reply[1]
        self.outcomes.append(outcome(headers))
        return reply


@pytest.fixture(scope="module")
def engine(opensearch_url: str) -> Iterator[OpenSearch]:
    client = OpenSearch(opensearch_url)
    client.indices.create(index=INDEX, body={"settings": {"number_of_shards": 2}, "mappings": MAPPINGS})
    helpers.bulk(client, actions(INDEX), refresh=True)
    yield client
    client.indices.delete(index=f"{INDEX}*")
    client.close()


@pytest.fixture(scope="module")
async def bridge_url(opensearch_url: str) -> AsyncIterator[str]:
    async with bridge_to(opensearch_url) as bridge:
        yield bridge.running.url


@contextmanager
def client_of(*urls: str, **options: Any) -> Iterator[tuple[OpenSearch, list[str | None]]]:
    """A client, and the outcomes of its requests so far."""
    outcomes: list[str | None] = []
    noting = type("Connection", (Noting,), {"outcomes": outcomes})
    client = OpenSearch(list(urls), connection_class=noting, **options)
    try:
        yield client, outcomes
    finally:
        client.close()


async def both(client: OpenSearch, engine: OpenSearch, use: Callable[[OpenSearch], _Found]) -> tuple[_Found, _Found]:
    """What the client gets through the bridge, and directly."""
    return await asyncio.to_thread(lambda: (use(client), use(engine)))


def documents(client: OpenSearch, index: str) -> dict[str, Any]:
    return {hit["_id"]: hit["_source"] for hit in helpers.scan(client, index=index)}


@pytest.mark.parametrize("compressed", [False, True])
async def test_a_search_is_reranked(bridge_url: str, engine: OpenSearch, *, compressed: bool) -> None:
    """Its reply says so; only the order of the hits and their scores differ, gzip or not."""
    with client_of(bridge_url, http_compress=compressed) as (client, outcomes):
        found = await both(client, engine, lambda of: of.search(index=INDEX, body=body(size=COUNT)))
    same_but_for_the_order(*found)
    assert outcomes == [APPLIED]


async def test_every_bulk_helper_writes_what_it_is_given(bridge_url: str, engine: OpenSearch) -> None:
    """One request or many, one thread or several, compressed or not: all documents arrive, failures are told."""
    with client_of(bridge_url, http_compress=True) as (client, outcomes):

        def use(of: OpenSearch) -> list[Any]:
            name = f"{INDEX}-bulk"
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
            return found

        bridged, direct = await both(client, engine, use)
    assert bridged == direct
    assert bridged[:3] == [(COUNT, []), 30, COUNT]
    assert len(bridged[3]) == 1
    assert APPLIED not in outcomes


@pytest.mark.parametrize("preserve_order", [False, True])
async def test_an_export_is_the_engines_own(bridge_url: str, engine: OpenSearch, *, preserve_order: bool) -> None:
    """Scrolls pass through in the engine's order, and the first page says why."""
    with client_of(bridge_url) as (client, outcomes):

        def use(of: OpenSearch) -> list[str]:
            pages = helpers.scan(of, index=INDEX, query=body(), size=7, preserve_order=preserve_order)
            return [hit["_id"] for hit in pages]

        bridged, direct = await both(client, engine, use)
    assert (bridged if preserve_order else sorted(bridged)) == (direct if preserve_order else sorted(direct))
    assert len(bridged) == COUNT
    assert outcomes[0] == "skipped; reason=scroll"
    assert set(outcomes[1:]) == {None}


async def test_an_index_is_copied_whole(bridge_url: str, engine: OpenSearch) -> None:
    """By the client's helper, which reads and writes, and by the engine's own API."""
    with client_of(bridge_url) as (client, _):

        def use() -> list[dict[str, Any]]:
            helpers.reindex(client, INDEX, f"{INDEX}-copy", chunk_size=11, scan_kwargs={"size": 13})
            there = {"source": {"index": INDEX, "query": body()["query"]}, "dest": {"index": f"{INDEX}-other"}}
            client.reindex(body=there, refresh=True)
            client.indices.refresh(index=f"{INDEX}-copy")
            return [documents(engine, f"{INDEX}{name}") for name in ("", "-copy", "-other")]

        original, copied, other = await asyncio.to_thread(use)
    assert len(original) == COUNT
    assert copied == other == original


async def test_the_async_client_is_served_alike(bridge_url: str, engine: OpenSearch) -> None:
    """Loads, exports, and searches at once, each reranked by its own words."""
    name = f"{INDEX}-async"
    async with AsyncOpenSearch(bridge_url, http_compress=True) as client:
        loaded, _ = await helpers.async_bulk(client, actions(name), refresh=True)
        exported = [hit["_id"] async for hit in helpers.async_scan(client, index=name, size=17)]
        words = ("a kitten story", "a puppy story", "a ship story", "a railway story", "a loaf story")
        found = await asyncio.gather(*(client.search(index=name, body=body(one, size=5)) for one in words))
        await helpers.async_reindex(client, name, f"{name}-copy")
        await client.indices.refresh(index=f"{name}-copy")
    assert loaded == COUNT
    assert sorted(exported) == sorted(str(number) for number in range(COUNT))
    assert [int(ids(one)[0]) % len(words) for one in found] == list(range(len(words)))
    assert await asyncio.to_thread(lambda: documents(engine, f"{name}-copy") == documents(engine, INDEX))


def addresses(client: OpenSearch) -> set[str]:
    return {connection.host for connection in client.transport.connection_pool.connections}


async def test_a_client_that_sniffs_stays_on_the_bridge(bridge_url: str, engine: OpenSearch) -> None:
    """At its start, and before each request: the only address that it knows is the bridge's."""
    assert engine.ping()

    def use() -> tuple[set[str], list[str | None], dict[str, Any]]:
        with client_of(bridge_url, sniff_on_start=True, sniffer_timeout=1e-6) as (client, outcomes):
            found = client.search(index=INDEX, body=body())
            return addresses(client), outcomes, found

    known, outcomes, found = await asyncio.to_thread(use)
    assert known == {bridge_url}
    assert outcomes == [None, None, APPLIED]
    assert is_about_cats(ids(found)[0])


async def test_a_client_that_lost_a_node_finds_the_bridge_again(
    bridge_url: str, engine: OpenSearch, unused_tcp_port: int
) -> None:
    """A client that sniffs when a connection fails forgets the dead address, and repeats its search on the bridge."""
    assert engine.ping()
    dead = f"http://{HOST}:{unused_tcp_port}"

    def use() -> tuple[set[str], list[str | None]]:
        options = {"sniff_on_connection_fail": True, "randomize_hosts": False}  # so that the dead one is tried first
        with client_of(dead, bridge_url, **options) as (client, outcomes):
            client.search(index=INDEX, body=body())
            return addresses(client), outcomes

    known, outcomes = await asyncio.to_thread(use)
    assert known == {bridge_url}
    assert outcomes == [None, APPLIED]


@pytest.mark.parametrize("sniffing", [True, False])
async def test_a_bridge_that_is_off_keeps_its_clients(
    opensearch_url: str, engine: OpenSearch, *, sniffing: bool
) -> None:
    """Or they would be gone when it is on again; where the engine's addresses are left as they are, clients leave."""
    assert engine.ping()
    async with bridge_to(opensearch_url, mode="off", sniffing=sniffing) as bridge:
        url = bridge.running.url

        def use() -> set[str]:
            with client_of(url, sniff_on_start=True) as (client, _):
                return addresses(client)

        known = await asyncio.to_thread(use)
    assert known == {url if sniffing else opensearch_url}


async def test_the_dsl_pages_through_reranked_hits(bridge_url: str, engine: OpenSearch) -> None:
    """Slices of one search show each hit once; its count, scan and highlights are the engine's."""
    with client_of(bridge_url) as (client, outcomes):

        def use() -> list[Any]:
            search = Search(using=client, index=INDEX).query("match", text=WORDS).highlight("text")
            pages = [search[start : start + 10].execute() for start in range(0, COUNT, 10)]
            direct = Search(using=engine, index=INDEX).query("match", text=WORDS)
            return [pages, search.count(), [hit.meta.id for hit in search.scan()], direct.count()]

        pages, count, scanned, direct_count = await asyncio.to_thread(use)
    walked = [hit.meta.id for page in pages for hit in page]
    assert sorted(walked) == sorted(scanned)
    assert len(set(walked)) == count == direct_count == COUNT
    assert is_about_cats(walked[0])
    assert all("<em>story</em>" in hit.meta.highlight.text[0] for page in pages for hit in page)
    assert outcomes[: len(pages)] == [APPLIED] * len(pages)


async def test_the_dsl_sends_several_searches_at_once(bridge_url: str, engine: OpenSearch) -> None:
    """Each of them is reranked by its own words, beside one that is sorted and stays as it is."""
    assert engine.ping()
    with client_of(bridge_url) as (client, outcomes):

        def use() -> list[list[str]]:
            several = MultiSearch(using=client, index=INDEX)
            for words in ("a kitten story", "a puppy story"):
                several = several.add(Search().query("match", text=words))
            several = several.add(Search().query("match", text=WORDS).sort("-number"))
            return [[hit.meta.id for hit in found] for found in several.execute()]

        cats, dogs, sorted_hits = await asyncio.to_thread(use)
    assert [int(cats[0]) % 5, int(dogs[0]) % 5] == [0, 1]
    assert sorted_hits == [str(number) for number in range(COUNT - 1, COUNT - 11, -1)]
    assert outcomes == ["applied; searches=3; reranked=2; reasons=sorted:1"]
