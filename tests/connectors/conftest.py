"""A real engine with small indices: odd documents, several shards, an alias, a small window."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from bridge.demo.engine import Engine
from tests.connectors import solr_engine
from tests.connectors.engines import ENGINES, ENGLISH
from tests.connectors.small_engine import SmallEngine

DOCUMENTS = 30
MAPPINGS: dict[str, Any] = {
    "properties": {
        "title": {
            "type": "text",
            "fields": {"kw": {"type": "keyword"}, "en": {"type": "text", "analyzer": "english"}},
        },
        "body": {"type": "text", "store": True},
        "n": {"type": "long"},
        "tags": {"type": "keyword"},
        "comments": {"type": "nested", "properties": {"text": {"type": "text"}, "who": {"type": "keyword"}}},
        "other": {"type": "alias", "path": "title"},
        "anything": {"type": "object", "enabled": False},
    }
}

DEEP = b'{"d":[' * 60 + b"-0.0" + b"]}" * 60
"""No engine keeps documents with a key twice; everything else that a careless proxy would change is in these."""


def document(number: int) -> bytes:
    """A document with number forms, long integers, escapes, odd white space, dots in names and deep nesting."""
    return (
        b'{ "title":"quick fox %d", "body":"the quick brown fox%s","n":%d,"tags":["a","b%d"] ,"f":1.0,"g":1e-7,'
        b'"anything":{"big":123456789012345678901234567890,"x.y":{"z":[1,[2,3.50]]},"none":null,"deep":%s},'
        b'"uni":"h\\u00e9llo \xf0\x9f\x98\x80 \\ud83d\\ude00 \\ud83d","comments":[{"text":"nice quick","who":"x"},'
        b'{"text":"bad %d"}]}'
    ) % (number, b" jumps" * (number % 7), number, number % 3, DEEP, number)


def mappings(engine: SmallEngine) -> dict[str, Any]:
    """The mappings that the engine's analyzers allow."""
    if ENGLISH not in engine.lacks:
        return MAPPINGS
    return json.loads(json.dumps(MAPPINGS).replace('"english"', '"simple"'))  # type: ignore[no-any-return]


@contextmanager
def filled(engine: SmallEngine) -> Iterator[SmallEngine]:
    """The engine with its indices."""
    with closing(engine):
        fill(engine)
        yield engine


def fill(engine: SmallEngine) -> None:
    documents = [document(number) for number in range(DOCUMENTS)]
    fields = mappings(engine)
    engine.make_index("odd", {}, fields)
    engine.fill("odd", documents)
    engine.make_index("shards-1", {"number_of_shards": 3}, fields)
    engine.fill("shards-1", documents)
    engine.make_index("shards-2", {"number_of_shards": 2}, fields)
    engine.fill("shards-2", documents[:7])
    engine.put("/_aliases", {"actions": [{"add": {"index": "shards-*", "alias": "both"}}]}, "POST")
    engine.make_index("narrow", {"max_result_window": 12}, fields)
    engine.fill("narrow", documents)
    engine.make_index("static", {}, {"dynamic": False, "properties": {"title": {"type": "text"}}})
    engine.fill("static", documents)
    engine.make_index("sourceless", {}, {"_source": {"enabled": False}, **fields})
    engine.fill("sourceless", documents)
    engine.make_index("empty", {}, fields)


@pytest.fixture(scope="session")
def engine(opensearch_url: str) -> Iterator[SmallEngine]:
    """OpenSearch 3.5."""
    with filled(SmallEngine(opensearch_url, *ENGINES["opensearch"])) as engine:
        yield engine


@pytest.fixture(scope="session")
def elasticsearch9(elasticsearch9_url: str) -> Iterator[SmallEngine]:
    """Elasticsearch 9.5, the server alone."""
    with filled(SmallEngine(elasticsearch9_url, *ENGINES["elasticsearch9"])) as engine:
        yield engine


@pytest.fixture(scope="session")
def elasticsearch7(elasticsearch7_url: str) -> Iterator[SmallEngine]:
    """Elasticsearch 7.10."""
    with filled(SmallEngine(elasticsearch7_url, *ENGINES["elasticsearch7"])) as engine:
        yield engine


@pytest.fixture(scope="session", params=list(ENGINES))
def each_engine(request: pytest.FixtureRequest) -> SmallEngine:
    """One engine after the other; ``engines.on_each`` leaves out what an engine lacks."""
    found: SmallEngine = request.getfixturevalue("engine" if request.param == "opensearch" else request.param)
    return found


@pytest.fixture(scope="session")
def odd_solr(solr: Engine) -> Iterator[SmallEngine]:
    """Solr 9.10 with a core of odd documents."""
    with closing(solr_engine.odd_solr(solr)) as engine:
        yield engine
