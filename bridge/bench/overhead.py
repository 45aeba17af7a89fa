"""What the bridge costs: a reply read and written, searches passed through, and the memory of a large upload.

The engine, the bridge and the client run on one machine and share its cores, as in the tests; with as many
connections as cores or more, what is measured is their sum. The bridge runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
from rich.console import Console
from rich.table import Table

from bridge.bench import reply_cost
from bridge.demo.corpus import build_corpus
from bridge.demo.engine import running_opensearch
from bridge.demo.tour import INDEX, dataset
from bridge.evaluate.client import open_client
from bridge.evaluate.index import ensure_index

ROUNDS = 7
SEARCHES = 400
CONNECTIONS = (1, 16)
UPLOADS = 5
UPLOAD_MIB = 20  # a node with 512 MiB of heap answers 429 to 100 MiB at once
_MIB = 1024 * 1024
_WORDS = ("open a file", "sort a list", "parse a date", "join two paths", "run a process", "read a socket", "hash text")


class Bridge(NamedTuple):
    """A bridge in a process of its own."""

    url: str
    process_id: int


async def run(console: Console) -> None:
    """Measure and print all tables."""
    console.print(reply_cost.table([reply_cost.one_search(), reply_cost.many_searches()]))
    async with AsyncExitStack() as stack:
        engine = stack.enter_context(running_opensearch(report=console.print))
        await _load(engine.url)
        bridge = await stack.enter_async_context(_bridge(engine.url))
        console.print(await _latency_table(engine.url, bridge.url))
        console.print(await _memory_table(bridge))


async def _load(url: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with open_client(url) as client:
            await ensure_index(client, INDEX, dataset(Path(folder), build_corpus()), lambda _done, _total: None)


@asynccontextmanager
async def _bridge(engine_url: str) -> AsyncIterator[Bridge]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "serve", "--upstream", engine_url, "--listen", "127.0.0.1:0"),
        *("--admin-listen", "off"),
        stdout=subprocess.PIPE,
    )
    try:
        if process.stdout is None:
            raise RuntimeError("the bridge was started without a pipe")
        line = (await process.stdout.readline()).decode()
        yield Bridge(next(word for word in line.split() if word.startswith("http://")), process.pid)
    finally:
        process.terminate()
        await process.wait()


async def _latency_table(direct: str, bridged: str) -> Table:
    table = Table(
        "connections", "direct p50", "bridged p50", "ratio", "added", title="a search passed through, size 10"
    )
    for connections in CONNECTIONS:
        await _p50_ms(bridged, connections), await _p50_ms(direct, connections)  # warm
        rounds = [(await _p50_ms(direct, connections), await _p50_ms(bridged, connections)) for _ in range(ROUNDS)]
        before, after = (statistics.median(side) for side in zip(*rounds, strict=True))
        ratio = statistics.median(bridged_ms / direct_ms for direct_ms, bridged_ms in rounds)
        table.add_row(
            str(connections), f"{before:.2f} ms", f"{after:.2f} ms", f"{ratio:.2f}", f"{after - before:+.2f} ms"
        )
    return table


async def _p50_ms(url: str, connections: int) -> float:
    """The median time of one round's searches."""
    times_ms: list[float] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
        await asyncio.gather(
            *(_search(session, url, SEARCHES // connections, times_ms) for _ in range(connections)),
        )
    return statistics.median(times_ms)


async def _search(session: aiohttp.ClientSession, url: str, count: int, times_ms: list[float]) -> None:
    for number in range(count):
        query = {"multi_match": {"query": _WORDS[number % len(_WORDS)], "fields": ["title", "text"]}}
        started_s = time.perf_counter()
        async with session.post(
            f"{url}/{INDEX}/_search", json={"query": query, "size": 10}, headers={"X-Rerank": "off"}
        ) as reply:
            await reply.read()
            reply.raise_for_status()
        times_ms.append((time.perf_counter() - started_s) * 1000)


async def _memory_table(bridge: Bridge) -> Table:
    before_kib, _ = _memory_kib(bridge.process_id)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=600)) as session:
        await session.put(f"{bridge.url}/upload", json={"mappings": {"enabled": False}})
        for _ in range(UPLOADS):
            await _upload(session, bridge.url)
    after_kib, peak_kib = _memory_kib(bridge.process_id)
    title = f"the bridge's memory around {UPLOADS} bulk uploads of {UPLOAD_MIB} MiB"
    table = Table("before", "after", "peak", title=title)
    table.add_row(*(f"{kib / 1024:.0f} MiB" for kib in (before_kib, after_kib, peak_kib)))
    return table


async def _upload(session: aiohttp.ClientSession, url: str) -> None:
    headers = {"Content-Type": "application/x-ndjson"}
    async with session.post(f"{url}/upload/_bulk", data=_bulk_lines(), headers=headers) as reply:
        if reply.status != 200 or (await reply.json())["errors"]:  # noqa: PLR2004 - HTTP's OK
            raise RuntimeError(f"the upload failed: {reply.status}")


async def _bulk_lines() -> AsyncIterator[bytes]:
    document = json.dumps({"text": "x" * 64 * 1024}).encode()
    lines = b'{"index": {}}\n' + document + b"\n"
    for _ in range(UPLOAD_MIB * _MIB // len(lines)):
        yield lines


def _memory_kib(process_id: int) -> tuple[int, int]:
    """Resident set now, and at its highest, from Linux's ``/proc``."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    values = {name: value for name, _, value in (line.partition(":") for line in lines)}
    return int(values["VmRSS"].split()[0]), int(values["VmHWM"].split()[0])
