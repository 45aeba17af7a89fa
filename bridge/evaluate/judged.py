"""Judged queries from whatever a team has: a folder, a file, or a file of queries and one of judgments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from bridge.errors import DataError
from bridge.evaluate.client import SearchClient
from bridge.evaluate.dataset import Dataset, read_dataset, read_judgments
from bridge.evaluate.formats.base import Judged, counted
from bridge.evaluate.formats.known import JUDGED_FORMATS, format_of
from bridge.evaluate.lines import Head, read_head
from bridge.evaluate.qrels import Qrels, columns_of
from bridge.evaluate.word_lists import WORD_LISTS, NoWords


def read_judged(path: Path, qrels: Path | None = None, split: str = "test") -> tuple[Judged, Dataset | None]:
    """The judged queries, and the documents where they are there as well.

    ``qrels`` are the judgments for a file of queries; ``split`` names them in a folder in BEIR format. Raises
    ``DataError``.
    """
    if path.is_dir() and qrels is None and any(path.glob("corpus.jsonl*")):
        dataset = read_dataset(path, split)
        return Judged("BEIR", dataset.queries, dataset.qrels, dataset.notes), dataset
    if not path.exists():
        raise DataError(str(path), "there is no such folder or file")
    head = read_head(path)
    if path.is_dir():
        qrels = qrels or _split_of(path, split)
    if qrels is not None:
        return _with_judgments(path, head, qrels), None
    return _from_one_file(path, head), None


async def rendered(judged: Judged, client: SearchClient) -> Judged:
    """With the search bodies that the engine makes of templates. Raises ``UpstreamError``."""
    bodies = dict(judged.bodies)
    for query_id, rendering in judged.renderings.items():
        answer = await client.send("POST", "_render/template", rendering)
        bodies[query_id] = client.read(answer, _Rendered, f"the template of query {query_id!r}").template_output
    return Judged(
        judged.format_name, judged.queries, judged.qrels, judged.notes, bodies, {}, judged.measures, judged.index
    )


class _Rendered(msgspec.Struct):
    template_output: dict[str, object]


def _from_one_file(path: Path, head: Head) -> Judged:
    known = format_of(head)
    if known is None:
        names = ", ".join(kind.name for kind in JUDGED_FORMATS)
        hint = (
            "judgments alone: name the file of queries, and this one by --qrels"
            if _is_qrels(head)
            else (f"no judgments that can be read; there are BEIR folders, {names}, and queries with --qrels FILE")
        )
        raise DataError(str(path), f"holds {hint}")
    judged = known.read(path)
    if not judged.queries:
        raise DataError(str(path), "holds judgments alone: name the file of queries, and this one by --qrels")
    return judged


def _with_judgments(path: Path, head: Head, file: Path) -> Judged:
    name, queries = read_queries(path, head)
    found, _ = read_judgments(file)
    return _joined(name, queries, found, file)


def read_queries(path: Path, head: Head) -> tuple[str, dict[str, str]]:
    """The name of a list's form, and its words by query id. Raises ``DataError`` where a query has no id."""
    known = next((kind for kind in WORD_LISTS if kind.recognises(head)), None)
    if known is None:
        raise DataError(str(path), f"holds no queries; there are {', '.join(kind.name for kind in WORD_LISTS)}")
    queries: dict[str, str] = {}
    for entry in known.read(path):
        if isinstance(entry, NoWords):
            raise DataError(entry.place, entry.problem)
        if not entry.query_id:
            raise DataError(entry.place, "the query has no id, by which judgments would know it")
        if queries.setdefault(entry.query_id, entry.text) != entry.text:
            raise DataError(entry.place, f"query {entry.query_id!r} has other words than before")
    return known.name, queries


def _joined(name: str, queries: Mapping[str, str], found: Qrels, file: Path) -> Judged:
    judged = {query_id: text for query_id, text in queries.items() if query_id in found}
    if not judged:
        raise DataError(str(file), "none of the queries is judged here")
    notes = counted({"judged queries are not among the queries; they are left out": len(found) - len(judged)})
    return Judged(name, judged, {query_id: found[query_id] for query_id in judged}, notes)


def _split_of(folder: Path, split: str) -> Path:
    plain = folder / "qrels" / f"{split}.tsv"
    packed = plain.with_name(f"{plain.name}.gz")
    if not plain.is_file() and not packed.is_file():
        raise DataError(str(plain), "there is no such file, with or without .gz")
    return plain if plain.is_file() else packed


def _is_qrels(head: Head) -> bool:
    try:
        columns_of(str(head.path), head.first)
    except DataError:
        return False
    return True
