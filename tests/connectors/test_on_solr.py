"""On a real Solr: a reranked reply is its own but for the order and the cut; what is left alone has its reason."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote, quote_plus

import pytest

from connectors.base import Headers, Policy, Reason, Request, TextField
from tests.connectors.small_engine import SmallEngine, Widened, widened
from tests.connectors.solr_engine import POLICY, both, check_alike, check_reordered, content, odd_cloud, passed
from tests.doubles.solr_core import FORM, JSON

SELECT = "/solr/odd/select"
FOX = "q=quick+fox&defType=edismax&qf=title+body"


@pytest.fixture(scope="module")
def engine(odd_solr: SmallEngine) -> SmallEngine:
    return odd_solr


def get(target: str, *headers: tuple[str, str]) -> Request:
    return Request("GET", target, headers)


def post(target: str, body: object, headers: Headers = JSON) -> Request:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", target, headers, raw)


def local(query: str) -> str:
    return quote_plus(query)


TOUCHED = [
    f"{FOX}",
    f"{FOX}&wt=json&indent=off",
    f"{FOX}&indent=false&omitHeader=true",
    f"{FOX}&rows=3&start=4",
    f"{FOX}&start=13&rows=30",
    f"{FOX}&start=14&rows=1",
    f"{FOX}&rows=100",
    f"{FOX}&fl=id",
    f"{FOX}&fl=id,score",
    f"{FOX}&fl=*,score",
    f"{FOX}&fl=score",
    f"{FOX}&fl=title",
    f"{FOX}&fl=t*&fl=n_i,name:cat",
    f"{FOX}&fl=cat,big_l,f_f,d_d,b_b,when_dt,tags_ss,uni_t",
    f"{FOX}&fl=id,twice:mul(n_i,2),s:score",
    f"{FOX}&fl=id,%5Bdocid%5D,%5Bshard%5D",
    f"{FOX}&fl=id,%5Bexplain%5D&rows=3",
    f"{FOX}&fl=id,v:%5Bvalue+v%3D5+t%3Dint%5D",
    f"{FOX}&fl=nosuch",
    f"{FOX}&sort=score+desc",
    f"{FOX}&sort=score+desc,n_i+asc",
    f"{FOX}&fq=n_i:%5B0+TO+30%5D&fq=cat:c1",
    f"{FOX}&fq=" + local("{!collapse field=cat}"),
    f"{FOX}&facet=true&facet.field=cat&facet.query=n_i:3",
    f"{FOX}&json.facet=" + quote('{"cats":{"type":"terms","field":"cat"}}'),
    f"{FOX}&stats=true&stats.field=n_i",
    f"{FOX}&hl=true",
    f"{FOX}&hl=true&hl.fl=title,body&hl.method=original",
    f"{FOX}&hl=true&hl.fl=*&hl.method=unified&rows=2&start=3",
    f"{FOX}&debugQuery=true&rows=3",
    f"{FOX}&debug=results&debug.explain.structured=true&rows=2",
    f"{FOX}&debug=query",
    f"{FOX}&echoParams=all",
    f"{FOX}&echoParams=none",
    f"{FOX}&echoHandler=true",
    f"{FOX}&json.nl=map&facet=true&facet.field=cat",
    f"{FOX}&timeAllowed=100000",
    f"{FOX}&mm=1&pf=title&bq=cat:c2%5E3&boost=n_i&tie=0.1",
    f"{FOX}&uf=title",
    f"{FOX}&a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8",
    "q=quick+fox&defType=dismax&qf=title+body",
    "q=nosuch&q.alt=*:*&defType=dismax&qf=title",
    "q=title:quick+AND+body:fox",
    "q=quick&df=title",
    "q=quick&df=_text_",
    "q=hidden:secret",
    "q=comments:nice",
    "q=%2Btitle:quick+-body:jumps",
    "q=title:(quick+fox)%5E2",
    "q=uni_t:quick",
    "q=" + local("{!edismax qf='title body'}quick fox"),
    "q=" + local("{!edismax qf=title v=$words}") + "&words=quick+fox",
    "q=" + local("{!lucene df=title}quick fox"),
    "q=" + local("{!boost b=n_i}title:quick"),
    "q=" + local("{!dismax qf=$where}quick") + "&where=title+body",
    "q=" + local("{!bool must=$one should=$two}") + "&one=title:quick&two=body:fox",
    'q=title:"quick+fox"&df=body',
]


@pytest.mark.parametrize("query", TOUCHED)
def test_touched_means_equal_but_for_the_order(engine: SmallEngine, query: str) -> None:
    """In first-stage order every byte is Solr's; reordered, only documents, order and scores differ."""
    direct, wide = both(engine, get(f"{SELECT}?{query}"))
    check_alike(wide, direct)
    check_reordered(wide, direct, random.Random(7))


