"""What Elasticsearch 8 and 9 have beyond OpenSearch and 7.10, each search sent directly and widened, then spliced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.base import PassThrough, Reason, Reply, Request
from tests.connectors.small_engine import POLICY, SmallEngine, both, comparable, content, search, widened

MATCH: dict[str, Any] = {"match": {"title": "quick fox"}}
KNN: dict[str, Any] = {"field": "v", "query_vector": [0.5, 1.0], "k": 5, "num_candidates": 20}
NEAREST: dict[str, Any] = {key: value for key, value in KNN.items() if key != "k"}
VENDOR = "application/vnd.elasticsearch+json; compatible-with={}"
MAPPINGS: dict[str, Any] = {
    "properties": {
        "title": {"type": "text"},
        "code": {"type": "keyword", "ignore_above": 6},
        "n": {"type": "long", "ignore_malformed": True},
        "v": {"type": "dense_vector", "dims": 2, "similarity": "l2_norm"},
    }
}


@pytest.fixture(scope="module")
def nine(elasticsearch9: SmallEngine) -> SmallEngine:
    """With an index of vectors, of which some values are ignored."""
    documents = [
        {"title": "quick fox" + " fox" * (n % 4), "code": f"code-{n}", "n": n if n % 3 else "odd", "v": [n / 10, 1]}
        for n in range(20)
    ]
    elasticsearch9.make_index("nine", {}, MAPPINGS)
    elasticsearch9.fill("nine", [json.dumps(one).encode() for one in documents])
    return elasticsearch9


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", {"retriever": {"standard": {"query": MATCH}}}),
        ("", {"retriever": {"standard": {"query": MATCH}}, "_source": False, "size": 4, "from": 3}),
        ("", {"retriever": {"standard": {"query": MATCH, "filter": {"range": {"n": {"gte": 4}}}}}, "size": 3}),
        ("", {"retriever": {"standard": {"query": MATCH, "min_score": 0.01, "collapse": {"field": "code"}}}}),
        ("", {"query": MATCH, "knn": KNN}),
        ("", {"query": MATCH, "knn": [KNN, {**KNN, "boost": 0.1}], "size": 4, "from": 1}),
        ("", {"query": {"bool": {"should": [MATCH, {"knn": NEAREST}]}}, "size": 4}),
        ("", {"query": MATCH, "_source": {"exclude_vectors": False}}),
        ("", {"query": MATCH, "_source": {"exclude_vectors": False, "includes": ["title", "v"]}}),
        ("", {"query": MATCH, "fields": ["code", "n"]}),
        ("", {"query": MATCH, "fields": ["code", "n"], "_source": False}),
        ("", {"query": {"multi_match": {"query": "fox", "fields": ["title", "code"]}}, "_source": False}),
        ("", {"query": {"multi_match": {"query": "fox", "fields": ["title", "code"]}}, "fields": ["n"], "_source": []}),
        ("", {"query": {"multi_match": {"query": "fox", "fields": ["title", "code"]}}, "fields": ["c*"]}),
        ("", {"query": MATCH, "runtime_mappings": {"r": {"type": "keyword"}}, "fields": ["r"]}),
        ("?include_named_queries_score=true", {"query": {"match": {"title": {"query": "fox", "_name": "a"}}}}),
        ("?force_synthetic_source=true", {"query": MATCH}),
        ("?batched_reduce_size=2&pre_filter_shard_size=1&max_concurrent_shard_requests=1", {"query": MATCH}),
        ("?ccs_minimize_roundtrips=false&allow_partial_search_results=false", {"query": MATCH}),
    ],
)
def test_touched_means_equal_but_for_the_order(nine: SmallEngine, query: str, body: Any) -> None:
    """In first-stage order every byte is the engine's; reordered, only order and scores differ, hit by hit."""
    direct, wide = both(nine, f"/nine/_search{query}", body)
    assert wide.page.skip is None
    assert content(wide.splice(None)) == content(direct)
    assert comparable(wide.turned_round(), reverse=True) == comparable(direct)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"retriever": {"knn": KNN}}, Reason.VECTOR_SEARCH),
        ({"knn": KNN}, Reason.VECTOR_SEARCH),
        ({"query": {"knn": KNN}}, Reason.VECTOR_SEARCH),
        ({"retriever": {"standard": {"query": MATCH, "sort": ["n"]}}}, Reason.SORTED),
        ({"retriever": {"standard": {"query": MATCH, "search_after": [1], "sort": ["n"]}}}, Reason.SEARCH_AFTER),
        ({"retriever": {"standard": {"query": MATCH}}, "query": MATCH}, Reason.ENGINE_ERROR),
        ({"query": MATCH, "knn": {**KNN, "k": 0}}, Reason.ENGINE_ERROR),
    ],
)
def test_what_can_not_be_reranked(nine: SmallEngine, body: Any, reason: Reason) -> None:
    """Vectors alone have no words to rank by, other orders stand, and the engine's errors are its own."""
    wide = widened(nine, search("/nine/_search", body), POLICY)
    assert isinstance(wide, PassThrough)
    assert wide.reason is reason


