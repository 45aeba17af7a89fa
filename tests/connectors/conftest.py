"""A real engine with small indices: odd documents, several shards, an alias, a small window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

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


def document(number: int) -> bytes:
    """A document with what a careless proxy would change: number forms, long integers, escapes, odd white space."""
    return (
        b'{ "title":"quick fox %d", "body":"the quick brown fox%s","n":%d,"tags":["a","b%d"] ,"f":1.0,"g":1e-7,'
        b'"anything":{"big":123456789012345678901234567890,"x.y":{"z":[1,[2,3.50]]},"none":null},'
        b'"uni":"h\\u00e9llo \xf0\x9f\x98\x80 \\ud83d\\ude00 \\ud83d","comments":[{"text":"nice quick","who":"x"},'
        b'{"text":"bad %d"}]}'
    ) % (number, b" jumps" * (number % 7), number, number % 3, number)


@pytest.fixture(scope="session")
def engine(opensearch_url: str) -> Iterator[SmallEngine]:
    engine = SmallEngine(opensearch_url)
    documents = [document(number) for number in range(DOCUMENTS)]
    engine.make_index("odd", {}, MAPPINGS)
    engine.fill("odd", documents)
    engine.make_index("shards-1", {"number_of_shards": 3}, MAPPINGS)
    engine.fill("shards-1", documents)
    engine.make_index("shards-2", {"number_of_shards": 2}, MAPPINGS)
    engine.fill("shards-2", documents[:7])
    engine.put("/_aliases", {"actions": [{"add": {"index": "shards-*", "alias": "both"}}]}, "POST")
    engine.make_index("narrow", {"max_result_window": 12}, MAPPINGS)
    engine.fill("narrow", documents)
    engine.make_index("static", {}, {"dynamic": False, "properties": {"title": {"type": "text"}}})
    engine.fill("static", documents)
    engine.make_index("sourceless", {}, {"_source": {"enabled": False}, **MAPPINGS})
    engine.fill("sourceless", documents)
    engine.make_index("empty", {}, MAPPINGS)
    yield engine
    engine.close()
