"""User Behavior Insights, read straight from an engine's index."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bridge.errors import UpstreamError
from bridge.replay import index_export
from bridge.replay.formats import ReadOptions, open_log
from bridge.replay.http_client import Connection, Target
from bridge.replay.index_export import export
from bridge.replay.logged import LoggedSearch

BODY = json.dumps({"query": {"match": {"title": "red shoes"}}, "ext": {"query_id": "x"}})


async def fill(connection: Connection, index: str, count: int) -> None:
    lines = []
    for number in reversed(range(count)):
        entry = {
            "query_id": f"q{number}",
            "user_query": "red shoes",
            "query": BODY,
            "timestamp": 1_700_000_000_000 + number,
        }
        lines += [json.dumps({"index": {}}), json.dumps(entry)]
    content = "\n".join([*lines, ""]).encode()
    reply = await connection.send("POST", f"/{index}/_bulk?refresh=true", content, "application/x-ndjson")
    assert json.loads(reply.body)["errors"] is False


async def test_an_index_is_read_whole_in_the_order_of_time(opensearch_url: str, tmp_path: Path) -> None:
    """More documents than one page has, each once, as a log that replay reads."""
    host, port = urlsplit(opensearch_url).hostname or "", urlsplit(opensearch_url).port or 0
    connection = Connection(Target(host, port), 60.0)
    count = 2 * index_export.PAGE + 7
    await fill(connection, "ubi_queries_whole", count)
    told: list[int] = []
    assert await export(connection, "ubi_queries_whole", tmp_path / "ubi.ndjson.gz", told.append) == count
    await connection.close()
    assert told == [1_000, 2_000, 2_007]
    entries = list(open_log(tmp_path / "ubi.ndjson.gz", ReadOptions(index="shop")).entries)
    searches = [entry for entry in entries if isinstance(entry, LoggedSearch)]
    assert [search.query_id for search in searches] == [f"q{number}" for number in range(count)]
    assert json.loads(searches[0].body) == {"query": {"match": {"title": "red shoes"}}}


async def test_an_index_that_is_not_there_is_said(opensearch_url: str, tmp_path: Path) -> None:
    """The engine's refusal names the index."""
    host, port = urlsplit(opensearch_url).hostname or "", urlsplit(opensearch_url).port or 0
    connection = Connection(Target(host, port), 60.0)
    with pytest.raises(UpstreamError, match="no_such_index can't be read: it was answered 404"):
        await export(connection, "no_such_index", tmp_path / "x.gz", print)
    await connection.close()


async def test_the_command_reads_an_index(opensearch_url: str, tmp_path: Path) -> None:
    """The URL of an index stands where a file would."""
    host, port = urlsplit(opensearch_url).hostname or "", urlsplit(opensearch_url).port or 0
    connection = Connection(Target(host, port), 60.0)
    await fill(connection, "ubi_queries_few", 3)
    await connection.close()
    report = tmp_path / "report.json"
    command = [
        sys.executable,
        "-m",
        "bridge",
        "replay",
        f"{opensearch_url}/ubi_queries_few",
        "--index",
        "ubi_queries_few",
    ]
    options = ["--upstream", opensearch_url, "--bridge", opensearch_url, "--json", str(report)]
    done = await asyncio.create_subprocess_exec(*command, *options, stdout=subprocess.DEVNULL)
    assert await done.wait() == 3  # the engine is no bridge
    summary = json.loads(report.read_bytes())["summary"]
    assert (summary["distinct"], summary["broken"]) == (3, 0)
    assert summary["run"]["sources"] == [f"{opensearch_url}/ubi_queries_few"]
