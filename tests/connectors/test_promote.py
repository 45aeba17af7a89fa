"""Words in filter context, and other sorts: what is asked of the engine, and what the client gets of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors._dialect import Dialect
from connectors._search_body import plan_search
from connectors._search_reply import splice_reply
from connectors.base import PassThrough, Policy, RankedHit, Reason, Request, SearchPlan
from tests.connectors.replies import parsed, reply

JSON = (("Content-Type", "application/json"),)
PROMOTE = Policy(window=20, promote=True)
OVERRIDE = Policy(window=20, sort_override=True)
BOTH = Policy(window=20, promote=True, sort_override=True)
TITLE: dict[str, Any] = {"match": {"title": "quick fox"}}
BODY: dict[str, Any] = {"match": {"body": "much longer words"}}
FREE: dict[str, Any] = {"multi_match": {"type": "best_fields", "query": "quick fox", "lenient": True}}
RANGE: dict[str, Any] = {"range": {"n": {"gte": 2}}}
PILL: dict[str, Any] = {"match_phrase": {"tags": "a value that was picked"}}
PHRASE: dict[str, Any] = {"match_phrase": {"title": "a value that was picked"}}
TYPED: dict[str, Any] = {"match_bool_prefix": {"title": "qui"}}


def plan(body: Any, policy: Policy, query: str = "") -> SearchPlan | PassThrough:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    planned = plan_search(Request("POST", "/odd/_search" + query, JSON, raw), policy, (), {}, Dialect())
    assert isinstance(planned, SearchPlan | PassThrough)
    return planned


def planned(body: Any, policy: Policy, query: str = "") -> SearchPlan:
    search = plan(body, policy, query)
    assert isinstance(search, SearchPlan), search
    return search


def refused(body: Any, policy: Policy, query: str = "") -> Reason | None:
    search = plan(body, policy, query)
    return search.reason if isinstance(search, PassThrough) else None


def asked(search: SearchPlan) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(search.request.body)
    return body


def nested(query: Any, **members: Any) -> dict[str, Any]:
    return {"nested": {"path": "comments", "query": query, **members}}


@pytest.mark.parametrize(
    ("query", "added"),
    [
        ({"bool": {"filter": TITLE}}, [TITLE]),
        ({"bool": {"must": [], "filter": [FREE, RANGE], "should": [], "must_not": [BODY]}}, [FREE]),
        ({"bool": {"filter": [{"bool": {"should": [TITLE], "minimum_should_match": 1}}, RANGE]}}, [TITLE]),
        ({"bool": {"filter": [{"bool": {"filter": [{"bool": {"should": [TITLE]}}, FREE]}}]}}, [TITLE, FREE]),
        ({"bool": {"filter": [FREE, PILL]}}, [FREE]),
        ({"bool": {"filter": [{"bool": {"should": [PILL], "minimum_should_match": 1}}]}}, [PILL]),
        ({"bool": {"filter": [{"bool": {"should": [PILL, PHRASE]}}]}}, [PILL, PHRASE]),
        ({"bool": {"must": [{"match_all": {}}, {"bool": {"filter": TITLE}}]}}, [TITLE]),
        ({"bool": {"must": {"term": {"n": 1}}, "filter": TITLE}}, [TITLE]),
        ({"constant_score": {"filter": TITLE}}, [TITLE]),
        ({"function_score": {"query": {"bool": {"filter": TITLE}}, "functions": [{"weight": 2}]}}, [TITLE]),
        ({"bool": {"filter": nested(TITLE, score_mode="none", inner_hits={})}}, [nested(TITLE, score_mode="max")]),
        ({"bool": {"must": nested(TITLE, score_mode="none")}}, [nested(TITLE, score_mode="max")]),
        (
            {"bool": {"filter": nested({"bool": {"filter": [TITLE]}}, ignore_unmapped=True)}},
            [nested(TITLE, ignore_unmapped=True, score_mode="max")],
        ),
        ({"bool": {"filter": {"query_string": {"query": "quick -fox"}}}}, [{"query_string": {"query": "quick -fox"}}]),
    ],
)  # fmt: skip
def test_words_in_filters_rank_as_well(query: dict[str, Any], added: list[Any]) -> None:
    """The client's query has to match, as it came; the clauses with its words, each by itself, add to the score."""
    raw = json.dumps({"query": query}, indent=1).encode()
    search = planned(raw, PROMOTE)
    assert search.query_text in ("quick fox", "quick", "a value that was picked")
    assert asked(search)["query"] == {"bool": {"must": [query], "should": added, "minimum_should_match": 0}}
    assert raw[raw.index(b":") + 2 : raw.rindex(b"\n}")] in search.request.body
    assert search.is_reordered


