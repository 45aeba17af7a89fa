from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

from bridge.errors import DataError
from bridge.evaluate.dataset import Dataset, Document, read_dataset


def pack(file: Path) -> None:
    with file.open("rb") as source, gzip.open(f"{file}.gz", "wb") as packed:
        shutil.copyfileobj(source, packed)
    file.unlink()


def test_whole_dataset_is_read(dataset: Dataset) -> None:
    """Judged queries alone are kept, with all their judgments, and the corpus is counted."""
    assert dataset.document_count == 3
    assert dataset.queries == {"q1": "sweet apples", "q2": "sweet pears"}
    assert dataset.qrels == {"q1": {"d1": 2, "d2": 0}, "q2": {"d2": 1}}
    assert dataset.notes == ()


def test_documents_come_one_by_one(dataset: Dataset) -> None:
    """Documents are read when they are asked for, and a second time from the start."""
    documents = dataset.documents()
    assert next(documents) == Document("d1", "Apples are sweet and grow on trees.", "Apples")
    assert [document.id for document in dataset.documents()] == ["d1", "d2", "d3"]


def test_gzipped_files_are_read_alike(folder: Path, dataset: Dataset) -> None:
    """A dataset of gzipped files says the same as one of plain files."""
    documents = list(dataset.documents())
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        pack(folder / name)
    packed = read_dataset(folder)
    assert (packed.queries, packed.qrels) == (dataset.queries, dataset.qrels)
    assert list(packed.documents()) == documents


def test_split_is_chosen_by_name(folder: Path) -> None:
    """Another split's judgments are read where it is named."""
    (folder / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq3\td3\t1\n")
    assert read_dataset(folder, "dev").queries == {"q3": "nobody judged this"}


def test_what_is_missing_is_counted(folder: Path) -> None:
    """Judgments of queries and documents that are not there are tolerated and said."""
    with (folder / "qrels" / "test.tsv").open("a") as qrels:
        qrels.write("q1\tnowhere\t1\nq2\tnowhere\t1\nq9\td1\t1\n")
    dataset = read_dataset(folder)
    assert dataset.qrels["q1"]["nowhere"] == 1
    assert dataset.notes == (
        "1 judged queries are not in the dataset; they are left out",
        "1 judged documents are not in the dataset; they count as not found",
    )


def test_odd_but_whole_files_are_read(folder: Path) -> None:
    """Blank lines, Windows line ends, fields of no interest, no title and no header line are no mistakes."""
    (folder / "corpus.jsonl").write_bytes(
        b'{"_id": "d1", "text": "a", "url": 1}\r\n\n{"_id": "d2", "text": "", "title": null}'
    )
    (folder / "qrels" / "test.tsv").write_bytes(b"q1\td1\t1\r\n\r\nq2\td2\t-1\r\n")
    dataset = read_dataset(folder)
    assert list(dataset.documents()) == [Document("d1", "a", ""), Document("d2", "", None)]
    assert dataset.qrels == {"q1": {"d1": 1}, "q2": {"d2": -1}}


BROKEN = {
    "corpus is no JSON": ("corpus.jsonl", b'{"_id": "d1", "text": "a"}\n{"_id": ', ":2", "truncated"),
    "line is no object": ("corpus.jsonl", b"[]\n", ":1", "object"),
    "no _id": ("corpus.jsonl", b'{"text": "a"}\n', ":1", "_id"),
    "empty _id": ("corpus.jsonl", b'{"_id": "", "text": "a"}\n', ":1", "empty"),
    "_id is a number": ("corpus.jsonl", b'{"_id": 1, "text": "a"}\n', ":1", "_id"),
    "no text": ("corpus.jsonl", b'{"_id": "d1"}\n', ":1", "text"),
    "document twice": ("corpus.jsonl", b'{"_id": "d1", "text": "a"}\n\n{"_id": "d1", "text": "b"}\n', ":3", "twice"),
    "not UTF-8": ("corpus.jsonl", b'{"_id": "d\xff", "text": "a"}\n', ":1", "utf-8"),
    "no document": ("corpus.jsonl", b"\n", "", "no document"),
    "query without text": ("queries.jsonl", b'{"_id": "q1"}\n', ":1", "text"),
    "query twice": ("queries.jsonl", b'{"_id": "q1", "text": "a"}\n{"_id": "q1", "text": "a"}\n', ":2", "twice"),
    "two columns": ("qrels/test.tsv", b"query-id\tcorpus-id\tscore\nq1\td1\n", ":2", "2 columns"),
    "spaces for tabs": ("qrels/test.tsv", b"q1 d1 1\n", ":1", "1 columns"),
    "grade is no number": ("qrels/test.tsv", b"query-id\tcorpus-id\tscore\nq1\td1\tgood\n", ":2", "'good'"),
    "grade is no whole number": ("qrels/test.tsv", b"q1\td1\t0.5\n", ":1", "'0.5'"),
    "judged twice": ("qrels/test.tsv", b"q1\td1\t1\nq1\td1\t0\n", ":2", "judged twice, 1 and 0"),
    "qrels not UTF-8": ("qrels/test.tsv", b"q1\td\xff\t1\n", ":1", "utf-8"),
    "no judged query": ("qrels/test.tsv", b"query-id\tcorpus-id\tscore\nq9\td1\t1\n", "", "queries.jsonl"),
    "no judgment": ("qrels/test.tsv", b"", "", "queries.jsonl"),
}


@pytest.mark.parametrize(("name", "content", "line", "problem"), BROKEN.values(), ids=BROKEN)
def test_broken_file_is_named_with_its_line(folder: Path, name: str, content: bytes, line: str, problem: str) -> None:
    """Every mistake in a file is a data error at its file and line."""
    (folder / name).write_bytes(content)
    with pytest.raises(DataError) as raised:
        read_dataset(folder)
    assert raised.value.place == f"{folder / name}{line}"
    assert problem in raised.value.problem


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_missing_file_is_named(folder: Path, name: str) -> None:
    """A file that is not there is a data error at its path."""
    (folder / name).unlink()
    with pytest.raises(DataError, match="no such file") as raised:
        read_dataset(folder)
    assert raised.value.place == str(folder / name)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    """A folder that is not there is named itself, not the files it lacks."""
    with pytest.raises(DataError, match="no such folder") as raised:
        read_dataset(tmp_path / "nowhere")
    assert raised.value.place == str(tmp_path / "nowhere")


@pytest.mark.parametrize("damage", [lambda packed: packed[:-9], lambda packed: packed[:30] + b"#" * 40])
def test_damaged_gzip_is_a_data_error(folder: Path, damage: object) -> None:
    """A gzip file that is cut off or damaged within is a data error."""
    assert callable(damage)
    corpus = folder / "corpus.jsonl"
    pack(corpus)
    packed = folder / "corpus.jsonl.gz"
    packed.write_bytes(damage(packed.read_bytes()))
    with pytest.raises(DataError, match="can't be read") as raised:
        read_dataset(folder)
    assert raised.value.place.startswith(str(packed))
