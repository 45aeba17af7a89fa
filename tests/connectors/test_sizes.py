"""How many hits a search may be asked for without finding others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors._sizes import Fetch, fetch_of, limit_of, pinned, pins_of

MATCH = {"match": {"title": "fox"}}
KNN = {"field": "v", "query_vector": [1.0, 2.5], "k": 5, "num_candidates": 50}
NO_K = {key: value for key, value in KNN.items() if key != "k"}
HYBRID = {"hybrid": {"queries": [MATCH, {"neural": {"v": {"query_text": "fox"}}}]}}
DEEP_HYBRID = {"hybrid": {**HYBRID["hybrid"], "pagination_depth": 100}}
SEMANTIC = {"semantic": {"field": "content", "query": "fox"}}


def rrf(**members: Any) -> dict[str, Any]:
    return {"retriever": {"rrf": {"retrievers": [{"standard": {"query": SEMANTIC}}, {"knn": NO_K}], **members}}}


@pytest.mark.parametrize(
    ("search", "limit"),
    [
        ({}, None),
        ({"query": MATCH}, None),
        ({"query": MATCH, "knn": KNN}, None),
        ({"query": {"match": {"semantic": {"query": "fox"}}}}, None),
        ({"query": {"match": {"hybrid": {"query": "fox"}}}}, None),
        ({"query": {"bool": {"should": [MATCH, {"knn": NO_K}]}}}, None),
        ({"query": {"neural": {"v": {"query_text": "fox", "k": 5}}}}, None),
        ({"query": HYBRID}, 0),
        ({"query": DEEP_HYBRID}, None),
        ({"query": {"bool": {"should": [MATCH, SEMANTIC]}}}, 0),
        ({"query": {"percolate": {"field": "q", "document": SEMANTIC}}}, None),
        ({"retriever": {"standard": {"query": MATCH}}}, None),
        ({"retriever": {"standard": {"query": SEMANTIC}}}, 0),
        ({"retriever": {"knn": KNN}}, None),
        (rrf(), 0),
        (rrf(rank_window_size=50), 50),
        (rrf(window_size=70), 70),
        (rrf(rank_window_size="50"), 0),
        ({"retriever": {"linear": {"retrievers": [], "rank_window_size": 30}}}, 30),
        ({"retriever": {"pinned": {"retriever": {}, "ids": ["1"], "rank_window_size": 30}}}, 30),
        ({"retriever": {"rescorer": {"retriever": {}, "rescore": {"window_size": 40, "query": {}}}}}, 40),
        ({"retriever": {"rescorer": {"retriever": {}, "rescore": [{"window_size": 40}, {"query": {}}]}}}, 10),
        ({"retriever": {}}, 0),
        ({"retriever": 5}, 0),
        ({"rank": {"rrf": {"window_size": 60}}, "sub_searches": []}, 60),
        ({"rank": {"rrf": {}}}, 0),
        ({"rank": {}}, 0),
        ({"query": MATCH, "rescore": {"window_size": 50, "query": {}}}, 50),
        ({"query": MATCH, "rescore": [{"window_size": 50}, {"window_size": 80}]}, 80),
        ({"query": MATCH, "rescore": {"query": {}}}, 10),
        ({"query": SEMANTIC, "rescore": {"window_size": 50}}, 0),
    ],
)
def test_the_most_hits_that_may_be_fetched(search: Any, limit: int | None) -> None:
    """What is fused, rescored or normalised together limits the fetch; what is not known allows the page alone."""
    assert limit_of(search) == limit


@pytest.mark.parametrize(
    ("start", "size", "limit", "fetch"),
    [
        (0, 10, None, Fetch(0, 20, is_page=False)),
        (15, 10, None, Fetch(0, 25, is_page=False)),
        (0, 10, 15, Fetch(0, 15, is_page=False)),
        (0, 10, 10, Fetch(0, 10, is_page=False)),
        (0, 10, 100, Fetch(0, 20, is_page=False)),
        (5, 10, 12, Fetch(5, 10, is_page=True)),
        (5, 10, 0, Fetch(5, 10, is_page=True)),
    ],
)
def test_window_or_page(start: int, size: int, limit: int | None, fetch: Fetch) -> None:
    """The window of 20 as far as the limit allows; where the page itself lies beyond, the page as it is."""
    assert fetch_of(start, size, 20, limit) == fetch


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({"query": MATCH}, {}),
        ({"knn": KNN}, {}),
        ({"knn": NO_K}, {"knn": 10}),
        ({"knn": NO_K, "size": 3}, {"knn": 3}),
        ({"knn": [KNN, NO_K]}, {"knn.1": 10}),
        ({"query": {"knn": KNN}}, {}),
        ({"query": {"knn": NO_K}}, {"query.knn": 7}),
        ({"query": {"bool": {"must": [MATCH, {"knn": NO_K | {"num_candidates": 4}}]}}}, {"query.bool.must.1.knn": 4}),
        ({"query": {"knn": {"my_vector": {"vector": [1, 2], "k": 3}}}}, {}),
        ({"query": {"match": {"knn": {"query": "fox"}}}}, {}),
        ({"retriever": {"standard": {"query": {"knn": NO_K}}}}, {"retriever.standard.query.knn": 7}),
        ({"retriever": {"knn": NO_K}}, {}),
        (rrf(), {}),
    ],
)
def test_neighbours_as_many_as_hits(search: Any, expected: dict[str, int]) -> None:
    """Where Elasticsearch looks for as many neighbours as the page has hits, their number is written out."""
    pins = pins_of(search, 7)
    assert {".".join(map(str, pin.path)): pin.k for pin in pins} == expected
    body = json.loads(pinned(json.dumps(search).encode(), pins))
    for path, k in expected.items():
        value = body
        for key in path.split("."):
            value = value[int(key) if isinstance(value, list) else key]
        assert value.pop("k") == k
    assert body == search


def test_the_other_bytes_stay() -> None:
    """A vector's numbers, white space and the order of members are as they came."""
    body = b'{"query" : {"knn":{ "field":"v","query_vector":[1.0,1e-7] }},"x":1.50}'
    assert pinned(body, pins_of(json.loads(body), 5)) == body.replace(b"] }}", b'] ,"k":5}}')


def test_many_sizes_are_written_in_one_go() -> None:
    """Those within each other too; ten thousand, each sought from the beginning of the body, would take minutes."""
    clause = b'{"knn":{"field":"v","filter":{"knn":{"field":"w"}}}}'
    whole = b'{"knn":{"field":"v","filter":{"knn":{"field":"w","k":5}},"k":5}}'
    body, expected = (b'{"query":{"bool":{"should":[%b]}}}' % b",".join([one] * 10_000) for one in (clause, whole))
    assert pinned(body, pins_of(json.loads(body), 5)) == expected