@pytest.fixture
def pit(nine: SmallEngine) -> Iterator[dict[str, str]]:
    opened = json.loads(nine.send(Request("POST", "/nine/_pit?keep_alive=1m", ())).body)["id"]
    yield {"id": opened, "keep_alive": "1m"}
    nine.put("/_pit", {"id": opened}, "DELETE")


@pytest.mark.parametrize(
    "body",
    [
        {"query": MATCH},
        {"query": MATCH, "size": 4, "from": 3, "_source": False},
        {"retriever": {"standard": {"query": MATCH}}},
    ],
)
def test_point_in_time(nine: SmallEngine, pit: dict[str, str], body: Any) -> None:
    """A search of a point in time, which names no index, is reranked; ``pit_id`` is kept."""
    direct, wide = both(nine, "/_search", body | {"pit": pit})
    assert wide.page.skip is None
    assert b'"pit_id"' in direct.body
    assert content(wide.splice(None)) == content(direct)
    assert comparable(wide.turned_round(), reverse=True) == comparable(direct)


def test_point_in_time_that_the_engine_refuses(nine: SmallEngine, pit: dict[str, str]) -> None:
    """An index or a routing beside a point in time is the engine's own error; the next page is left alone."""
    refused = ("/nine/_search", "/_search?routing=1")
    pages = [widened(nine, search(target, {"query": MATCH, "pit": pit}), POLICY) for target in refused]
    after = {"query": MATCH, "pit": pit, "sort": ["_score"], "search_after": [0.06, 3]}
    pages.append(widened(nine, search("/_search", after), POLICY))
    assert pages == [
        PassThrough(Reason.ENGINE_ERROR),
        PassThrough(Reason.ENGINE_ERROR),
        PassThrough(Reason.SEARCH_AFTER),
    ]


def shown_headers(reply: Reply) -> list[tuple[str, str]]:
    framing = {"content-length", "transfer-encoding"}
    return [(name, value) for name, value in reply.headers if name.lower() not in framing]


@pytest.mark.parametrize("version", [8, 9])
@pytest.mark.parametrize("body", [{"query": MATCH}, None], ids=["body", "url"])
def test_vendor_content_types(nine: SmallEngine, version: int, body: Any) -> None:
    """The clients' own media types, with their version, are kept both ways, and so is ``X-Elastic-Product``."""
    media_type = VENDOR.format(version)
    types = (("Accept", media_type), *((("Content-Type", media_type),) if body else ()))
    raw = json.dumps(body).encode() if body else b""
    request = Request("POST" if raw else "GET", "/nine/_search" + ("" if raw else "?q=title:fox"), types, raw)
    wide, direct = widened(nine, request, POLICY), nine.send(request)
    assert not isinstance(wide, PassThrough)
    assert direct.header("content-type") == media_type.replace("; ", ";")
    assert direct.header("x-elastic-product") == "Elasticsearch"
    assert shown_headers(wide.splice(None)) == shown_headers(direct)
    assert content(wide.splice(None)) == content(direct)
