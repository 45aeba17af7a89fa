"""Each real engine answers each request of several searches twice: directly, and widened, then spliced."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.base import PassThrough, Reason, Request
from tests.connectors.engines import REFUSES_VENDOR, VENDOR, Needs, on_each
from tests.connectors.several import NDJSON, both, bridged, msearch
from tests.connectors.small_engine import SmallEngine, content

MATCH: dict[str, Any] = {"query": {"match": {"title": "quick fox"}}}
ODD = {"index": "odd"}
VENDOR_LINES = ("Content-Type", "application/vnd.elasticsearch+x-ndjson")
MIXED: list[tuple[Any, Any]] = [
    (ODD, MATCH),
    (ODD, MATCH | {"size": 0, "aggs": {"x": {"terms": {"field": "tags"}}}}),
    ({"index": "nosuch"}, MATCH),
    ({"index": ["odd", "nosuch"], "ignore_unavailable": True}, MATCH | {"from": 3, "size": 4}),
    (ODD, {"query": {"match": {"n": "fox"}}}),
    ({"index": "narrow"}, MATCH | {"size": 2}),
    ({"index": "odd", "search_type": "dfs_query_then_fetch", "preference": "_local"}, MATCH | {"_source": ["n"]}),
    (ODD, MATCH | {"sort": ["n"]}),
    ({"index": "shards-*", "expand_wildcards": "open", "request_cache": True}, MATCH | {"_source": False}),
    ({"index": "both", "routing": "7", "allow_partial_search_results": True}, MATCH),
    ({"index": "sourceless"}, MATCH),
    ({"index": "empty", "ccs_minimize_roundtrips": False}, MATCH),
    (ODD, {"query": {"match_all": {}}}),
]


@pytest.mark.parametrize(
    ("items", "target"),
    [
        ([(ODD, MATCH)], "/_msearch"),
        ([({}, MATCH), (b"", MATCH)], "/odd/_msearch"),
        ([({}, MATCH), (ODD, MATCH | {"size": 3})], "/shards-1,shards-2/_msearch?pretty"),
        (MIXED, "/_msearch"),
        (MIXED, "/_msearch?pretty&typed_keys&max_concurrent_searches=2"),
        (MIXED[:4], "/_msearch?rest_total_hits_as_int=true&search_type=query_then_fetch"),
        ([(b'{"index":"odd"}\r', b'{"query":{"match":{"title":"fox"}}}\r'), (b"", b'{"size":0}')], "/_msearch"),
        ([(ODD, MATCH), (b'{"index":"odd"}', b"{}")] * 25, "/_msearch"),
        ([(ODD, MATCH | {"from": start}) for start in range(14)] * 4, "/_msearch"),
    ],
)
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_every_response_is_the_engines(each_engine: SmallEngine, items: Any, target: str, coding: str) -> None:
    """In first-stage order every byte of the reply is the engine's, errors among them, plain or compressed."""
    request = msearch(items, target, NDJSON, ("Accept-Encoding", coding))
    direct, several = both(each_engine, request)
    assert content(several.splice()) == content(direct)
    assert several.reply.header("content-encoding") == direct.header("content-encoding")


def test_the_items_that_are_reranked(each_engine: SmallEngine) -> None:
    """Of searches side by side, those that can be reranked are; the others have their reasons, the failed theirs."""
    _, several = both(each_engine, msearch(MIXED))
    reasons = [page.reason if isinstance(page, PassThrough) else page.skip for page in several.pages]
    assert reasons == [
        None,
        Reason.SIZE_ZERO,
        Reason.ENGINE_ERROR,
        None,
        Reason.ENGINE_ERROR,
        Reason.ENGINE_ERROR,
        None,
        Reason.SORTED,
        None,
        None,
        Reason.NO_TEXT,
        Reason.TOO_FEW_HITS,
        Reason.NO_QUERY_TEXT,
    ]


def test_reordered_hits_keep_their_bytes(each_engine: SmallEngine) -> None:
    """Turned round and without its score, each hit is the engine's to the byte, in its own response."""
    direct, several = both(each_engine, msearch(MIXED))
    orders = several.reversed_pages()
    assert sum(order is not None for order in orders) == 5
    theirs, ours = (json.loads(content(reply))["responses"] for reply in (direct, several.splice(orders)))
    for order, own, given in zip(orders, ours, theirs, strict=True):
        if order is None:
            assert own == given
        else:
            assert stripped(own)[::-1] == stripped(given)
    raw = content(several.splice(orders))
    assert raw.count(b'"big":123456789012345678901234567890') == content(direct).count(b'"big":123456789012345678901')


def stripped(response: Any) -> list[Any]:
    return [{key: value for key, value in hit.items() if key != "_score"} for hit in response["hits"]["hits"]]


@on_each(
    "request_",
    [
        (msearch([(ODD, MATCH), ({"nosuch": 1}, MATCH)]),),
        (msearch([(ODD, MATCH), (ODD, b"{")]),),
        (msearch([(ODD, MATCH), (ODD, {"query": {"match": {"title": {"query": "fox", "nosuch": 1}}}})]),),
        (msearch([(ODD, MATCH)], "/_msearch?nosuch=1"),),
        Needs(REFUSES_VENDOR, (msearch([(ODD, MATCH)], "/_msearch", VENDOR_LINES),)),
        (msearch([({"index": "nosuch"}, MATCH), ({"index": "nosuch"}, MATCH)]),),
        (Request("POST", "/_msearch", (NDJSON,), b'{}\n{"query":{"match":{"title":"fox"}}}'),),
        (msearch([(ODD, MATCH)], "/_msearch?filter_path=responses.hits.hits._id"),),
    ],
)
def test_what_is_asked_anew_as_a_whole(each_engine: SmallEngine, request_: Request) -> None:
    """What the engine refuses as a whole, and what can't be reranked, is passed on, so that the error is its own."""
    assert isinstance(bridged(each_engine, request_), PassThrough)


@on_each(
    "media_type",
    [
        ("application/json",),
        ("application/json; charset=UTF-8",),
        ("application/x-ndjson",),
        Needs(VENDOR, (VENDOR_LINES[1],)),
        Needs(VENDOR, ("application/vnd.elasticsearch+x-ndjson; compatible-with=9",)),
        Needs(VENDOR, ("application/vnd.elasticsearch+json; compatible-with=8",)),
    ],
)
def test_content_types(each_engine: SmallEngine, media_type: str) -> None:
    """Whatever the client calls its lines is what the engine is told."""
    types = ("Content-Type", media_type), ("Accept", media_type.replace("x-ndjson", "json"))
    direct, several = both(each_engine, msearch([(ODD, MATCH)], "/_msearch", *types))
    assert several.splice().header("content-type") == direct.header("content-type")
    assert content(several.splice()) == content(direct)