@pytest.mark.parametrize(
    "query",
    [
        TITLE,
        {"bool": {"must": TITLE, "filter": BODY}},
        {"bool": {"should": [TITLE], "filter": [BODY]}},
        {"dis_max": {"queries": [TITLE, {"constant_score": {"filter": {"match": {"body": "fox"}}}}]}},
        {"boosting": {"positive": TITLE, "negative": {"bool": {"filter": BODY}}}},
        {"script_score": {"query": TITLE, "script": {"source": "1"}}},
        nested(TITLE),
    ],
)
def test_words_that_rank_are_left_where_they_are(query: dict[str, Any]) -> None:
    """Nothing is added to a query whose own words score: what is in its filters selects."""
    search = planned({"query": query}, PROMOTE)
    assert (search.query_text, asked(search)["query"], search.is_reordered) == ("quick fox", query, False)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"match_all": {}}, Reason.NO_QUERY_TEXT),
        ({"bool": {"must_not": TITLE}}, Reason.NO_QUERY_TEXT),
        ({"bool": {"filter": [RANGE, PILL, "quick", 5]}}, Reason.NO_QUERY_TEXT),
        ({"bool": {"filter": TYPED}}, Reason.NO_QUERY_TEXT),
        ({"bool": {"filter": {"bool": {"should": [PILL, PILL], "minimum_should_match": 1}}}}, Reason.NO_QUERY_TEXT),
        ({"bool": {"must": TYPED, "filter": TITLE}}, Reason.AUTOCOMPLETE),
        ({"bool": {"must": {"more_like_this": {"like": "a"}}, "filter": TITLE}}, Reason.MORE_LIKE_THIS),
        ({"bool": {"must": {"knn": {"v": {"vector": [1], "k": 3}}}, "filter": TITLE}}, Reason.VECTOR_SEARCH),
    ],
)
def test_nothing_to_promote(query: dict[str, Any], reason: Reason) -> None:
    """No words typed in full, values that were picked, and an order that has another reason than words stay alone."""
    assert refused({"query": query}, PROMOTE) is reason


@pytest.mark.parametrize(
    ("member", "query"),
    [
        ({"collapse": {"field": "n"}}, ""),
        ({"explain": True}, ""),
        ({}, "?explain=true"),
        ({"min_score": 0.5}, ""),
        ({"profile": True}, ""),
        ({"terminate_after": 5}, ""),
        ({}, "?terminate_after=5"),
        ({"aggs": {"a": {"terms": {"field": "n"}, "aggs": {"b": {"top_hits": {"size": 1}}}}}}, ""),
        ({"aggregations": {"a": {"diversified_sampler": {"field": "n"}}}}, ""),
        ({"aggs": {"a": {"max": {"script": "_score"}}}}, ""),
    ],
)
def test_what_scores_decide_beside_the_order(member: dict[str, Any], query: str) -> None:
    """Where other scores would change more of the reply than its order, words in filters stay there."""
    body = {"query": {"bool": {"filter": TITLE}}, **member}
    assert refused(body, PROMOTE, query) is Reason.FILTER_ONLY
    constant = {"query": {"constant_score": {"filter": TITLE}}, **member}
    assert not planned(constant, PROMOTE, query).is_reordered


@pytest.mark.parametrize("member", [{"explain": False}, {"profile": None}, {"aggs": {"a": {"terms": {"field": "n"}}}}])
def test_what_does_not_depend_on_scores(member: dict[str, Any]) -> None:
    """A feature that is switched off, and aggregations over all hits, don't keep words from being promoted."""
    assert planned({"query": {"bool": {"filter": TITLE}}, **member}, PROMOTE).is_reordered


def test_by_default_words_in_filters_select_alone() -> None:
    """Without the setting the search is left alone, with a reason of its own; a constant score is kept as it is."""
    assert refused({"query": {"bool": {"filter": TITLE}}}, Policy()) is Reason.FILTER_ONLY
    assert not planned({"query": {"constant_score": {"filter": TITLE}}}, Policy()).is_reordered