@pytest.fixture(scope="module")
def cloud(solr_cloud_url: str) -> Iterator[SmallEngine]:
    """SolrCloud, the documents in two shards."""
    with closing(odd_cloud(solr_cloud_url)) as engine:
        yield engine


@pytest.mark.parametrize(
    "target",
    [
        f"{SELECT}?{FOX}",
        f"{SELECT}?{FOX}&fl=*,score&rows=3&start=4",
        f"{SELECT}?{FOX}&start=13&rows=30&fl=id,%5Bshard%5D",
        f"{SELECT}?{FOX}&hl=true&facet=true&facet.field=cat&stats=true&stats.field=n_i",
        f"{SELECT}?{FOX}&shards.info=false&_route_=d:3",
        f"{SELECT}?{FOX}&sort=score+desc,n_i+asc",
        f"/api/collections/odd/select?{FOX}",
        f"/api/c/odd/query?{FOX}",
    ],
)
def test_over_shards_the_reply_is_equal_but_for_the_order(cloud: SmallEngine, target: str) -> None:
    """A collection of several shards is answered as one core is."""
    direct, wide = both(cloud, get(target))
    check_alike(wide, direct)
    check_reordered(wide, direct, random.Random(7))


SENT = [
    post(SELECT, b"q=quick+fox&df=title&rows=4", FORM),
    post(f"{SELECT}?rows=4&fl=id", b"q=quick+fox&df=title&rows=7", FORM),
    post(SELECT, {"query": "title:quick", "limit": 4, "offset": 2, "fields": ["id", "title"]}),
    post(SELECT, {"query": "quick", "params": {"df": "title", "rows": 6}, "filter": "n_i:[0 TO 20]"}),
    post("/solr/odd/query", {"query": {"edismax": {"qf": "title body", "query": "quick fox"}}, "sort": "score desc"}),
    post("/solr/odd/query", {"query": {"bool": {"must": [{"lucene": {"df": "title", "query": "quick"}}]}}}),
    post("/solr/odd/query", {"query": {"lucene": {"df": "title", "v": "fox"}}, "facet": {"n": "sum(n_i)"}}),
    post("/solr/odd/query?start=3", {"query": "{!edismax qf=$f v=$w}", "params": {"f": "title", "w": "quick fox"}}),
    post("/api/cores/odd/select", {"query": "title:quick"}),
    post("/api/cores/odd/query?debug=query", {"query": "title:quick", "limit": 3}),
    get("/api/cores/odd/select?q=title:quick"),
    get(f"{SELECT}?{FOX}", ("Accept-Encoding", "gzip")),
    get(f"{SELECT}/?{FOX}"),
    get("/solr/odd/query?q=title:quick"),
    get("/solr/odd/browse?q=quick+fox"),
    get("/solr/odd/browse?q=quick+fox&fl=n_i&rows=30&start=2"),
    get("/solr/odd/browse?q=quick+fox&qf=comments&facet=false"),
    get("/solr/odd/fixed?q=quick+fox&rows=40"),
    get("/solr/odd/elevate?q=title:quick&elevateIds=d:7,d:3&enableElevation=true&fl=id,%5Belevated%5D&rows=20"),
    get("/solr/odd/elevate?q=title:quick&elevateIds=d:44&fl=id"),
    get("/solr/odd/elevate?q=title:quick&excludeIds=d:1"),
]


@pytest.mark.parametrize("request_", SENT, ids=lambda one: f"{one.method} {one.target[-40:]} {one.body[:50]!r}")
def test_each_way_to_ask(engine: SmallEngine, request_: Request) -> None:
    """Forms, JSON texts, v2 paths and handlers with defaults and invariants of their own are answered as by Solr."""
    direct, wide = both(engine, request_)
    check_alike(wide, direct)
    check_reordered(wide, direct, random.Random(7))


