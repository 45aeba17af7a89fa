"""Search templates on real engines, inline and stored, alone and several: bridged as direct but for the order."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from connectors.base import PassThrough, Reason, Request
from tests.connectors.engines import TEMPLATES, on_those_with
from tests.connectors.several import NDJSON, both, bridged, msearch
from tests.connectors.small_engine import JSON, SmallEngine, content, search

pytestmark = on_those_with(TEMPLATES)
FIND = '{ "query":{"match":{"title":"{{q}}"}},\n "from":"{{from}}","size":"{{size}}{{^size}}10{{/size}}" }'
QUICK = {"q": 'quick "fox"', "from": 2, "size": 5}
INLINE: dict[str, Any] = {"source": FIND, "params": QUICK}
OBJECT: dict[str, Any] = {"source": {"query": {"match": {"title": "{{q}}"}}, "explain": True}, "params": {"q": "fox"}}
STORED: dict[str, Any] = {"id": "find", "params": QUICK}
MISSING: dict[str, Any] = {"id": "nosuch", "params": QUICK}
BROKEN: dict[str, Any] = {"source": '{"query": 7}'}
NO_SEARCH: dict[str, Any] = {"source": "nothing"}


def store(engine: SmallEngine) -> None:
    engine.put("/_scripts/find", {"script": {"lang": "mustache", "source": FIND}})


@pytest.fixture(autouse=True)
def _stored(each_engine: SmallEngine) -> None:
    each_engine.once(store)


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/odd/_search/template", INLINE),
        ("/odd/_search/template", OBJECT),
        ("/odd/_search/template?pretty&typed_keys&rest_total_hits_as_int=true", STORED),
        ("/shards-*/_search/template?routing=7&preference=_local&search_type=dfs_query_then_fetch", STORED),
        ("/odd,nosuch/_search/template?ignore_unavailable=true&expand_wildcards=open&explain=true", STORED),
        ("/odd/_search/template?filter_path=hits.hits._id,hits.total", STORED),
        ("/odd/_search/template", STORED | {"explain": True}),
        ("/odd/_search/template", {"source": FIND, "params": QUICK | {"size": None, "q": "<&> fox {{q}} étude"}}),
        ("/odd/_search/template", {"source": {"query": {"match": {"title": "fox"}}, "_source": False, "size": 3}}),
        ("/empty/_search/template", INLINE),
    ],
)
def test_templates(each_engine: SmallEngine, target: str, body: Any) -> None:
    """In first-stage order every byte is the engine's; turned round, each hit is."""
    direct, several = both(each_engine, search(target, body))
    assert content(several.splice()) == content(direct)
    (page,) = several.pages
    assert page.skip is (Reason.TOO_FEW_HITS if "empty" in target else None)  # type: ignore[union-attr]


def test_a_template_in_the_url(each_engine: SmallEngine) -> None:
    """A template that stands in the URL is rendered as well."""
    source = f"source={quote(json.dumps(STORED))}&source_content_type=application/json"
    direct, several = both(each_engine, Request("GET", f"/odd/_search/template?{source}", ()))
    assert content(several.splice()) == content(direct)


def test_reordered_hits_of_a_template(each_engine: SmallEngine) -> None:
    """The page is the template's, its hits turned round, and what stands around them the engine's."""
    direct, several = both(each_engine, search("/odd/_search/template", STORED))
    given, own = (json.loads(content(reply)) for reply in (direct, several.splice(several.reversed_pages())))
    hits = [[hit["_id"] for hit in one["hits"]["hits"]] for one in (own, given)]
    assert len(hits[0]) == 5
    assert hits[0] == hits[1][::-1]
    assert own.keys() == given.keys()


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/odd/_search/template", MISSING),
        ("/odd/_search/template", BROKEN),
        ("/odd/_search/template", NO_SEARCH),
        ("/odd/_search/template", STORED | {"simulate": True}),
        ("/odd/_search/template?size=3", STORED),
        ("/nosuch/_search/template", STORED),
        ("/odd/_search/template", {"params": QUICK}),
    ],
)
def test_what_is_passed_on(each_engine: SmallEngine, target: str, body: Any) -> None:
    """A template that is not rendered, or fails as a search, goes to the engine as it came."""
    assert isinstance(bridged(each_engine, search(target, body)), PassThrough)


ODD = {"index": "odd"}


@pytest.mark.parametrize(
    "target", ["/_msearch/template", "/odd/_msearch/template?typed_keys&max_concurrent_searches=1"]
)
def test_several_templates(each_engine: SmallEngine, target: str) -> None:
    """Inline, stored, missing and broken ones side by side: every response is the engine's, and has its own reason."""
    bodies = [INLINE, STORED, MISSING, OBJECT, BROKEN, NO_SEARCH, STORED | {"explain": True}]
    items = [*((ODD, body) for body in bodies), ({"index": "nosuch"}, STORED), ({"index": "shards-*"}, STORED)]
    direct, several = both(each_engine, msearch(items, target))
    assert content(several.splice()) == content(direct)
    skipped = [page.reason if isinstance(page, PassThrough) else page.skip for page in several.pages]
    left = Reason.TEMPLATE
    assert skipped == [None, None, left, None, Reason.NO_QUERY_TEXT, left, None, Reason.ENGINE_ERROR, None]


def test_a_cluster_of_templates_that_are_refused_as_a_whole(each_engine: SmallEngine) -> None:
    """One line that is no template makes the engine refuse them all, and what it says is about the client's own."""
    assert isinstance(
        bridged(each_engine, msearch([(ODD, STORED), (ODD, {"params": {}})], "/_msearch/template")), PassThrough
    )


def test_content_types(each_engine: SmallEngine) -> None:
    """A template with parameters in its content type is read, and lines that are called JSON."""
    typed = ("Content-Type", "application/json; charset=UTF-8")
    direct, several = both(each_engine, Request("POST", "/odd/_search/template", (typed,), json.dumps(STORED).encode()))
    assert content(several.splice()) == content(direct)
    for media_type in (NDJSON, JSON[0], typed):
        direct, several = both(each_engine, msearch([(ODD, STORED)], "/_msearch/template", media_type))
        assert content(several.splice()) == content(direct)