@pytest.mark.parametrize(
    ("sort", "query", "expected"),
    [
        (b'[{"n":"desc"}]', "", [{"n": "desc"}]),
        (b'"n"', "", ["n"]),
        (b'{ "n" : {"order":"asc", "missing": 1.0} }', "", [{"n": {"order": "asc", "missing": 1.0}}]),
        (b'[ "n" , {"title.kw":"asc"} ]', "", ["n", {"title.kw": "asc"}]),
        (b'[{"n":"desc"},{"_doc":"desc"}]', "", [{"n": "desc"}, {"_doc": "desc"}]),
        (b'[["n"]]', "", [["n"]]),
        (b"null", "?sort=n:desc", []),
    ],
)
def test_another_order_gives_way(sort: bytes, query: str, expected: list[Any]) -> None:
    """When configured, the engine is asked by score first; the client's keys stand behind it, as they came."""
    raw = b'{"sort":%b,"query":{"match":{"title":"quick fox"}}}' % sort
    search = planned(raw, OVERRIDE, query)
    assert asked(search)["sort"] == [{"_score": {"order": "desc"}}, *expected]
    assert asked(search)["track_scores"] is True
    assert search.is_reordered
    assert refused(raw, PROMOTE, query) is Reason.SORTED


@pytest.mark.parametrize(
    ("member", "query"),
    [
        ({"sort": ["_doc"]}, ""),
        ({"sort": ["n", {"_score": "desc"}]}, ""),
        ({"sort": {"_score": "asc"}}, ""),
        ({"sort": "_shard_doc"}, ""),
        ({"sort": "n"}, "?sort=_score"),
        ({"sort": "n", "collapse": {"field": "n"}}, ""),
        ({"sort": "n"}, "?terminate_after=3"),
    ],
)
def test_orders_that_stay(member: dict[str, Any], query: str) -> None:
    """Exports, an order that names the score itself, and one that says which hits there are, are never overridden."""
    assert refused({"query": TITLE, **member}, OVERRIDE, query) is Reason.SORTED


def test_words_in_filters_and_another_order() -> None:
    """Both settings together rerank what Discover sends: words in a filter, sorted by time."""
    body = {"query": {"bool": {"filter": [FREE, RANGE]}}, "sort": [{"n": {"order": "desc"}}]}
    search = planned(body, BOTH)
    assert asked(search)["query"]["bool"]["should"] == [FREE]
    assert asked(search)["sort"][0] == {"_score": {"order": "desc"}}
    assert refused(body, OVERRIDE) is Reason.FILTER_ONLY


@pytest.mark.parametrize(
    ("member", "query", "tracks"),
    [
        ({}, "", False),
        ({"track_scores": True}, "", True),
        ({"track_scores": False}, "?track_scores=true", True),
        ({"track_scores": False}, "?track_scores", True),
        ({"track_scores": True}, "?track_scores=false", False),
    ],
)
def test_sort_values_are_the_clients(member: dict[str, Any], query: str, *, tracks: bool) -> None:
    """The score that was asked for is taken out of a hit's sort values, and scores are null where the engine's are."""
    search = planned({"query": TITLE, "sort": ["n", "title.kw"], **member}, OVERRIDE, query)
    assert "track_scores" not in search.request.target
    raw = b'[{"_score":2.5,"sort":[2.5,1e-7, "b"],"_source":{"title":"b"}},{"_score":1.5,"sort":[1.5,7,"a"]}]'
    answer = reply(b'{"hits":{"max_score":2.5,"hits":%b}}' % raw)
    page = parsed(search, answer)
    assert page.first_stage_scores == (2.5, 1.5)
    body = splice_reply(search, page, answer, [RankedHit(1, 1.75), RankedHit(0, 1.25)]).body
    first, second = (b"1.7500000", b"1.2500000") if tracks else (b"null", b"null")
    hits = b'{"_score":%b,"sort":[7,"a"]},{"_score":%b,"sort":[1e-7, "b"],"_source":{"title":"b"}}' % (first, second)
    assert body == b'{"hits":{"max_score":%b,"hits":[%b]}}' % (first, hits)
