"""Search requests -> plans: what is refused and why, what is widened and how."""

from __future__ import annotations

import gzip
import json
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._dialect import Dialect
from connectors._search_body import plan_search
from connectors._widening import Restore
from connectors.base import PassThrough, Policy, Reason, Request, SearchPlan, TextField

JSON = (("Content-Type", "application/json"),)
POLICY = Policy(window=20)
MATCH: dict[str, Any] = {"query": {"match": {"title": "quick fox"}}}


def request(body: Any = None, query: str = "", headers: tuple[tuple[str, str], ...] = JSON) -> Request:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Request("POST" if raw else "GET", "/index/_search" + query, headers if raw else (), raw)


def planned(search: Request, policy: Policy = POLICY) -> SearchPlan:
    plan = plan_search(search, policy, (), {}, Dialect())
    assert isinstance(plan, SearchPlan), plan
    return plan


def refused(search: Request, policy: Policy = POLICY) -> Reason | None:
    plan = plan_search(search, policy, (), {}, Dialect())
    return plan.reason if isinstance(plan, PassThrough) else None


def widened(search: Request, policy: Policy = POLICY) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(planned(search, policy).request.body)
    return body


BROKEN_GZIP = (*JSON, ("Content-Encoding", "gzip"))
PIPELINED: dict[str, Any] = {"ext": {"rerank": {"query_context": {}}}}
STANDARD: dict[str, Any] = {"standard": MATCH}
HEADS: dict[str, Any] = {"collapse": {"field": "n", "inner_hits": {"name": "x"}}}


