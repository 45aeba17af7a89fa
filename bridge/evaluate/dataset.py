"""A folder in BEIR format, read and checked: documents, queries, judgments.

``corpus.jsonl`` and ``queries.jsonl`` hold an object with ``_id`` and ``text`` (documents: also ``title``) a line,
``qrels/<split>.tsv`` the columns ``query-id``, ``corpus-id``, ``score`` under one header line; each may be gzipped.
Source: Thakur et al. 2021, "BEIR: A Heterogeneous Benchmark for Zero-shot Evaluation of Information Retrieval Models".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from bridge.errors import DataError
from bridge.evaluate.formats.known import format_of
from bridge.evaluate.lines import lines_of, read_head
from bridge.evaluate.qrels import Qrels, read_qrels


class Document(msgspec.Struct, frozen=True):
    """One document; ``title`` is empty where the corpus gives none."""

    id: str = msgspec.field(name="_id")
    text: str
    title: str | None = ""


class _Query(msgspec.Struct, frozen=True):
    id: str = msgspec.field(name="_id")
    text: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """What there is to search, the judged queries alone, and how they are judged."""

    corpus: Path
    document_count: int
    queries: Mapping[str, str]
    """Query id -> text, in the order of the file; every one is judged."""
    qrels: Qrels
    """Judgments of ``queries``, and of no other query."""
    notes: tuple[str, ...]
    """What was found odd and tolerated, a sentence each."""

    def documents(self) -> Iterator[Document]:
        """The documents in the order of the file, one in memory at a time. Raises ``DataError``."""
        return (document for _, document in _objects(self.corpus, Document))


def read_dataset(folder: Path, split: str = "test") -> Dataset:
    """The dataset in a folder. Reads the corpus once, keeping no more of it than its ids.

    A query that is judged but not there is left out, and a judged document that is not there stays in the judgments (a
    search can't find it, so measures count it as missed, as trec_eval does); both are said in ``notes``.

    Raises ``DataError`` where a file is missing or broken, an id comes twice, or no query is judged.
    """
    corpus, query_file = _find(folder, "corpus.jsonl"), _find(folder, "queries.jsonl")
    qrels_file = _find(folder, f"qrels/{split}.tsv")
    judged = read_qrels(qrels_file)
    queries = {query.id: query.text for query in _unique(query_file, _Query) if query.id in judged}
    if not queries:
        raise DataError(str(qrels_file), f"none of the queries in {query_file.name} is judged here")
    qrels = {query_id: judged[query_id] for query_id in queries}
    documents = {document.id for document in _unique(corpus, Document)}
    if not documents:
        raise DataError(str(corpus), "holds no document")
    notes = _notes(missing_queries=len(judged) - len(queries), missing_documents=_count_missing(qrels, documents))
    return Dataset(corpus, len(documents), queries, qrels, notes)


def read_judgments(path: Path) -> tuple[Qrels, Mapping[str, str]]:
    """Judgments and the words of their queries, as far as they are known.

    From a folder in BEIR format, or a file: with the columns of BEIR, or the four of TREC (query, iteration, document,
    grade), or in any form of ``bridge.evaluate.formats``. Raises ``DataError``.
    """
    if path.is_dir():
        qrels = read_qrels(_find(path, "qrels/test.tsv"))
        return qrels, {query.id: query.text for query in _unique(_find(path, "queries.jsonl"), _Query)}
    known = format_of(read_head(path))
    if known is None:
        return read_qrels(path), {}
    judged = known.read(path)
    return judged.qrels, judged.queries


def _count_missing(qrels: Qrels, documents: Collection[str]) -> int:
    return len({document_id for grades in qrels.values() for document_id in grades if document_id not in documents})


def _notes(*, missing_queries: int, missing_documents: int) -> tuple[str, ...]:
    notes = {
        f"{missing_queries} judged queries are not in the dataset; they are left out": missing_queries,
        f"{missing_documents} judged documents are not in the dataset; they count as not found": missing_documents,
    }
    return tuple(note for note, count in notes.items() if count)


def _find(folder: Path, name: str) -> Path:
    plain, packed = folder / name, folder / f"{name}.gz"
    if not folder.is_dir():
        raise DataError(str(folder), "there is no such folder")
    if not plain.is_file() and not packed.is_file():
        raise DataError(str(plain), "there is no such file, with or without .gz")
    return plain if plain.is_file() else packed


_Line = TypeVar("_Line", Document, _Query)


def _objects(file: Path, kind: type[_Line]) -> Iterator[tuple[str, _Line]]:
    decoder = msgspec.json.Decoder(kind)
    for place, line in lines_of(file):
        try:
            yield place, decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DataError(place, str(error)) from error


def _unique(file: Path, kind: type[_Line]) -> Iterator[_Line]:
    seen: set[str] = set()
    for place, entry in _objects(file, kind):
        if entry.id in seen:
            raise DataError(place, f"the _id {entry.id!r} comes twice")
        if not entry.id:
            raise DataError(place, "the _id is empty")
        seen.add(entry.id)
        yield entry
