"""Replies filtered here, beside those that a real engine filters."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from connectors._filter_path import parse
from connectors._filtered_json import filtered
from connectors._raw_json import RawJsonError
from tests.connectors.small_engine import SmallEngine, content, search

FILTERS = [
    "took",
    "hits",
    "hits.hits",
    "hits.hits._id",
    "hits.hits._source.title",
    "hits.hits._source.comments.who",
    "hits.hits._source.comments",
    "hits.hits._source.anything.x*",
    "hits.hits._source.anything.big",
    "hits.*.max*",
    "**._id",
    "**.title,took",
    "hits.total",
    "hits.total.value.nothing",
    "hits.hits._source.tags.nothing",
    "nothing",
    "_shards.failures",
    "-_shards",
    "-hits.hits._source",
    "-hits.hits._source.title,-took",
    "-hits.hits._source.comments.who",
    "-hits.hits._source.anything.*",
    "-hits.hits._source.*",
    "-**._id",
    "hits.hits,-hits.hits._source.body",
    "hits,-**.title",
    "hits.hits._source,-hits.hits._source.comments.text",
    "-hits.hits",
    "-hits.*",
    "-*",
]
EMPTY = ["hits.hits", "hits.hits._id", "hits", "-took", "-hits.max_score"]
INTO_EMPTY = "-hits.hits._id"


def both_ways(engine: SmallEngine, index: str, filter_path: str, *, pretty: bool = False) -> tuple[bytes, bytes]:
    """A reply filtered here, and by the engine."""
    wanted = {"query": {"match": {"title": "quick"}}, "size": 3}
    parameters = {"pretty": "true"} if pretty else {}

    def asked(value: str) -> bytes:
        query = urlencode({**parameters, "filter_path": value})
        return content(engine.send(search(f"/{index}/_search?{query}", wanted)))

    return filtered(asked("-_"), parse(filter_path)), asked(filter_path)


@pytest.mark.parametrize("filter_path", FILTERS)
def test_what_is_left_is_what_the_engine_leaves(each_engine: SmallEngine, filter_path: str) -> None:
    """Byte for byte: names, patterns, exclusions and both, within objects and lists; pretty, in all but white space."""
    mine, theirs = both_ways(each_engine, "odd", filter_path)
    assert mine == theirs
    mine, theirs = both_ways(each_engine, "odd", filter_path, pretty=True)
    assert json.loads(mine) == json.loads(theirs)


@pytest.mark.parametrize("filter_path", EMPTY)
def test_what_is_empty_by_itself_is_treated_alike(each_engine: SmallEngine, filter_path: str) -> None:
    """A list without hits is shown or left out as the engine does it."""
    mine, theirs = both_ways(each_engine, "empty", filter_path)
    assert mine == theirs


def test_the_one_difference(engine: SmallEngine, elasticsearch9: SmallEngine) -> None:
    """Elasticsearch of today keeps an empty list into which a filter reaches to leave something out; others do not."""
    mine, theirs = both_ways(engine, "empty", INTO_EMPTY)
    assert mine == theirs
    mine, theirs = both_ways(elasticsearch9, "empty", INTO_EMPTY)
    assert mine == theirs.replace(b',"hits":[]', b"")


def test_what_is_no_object_is_refused() -> None:
    """A body that can't be read is not filtered by guessing."""
    with pytest.raises(RawJsonError):
        filtered(b'{"a":', parse("a.b"))
