"""Each real engine answers each search twice: directly, and widened, then spliced."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from connectors.base import PassThrough, Policy, Reason
from tests.connectors.conftest import DEEP
from tests.connectors.engines import (
    ENGINES,
    GREETING,
    PAINLESS,
    REFUSES_SOURCELESS,
    SOURCELESS,
    Needs,
    on_each,
    on_those_with,
)
from tests.connectors.small_engine import (
    POLICY,
    SmallEngine,
    Widened,
    alike,
    both,
    comparable,
    content,
    search,
    widened,
)

MATCH: dict[str, Any] = {"query": {"match": {"title": "quick fox"}}}
NESTED: dict[str, Any] = {"query": {"nested": {"path": "comments", "query": {"match": {"comments.text": "nice bad"}}}}}
PRETTY_LAST = {"size": 5, "from": 13}


@on_each(
    "query,body",
    [
        ("", MATCH),
        ("?pretty", MATCH),
        ("?size=3&from=4", MATCH),
        ("?from=13&size=30", MATCH),
        ("?pretty", MATCH | PRETTY_LAST),
        ("?pretty", MATCH | {"size": 1}),
        ("?pretty", MATCH | {"from": 14, "post_filter": {"term": {"n": 1}}}),
        ("", MATCH | {"_source": False}),
        ("", MATCH | {"_source": ["title"]}),
        ("", MATCH | {"_source": {"excludes": ["title"]}}),
        ("", MATCH | {"_source": ["uni", "n", "title"]}),
        ("", MATCH | {"_source": ["uni", "n"]}),
        ("", MATCH | {"_source": {"excludes": ["comments", "anything.big"]}}),
        ("", MATCH | {"_source": []}),
        ("", MATCH | {"_source": ""}),
        ("?_source=title", MATCH),
        ("?_source=true", MATCH),
        ("?_source=false&pretty&size=1", MATCH),
        ("?_source=true&_source_excludes=uni", MATCH),
        ("", MATCH | {"_source": False, "fields": ["n"]}),
        ("", MATCH | {"_source": False, "fields": ["title", "n"]}),
        ("", MATCH | {"_source": False, "fields": ["title.kw"]}),
        ("", MATCH | {"_source": False, "fields": ["*"]}),
        ("", MATCH | {"_source": False, "fields": ["nosuch"]}),
        ("", MATCH | {"_source": ["n"], "fields": ["comments.who"]}),
        ("?pretty&size=1", MATCH | {"_source": ["tags"], "fields": ["n"]}),
        ("", MATCH | {"stored_fields": ["body"]}),
        ("", MATCH | {"stored_fields": ["*"]}),
        ("", MATCH | {"stored_fields": ["title"]}),
        ("", MATCH | {"stored_fields": []}),
        ("", MATCH | {"stored_fields": ["body"], "_source": True}),
        ("?stored_fields=body", MATCH | {"stored_fields": ["title"]}),
        ("", MATCH | {"docvalue_fields": ["n"], "_source": False}),
        ("?docvalue_fields=n", MATCH | {"docvalue_fields": ["tags"], "_source": False}),
        ("", MATCH | {"docvalue_fields": ["n*", "ta*"], "_source": False}),
        Needs(PAINLESS, ("", MATCH | {"script_fields": {"s": {"script": "1+1"}}})),
        ("", MATCH | {"collapse": {"field": "n"}}),
        ("", MATCH | {"collapse": {"field": "n"}, "_source": False}),
        ("?filter_path=hits", MATCH),
        ("?filter_path=-took", MATCH),
        ("?filter_path=**", MATCH),
        ("?filter_path=hits.hits._id", MATCH),
        ("?filter_path=hits.hits._id&from=14&size=5", MATCH),
        ("?filter_path=took,hits.hits._source.title,hits.total", MATCH),
        ("?filter_path=-hits.hits._source", MATCH),
        ("?filter_path=-hits.hits._score", MATCH),
        ("?filter_path=-hits.hits._source,-_shards&pretty", MATCH),
        ("?filter_path=-_shards,-took", MATCH),
        ("?filter_path=hits,_shards", MATCH),
        ("?filter_path=**._id,hits.hits._source", MATCH),
        ("?filter_path=hits.max_score,hits.hits.highlight", MATCH | {"highlight": {"fields": {"title": {}}}}),
        ("?filter_path=hits.hits._id", MATCH | {"_source": False, "sort": ["_score", "n"]}),
        ("?filter_path=hits.hits.sort", MATCH | {"sort": ["_score", "n"]}),
        ("?filter_path=hits.hits.fields,hits.hits._id", MATCH | {"_source": False, "fields": ["tags"]}),
        ("", MATCH | {"sort": ["_score", "n"]}),
        ("", MATCH | {"sort": [{"_score": "desc"}, {"n": "desc"}], "track_scores": True}),
        ("", MATCH | {"sort": ["_score"]}),
        ("", MATCH | {"sort": []}),
        ("?sort=_score,n", MATCH),
        ("?sort=_score:desc", MATCH),
        ("?sort=n:desc", MATCH | {"sort": "_score"}),
        ("?rest_total_hits_as_int=true", MATCH),
        ("?typed_keys", MATCH | {"aggs": {"x": {"terms": {"field": "tags"}}}}),
        ("", MATCH | {"track_total_hits": False}),
        ("", MATCH | {"track_total_hits": 3}),
        ("", MATCH | {"explain": True, "size": 2}),
        ("?explain", MATCH | {"size": 2}),
        ("", MATCH | {"highlight": {"fields": {"title": {}}}}),
        ("", MATCH | {"min_score": 0.001}),
        ("", MATCH | {"min_score": 99}),
        ("", MATCH | {"version": True, "seq_no_primary_term": True}),
        ("", MATCH | {"terminate_after": 5}),
        ("", MATCH | {"timeout": "10s", "stats": ["a"]}),
        ("?preference=_local&routing=7&request_cache=true&ignore_unavailable=true", MATCH),
        ("", MATCH | {"post_filter": {"term": {"tags": "b1"}}}),
        ("", MATCH | {"suggest": {"s": {"text": "quikc", "term": {"field": "title"}}}}),
        ("", NESTED),
        ("", NESTED | {"_source": False}),
        ("", NESTED | {"_source": False, "fields": ["comments.who"]}),
        ("", {"query": {"nested": {**NESTED["query"]["nested"], "inner_hits": {}}}, "_source": False}),
        ("", {"query": {"match": {"title.en": "foxes"}}, "_source": False}),
        ("", {"query": {"match": {"other": "fox"}}, "_source": ["n"]}),
        ("", {"query": {"multi_match": {"query": "quick", "fields": ["t*^2", "body"]}}, "_source": ["n"]}),
        ("", {"query": {"query_string": {"query": "title:quick AND fox"}}}),
        ("", {"query": {"simple_query_string": {"query": "quick -zebra"}}, "_source": False}),
        ("", {"query": {"bool": {"should": [MATCH["query"], {"match": {"body": {"query": "fox", "_name": "b"}}}]}}}),
        ("?q=quick", None),
        ("?q=quick%ff", None),
        ("?q=title:quick&_source=false", None),
        ("?q=quick&_source_includes=n,title&size=3", None),
        ("?q=quick&df=body&stored_fields=body", None),
        (f"?source_content_type=application/json&source={quote(json.dumps(MATCH))}", None),
    ],
)  # fmt: skip
def test_touched_means_equal_but_for_the_order(each_engine: SmallEngine, query: str, body: Any) -> None:
    """In first-stage order every byte is the engine's; reordered, only order and scores differ, hit by hit."""
    direct, wide = both(each_engine, f"/odd/_search{query}", body)
    assert alike(each_engine, wide, direct)
    assert comparable(wide.turned_round(), reverse=True) == comparable(direct)