PASSED = [
    (f"{FOX}&wt=xml", Reason.REPLY_FORMAT),
    (f"{FOX}&wt=javabin", Reason.REPLY_FORMAT),
    (f"{FOX}&rows=0", Reason.SIZE_ZERO),
    (f"{FOX}&start=15", Reason.BEYOND_WINDOW),
    (f"{FOX}&sort=n_i+desc", Reason.SORTED),
    (f"{FOX}&sort=id+asc&cursorMark=*", Reason.SEARCH_AFTER),
    (f"{FOX}&group=true&group.field=cat", Reason.GROUPED),
    (f"{FOX}&expand=true&fq=" + local("{!collapse field=cat}"), Reason.COLLAPSE_INNER_HITS),
    (f"{FOX}&rq=" + local("{!rerank reRankQuery=$x}") + "&x=n_i:3", Reason.RESCORE),
    ("q=*:*", Reason.NO_QUERY_TEXT),
    ("q=" + local("{!term f=cat}c1"), Reason.NO_QUERY_TEXT),
    ("q=title:q*", Reason.AUTOCOMPLETE),
]


@pytest.mark.parametrize(("query", "reason"), PASSED)
def test_what_is_left_alone_has_its_reason(engine: SmallEngine, query: str, reason: Reason) -> None:
    """Searches in another order, in another form, or without words are Solr's."""
    assert passed(engine, get(f"{SELECT}?{query}")).reason is reason


@pytest.mark.parametrize(
    "query",
    [
        "q=nosuch:x",
        "q=title:%5B1+TO",
        f"{FOX}&qf=nosuch",
        f"{FOX}&fq=n_i:x",
        f"{FOX}&fl=nosuch(",
        f"{FOX}&facet=true&facet.field=nosuch",
        "q=quick&defType=nosuch",
    ],
)
def test_errors_are_passed_on(engine: SmallEngine, query: str) -> None:
    """What Solr refuses, it refuses in its own words: the search is asked anew as it came, or the error goes back."""
    request = get(f"{SELECT}?{query}")
    assert engine.send(request).status == 400
    wide = widened(engine, request, POLICY)
    if isinstance(wide, Widened):
        assert wide.page.skip is Reason.ENGINE_ERROR
        assert content(wide.splice(None)) == content(engine.send(request))


def test_pages_partition_the_window(engine: SmallEngine) -> None:
    """The pages of one order, walked one after the other, show each document once."""
    order = [*reversed(range(15)), *range(15, 45)]
    shown: list[str] = []
    for start in range(0, 15, 4):
        _, wide = both(engine, get(f"{SELECT}?{FOX}&start={start}&rows=4&fl=id"))
        fetched = len(wide.page.first_stage_scores)
        reply = json.loads(content(wide.reordered([place for place in order if place < fetched])))
        assert reply["response"]["start"] == start
        shown += [one["id"] for one in reply["response"]["docs"]]
    _, whole = both(engine, get(f"{SELECT}?{FOX}&rows=16&fl=id"))
    first_stage = [one["id"] for one in json.loads(content(whole.splice(None)))["response"]["docs"]]
    assert shown == [*reversed(first_stage[:15]), first_stage[15]]


def test_elevated_documents_keep_their_places(engine: SmallEngine) -> None:
    """What Solr was told to put on top is pinned there."""
    _, wide = both(engine, get("/solr/odd/elevate?q=title:quick&elevateIds=d:7,d:3&fl=id"))
    assert [candidate.is_pinned for candidate in wide.page.candidates[:3]] == [True, True, False]


@pytest.mark.parametrize(
    ("query", "policy", "text"),
    [
        ("q=quick&df=title&fl=id", POLICY, "quick fox "),
        ("q=quick+fox&defType=edismax&qf=body&fl=id", POLICY, "the quick brown fox"),
        ("q=comments:nice&fl=id", POLICY, "nice quick "),
        ("q=quick&df=_text_&fl=id", POLICY, "quick fox "),
        ("q=quick&df=title", Policy(window=15, text_fields=(TextField("uni_t"),)), "héllo 😀"),
    ],
)
def test_the_text_of_a_document(engine: SmallEngine, query: str, policy: Policy, text: str) -> None:
    """It is that of the fields that are searched, or configured, whatever fields the client wants to see."""
    _, wide = both(engine, get(f"{SELECT}?{query}"), policy)
    assert all(text in candidate.text for candidate in wide.page.candidates)
    assert wide.plan.query_text in {"quick", "quick fox", "nice"}
