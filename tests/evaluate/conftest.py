"""What the tests of the evaluation share: a small dataset, and small real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.evaluate.dataset import Dataset, read_dataset

CORPUS = """\
{"_id": "d1", "title": "Apples", "text": "Apples are sweet and grow on trees."}
{"_id": "d2", "title": "Pears", "text": "Pears are sweet, too."}
{"_id": "d3", "title": "Lemons", "text": "Lemons are sour."}
"""
QUERIES = """\
{"_id": "q1", "text": "sweet apples"}
{"_id": "q2", "text": "sweet pears"}
{"_id": "q3", "text": "nobody judged this"}
"""
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq2\td2\t1\n"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Answer], Awaitable[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole dataset of three documents and two judged queries."""
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text(CORPUS)
    (tmp_path / "queries.jsonl").write_text(QUERIES)
    (tmp_path / "qrels" / "test.tsv").write_text(QRELS)
    return tmp_path


@pytest.fixture
def dataset(folder: Path) -> Dataset:
    """What is in ``folder``."""
    return read_dataset(folder)


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a server whose every answer comes from one function, and gives its address."""
    async with AsyncExitStack() as stack:

        async def start(answer: Answer) -> str:
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", answer)
            server = await stack.enter_async_context(TestServer(app))
            return str(server.make_url("")).rstrip("/")

        yield start