@pytest.mark.parametrize(
    ("search", "reason"),
    [
        (request(MATCH, headers=()), Reason.CONTENT_TYPE),
        (request(MATCH, headers=(("Content-Type", "application/yaml"),)), Reason.CONTENT_TYPE),
        (Request("GET", "/_search?q=fox", (("Content-Type", "application/yaml"),)), Reason.CONTENT_TYPE),
        (request(None, "?source={}"), Reason.CONTENT_TYPE),
        (request(MATCH, headers=BROKEN_GZIP), Reason.CONTENT_ENCODING),
        (request(MATCH, headers=(*JSON, ("Content-Encoding", "br"))), Reason.CONTENT_ENCODING),
        (request(b" " * 201 + b"{}"), Reason.BODY_TOO_LARGE),
        (request(gzip.compress(b" " * 201 + b"{}"), headers=BROKEN_GZIP), Reason.BODY_TOO_LARGE),
        (request(b'{"query":'), Reason.NOT_JSON),
        (request(b"[]"), Reason.NOT_JSON),
        (request(b" "), Reason.NOT_JSON),
        (request(b'{"size":1,"size":1}'), Reason.NOT_JSON),
        (request(b'{"query":{"match":{"title":"fox"}},"min_score":1e999}'), Reason.NOT_JSON),
        (request(MATCH, "?size=1&size=2"), Reason.BODY_SHAPE),
        (request(MATCH, "?size=1;from=2"), Reason.BODY_SHAPE),
        (request(MATCH, "?preference=%zz"), Reason.BODY_SHAPE),
        (request(None, "?q=100%"), Reason.BODY_SHAPE),
        (request(MATCH | {"size": "3"}), Reason.BODY_SHAPE),
        (request(MATCH | {"size": -1}), Reason.BODY_SHAPE),
        (request(MATCH | {"size": 2.0}), Reason.BODY_SHAPE),
        (request(MATCH | {"size": True}), Reason.BODY_SHAPE),
        (request(MATCH | {"size": None}), Reason.BODY_SHAPE),
        (request(MATCH | {"size": None}, "?size=1"), Reason.BODY_SHAPE),
        (request(MATCH | {"size": 2**31}), Reason.BODY_SHAPE),
        (request(MATCH | {"from": "0"}), Reason.BODY_SHAPE),
        (request(MATCH, "?from="), Reason.BODY_SHAPE),
        (request(MATCH, "?from=-1"), Reason.BODY_SHAPE),
        (request(MATCH, "?size=%D9%A1"), Reason.BODY_SHAPE),
        (request(MATCH, "?size=" + "1" * 5_000), Reason.BODY_SHAPE),
        (request(MATCH | {"fields": "title"}), Reason.BODY_SHAPE),
        (request(MATCH, "?format=yaml"), Reason.REPLY_FORMAT),
        (request(MATCH, headers=(*JSON, ("Accept", "application/cbor"))), Reason.REPLY_FORMAT),
        (request(MATCH, "?filter_path=took"), Reason.FILTER_PATH),
        (request(MATCH, "?filter_path=-hits"), Reason.FILTER_PATH),
        (request(MATCH, "?filter_path=-**._source"), Reason.FILTER_PATH),
        (request(MATCH | {"_source": False}, "?filter_path=hits.hits.fields.n"), Reason.FILTER_PATH),
        (request({}), Reason.NO_QUERY_TEXT),
        (request(None), Reason.NO_QUERY_TEXT),
        (request({"query": {"match_phrase_prefix": {"title": "qui"}}}), Reason.AUTOCOMPLETE),
        (request({"query": {"more_like_this": {"like": "fox"}}}), Reason.MORE_LIKE_THIS),
        (request({"query": {"knn": {}}}), Reason.VECTOR_SEARCH),
        (request({"knn": {"field": "v", "query_vector": [1]}}), Reason.VECTOR_SEARCH),
        (request({"retriever": {"text_similarity_reranker": {"retriever": STANDARD}}}), Reason.RETRIEVER),
        (request({"retriever": 5}), Reason.RETRIEVER),
        (request({"retriever": {"standard": {**STANDARD["standard"], "sort": "n"}}}), Reason.SORTED),
        (request({"retriever": {"standard": {**STANDARD["standard"], "search_after": [1]}}}), Reason.SEARCH_AFTER),
        (request({"retriever": {"standard": {**STANDARD["standard"], **HEADS}}}), Reason.COLLAPSE_INNER_HITS),
        (request({"retriever": {"rescorer": {"retriever": STANDARD, "rescore": {}}}}), Reason.RESCORE),
        (request(MATCH | {"search_pipeline": "p"}), Reason.SEARCH_PIPELINE),
        (request(MATCH, "?search_pipeline=p"), Reason.SEARCH_PIPELINE),
        (request(MATCH | PIPELINED), Reason.SEARCH_PIPELINE),
        (request(MATCH | {"ext": {"mmr": {"diversity": 0.5}}}), Reason.SEARCH_PIPELINE),
        (request(MATCH, "?verbose_pipeline=true"), Reason.SEARCH_PIPELINE),
        (request(MATCH | {"verbose_pipeline": True}), Reason.SEARCH_PIPELINE),
        (request(MATCH | {"rescore": {}}), Reason.RESCORE),
        (request(MATCH | {"sort": "n"}), Reason.SORTED),
        (request(MATCH | {"sort": ["n", "_score"]}), Reason.SORTED),
        (request(MATCH | {"sort": [{"_score": "asc"}]}), Reason.SORTED),
        (request(MATCH | {"sort": {"_score": {"order": "asc"}}}), Reason.SORTED),
        (request(MATCH | {"sort": [{"_score": "desc", "n": "asc"}]}), Reason.SORTED),
        (request(MATCH | {"sort": [{"_score": None}]}), Reason.SORTED),
        (request(MATCH, "?sort=n:asc,_score"), Reason.SORTED),
        (request(MATCH, "?sort=_score:asc"), Reason.SORTED),
        (request(MATCH | {"sort": "n"}, "?sort=_score"), Reason.SORTED),
        (request(MATCH | {"size": 0}), Reason.SIZE_ZERO),
        (request(MATCH, "?size=0"), Reason.SIZE_ZERO),
        (request(MATCH | {"from": 20}), Reason.BEYOND_WINDOW),
        (request(MATCH, "?from=20"), Reason.BEYOND_WINDOW),
        (request(MATCH, "?scroll=1m"), Reason.SCROLL),
        (request(MATCH | {"search_after": [1]}), Reason.SEARCH_AFTER),
        (request(MATCH | {"pit": {"id": "x"}, "sort": ["_score", "n"]}), Reason.SEARCH_AFTER),
        (request(MATCH | {"slice": {"id": 0, "max": 2}}), Reason.SLICE),
        (request(MATCH | HEADS), Reason.COLLAPSE_INNER_HITS),
        (request(MATCH | {"stored_fields": "_none_"}), Reason.STORED_FIELDS_NONE),
        (request(MATCH | {"stored_fields": ["_none_"]}), Reason.STORED_FIELDS_NONE),
        (request(MATCH, "?stored_fields=_none_"), Reason.STORED_FIELDS_NONE),
    ],
)
def test_searches_that_are_left_alone(search: Request, reason: Reason) -> None:
    """Every search that can't be reranked, or that the engine may read otherwise, has its reason."""
    assert refused(search, Policy(window=20, max_body_bytes=200)) is reason


