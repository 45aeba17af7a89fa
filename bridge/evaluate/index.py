"""A dataset's documents in an index of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import msgspec

from bridge.errors import DataError, UpstreamError
from bridge.evaluate.client import Answer, SearchClient, quote_index
from bridge.evaluate.dataset import Dataset, Document

Progress = Callable[[int, int], None]
"""Told how many are done, and how many there are in all."""

BULK_BYTES = 2 * 1024 * 1024
"""Of one bulk request, before its last document. The engines' manuals say 5 to 15 MB; less shows progress sooner, and a
document may be large."""

INDEX_BODY = msgspec.json.encode(
    {
        "settings": {"number_of_shards": 1, "number_of_replicas": 0},
        "mappings": {
            "dynamic": False,
            "properties": {name: {"type": "text", "analyzer": "english"} for name in ("title", "text")},
        },
    }
)
"""One shard, so that scores come from the statistics of the whole corpus."""


class _Count(msgspec.Struct):
    count: int


class _Problem(msgspec.Struct):
    type: str = ""
    reason: str | None = None


class _Outcome(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    error: _Problem | None = None


class _BulkBody(msgspec.Struct):
    errors: bool
    items: list[dict[str, _Outcome]]


async def ensure_index(client: SearchClient, index: str, dataset: Dataset, on_progress: Progress) -> bool:
    """Whether the index was missing and is loaded now; otherwise it is there with as many documents as the dataset.

    A load that does not end well takes the index away again, so that the next attempt finds no half of it.

    Raises ``DataError`` where the index holds another number of documents, since judgments would be wrong on it, or a
    document is refused; ``UpstreamError`` where the engine does not do as it is told.
    """
    if (await client.send("HEAD", quote_index(index))).status != 404:  # noqa: PLR2004 - HTTP's "there is none"
        await _check_count(client, index, dataset)
        return False
    client.read(await client.send("PUT", quote_index(index), INDEX_BODY), msgspec.Raw, f"creating the index {index!r}")
    try:
        await _load(client, index, dataset, on_progress)
        await _check_count(client, index, dataset)
    except BaseException:
        with suppress(UpstreamError):
            await client.send("DELETE", quote_index(index))
        raise
    return True


async def _load(client: SearchClient, index: str, dataset: Dataset, on_progress: Progress) -> None:
    done = 0
    on_progress(done, dataset.document_count)
    for count, body in _batches(dataset.documents()):
        answer = await client.send("POST", f"{quote_index(index)}/_bulk", body, "application/x-ndjson")
        _check_bulk(client, index, answer)
        done += count
        on_progress(done, dataset.document_count)
    answer = await client.send("POST", f"{quote_index(index)}/_refresh")
    client.read(answer, msgspec.Raw, f"the refresh of {index!r}")


def _batches(documents: Iterable[Document]) -> Iterator[tuple[int, bytes]]:
    """How many documents, and the body of a bulk request that indexes them."""
    count, body = 0, bytearray()
    for document in documents:
        count += 1
        body += msgspec.json.encode({"index": {"_id": document.id}}) + b"\n"
        body += msgspec.json.encode({"title": document.title, "text": document.text}) + b"\n"
        if len(body) >= BULK_BYTES:
            yield count, bytes(body)
            count, body = 0, bytearray()
    if count:
        yield count, bytes(body)


def _check_bulk(client: SearchClient, index: str, answer: Answer) -> None:
    reply = client.read(answer, _BulkBody, f"the bulk load of {index!r}")
    failed = [outcome for item in reply.items for outcome in item.values() if outcome.error is not None]
    if failed and failed[0].error is not None:
        first, problem = failed[0], failed[0].error
        raise DataError(
            f"document {first.id!r}",
            f"{client.url} refused it, as {len(failed)} of {len(reply.items)}: {problem.type}: {problem.reason}",
        )


async def _check_count(client: SearchClient, index: str, dataset: Dataset) -> None:
    answer = await client.send("GET", f"{quote_index(index)}/_count")
    found = client.read(answer, _Count, f"the count of {index!r}").count
    if found != dataset.document_count:
        raise DataError(
            f"index {index!r}",
            f"it holds {found} documents, but {dataset.corpus} has {dataset.document_count}; "
            "delete the index to have it loaded again, or name another",
        )
