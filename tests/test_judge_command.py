"""``rerank-bridge judge`` as a user runs it: a real process, answers through a pipe, a real engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bridge.evaluate.client import open_client
from bridge.evaluate.index import ensure_index
from bridge.evaluate.qrels import read_qrels
from bridge.evaluate.runs import write_run
from bridge.replay.answers import Answer, ShownHit
from bridge.replay.judged import JudgedPages
from bridge.replay.records import Record, Run, RunFolder, read_records
from tests.evaluate.bakery import BAKERY_QUERIES, bakery

INDEX = "judge-bakery"


@pytest.fixture
async def engine(opensearch_url: str, tmp_path: Path) -> str:
    """An engine with the bakery's documents; its dataset is in ``tmp_path``."""
    dataset = bakery(tmp_path)
    async with open_client(opensearch_url) as client:
        await ensure_index(client, INDEX, dataset, lambda _done, _total: None)
    return opensearch_url


def judge(*arguments: str | Path, keys: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bridge", "judge", *map(str, arguments)]
    return subprocess.run(command, input=keys, capture_output=True, text=True, timeout=120, check=False)


def test_runs_are_judged_with_the_engine_s_documents(engine: str, tmp_path: Path) -> None:
    """Titles and texts come from the engine; a second sitting goes on, and no system is named."""
    write_run(tmp_path / "one.run", {"q1": ("d1", "d6"), "q2": ("d2",)}, "systemone")
    write_run(tmp_path / "two.run", {"q1": ("d1", "d0")}, "systemtwo")
    arguments = (tmp_path / "one.run", tmp_path / "two.run", "--qrels", tmp_path / "qrels.txt", "--depth", "2")
    sources = ("--queries", tmp_path / "queries.jsonl", "--upstream", engine, "--index", INDEX)
    first = judge(*arguments, *sources, keys="2\n0\nq\n")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.count(f"query: {BAKERY_QUERIES['q1']}") == 3
    assert "How to bake a loaf at home" in first.stdout
    assert first.stdout.rstrip().endswith("2 judged in this session; 2 of 4 are left")
    assert "system" not in first.stdout
    second = judge(*arguments, *sources, keys="1\n3\n")
    assert second.stdout.rstrip().endswith("2 judged in this session; 0 of 4 are left")
    judged = read_qrels(tmp_path / "qrels.txt")
    assert {query_id: sorted(grades) for query_id, grades in judged.items()} == {"q1": ["d0", "d1", "d6"], "q2": ["d2"]}
    assert judged["q2"] == {"d2": 3}


def test_engine_and_bridge_are_searched_where_there_are_no_runs(engine: str, tmp_path: Path) -> None:
    """Each query's pool has the best of both, a hit that both have once."""
    arguments = ("--queries", tmp_path / "queries.jsonl", "--index", INDEX, "--upstream", engine, "--depth", "1")
    result = judge("--qrels", tmp_path / "qrels.txt", *arguments, keys="s\n" * 4)
    assert (result.returncode, result.stderr) == (0, "")
    assert [result.stdout.count(f"query: {text}") for text in BAKERY_QUERIES.values()] == [1] * 4
    assert "0 judged in this session; " in result.stdout
    assert "(1 of 2 of this query" in result.stdout
    assert (tmp_path / "qrels.txt").read_text() == ""


def hit(name: str, passage: str = "") -> ShownHit:
    return ShownHit("shop", name, 1.0, f"Title of {name}", passage=passage)


@pytest.fixture
def replayed(tmp_path: Path) -> Path:
    """A replay of three searches, two of which are equal."""
    run = Run(("log",), ("direct", "bridged"), {}, "2026-11-25T00:00:00+00:00")
    direct, bridged = (hit("a"), hit("b")), (hit("b", "a passage of b"), hit("c"))
    answers = tuple(Answer(200, 1.0, 1.0, hits=hits) for hits in (direct, bridged))
    with RunFolder(tmp_path / "run", run, resume=False) as folder:
        folder.add(Record(0, "log:1", "key0", "/shop/_search", answers, "sweet apples", "id0"))
        folder.add(Record(1, "log:2", "key0", "/shop/_search", answers, "sweet apples", "id1"))
        folder.add(Record(2, "log:3", "key2", "/shop/_search", answers, "pears"))
    return tmp_path / "run"


def test_replay_is_judged_by_what_it_kept(replayed: Path, tmp_path: Path) -> None:
    """No engine is asked; equal searches are judged once; and the replay's own report knows the judgments."""
    result = judge("--run-dir", replayed, "--qrels", tmp_path / "qrels.txt", keys="1\n" * 9)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("Title of b") == 2
    assert result.stdout.count("a passage of b") == 2
    assert "6 judged in this session; 0 of 6 are left" in result.stdout
    judged = read_qrels(tmp_path / "qrels.txt")
    assert {query_id: sorted(grades) for query_id, grades in judged.items()} == {
        "id0": ["a", "b", "c"],
        "key2": ["a", "b", "c"],
    }
    pages = JudgedPages(judged, {})
    for record in read_records(replayed):
        pages.add(record)
    assert pages.judged().queries == 2


def test_depth_is_of_each_page(replayed: Path, tmp_path: Path) -> None:
    """Only the best hit of each system is judged."""
    result = judge("--run-dir", replayed, "--qrels", tmp_path / "qrels.txt", "--depth", "1", keys="1\n" * 9)
    assert "4 judged in this session; 0 of 4 are left" in result.stdout


def test_documents_come_from_the_engine_where_one_is_named(engine: str, tmp_path: Path) -> None:
    """A replay keeps titles alone; the engine has the texts."""
    run = Run(("log",), ("direct",), {}, "2026-11-25T00:00:00+00:00")
    with RunFolder(tmp_path / "run", run, resume=False) as folder:
        answer = Answer(200, 1.0, 1.0, hits=(hit("d8"),))
        folder.add(Record(0, "log:1", "key0", "/shop/_search", (answer,), "bread for ducks", "id0"))
    sources = ("--upstream", engine, "--index", INDEX)
    result = judge("--run-dir", tmp_path / "run", "--qrels", tmp_path / "qrels.txt", *sources, keys="1\n")
    assert "Birds on the pond" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "without runs and --run-dir, give the --queries to search"),
        (["a.run", "--run-dir", "dir"], "give runs or --run-dir, not both"),
        (["a.run", "--body", "body.json"], "--bridge and --body are for searching"),
        (["a.run"], "upstream"),
        (["--run-dir", "no-such-folder"], "is no replay"),
    ],
)
def test_what_does_not_go_together_is_told(tmp_path: Path, arguments: list[str], problem: str) -> None:
    """In one message, before anything is asked."""
    result = judge("--qrels", tmp_path / "qrels.txt", *arguments, keys="")
    assert (result.returncode, problem in result.stderr) == (2, True), result.stdout + result.stderr