@pytest.mark.parametrize(
    ("search", "start", "size", "fetched"),
    [
        (request(MATCH), 0, 10, 20),
        (request(MATCH | {"from": 5, "size": 15}), 5, 15, 20),
        (request(MATCH | {"from": 19, "size": 10}), 19, 10, 29),
        (request(MATCH | {"size": 50}), 0, 50, 50),
        (request(MATCH, "?from=3&size=4"), 3, 4, 20),
        (request(MATCH | {"from": 7, "size": 8}, "?from=3"), 3, 8, 20),
        (request(MATCH | {"from": 30}, "?from=003"), 3, 10, 20),
        (request(MATCH | {"size": 2**31 - 1}), 0, 2**31 - 1, 2**31 - 1),
    ],
)
def test_the_page_and_the_fetch(search: Request, start: int, size: int, fetched: int) -> None:
    """The fetch starts at 0 and holds the window and the page; parameters of the URL win over the body."""
    plan = planned(search)
    assert (plan.start, plan.size, plan.policy.window) == (start, size, 20)
    assert (widened(search)["from"], widened(search)["size"]) == (0, fetched)
    assert not {"from", "size"} & dict(parse_qsl(plan.request.query_string)).keys()


def test_a_widened_body_keeps_its_bytes() -> None:
    """Only from and size change: key order, number forms, white space and unknown members stay."""
    body = b'{ "unknown":[1.0,1e-7, 123456789012345678901],\n"size" : 3,"query":{"match":{"title":"f\\u00e9e"}} }\n'
    plan = planned(request(body))
    assert plan.request.body == body.replace(b": 3", b": 20").replace(b" }\n", b' ,"from":0}\n')
    assert plan.query_text == "fée"


