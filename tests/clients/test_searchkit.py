"""Searchkit with its API, as it stands between InstantSearch and the engine: one ``_msearch`` for each key stroke."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch, helpers

from tests.clients.bridges import bridge_to
from tests.clients.overlays import CACHE
from tests.clients.stories import COUNT, MAPPINGS, SUBJECTS, WORDS, is_about_cats, story

INDEX = "searchkit"
HERE = Path(__file__).parent / "searchkit"


@pytest.fixture(scope="module")
def packages() -> Path:
    """The folder with Searchkit's packages: kept between runs, whole or absent."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Searchkit runs on Node: there is no node and npm on the PATH")
    wanted = HERE / "package.json"
    folder = CACHE / hashlib.sha256(wanted.read_bytes()).hexdigest()[:16]
    if not folder.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            there = Path(scratch) / "packages"
            there.mkdir()
            shutil.copy(wanted, there)
            install = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
            done = subprocess.run(install, cwd=there, check=False, capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"npm can't fetch Searchkit: {done.stderr[-500:]}")
            if not folder.is_dir():  # another run may have been faster
                shutil.move(there, folder)
    return folder


@pytest.fixture(scope="module")
def index(elasticsearch9_url: str) -> Iterator[str]:
    client = Elasticsearch(elasticsearch9_url)
    fields = MAPPINGS["properties"] | {"subject": {"type": "keyword"}}
    client.indices.create(index=INDEX, settings={"number_of_shards": 2}, mappings={"properties": fields})
    stories = ({"_id": str(n), **story(n), "subject": SUBJECTS[n % len(SUBJECTS)]} for n in range(COUNT))
    helpers.bulk(client, stories, index=INDEX, refresh=True)
    yield INDEX
    client.indices.delete(index=INDEX)
    client.close()


@pytest.fixture(scope="module")
async def bridge_url(elasticsearch9_url: str) -> AsyncIterator[str]:
    async with bridge_to(elasticsearch9_url, engine="elasticsearch") as bridge:
        yield bridge.running.url


async def answers(packages: Path, url: str, *requests: Mapping[str, object]) -> tuple[list[Any], list[str | None]]:
    """What InstantSearch is answered, and what the engine's replies said of reranking."""
    command = ["node", str(HERE / "search.mjs"), str(packages), url, INDEX, json.dumps(requests)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    answer = json.loads(done.stdout)
    return answer["results"], answer["outcomes"]


@pytest.mark.usefixtures("index")
async def test_a_search_box_shows_a_better_order(packages: Path, bridge_url: str, elasticsearch9_url: str) -> None:
    """Hits, their highlights, facets and counts are those of the engine, but the first ones are what was asked for."""
    wanted = {"query": WORDS, "hitsPerPage": COUNT, "facets": ["subject"], "page": 0}
    (bridged,), outcomes = await answers(packages, bridge_url, wanted)
    (direct,), unmarked = await answers(packages, elasticsearch9_url, wanted)
    assert outcomes == ["applied; window=60; model=embedded"]
    assert unmarked == [None]
    found = [hit["objectID"] for hit in bridged["hits"]]
    assert all(is_about_cats(one) for one in found[:4])
    assert not is_about_cats(direct["hits"][0]["objectID"])
    assert by_id(bridged) == by_id(direct)
    assert ">story<" in bridged["hits"][0]["_highlightResult"]["text"]["value"]
    assert rest(bridged) == rest(direct)
    assert bridged["nbHits"] == COUNT


@pytest.mark.usefixtures("index")
async def test_a_refined_search_is_three_in_one_request(packages: Path, bridge_url: str) -> None:
    """InstantSearch asks for a page and, beside it, for counts alone: the page is reranked, and the counts stay."""
    refined = {"query": WORDS, "facetFilters": [[f"subject:{SUBJECTS[1]}", f"subject:{SUBJECTS[0]}"]]}
    page = {**refined, "hitsPerPage": 5, "page": 0, "facets": ["subject"]}
    next_page = {**page, "page": 1}
    counts = {"query": WORDS, "hitsPerPage": 0, "page": 0, "facets": ["subject"]}
    (first, second, counted), outcomes = await answers(packages, bridge_url, page, next_page, counts)
    assert outcomes == ["applied; searches=3; reranked=2; reasons=size-zero:1"]
    walked = [hit["objectID"] for one in (first, second) for hit in one["hits"]]
    assert len(set(walked)) == 10
    assert all(is_about_cats(one) for one in walked[:4])
    assert {int(one) % len(SUBJECTS) for one in walked} <= {0, 1}
    assert counted["facets"]["subject"] == dict.fromkeys(SUBJECTS, COUNT // len(SUBJECTS))


@pytest.mark.usefixtures("index")
async def test_a_word_that_is_being_typed_is_left_alone(packages: Path, bridge_url: str) -> None:
    """After the first letter of a word, and before the first key stroke, the order is the engine's: nothing is read."""
    _, outcomes = await answers(packages, bridge_url, {"query": "story o"}, {"query": ""})
    assert outcomes == ["skipped; reason=autocomplete"]


def by_id(result: Mapping[str, Any]) -> dict[str, Any]:
    return {hit["objectID"]: {name: value for name, value in hit.items() if name != "_score"} for hit in result["hits"]}


def rest(result: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name not in {"hits", "processingTimeMS"}}
