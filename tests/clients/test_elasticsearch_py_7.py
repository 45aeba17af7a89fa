"""elasticsearch-py 7.13, the last that talks to engines before 7.14, in a process of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from tests.clients.bridges import bridge_to
from tests.clients.overlays import run
from tests.clients.stories import COUNT, ids, same_but_for_the_order, story

PACKAGES = ("elasticsearch==7.13.4", "urllib3==1.26.20", "certifi")


@pytest.fixture(scope="module")
async def bridge_url(elasticsearch7_url: str) -> AsyncIterator[str]:
    async with bridge_to(elasticsearch7_url) as bridge:
        yield bridge.running.url


@pytest.fixture(scope="module")
async def found(elasticsearch7_url: str, bridge_url: str, unused_tcp_port_factory: Any) -> dict[str, Any]:
    """What the client found; see ``use_elasticsearch7``."""
    dead = f"http://127.0.0.1:{unused_tcp_port_factory()}"
    answers: dict[str, Any] = await run(
        PACKAGES, "tests.clients.use_elasticsearch7", elasticsearch7_url, bridge_url, dead
    )
    return answers


def test_a_search_is_reranked(found: Mapping[str, Any]) -> None:
    """Only the order of the hits and their scores differ, and its pages show each hit once."""
    for side in ("direct", "bridged"):
        for hit in found[side]["search"]["hits"]["hits"]:
            del hit["_index"]
    same_but_for_the_order(found["bridged"]["search"], found["direct"]["search"])
    walked = [hit for page in found["bridged"]["pages"] for hit in ids(page)]
    assert walked == ids(found["bridged"]["search"])
    told = [one.partition(";")[0] for one in found["bridged"]["outcomes"]]
    assert told == ["skipped", *["applied"] * 8, "skipped"]  # the exports begin with a scroll
    assert found["direct"]["outcomes"] == []


def test_the_helpers_write_and_copy_what_they_are_given(found: Mapping[str, Any]) -> None:
    """All documents arrive by every helper, failures are told, and a copy is whole."""
    bridged, direct = found["bridged"], found["direct"]
    assert bridged["loaded"] == direct["loaded"] == [COUNT, 30, COUNT]
    assert bridged["copied"] == direct["copied"] == {str(number): story(number) for number in range(COUNT)}
    assert [bridged["errors"][0], len(bridged["errors"][1])] == [0, 1]


def test_several_searches_at_once_are_each_what_they_were(found: Mapping[str, Any]) -> None:
    """One is reranked, one is sorted and stays as it is."""
    reranked, ordered = found["bridged"]["several"]
    assert int(ids(reranked)[0]) % 5 == 1
    assert ids(ordered) == [str(number) for number in range(10)]


def test_a_client_that_sniffs_stays_on_the_bridge(found: Mapping[str, Any], bridge_url: str) -> None:
    """At its start, and when a connection fails: the bridge is all that it knows then."""
    for when in ("at start", "on failure"):
        known, outcome = found[when]
        assert known == bridge_url
        assert outcome.startswith("applied")
