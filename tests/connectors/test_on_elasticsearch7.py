"""What Elasticsearch 7 has that later versions have not: mapping types. And what passes it by unread."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.base import PassThrough, Reason, Reply, Request
from tests.connectors.small_engine import JSON, POLICY, SmallEngine, both, comparable, content, search, widened

MATCH: dict[str, Any] = {"query": {"match": {"title": "quick fox"}}}
MAPPINGS = {"fox": {"properties": {"title": {"type": "text"}}}}


def make(engine: SmallEngine) -> None:
    engine.put("/typed?include_type_name=true", {"settings": {"number_of_shards": 1}, "mappings": MAPPINGS})
    lines = (
        b'{"index":{"_type":"fox","_id":"%d"}}\n{"title":"quick fox%s"}\n' % (n, b" fox" * (n % 4)) for n in range(20)
    )
    answer = engine.send(Request("POST", "/typed/_bulk?refresh=true", JSON, b"".join(lines)))
    assert json.loads(answer.body)["errors"] is False, answer.body


@pytest.fixture
def seven(elasticsearch7: SmallEngine) -> SmallEngine:
    """With an index that has a mapping type of its own."""
    elasticsearch7.once(make)
    return elasticsearch7


def shown_headers(reply: Reply) -> list[tuple[str, str]]:
    return [(name, value) for name, value in reply.headers if name.lower() != "content-length"]


@pytest.mark.parametrize(
    "target",
    [
        "/typed/fox/_search",
        "/typed/fox,cat/_search",
        "/typed,odd/fox/_search",
        "/typed/fox/_search?rest_total_hits_as_int=true&pretty",
        "/typed/_search?rest_total_hits_as_int=true&filter_path=hits.total,hits.hits._type,hits.hits._id",
    ],
)
def test_mapping_types(seven: SmallEngine, target: str) -> None:
    """A search of a type is reranked; its hits keep their ``_type``, and the total the form that was asked for."""
    direct, wide = both(seven, target, MATCH | {"size": 6, "from": 2})
    assert wide.page.skip is None
    assert b'"_type"' in direct.body
    assert content(wide.splice(None)) == content(direct)
    assert shown_headers(wide.splice(None)) == shown_headers(direct)
    assert comparable(wide.turned_round(), reverse=True) == comparable(direct)


def test_a_type_without_hits(seven: SmallEngine) -> None:
    """A type that no document has finds nothing, and the empty page is the engine's."""
    direct, wide = both(seven, "/typed/cat/_search", MATCH)
    assert wide.page.skip is Reason.TOO_FEW_HITS
    assert content(wide.splice(None)) == content(direct)


def test_a_type_that_is_named_as_an_api(elasticsearch9: SmallEngine, seven: SmallEngine) -> None:
    """``/index/_doc/_search`` finds in version 7 and writes a document in version 9: it passes through in both."""
    request = search("/typed/_doc/_search", {"title": "fox"})
    assert not seven.connector.is_search(request.method, request.path)
    assert json.loads(elasticsearch9.send(request).body)["result"] == "created"
    found = seven.send(search("/odd/_doc/_search", MATCH))
    assert len(json.loads(found.body)["hits"]["hits"]) == 10


def test_scrolls_pass_through(seven: SmallEngine) -> None:
    """A search that starts a scroll keeps the engine's order, so that its pages go on where it ends."""
    for target in ("/typed/fox/_search?scroll=1m", "/odd/_search?scroll=1m"):
        assert widened(seven, search(target, MATCH), POLICY) == PassThrough(Reason.SCROLL)