@pytest.mark.parametrize(
    ("search", "fields"),
    [
        (request(MATCH), ()),
        (request(MATCH | {"_source": True}), ()),
        (request(MATCH, "?_source=true"), ()),
        (request(MATCH | {"_source": False}), ("title",)),
        (request(MATCH | {"_source": ["n"]}), ("title",)),
        (request(MATCH | {"_source": False}, "?_source=true"), ()),
        (request(MATCH, "?_source=false"), ("title",)),
        (request(MATCH, "?_source_includes=n"), ("title",)),
        (request(MATCH, "?_source=true&_source_excludes=n"), ()),
        (request(MATCH | {"_source": ["n", "title"]}), ()),
        (request(MATCH | {"stored_fields": ["n"]}), ("title",)),
        (request(MATCH | {"stored_fields": ["n"], "_source": True}), ()),
        (request(MATCH | {"script_fields": {"s": {}}}), ("title",)),
        (request(MATCH | {"_source": False, "fields": ["n"]}), ("n", "title")),
        (request(MATCH | {"_source": False, "fields": [{"field": "title", "format": "x"}]}), ()),
        (request(MATCH | {"_source": False, "fields": ["t*"]}), ()),
        (request(MATCH | {"_source": False, "fields": ["title.kw"]}), ("title.kw", "title")),
        (request(MATCH | {"_source": False, "docvalue_fields": ["*"]}), ()),
        (request(MATCH | {"stored_fields": "*"}), ()),
        (request(MATCH | {"_source": False, "collapse": {"field": "title"}}), ()),
        (request(MATCH, "?filter_path=-hits.hits._source.body"), ("title",)),
        (request({"query": {"multi_match": {"query": "fox", "fields": ["t*"]}}, "stored_fields": ["b*"]}), ()),
        (request({"query": {"query_string": {"query": "fox"}}, "_source": False}), ("*",)),
        (request({"query": {"query_string": {"query": "fox"}}, "_source": ["n"]}), ()),
        (request({"query": {"query_string": {"query": "fox"}}, "_source": False, "fields": ["n"]}), ()),
    ],
)
def test_fields_are_fetched_where_the_source_is_not(search: Request, fields: tuple[str, ...]) -> None:
    """Where no whole source is fetched, what the query names is, unless it would mix with what the client asked for."""
    asked = json.loads(search.body).get("fields", [])
    assert widened(search).get("fields", []) == (list(fields) if fields else asked)


@pytest.mark.parametrize(
    ("search", "restore"),
    [
        (request(MATCH), Restore()),
        (request(MATCH | {"_source": False}), Restore(frozenset({"fields", "ignored_field_values"}))),
        (request(MATCH | {"_source": False, "fields": ["n"]}), Restore(fields_asked=("n",))),
        (
            request(MATCH | {"docvalue_fields": [{"field": "n"}], "script_fields": {"s": {}}}, "?stored_fields=a,b"),
            Restore(fields_asked=("n", "a", "b", "s")),
        ),
        (request(MATCH | {"_source": False, "collapse": {"field": "n"}}), Restore(fields_asked=("n",))),
        (request(MATCH | {"sort": ["_score", "n"]}), Restore(score_in_sort=True)),
        (request(MATCH, "?sort=_score:desc"), Restore(score_in_sort=True)),
        (request(MATCH, "?filter_path=hits"), Restore(drops_empty_hits=True)),
        (
            request(MATCH, "?filter_path=hits.hits._id"),
            Restore(frozenset({"_score", "_source", "fields"}), drops_empty_hits=True),
        ),
        (request(MATCH, "?filter_path=-hits.hits._score"), Restore(frozenset({"_score"}), drops_empty_hits=True)),
    ],
)
def test_what_is_taken_out_again(search: Request, restore: Restore) -> None:
    """Everything that the widened fetch brings is noted, and nothing else."""
    found = planned(search).restore
    assert isinstance(found, Restore)
    asked = found.fields_asked
    assert (set(asked) if asked else asked) == (set(restore.fields_asked) if restore.fields_asked else None)
    assert found == Restore(restore.hit_keys, asked, restore.score_in_sort, restore.drops_empty_hits)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ""),
        ("?pretty", "?pretty="),
        ("?size=3&preference=a+b&from=1", "?preference=a+b"),
        ("?routing=%ff%20", "?routing=%FF+"),
        ("?filter_path=took,hits", "?filter_path=took%2Chits%2C_shards.failures"),
        ("?filter_path=", "?filter_path="),
        ("?fields=n", "?fields=n"),
    ],
)
def test_the_parameters_that_are_sent(query: str, expected: str) -> None:
    """Parameters mean what they meant, unknown ones and bytes that are no UTF-8 too; only filter_path is widened."""
    plan = planned(request(MATCH, query))
    assert plan.request.target == "/index/_search" + expected


