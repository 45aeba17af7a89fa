from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Answer], Awaitable[str]]

SCRIPT = Path(__file__).parents[2] / "scripts" / "walk_pages"
HITS = [f"d{number}" for number in range(145)]


def paging(order: Callable[[int], list[str]]) -> Answer:
    """A server that cuts the page that is asked for from an order, which may depend on where the page starts."""

    async def answer(request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        page = order(body["from"])[body["from"] : body["from"] + body["size"]]
        said = "applied; window=100; model=m" if body["from"] < 100 else "skipped; reason=beyond-window"
        return web.json_response({"hits": {"hits": [{"_id": name} for name in page]}}, headers={"X-Rerank": said})

    return answer


async def walk(folder: Path, bridge: str, upstream: str) -> tuple[int | None, list[str]]:
    arguments = (str(folder), "--bridge", bridge, "--upstream", upstream, "--index", "fruit")
    process = await asyncio.create_subprocess_exec(sys.executable, SCRIPT, *arguments, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return process.returncode, out.decode().splitlines()


ORDERS: dict[str, tuple[Callable[[int], list[str]], int, str]] = {
    "reranked": (lambda _: HITS[99::-1] + HITS[100:], 0, "145 hits, each once, in another order"),
    "untouched": (lambda _: HITS, 0, "145 hits, each once, in the engine's order"),
    "window changes with the page": (
        lambda start: HITS[99::-1] + HITS[100:] if start < 100 else HITS[144::-1],
        1,
        "45 shown more than once, 45 never shown",
    ),
    "another hit": (
        lambda _: [*HITS[:-1], "x"],
        1,
        "1 never shown, 1 shown that the engine's page has not",
    ),
}


@pytest.mark.parametrize(("order", "status", "words"), ORDERS.values(), ids=ORDERS)
async def test_walk_is_judged(
    folder: Path, serve: Serve, order: Callable[[int], list[str]], status: int, words: str
) -> None:
    """Pages that part the engine's hits pass in any order; hits that repeat, miss or come from elsewhere do not."""
    returncode, lines = await walk(folder, await serve(paging(order)), await serve(paging(lambda _: HITS)))
    said = "(pages: 10 applied, 5 skipped: beyond-window)"
    assert lines == [f"q1: {words} {said}", f"q2: {words} {said}"]
    assert returncode == status


async def test_broken_dataset_ends_with_2(folder: Path) -> None:
    """What the user gave wrong is said in one line, with the status for it."""
    (folder / "corpus.jsonl").unlink()
    returncode, lines = await walk(folder, "http://127.0.0.1:1", "http://127.0.0.1:1")
    assert returncode == 2
    assert lines == [f"walk_pages: {folder / 'corpus.jsonl'}: there is no such file, with or without .gz"]
