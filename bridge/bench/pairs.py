"""What the models are given: searches with the texts that a first stage found for them.

From folders of real data where they are given, and otherwise from the documentation of the installed Python, which is
always there. Nothing is copied or kept.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.bench.first_stage import Bm25
from bridge.demo.corpus import build_corpus

_SEED = 5
_LEAST_WORDS, _MOST_WORDS = 3, 8


@dataclass(frozen=True, slots=True)
class Search:
    """One query and the texts of its window, in first-stage order."""

    query: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Workload:
    """Searches of one kind."""

    name: str
    searches: tuple[Search, ...]
    vocabulary: tuple[str, ...]
    """Texts that a tokenizer is trained on, so that texts have about as many tokens as with the published one."""


def nfcorpus(folder: Path, searches: int, documents: int) -> Workload:
    """Medical questions with the abstracts that BM25 finds; a folder in BEIR format."""
    texts = [f"{entry.get('title', '')}\n{entry['text']}".strip() for entry in _entries(folder, "corpus.jsonl")]
    queries = [entry["text"] for entry in _entries(folder, "queries.jsonl")]
    return _workload("NFCorpus, BM25", queries, texts, searches, documents)


def icecat(folder: Path, searches: int, documents: int) -> Workload:
    """Shoppers' words with the product titles that BM25 finds; ``products.jsonl`` and ``queries.jsonl``."""
    texts = [str(entry["title"]) for entry in _entries(folder, "products.jsonl") if entry.get("title")]
    queries = [entry["text"] for entry in _entries(folder, "queries.jsonl")]
    return _workload("icecat titles, BM25", queries, texts, searches, documents)


def made(searches: int, documents: int) -> Workload:
    """Words of Python's documentation with the documentation that BM25 finds: no data has to be there."""
    texts = [f"{document.title}\n{document.text}" for document in build_corpus()]
    chance = random.Random(_SEED)  # noqa: S311 - not for secrets
    queries: list[str] = []
    while len(queries) < searches * 20:
        chosen = chance.choice(texts).split()
        start = chance.randrange(max(1, len(chosen) - _MOST_WORDS))
        queries.append(" ".join(chosen[start : start + chance.randint(_LEAST_WORDS, _MOST_WORDS)]))
    return _workload("made from Python's documentation, BM25", queries, texts, searches, documents)


def _workload(name: str, queries: Sequence[str], texts: Sequence[str], searches: int, documents: int) -> Workload:
    index = Bm25(texts)
    found: list[Search] = []
    shuffled = list(dict.fromkeys(queries))
    random.Random(_SEED).shuffle(shuffled)  # noqa: S311 - not for secrets
    for query in shuffled:
        places = index.top(query, documents)
        if len(places) == documents:
            found.append(Search(query, tuple(texts[place] for place in places)))
        if len(found) == searches:
            return Workload(name, tuple(found), tuple(texts))
    raise ValueError(f"{name}: only {len(found)} of {searches} queries find {documents} texts")


def _entries(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    zipped = folder / f"{name}.gz"
    with gzip.open(zipped, "rb") if zipped.is_file() else (folder / name).open("rb") as lines:
        for line in lines:
            yield json.loads(line)
