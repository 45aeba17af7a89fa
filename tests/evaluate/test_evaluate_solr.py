"""The same measuring on a real Solr, whose cores, bodies and pages of hits look otherwise."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.errors import DataError, UpstreamError
from bridge.evaluate.client import SearchClient, open_client
from bridge.evaluate.dataset import Dataset, read_dataset
from bridge.evaluate.dialect import SolrSelect
from bridge.evaluate.index import ensure_index
from bridge.evaluate.side_by_side import search
from bridge.evaluate.template import edismax, read_template

INDEX = "evaluate-solr"


def ignore(done: int, total: int) -> None:
    assert done <= total


@pytest.fixture(scope="module")
async def client(solr_url: str) -> AsyncIterator[SearchClient]:
    async with open_client(solr_url, SolrSelect()) as client:
        yield client


@pytest.mark.parametrize("url", ["solr_url", "solr_cloud_url"])
async def test_missing_core_is_loaded_for_english(url: str, dataset: Dataset, request: pytest.FixtureRequest) -> None:
    """A core, or in a cloud a collection, is made, holds every document, found by stems, and is left alone then."""
    seen: list[tuple[int, int]] = []
    async with open_client(request.getfixturevalue(url), SolrSelect()) as client:
        assert await ensure_index(client, INDEX, dataset, lambda *progress: seen.append(progress))
        assert not await ensure_index(client, INDEX, dataset, ignore)
        reply = await client.search(INDEX, client.dialect.usual().fill("growing an apple", 10))
        pears = await client.search(INDEX, edismax("title_txt_en").fill("pear", 10))
        with pytest.raises(DataError, match=r"holds 3 documents, but .* has 4"):
            await ensure_index(client, INDEX, replace(dataset, document_count=4), ignore)
    assert reply.ids == ("d1",)
    assert pears.ids == ("d2",)
    assert seen == [(0, 3), (3, 3)]


@pytest.mark.parametrize("url", ["solr_url", "solr_cloud_url"])
async def test_failed_load_leaves_no_core(url: str, folder: Path, request: pytest.FixtureRequest) -> None:
    """A document that Solr refuses is told in its words, and no half of a core stays behind."""
    with (folder / "corpus.jsonl").open("a") as corpus:
        corpus.write(json.dumps({"_id": "x" * 40_000, "text": "Lucene's terms have an end"}))
    async with open_client(request.getfixturevalue(url), SolrSelect()) as client:
        with pytest.raises(DataError, match=r"refused it: .*immense term"):
            await ensure_index(client, "evaluate-half", read_dataset(folder), ignore)
        with pytest.raises(UpstreamError, match=r"answered 404"):
            await client.search("evaluate-half", client.dialect.usual().fill("apple", 1))


async def test_hits_have_their_documents(client: SearchClient, dataset: Dataset) -> None:
    """A page from the second hit on shows ids and texts, without what Solr adds to a document."""
    await ensure_index(client, INDEX, dataset, ignore)
    (hit,), rerank = await search(client, INDEX, client.dialect.usual().fill("sweet", 1, 1))
    assert (hit.id, rerank) == ("d1", None)
    assert hit.source == {"title_txt_en": "Apples", "text_txt_en": "Apples are sweet and grow on trees."}


async def test_body_of_ones_own(client: SearchClient, dataset: Dataset, tmp_path: Path) -> None:
    """A body in a file is one of the JSON Request API, and gets Solr's names for the page."""
    await ensure_index(client, INDEX, dataset, ignore)
    file = tmp_path / "body.json"
    file.write_text('{"query": {"field": {"f": "text_txt_en", "query": "{{query}}"}}, "offset": 7}')
    reply = await client.search(INDEX, read_template(file, client.dialect.page).fill("sour", 5))
    assert reply.ids == ("d3",)


async def test_refused_search_is_told_in_solrs_words(client: SearchClient, dataset: Dataset) -> None:
    """An error names what Solr did not understand."""
    await ensure_index(client, INDEX, dataset, ignore)
    with pytest.raises(UpstreamError, match=r"the search on 'evaluate-solr' .* 400: .*no_such_field"):
        await client.search(INDEX, edismax("no_such_field").fill("apple", 1))
