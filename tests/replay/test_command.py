"""A whole replay: from a log to the report and the files."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from bridge.errors import DataError
from bridge.replay.command import Job, Outcome, replay
from bridge.replay.formats import ReadOptions
from bridge.replay.records import SEARCHES, read_records
from bridge.replay.runner import System
from tests.doubles.raw_http import Conversation, RawEngine
from tests.replay.small_systems import http, page, system

ORDERS = ("abc", "bca", "xab")


def line(number: int, words: str | None = None) -> str:
    body = json.dumps({"query": {"match": {"title": words or f"words {number}"}}, "ext": {"query_id": "x"}})
    entry = {"query_id": f"id{number}", "user_query": words or f"words {number}", "query": body}
    return json.dumps(entry | {"timestamp": 1_700_000_000_000 + number * 1_000})


def write_log(folder: Path, *lines: str) -> Path:
    file = folder / "ubi.ndjson"
    file.write_text("\n".join(lines) + "\n")
    return file


async def by_words(conversation: Conversation) -> None:
    """Another order for each third of the searches."""
    await conversation.receive_body()
    words = json.loads(conversation.request.body)["query"]["match"]["title"]
    order = ORDERS[int(words.split()[-1]) % 3]
    await conversation.send(http(page(order), "X-Rerank: applied; window=3"))


async def replayed(job: Job, *systems: System) -> tuple[Outcome, str]:
    out = io.StringIO()
    outcome = await replay(job, systems, Console(file=out, width=160, no_color=True))
    return outcome, out.getvalue()


def facts(outcome: Outcome) -> Any:
    """The summary without what depends on the clock."""
    told = msgspec.to_builtins(outcome.summary)
    for one in told["systems"]:
        del one["latency_ms"], one["parts_ms"], one["searches_per_s"]
    del told["run"]["started"]
    return told


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write_log(tmp_path, *(line(number) for number in range(40)))


async def test_a_log_is_replayed_and_reported(tmp_path: Path, log: Path) -> None:
    """Tables and a page for people, JSON and TREC runs for programs, and all of them say the same."""
    written_to = Job(log, ReadOptions(index="shop"), json_file=tmp_path / "out.json", runs=tmp_path / "runs")
    job = replace(written_to, html_file=tmp_path / "out.html")
    async with RawEngine(http(page("abc"))) as direct, RawEngine(by_words) as bridged:
        outcome, printed = await replayed(job, system(direct), system(bridged, "bridged"))
    assert direct.request.start == b"POST /shop/_search HTTP/1.1"
    assert b"ext" not in direct.request.body
    assert (outcome.summary.searches, outcome.summary.fates) == (40, {"applied": 40})
    assert outcome.summary.changes.unchanged == 14
    written = json.loads((tmp_path / "out.json").read_bytes())
    assert written["summary"]["version"] == 1
    assert written["verdict"]["word"] == outcome.verdict.word == "ready"
    assert "verdict: ready" in printed
    assert "<title>ready: replay of " in (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "Title x" in printed
    assert "no engine accepts them back (40 searches)" in printed
    runs = (tmp_path / "runs" / "bridged.run").read_text().splitlines()
    assert runs[0].split()[1:] == ["Q0", runs[0].split()[2], "1", "3", "bridged"]
    assert len(runs) == 120


async def test_a_killed_run_goes_on_to_the_same_report(tmp_path: Path, log: Path) -> None:
    """What was not done, or not written whole, is sent again, and the report is that of an uninterrupted run."""
    job = Job(log, ReadOptions(), run_dir=tmp_path / "run", workers=3)
    left, half_way = [10_000], asyncio.Event()

    async def counted(conversation: Conversation) -> None:
        left[0] -= 1
        if not left[0]:
            half_way.set()
        await by_words(conversation)

    async with RawEngine(http(page("abc"))) as direct, RawEngine(counted) as bridged:
        systems = (system(direct), system(bridged, "bridged"))
        whole, _ = await replayed(replace(job, run_dir=None), *systems)
        left[0] = 20
        running = asyncio.create_task(replayed(job, *systems))
        await half_way.wait()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        with (tmp_path / "run" / SEARCHES).open("ab") as file:
            file.write(b'{"number":39,"pla')
        done = len(list_numbers(tmp_path / "run"))
        resumed, _ = await replayed(replace(job, resume=True), *systems)
    assert 0 < done < 40
    assert facts(resumed) == facts(whole)
    assert sorted(list_numbers(tmp_path / "run")) == list(range(40))


def list_numbers(folder: Path) -> list[int]:
    file = folder / SEARCHES
    lines = file.read_bytes().split(b"\n")[:-1]
    return [json.loads(record)["number"] for record in lines]


async def test_equal_searches_are_sent_once(tmp_path: Path) -> None:
    """With --unique each search is sent once and counts as often as the log has it."""
    log = write_log(tmp_path, *(line(number % 3, f"words {number % 3}") for number in range(30)))
    async with RawEngine(by_words) as one:
        outcome, _ = await replayed(Job(log, ReadOptions(), unique=True), system(one), system(one, "bridged"))
    assert (outcome.summary.distinct, outcome.summary.searches) == (3, 30)


@pytest.mark.parametrize(
    ("options", "sent"),
    [({"limit": 7}, 7), ({"since_s": 1_700_000_030.0}, 10), ({"sample": 0.0}, 0), ({"sample": 1.0}, 40)],
)
async def test_a_part_of_a_log(log: Path, options: dict[str, Any], sent: int) -> None:
    """A limit, a moment to begin with, and a share; a share picks the same searches each time."""
    async with RawEngine(by_words) as one:
        outcome, _ = await replayed(replace(Job(log, ReadOptions()), **options), system(one))
    assert outcome.summary.distinct == sent


async def test_a_sample_is_the_same_each_time(tmp_path: Path, log: Path) -> None:
    """Two runs of a share can be compared."""
    places = []
    async with RawEngine(by_words) as one:
        for name in "ab":
            await replayed(Job(log, ReadOptions(), sample=0.5, run_dir=tmp_path / name), system(one))
            places.append(sorted(record.number for record in read_records(tmp_path / name)))
    assert places[0] == places[1]
    assert 5 < len(places[0]) < 35


async def test_now_against_then(tmp_path: Path, log: Path) -> None:
    """A saved run stands for the first system, search by search."""
    async with RawEngine(http(page("abc"), "X-Rerank: applied; window=3")) as before, RawEngine(by_words) as after:
        await replayed(Job(log, ReadOptions(), run_dir=tmp_path / "then"), system(before, "bridged"))
        job = Job(log, ReadOptions(), against=tmp_path / "then")
        outcome, _ = await replayed(job, system(after, "bridged"))
    assert outcome.summary.run.systems == ("bridged (saved)", "bridged")
    assert (outcome.summary.changes.compared, outcome.summary.changes.unchanged) == (40, 14)


async def test_too_much_that_can_not_be_read_ends_the_replay(tmp_path: Path) -> None:
    """A file of another kind is not replayed to its end, and what is broken has its line."""
    log = write_log(tmp_path, line(0), *["{broken"] * 5)
    async with RawEngine(by_words) as one:
        outcome, printed = await replayed(Job(log, ReadOptions()), system(one))
        assert outcome.summary.broken == 5
        assert "ubi.ndjson:2" in printed
        with pytest.raises(DataError, match=r"ubi\.ndjson:4.*more than 2 such places"):
            await replayed(Job(log, ReadOptions(), max_broken=2), system(one))


async def test_judgments_and_events(tmp_path: Path, log: Path) -> None:
    """Where there are judgments and clicks, the report measures both pages by them."""
    (tmp_path / "qrels.txt").write_text("id0 0 a 1\nid1 0 b 1\nid2 0 x 1\n")
    events = [
        {"action_name": "item_click", "query_id": "id1", "event_attributes": {"object": {"object_id": "b"}}},
        {"action_name": "purchase", "query_id": "id1", "event_attributes": {"object": {"object_id": "b"}}},
    ]
    (tmp_path / "events.ndjson").write_text("\n".join(map(json.dumps, events)))
    job = Job(log, ReadOptions(), qrels=tmp_path / "qrels.txt", events=tmp_path / "events.ndjson")
    async with RawEngine(http(page("abc"))) as direct, RawEngine(by_words) as bridged:
        outcome, printed = await replayed(job, system(direct), system(bridged, "bridged"))
    assert outcome.summary.judged is not None
    assert outcome.summary.judged.queries == 3
    assert outcome.summary.judged.measures[1].second == 1.0
    assert outcome.summary.clicks is not None
    clicked, bought = outcome.summary.clicks.measures
    assert (clicked.reciprocal_rank_first, clicked.reciprocal_rank_second) == (0.5, 1.0)
    assert bought.searches == 1
    assert "judged queries" in printed
    assert "Users saw the first system's pages" in printed