def test_a_hit_keeps_its_bytes(each_engine: SmallEngine) -> None:
    """Number forms, integers of any size, escapes and white space of a document are on the wire as in the engine's."""
    direct, wide = both(each_engine, "/odd/_search", MATCH | {"size": 2})
    sources = [part.split(b"}]}}")[0] for part in content(direct).split(b'"_source":')[1:]]
    reordered = content(wide.reordered([1, 0, *range(2, 15)]))
    assert [part.split(b"}]}}")[0] for part in reordered.split(b'"_source":')[1:]] == sources[::-1]
    assert b'"big":123456789012345678901234567890' in reordered
    assert reordered.count(DEEP) == 2


@pytest.mark.parametrize(
    "target",
    [
        "/odd/_search",
        "/shards-1/_search",
        "/shards-1,shards-2/_search",
        "/shards-*/_search",
        "/shards-*,-shards-2/_search",
        "/both/_search",
        "/static/_search",
        "/odd,nosuch/_search?ignore_unavailable=true",
        "/shards-1/_search?search_type=dfs_query_then_fetch",
    ],
)
def test_any_indices(each_engine: SmallEngine, target: str) -> None:
    """One index or several, patterns, aliases, none at all, one shard or many: the pages are the engine's."""
    for page in ({}, {"from": 3, "size": 4}, {"size": 20}):
        direct, wide = both(each_engine, target, MATCH | page, ("Accept-Encoding", "gzip"))
        assert content(wide.splice(None)) == content(direct)
        assert wide.page.skip is None


