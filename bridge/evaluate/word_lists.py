"""Lists of what people typed: TREC topics, queries of BEIR, CSV and TSV with a column of queries, a query a line.

Each kind of list is recognised by the beginning of its file; ``WORD_LISTS`` has them in the order in which they are
tried.
"""

from __future__ import annotations

import csv
import re
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import msgspec

from bridge.errors import DataError
from bridge.evaluate.lines import Head, lines_of

_QUERY_COLUMNS = ("query", "user_query", "q", "text", "search", "search_term", "keyword", "keywords", "term")
_COUNT_COLUMNS = ("count", "weight", "frequency", "freq", "searches", "n")
_ID_COLUMNS = ("query_id", "query-id", "qid", "id", "_id")
_TOPIC = re.compile(r"<top(?:ic)?\b(?P<attributes>[^>]*)>(?P<inner>.*?)</top(?:ic)?>", re.DOTALL | re.IGNORECASE)
_NUMBER = re.compile(r"<num>\s*(?:Number:)?\s*(?P<id>\S+)", re.IGNORECASE)
_TITLE = re.compile(r"<(?P<tag>title|query)>\s*(?:Topic:)?(?P<text>.*?)(?=<|\Z)", re.DOTALL | re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""(?:number|id)\s*=\s*["']?(?P<id>[^"'\s>]+)""", re.IGNORECASE)
_MAX_TOPICS_CHARS = 64 << 20


class Words(NamedTuple):
    """One query of a list."""

    place: str
    text: str
    query_id: str = ""
    weight: int = 1


class NoWords(NamedTuple):
    """A place of a list that holds no query."""

    place: str
    problem: str
    """In words that quote nothing of the list."""


@dataclass(frozen=True, slots=True)
class WordList:
    """A kind of list."""

    name: str
    """As messages and reports say it."""
    recognises: Callable[[Head], bool]
    read: Callable[[Path], Iterator[Words | NoWords]]
    """One query in memory at a time. Raises ``DataError`` where the file can't be read."""


class _Query(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    text: str


_QUERY = msgspec.json.Decoder(_Query)


def _beir(path: Path) -> Iterator[Words | NoWords]:
    file = path if path.is_file() else next(iter(sorted(path.glob("queries.jsonl*"))), path / "queries.jsonl")
    for place, line in lines_of(file):
        try:
            query = _QUERY.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            yield NoWords(place, "is no query with _id and text")
            continue
        yield Words(place, query.text, query.id)


def _is_beir(head: Head) -> bool:
    if head.is_folder:
        return any(head.path.glob("queries.jsonl*"))
    return b'"_id"' in head.first and b'"text"' in head.first


def _topics(path: Path) -> Iterator[Words | NoWords]:
    lines = [(place, line.decode(errors="replace")) for place, line in lines_of(path)]
    text = "".join(line for _, line in lines)
    if len(text) > _MAX_TOPICS_CHARS:
        raise DataError(str(path), "is too large for a file of topics")
    starts = list(accumulate((len(line) for _, line in lines), initial=0))
    for topic in _TOPIC.finditer(text):
        place, _ = lines[bisect(starts, topic.start()) - 1]
        named = _ATTRIBUTE.search(topic["attributes"]) or _NUMBER.search(topic["inner"])
        title = _TITLE.search(topic["inner"])
        words = " ".join(unescape(title["text"]).split()) if title is not None else ""
        yield Words(place, words, named["id"] if named is not None else "") if words else NoWords(place, "has no title")


def _is_topics(head: Head) -> bool:
    return re.search(rb"<top(ic)?\b", b"\n".join(head.lines[:20]), re.IGNORECASE) is not None


def _table(path: Path) -> Iterator[Words | NoWords]:
    lines = lines_of(path)
    place, first = next(lines)
    delimiter = _delimiter(first)
    columns = [name.strip().lower() for name in next(csv.reader([_text(first)], delimiter=delimiter))]
    query, count, name = (_column(columns, wanted) for wanted in (_QUERY_COLUMNS, _COUNT_COLUMNS, _ID_COLUMNS))
    if query is None:
        raise DataError(place, f"has no column of queries: one of {', '.join(_QUERY_COLUMNS)}")
    for place, line in lines:
        cells = next(csv.reader([_text(line)], delimiter=delimiter), [])
        if len(cells) <= query or not cells[query].strip():
            yield NoWords(place, "has no query")
            continue
        weight = cells[count].strip() if count is not None and count < len(cells) else "1"
        yield Words(
            place,
            " ".join(cells[query].split()),
            cells[name].strip() if name is not None and name < len(cells) else "",
            int(weight) if weight.isdecimal() and int(weight) else 1,
        )


def _column(columns: Sequence[str], names: Sequence[str]) -> int | None:
    return next((columns.index(name) for name in names if name in columns), None)


def _is_table(head: Head) -> bool:
    delimiter = _delimiter(head.first)
    columns = [name.strip().strip('"').lower() for name in _text(head.first).split(delimiter)]
    return _column(columns, _QUERY_COLUMNS) is not None and not head.first.lstrip().startswith(b"{")


def _delimiter(line: bytes) -> str:
    return max(("\t", ",", ";"), key=lambda separator: line.count(separator.encode()))


def _numbered(path: Path) -> Iterator[Words | NoWords]:
    for place, line in lines_of(path):
        query_id, _, text = _text(line).partition("\t")
        yield Words(place, " ".join(text.split()), query_id.strip()) if text.strip() else NoWords(place, "has no query")


def _is_numbered(head: Head) -> bool:
    return bool(head.lines) and all(line.count(b"\t") == 1 for line in head.lines[:20]) and not _is_json(head)


def _plain(path: Path) -> Iterator[Words | NoWords]:
    return (Words(place, " ".join(_text(line).split())) for place, line in lines_of(path))


def _is_plain(head: Head) -> bool:
    return bool(head.lines) and not _is_json(head) and all(b"\0" not in line for line in head.lines)


def _is_json(head: Head) -> bool:
    return head.first.lstrip()[:1] in (b"{", b"[")


def _text(line: bytes) -> str:
    return line.decode("utf-8-sig", errors="replace").rstrip("\r\n")


BEIR = WordList("queries of BEIR", _is_beir, _beir)
TOPICS = WordList("TREC topics", _is_topics, _topics)
TABLE = WordList("table with a column of queries", _is_table, _table)
NUMBERED = WordList("query ids and queries", _is_numbered, _numbered)
PLAIN = WordList("a query a line", _is_plain, _plain)

WORD_LISTS = (BEIR, TOPICS, TABLE, NUMBERED, PLAIN)