def test_a_search_in_the_url_is_sent_as_a_body() -> None:
    """A GET without a body, and one in the source parameter, become a POST with a body of JSON."""
    by_q = planned(Request("GET", "/a%20b/_search?q=title:quick+fox&df=body", ()))
    assert (by_q.query_text, [field.name for field in by_q.text_fields]) == ("quick fox", ["title", "body"])
    assert (by_q.request.method, by_q.request.body) == ("POST", b'{"from":0,"size":20}')
    assert by_q.request.target == "/a%20b/_search?q=title%3Aquick+fox&df=body"
    source = quote(json.dumps(MATCH | {"size": 3}))
    by_source = planned(Request("GET", f"/_search?source={source}&source_content_type=application/json&pretty", ()))
    assert (by_source.size, by_source.query_text) == (3, "quick fox")
    assert (by_source.request.method, by_source.request.target) == ("POST", "/_search?pretty=")
    assert json.loads(by_source.request.body) == MATCH | {"size": 20, "from": 0}


def test_words_that_are_no_utf8_are_read_as_the_engine_does() -> None:
    """A broken byte in q is the replacement character to the model, and the same byte to the engine."""
    plan = planned(Request("GET", "/_search?q=quick%ff", ()))
    assert plan.query_text == "quick\N{REPLACEMENT CHARACTER}"
    assert plan.request.target == "/_search?q=quick%FF"


def test_headers_that_are_sent() -> None:
    """The client's own headers travel on, credentials too; those about the body and its coding are made anew."""
    headers = (
        ("Authorization", "Basic x"),
        ("Content-Type", "application/json"),
        ("Content-Encoding", "gzip"),
        ("Content-Length", "99"),
        ("X-Rerank", "on"),
        ("Accept-Encoding", "gzip, br"),
        ("X-Opaque-Id", "7"),
    )
    plan = planned(request(gzip.compress(json.dumps(MATCH).encode()), headers=headers))
    assert plan.request.headers == (headers[0], headers[1], headers[6], ("Accept-Encoding", "gzip"))
    assert json.loads(plan.request.body)["query"] == MATCH["query"]
    without_body = planned(Request("GET", "/_search?q=fox", (("Accept", "application/vnd.elasticsearch+json"),)))
    assert without_body.request.header("content-type") == "application/vnd.elasticsearch+json"


def test_the_policy_travels_with_the_plan() -> None:
    """Configured fields replace those of the query, and limits and the score policy stand in the plan."""
    fields = (TextField("body", "Body", 7),)
    policy = Policy(window=5, text_fields=fields, score_policy="keep", max_text_chars=9)
    plan = planned(request(MATCH | {"_source": False}), policy)
    assert (plan.text_fields, plan.policy) == (fields, policy)
    assert json.loads(plan.request.body)["fields"] == ["body"]


@given(st.binary(max_size=60), st.binary(max_size=30))
def test_any_bytes_have_an_answer(body: bytes, query: bytes) -> None:
    """Whatever bytes stand in body and URL, planning answers and never raises."""
    target = "/_search?" + query.decode("utf-8", "surrogateescape")
    plan_search(Request("POST", target, JSON, body), POLICY, (), {}, Dialect())
    plan_search(Request("GET", "/_search?q=" + quote(query), (), b""), POLICY, (), {}, Dialect())


MEMBERS = st.sampled_from(
    ["query", "from", "size", "sort", "_source", "fields", "stored_fields", "collapse", "docvalue_fields", "ext"]
)
SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["match", "title", "field", "_score"]), inner),
    max_leaves=5,
)


@given(st.dictionaries(MEMBERS, SHAPES))
def test_any_search_body_has_an_answer(members: dict[str, Any]) -> None:
    """Known members with values of any shape are planned or refused; a plan keeps all but those that it widens."""
    body = MATCH | members
    plan = plan_search(request(body), POLICY, (), {}, Dialect())
    if isinstance(plan, SearchPlan):
        sent = json.loads(plan.request.body)
        assert {key: sent[key] for key in body if key not in {"from", "size", "fields"}} == {
            key: body[key] for key in body if key not in {"from", "size", "fields"}
        }
