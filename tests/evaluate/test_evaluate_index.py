from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from bridge.errors import DataError, UpstreamError
from bridge.evaluate.client import open_client
from bridge.evaluate.dataset import Dataset, Document, read_dataset
from bridge.evaluate.index import BULK_BYTES, SearchIndex, _batches, ensure_index
from bridge.evaluate.template import multi_match

Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]


def ignore(done: int, total: int) -> None:
    assert done <= total


async def test_missing_index_is_loaded_for_english(opensearch_url: str, dataset: Dataset) -> None:
    """A missing index is made and holds every document, found by stems in title and text, and reports its progress."""
    seen: list[tuple[int, int]] = []
    async with open_client(opensearch_url) as client:
        assert await ensure_index(client, "evaluate-load", dataset, lambda *progress: seen.append(progress))
        reply = await client.search("evaluate-load", multi_match("title", "text").fill("growing an apple", 10))
        pears = await client.search("evaluate-load", multi_match("title").fill("pear", 10))
    assert reply.ids == ("d1",)
    assert pears.ids == ("d2",)
    assert seen == [(0, 3), (3, 3)]


async def test_loaded_index_is_left_alone(opensearch_url: str, dataset: Dataset) -> None:
    """An index with as many documents as the dataset is used as it is."""
    async with open_client(opensearch_url) as client:
        assert await ensure_index(client, "evaluate-twice", dataset, ignore)
        assert not await ensure_index(client, "evaluate-twice", dataset, ignore)


async def test_index_of_something_else_is_not_touched(opensearch_url: str, dataset: Dataset) -> None:
    """An index with another number of documents is an error that says both numbers, and stays."""
    async with open_client(opensearch_url) as client:
        await ensure_index(client, "evaluate-other", dataset, ignore)
        with pytest.raises(DataError, match=r"holds 3 documents, but .* has 4") as raised:
            await ensure_index(client, "evaluate-other", replace(dataset, document_count=4), ignore)
        assert (await client.send("HEAD", "evaluate-other")).status == 200
    assert raised.value.place == "index 'evaluate-other'"


async def test_failed_load_leaves_no_index(opensearch_url: str, folder: Path) -> None:
    """An engine that refuses a batch is quoted, and no half of an index stays behind."""
    with (folder / "corpus.jsonl").open("a") as corpus:
        corpus.write(json.dumps({"_id": "x" * 513, "text": "an id may have 512 bytes"}))
    async with open_client(opensearch_url) as client:
        with pytest.raises(UpstreamError, match=r"bulk load of 'evaluate-half' .* 400: .* is too long"):
            await ensure_index(client, "evaluate-half", read_dataset(folder), ignore)
        assert (await client.send("HEAD", "evaluate-half")).status == 404


async def test_impossible_index_name_is_the_engines_error(opensearch_url: str, dataset: Dataset) -> None:
    """A name that the engine does not allow is refused in its own words."""
    async with open_client(opensearch_url) as client:
        with pytest.raises(UpstreamError, match=r"creating the index 'Evaluate' .* 400: .* must be lowercase"):
            await ensure_index(client, "Evaluate", dataset, ignore)


async def test_refused_document_is_named(serve: Serve, dataset: Dataset) -> None:
    """A bulk reply of status 200 is read for the documents that failed, and the first is named with its reason."""
    requests: list[str] = []
    problem = {"type": "mapper_parsing_exception", "reason": "too deep"}
    items = [
        {"index": {"_id": "d1"}},
        {"index": {"_id": "d2", "error": problem}},
        {"index": {"_id": "d3", "error": problem}},
    ]

    async def answer(request: web.Request) -> web.Response:
        requests.append(f"{request.method} {request.path}")
        reply = {"errors": True, "items": items} if request.path.endswith("_bulk") else {}
        return web.json_response(reply, status=404 if request.method == "HEAD" else 200)

    async with open_client(await serve(answer)) as client:
        with pytest.raises(DataError, match="as 2 of 3: mapper_parsing_exception: too deep") as raised:
            await ensure_index(client, "fruit", dataset, ignore)
    assert raised.value.place == "document 'd2'"
    assert requests == ["HEAD /fruit", "PUT /fruit", "POST /fruit/_bulk", "DELETE /fruit"]


async def test_engine_that_dies_while_loading_is_the_error(serve: Serve, dataset: Dataset) -> None:
    """Where the index can't even be taken away again, the first error is the one that is raised."""

    async def answer(request: web.Request) -> web.Response:
        if request.method == "DELETE" and request.transport is not None:
            request.transport.close()
        status = {"HEAD": 404, "POST": 503}.get(request.method, 200)
        return web.json_response({"error": "closing"}, status=status)

    async with open_client(await serve(answer)) as client:
        with pytest.raises(UpstreamError, match="503: closing"):
            await ensure_index(client, "fruit", dataset, ignore)


def test_batches_are_bounded_and_read_ahead_of_nothing() -> None:
    """A batch ends with the document that fills it, and no document is read before its batch is wanted."""
    read: list[str] = []

    def documents() -> Iterator[bytes]:
        for number in range(4):
            read.append(str(number))
            yield b"x" * (BULK_BYTES // 2)

    batches = _batches(documents())
    assert (len(next(batches)), read) == (2, ["0", "1"])
    assert [len(batch) for batch in batches] == [2]


async def test_document_is_a_line_of_its_action_and_one_of_its_own() -> None:
    """Whatever characters it holds."""
    async with open_client("http://localhost") as client:
        body = SearchIndex(client, "fruit").written(Document('a"\n', "två\nlines", None))
    assert [json.loads(line) for line in body.splitlines()] == [
        {"index": {"_id": 'a"\n'}},
        {"title": None, "text": "två\nlines"},
    ]
    assert body.endswith(b"\n")
