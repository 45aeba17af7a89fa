"""langchain-elasticsearch, which needs an older client of Elasticsearch, in a process of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from tests.clients.bridges import bridge_to
from tests.clients.overlays import run
from tests.clients.stories import APPLIED, COUNT, is_about_cats, story

PACKAGES = ("langchain-elasticsearch==1.0.0", "elasticsearch[async]==8.19.3")


@pytest.fixture(scope="module")
async def bridge_url(elasticsearch9_url: str) -> AsyncIterator[str]:
    async with bridge_to(elasticsearch9_url, engine="elasticsearch") as bridge:
        yield bridge.running.url


@pytest.fixture(scope="module")
async def found(elasticsearch9_url: str, bridge_url: str) -> dict[str, Any]:
    """What LangChain found; see ``use_langchain``."""
    answers: dict[str, Any] = await run(PACKAGES, "tests.clients.use_langchain", elasticsearch9_url, bridge_url)
    return answers


def numbers(found: Mapping[str, Any], way: str) -> list[int]:
    """Which stories were found, in their order."""
    metadata = [document["metadata"] for document in found["results"][way]]
    return [(one["_source"]["metadata"] if "_source" in one else one)["number"] for one in metadata]


@pytest.mark.parametrize("way", ["bm25", "hybrid", "filtered"])
def test_a_store_finds_better_texts(found: Mapping[str, Any], way: str) -> None:
    """By words, by words and vectors, and within a filter, the first documents are about what was asked."""
    direct, bridged = numbers(found["direct"], way), numbers(found["bridged"], way)
    assert len(bridged) == len(set(bridged)) == len(direct) == 10
    assert not is_about_cats(str(direct[0]))
    assert all(is_about_cats(str(number)) for number in bridged[:4])
    texts = {document["metadata"]["number"]: document["text"] for document in found["bridged"]["results"][way]}
    assert texts == {number: story(number)["text"] for number in bridged}


def test_a_filter_holds(found: Mapping[str, Any]) -> None:
    """The window is taken from what the filter leaves."""
    assert max(numbers(found["bridged"], "filtered")) < 20


def test_vectors_alone_find_what_they_found(found: Mapping[str, Any]) -> None:
    """A search without words is left alone, and says so."""
    assert found["bridged"]["results"]["vectors"] == found["direct"]["results"]["vectors"]


def test_a_retriever_gets_all_its_documents_in_a_better_order(found: Mapping[str, Any]) -> None:
    """With a query of one's own, all documents are there, as the engine has them but for the score."""
    assert is_about_cats(str(numbers(found["bridged"], "retriever")[0]))
    bridged, direct = (
        sorted(
            (document["metadata"]["_id"], document["text"], document["metadata"]["_source"]["metadata"]["number"])
            for document in found[side]["results"]["retriever"]
        )
        for side in ("bridged", "direct")
    )
    assert bridged == direct
    assert len(bridged) == COUNT


def test_scores_fall(found: Mapping[str, Any]) -> None:
    """The scores that LangChain hands on agree with the order."""
    scores = found["bridged"]["scores"]
    assert scores == sorted(scores, reverse=True)
    assert scores != found["direct"]["scores"]


def test_each_reply_says_what_became_of_it(found: Mapping[str, Any]) -> None:
    """All ways are reranked but that without words."""
    told = [APPLIED, APPLIED, "skipped; reason=vector-search", APPLIED, APPLIED, APPLIED]
    assert found["bridged"]["outcomes"] == told
    assert found["direct"]["outcomes"] == [None] * len(told)


def test_the_async_store_finds_the_same(found: Mapping[str, Any]) -> None:
    """As a chain uses it: the same documents in the same order."""
    assert found["async"] == [document["text"] for document in found["bridged"]["results"]["bm25"]]
