"""A dataset's documents in an index of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Protocol

import msgspec

from bridge.errors import DataError, UpstreamError
from bridge.evaluate.client import Answer, SearchClient
from bridge.evaluate.dataset import Dataset, Document
from bridge.evaluate.dialect import SolrSelect, quote_index
from bridge.evaluate.solr_index import SolrIndex

Progress = Callable[[int, int], None]
"""Told how many are done, and how many there are in all."""

BULK_BYTES = 2 * 1024 * 1024
"""Of one bulk request, before its last document. The engines' manuals say 5 to 15 MB; less shows progress sooner, and a
document may be large."""


class Index(Protocol):
    """An index of some engine. All raise ``UpstreamError`` where it does not do as it is told."""

    async def count(self) -> int | None:
        """How many documents it holds; None where there is no such index."""
        ...

    async def make(self) -> None:
        """Makes it."""
        ...

    def written(self, document: Document) -> bytes:
        """A document as it stands in a load."""
        ...

    async def load(self, documents: list[bytes]) -> None:
        """Loads what ``written`` gave. Raises ``DataError`` where one is refused."""
        ...

    async def settle(self) -> None:
        """Makes all that was loaded searchable."""
        ...

    async def remove(self) -> None:
        """Takes it away."""
        ...


async def ensure_index(client: SearchClient, index: str, dataset: Dataset, on_progress: Progress) -> bool:
    """Whether the index was missing and is loaded now; otherwise it is there with as many documents as the dataset.

    A load that does not end well takes the index away again, so that the next attempt finds no half of it.

    Raises ``DataError`` where the index holds another number of documents, since judgments would be wrong on it, or a
    document is refused; ``UpstreamError`` where the engine does not do as it is told.
    """
    kept = SolrIndex(client, index) if isinstance(client.dialect, SolrSelect) else SearchIndex(client, index)
    count = await kept.count()
    if count is not None:
        _check_count(count, index, dataset)
        return False
    await kept.make()
    try:
        await _load(kept, dataset, on_progress)
        _check_count(await kept.count() or 0, index, dataset)
    except BaseException:
        with suppress(UpstreamError):
            await kept.remove()
        raise
    return True


async def _load(index: Index, dataset: Dataset, on_progress: Progress) -> None:
    done = 0
    on_progress(done, dataset.document_count)
    for batch in _batches(map(index.written, dataset.documents())):
        await index.load(batch)
        done += len(batch)
        on_progress(done, dataset.document_count)
    await index.settle()


def _batches(documents: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document)
        if size >= BULK_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _check_count(found: int, index: str, dataset: Dataset) -> None:
    if found != dataset.document_count:
        raise DataError(
            f"index {index!r}",
            f"it holds {found} documents, but {dataset.corpus} has {dataset.document_count}; "
            "delete the index to have it loaded again, or name another",
        )


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


class SearchIndex:
    """An index of Elasticsearch or OpenSearch."""

    def __init__(self, client: SearchClient, name: str) -> None:
        self._client = client
        self._name = name
        self._path = quote_index(name)

    async def count(self) -> int | None:
        """As ``Index`` has it."""
        if (await self._client.send("HEAD", self._path)).status == 404:  # noqa: PLR2004 - HTTP's "there is none"
            return None
        answer = await self._client.send("GET", f"{self._path}/_count")
        return self._client.read(answer, _Count, f"the count of {self._name!r}").count

    async def make(self) -> None:
        """As ``Index`` has it."""
        answer = await self._client.send("PUT", self._path, INDEX_BODY)
        self._client.read(answer, msgspec.Raw, f"creating the index {self._name!r}")

    def written(self, document: Document) -> bytes:
        """As ``Index`` has it."""
        action = msgspec.json.encode({"index": {"_id": document.id}})
        return action + b"\n" + msgspec.json.encode({"title": document.title, "text": document.text}) + b"\n"

    async def load(self, documents: list[bytes]) -> None:
        """As ``Index`` has it."""
        body = b"".join(documents)
        self._check_bulk(await self._client.send("POST", f"{self._path}/_bulk", body, "application/x-ndjson"))

    async def settle(self) -> None:
        """As ``Index`` has it."""
        answer = await self._client.send("POST", f"{self._path}/_refresh")
        self._client.read(answer, msgspec.Raw, f"the refresh of {self._name!r}")

    async def remove(self) -> None:
        """As ``Index`` has it."""
        await self._client.send("DELETE", self._path)

    def _check_bulk(self, answer: Answer) -> None:
        reply = self._client.read(answer, _BulkBody, f"the bulk load of {self._name!r}")
        failed = [outcome for item in reply.items for outcome in item.values() if outcome.error is not None]
        if failed and failed[0].error is not None:
            first, problem = failed[0], failed[0].error
            raise DataError(
                f"document {first.id!r}",
                f"{self._client.url} refused it, as {len(failed)} of {len(reply.items)}: "
                f"{problem.type}: {problem.reason}",
            )
