"""Searches sent again: to whom, in what order, at which moment, and what is never sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import pytest

from bridge.replay.logged import Broken, LoggedSearch
from bridge.replay.pacing import AsLogged, AtRate, Schedule, closed_loop
from bridge.replay.records import BrokenPlace, Record
from bridge.replay.runner import Entry, Plan, Replay, System
from tests.doubles.raw_http import Conversation, RawEngine
from tests.replay.small_systems import http, nothing, page, system

FOUND = http(page(["a", "b"]))
TURNED = http(page(["b", "a"]), "X-Rerank: applied; window=2")


def searches(count: int) -> Iterable[tuple[int, Entry]]:
    return (
        (number, LoggedSearch(f"log:{number + 1}", "POST", f"/i/_search?n={number}", b"{}")) for number in range(count)
    )


async def replayed(
    entries: Iterable[tuple[int, Entry]], *systems: System, schedule: Schedule = closed_loop, workers: int = 1
) -> list[Record | BrokenPlace]:
    kept: list[Record | BrokenPlace] = []
    await Replay(Plan(systems, schedule, workers), kept.append).run(entries)
    return kept


async def test_each_search_goes_to_each_system() -> None:
    """Each record has the answer of every system, in their order, whichever was asked first."""
    async with RawEngine(FOUND) as direct, RawEngine(TURNED) as bridged:
        kept = await replayed(searches(10), system(direct), system(bridged, "bridged"), workers=3)
    assert sorted(record.number for record in kept) == list(range(10))
    for record in kept:
        assert isinstance(record, Record)
        assert [answer.fate for answer in record.answers] == ["", "applied"]
        assert [answer.ids[0] for answer in record.answers] == [("i", "a"), ("i", "b")]
    assert len(direct.requests) == len(bridged.requests) == 10
    assert bridged.connections == 3


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/i/_doc"),
        ("DELETE", "/i"),
        ("DELETE", "/_async_search/x"),
        ("PUT", "/i/_search"),
        ("POST", "/i/_delete_by_query"),
        ("POST", "/i/_doc/_search"),
    ],
)
async def test_what_could_write_is_not_sent(method: str, target: str) -> None:
    """A log may hold anything; what is no search reaches no system, and is told with its place."""
    entry = LoggedSearch("log:1", method, target, b"{}")
    async with RawEngine(FOUND) as engine:
        (kept,) = await replayed([(0, entry)], system(engine))
    assert isinstance(kept, BrokenPlace)
    assert (kept.place, engine.requests) == ("log:1", [])
    assert method in kept.problem


async def test_broken_places_are_told_and_passed_over() -> None:
    """What could not be read has its line in the run, and the searches behind it are sent."""
    async with RawEngine(FOUND) as engine:
        kept = await replayed(
            [(0, Broken("log:1", "no JSON")), *((1, entry) for _, entry in searches(1))], system(engine)
        )
    assert kept[0] == BrokenPlace(0, "log:1", "no JSON")
    assert isinstance(kept[1], Record)


async def test_a_system_that_fails_is_a_fact_and_no_end() -> None:
    """A search that is not answered, or by an error, is recorded as such, and the others go on."""
    error = http(b'{"error":{"type":"x"},"status":500}', status="500 Error")
    async with RawEngine(error) as broken, RawEngine(nothing) as silent:
        kept = await replayed(searches(2), system(broken), system(silent, timeout_s=0.05))
    for record in kept:
        assert isinstance(record, Record)
        assert [(answer.status, answer.error) for answer in record.answers] == [
            (500, "x"),
            (0, "no answer within 0.05 s"),
        ]


async def test_newcomers_are_asked_for_their_depth() -> None:
    """Where the bridge shows hits that the engine did not, it is asked once more, and the times stay the first ones."""
    told = {"_index": "i", "_id": "z", "first_stage": {"rank": 88, "score": 1.0}, "passage": "of z"}
    plain = http(page(["z", "a"]), "X-Rerank: applied; window=100")
    explained = http(page(["z", "a"], rerank_bridge={"searches": [{"hits": [told]}]}), "X-Rerank: applied; window=100")

    async def answer(conversation: Conversation) -> None:
        await conversation.receive_body()
        await conversation.send(explained if conversation.request.values(b"X-Rerank") else plain)

    async with RawEngine(FOUND) as direct, RawEngine(answer) as bridged:
        (record,) = await replayed(searches(1), system(direct), system(bridged))
    assert isinstance(record, Record)
    assert record.answers[1].hits[0].first_stage_rank == 88
    assert record.answers[1].hits[0].passage == "of z"
    assert record.answers[1].latency_ms > 0
    assert len(bridged.requests) == 2


async def test_latency_counts_from_the_moment_that_was_meant() -> None:
    """In an open loop a stalled system is charged with those who wait for it."""

    async def slow(conversation: Conversation) -> None:
        await conversation.receive_body()
        await asyncio.to_thread(time.sleep, 0.05)
        await conversation.send(FOUND)

    async with RawEngine(slow) as engine:
        kept = await replayed(searches(4), system(engine), schedule=AtRate(1_000.0))
    latencies = [record.answers[0].latency_ms for record in kept if isinstance(record, Record)]
    services = [record.answers[0].service_ms for record in kept if isinstance(record, Record)]
    assert latencies[-1] > 190
    assert latencies == sorted(latencies)
    assert max(services) < latencies[-1]


async def test_a_stopped_replay_ends_after_what_is_under_way() -> None:
    """Ctrl-C loses no search that was sent, and begins none."""
    kept: list[Record | BrokenPlace] = []
    async with RawEngine(FOUND) as engine:
        replay = Replay(Plan((system(engine),), closed_loop, 1), kept.append)

        def entries() -> Iterable[tuple[int, Entry]]:
            for number, entry in searches(100):
                if number == 5:
                    replay.stop()
                yield number, entry

        await replay.run(entries())
    assert len(kept) == len(engine.requests) <= 5


def test_a_log_is_replayed_in_its_own_time() -> None:
    """Searches are as far apart as they were, by the speed factor; one without a time goes with the one before."""
    schedule = AsLogged(2.0)
    times = [1_000.0, 1_004.0, None, 1_002.0, 1_010.0]
    entries = [LoggedSearch("p", "GET", "/_search", b"", at_s=at_s) for at_s in times]
    assert [schedule(number, entry) for number, entry in enumerate(entries)] == [0.0, 2.0, 2.0, 2.0, 5.0]