def test_compressed_and_plain_replies_are_alike(each_engine: SmallEngine) -> None:
    """A reply that the engine compressed goes back compressed, with the same content."""
    _, plain = both(each_engine, "/odd/_search", MATCH)
    _, compressed = both(each_engine, "/odd/_search", MATCH, ("Accept-Encoding", "gzip"))
    answer = compressed.splice(None)
    assert answer.header("content-encoding") == "gzip"
    assert content(answer) == content(plain.splice(None))


@pytest.mark.parametrize("indices", ["narrow", "odd,narrow", "_all"])
def test_a_window_that_the_engine_refuses(each_engine: SmallEngine, indices: str) -> None:
    """The engine's limit is read from its error, or from the one of some indices, and a window within is answered."""
    request = search(f"/{indices}/_search", MATCH)
    refused = widened(each_engine, request, POLICY)
    assert isinstance(refused, PassThrough)
    assert refused.window_limit == 12
    wide = widened(each_engine, request, Policy(window=12))
    assert isinstance(wide, Widened)
    assert content(wide.splice(None)) == content(each_engine.send(request))


@on_each(
    "target,body,reason",
    [
        ("/sourceless/_search", MATCH, Reason.NO_TEXT),
        Needs(REFUSES_SOURCELESS, ("/sourceless/_search", MATCH | {"_source": False}, Reason.ENGINE_ERROR)),
        Needs(SOURCELESS, ("/sourceless/_search", MATCH | {"_source": False}, Reason.NO_TEXT)),
        Needs(
            REFUSES_SOURCELESS,
            ("/odd,sourceless/_search", MATCH | {"_source": False, "size": 60}, Reason.SHARDS_FAILED),
        ),
        Needs(SOURCELESS, ("/odd,sourceless/_search", MATCH | {"_source": False, "size": 60}, None)),
        ("/odd,narrow/_search", MATCH, Reason.SHARDS_FAILED),
        ("/odd,narrow/_search?filter_path=hits.hits._id", MATCH, Reason.SHARDS_FAILED),
        ("/odd,narrow/_search?filter_path=-_shards", MATCH, Reason.SHARDS_FAILED),
        ("/empty/_search", MATCH, Reason.TOO_FEW_HITS),
        ("/odd/_search", {"query": {"match": {"title": "nosuch"}}}, Reason.TOO_FEW_HITS),
        ("/odd/_search", MATCH | {"docvalue_fields": ["t*"], "_source": False}, Reason.ENGINE_ERROR),
        ("/nosuch/_search", MATCH, Reason.ENGINE_ERROR),
        ("/odd/_search?nosuch=1", MATCH, Reason.ENGINE_ERROR),
        ("/odd/_search?fields=n", MATCH | {"_source": False}, Reason.ENGINE_ERROR),
        ("/odd/_search", MATCH | {"nosuch": 1}, Reason.ENGINE_ERROR),
        ("/odd/_search", {"query": {"multi_match": {"query": "fox", "type": []}}}, Reason.ENGINE_ERROR),
        ("/odd/_search", b'{"query":{"match":{"title":"fox"}},"size":1,"size":2}', Reason.NOT_JSON),
        ("/odd/_search?filter_path=hits.hits._id&from=14", MATCH | {"min_score": 99}, Reason.REPLY_SHAPE),
    ],
)  # fmt: skip
def test_what_can_not_be_reranked(each_engine: SmallEngine, target: str, body: Any, reason: Reason | None) -> None:
    """No text, no hits, and the engine's own errors have their reasons; a page that is cut is the engine's."""
    request = search(target, body)
    wide = widened(each_engine, request, POLICY)
    if isinstance(wide, PassThrough):
        assert wide.reason is reason
    else:
        assert wide.page.skip is reason
        assert content(wide.splice(None)) == content(each_engine.send(request))


@on_those_with(GREETING)
def test_each_engine_is_known_by_its_greeting(each_engine: SmallEngine) -> None:
    """What the engine says of itself is taken by its own connector, with the version, and by no other."""
    info = json.loads(each_engine.send(search("/")).body)
    versions = {kind.connector.name: kind.connector.identify(info) for kind in ENGINES.values()}
    number = info["version"]["number"]
    assert versions == dict.fromkeys(versions, None) | {each_engine.connector.name: number}
    assert number.startswith(("3.", "7."))
