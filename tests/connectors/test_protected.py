"""Hits that a model may not move, and searches that mean more than words."""

from __future__ import annotations

import json

import pytest

from connectors._protected import is_exact, is_pinned
from connectors.base import Candidate, ExchangePlan, HitPage, Policy, RankedHit, Reply, Request, SearchPlan
from connectors.elasticsearch import Elasticsearch
from connectors.fields import leaves

JSON = (("Content-Type", "application/json"),)


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (1.7014124e38, True),
        (1.7014122e38, True),
        (1.7014118e38, False),
        (12.5, False),
        (0.0, False),
    ],
)
def test_pinned_hits_are_known_by_their_scores(score: float, *, expected: bool) -> None:
    """The lowest pin stands above 2^127 as Elasticsearch writes it; the highest score of any other hit does not."""
    assert is_pinned(score) == expected


@pytest.mark.parametrize(
    ("document", "fields", "query_text", "expected"),
    [
        ({"sku": "AB-12"}, ["sku"], "ab-12", True),
        ({"sku": " AB-12\n"}, ["sku"], "ab-12", True),
        ({"sku": "AB-12"}, ["sku"], "ab-1", False),
        ({"sku": "AB-12 x"}, ["sku"], "ab-12", False),
        ({"sku": ["x", "AB-12"]}, ["sku"], "ab-12", True),
        ({"sku": 12}, ["sku"], "12", True),
        ({"sku": True}, ["sku"], "true", False),
        ({"title": "The  Fox"}, ["title.raw"], "the fox", True),
        ({"a": {"title": "Straße"}}, ["a.title"], "STRASSE", True),
        ({"title": "cafe\u0301"}, ["title"], "café", True),
        ({"title": "\uff26\uff2f\uff38"}, ["title"], "fox", True),
        ({"other": "fox"}, ["title"], "fox", False),
        ({}, ["_id"], "Doc-7", True),
        ({}, ["title"], "doc-7", False),
    ],
)
def test_exact_hits(document: dict[str, object], fields: list[str], query_text: str, *, expected: bool) -> None:
    """One value of a named field is the query text, but for case, white space and ways to write a sign."""
    assert is_exact(leaves([document]), "doc-7", fields, query_text) == expected


def plan_of(connector: Elasticsearch, body: dict[str, object], policy: Policy) -> ExchangePlan:
    plan = connector.plan(Request("POST", "/i/_search", JSON, json.dumps(body).encode()), lambda _: policy, {})
    assert isinstance(plan, ExchangePlan), plan
    return plan


def planned(body: dict[str, object], policy: Policy) -> SearchPlan:
    (search,) = plan_of(Elasticsearch(), body, policy).searches
    assert isinstance(search, SearchPlan), search
    return search


WORDS = {"match": {"title": "quick fox"}}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (WORDS, False),
        ({"function_score": {"query": WORDS, "field_value_factor": {"field": "sold"}}}, True),
        ({"script_score": {"query": WORDS, "script": {"source": "_score * 2"}}}, True),
        ({"bool": {"must": WORDS, "should": {"rank_feature": {"field": "pagerank"}}}}, True),
        ({"bool": {"must": WORDS, "should": {"distance_feature": {"field": "t", "origin": "now"}}}}, True),
        ({"boosting": {"positive": WORDS, "negative": WORDS, "negative_boost": 0.5}}, True),
        ({"bool": {"must": WORDS, "filter": {"function_score": {"query": WORDS}}}}, False),
    ],
)
def test_searches_that_raise_documents(query: dict[str, object], *, expected: bool) -> None:
    """By a function, a script, a feature: in the scoring part, since filters don't rank."""
    assert planned({"query": query}, Policy()).has_boosts == expected


EXACT = Policy(exact_fields=("sku", "_id"))


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, None),
        ({"_source": False}, ["title", "sku"]),
        ({"_source": ["title"]}, ["title", "sku"]),
        ({"_source": ["title", "sku"]}, None),
        ({"_source": False, "fields": ["sku"]}, ["sku", "title"]),
    ],
)
def test_exact_fields_are_fetched(body: dict[str, object], fields: list[str] | None) -> None:
    """Where the client does not fetch them; the id comes with each hit."""
    search = planned({"query": WORDS, **body}, EXACT)
    assert json.loads(search.request.body).get("fields") == fields


def hit(number: int, score: str, sku: str) -> str:
    return f'{{"_id":"{number}","_score":{score},"_source":{{"title":"t{number}","sku":"{sku}"}}}}'


REPLY = f'{{"hits":{{"max_score":1.7014122E38,"hits":[{hit(0, "1.7014122E38", "x")},{hit(1, "3.5", "Quick Fox")}]}}}}'


def test_hits_carry_what_protects_them() -> None:
    """A connector says which hits are pinned and which are exact; nothing is exact where no field is named."""
    connector = Elasticsearch()
    for policy, is_second_exact in ((EXACT, True), (Policy(), False)):
        plan = plan_of(connector, {"query": WORDS}, policy)
        (page,) = connector.parse(plan, Reply(200, "OK", JSON, REPLY.encode()))
        assert isinstance(page, HitPage)
        assert page.candidates == (
            Candidate(page.candidates[0].text, is_pinned=True),
            Candidate(page.candidates[1].text, is_exact=is_second_exact),
        )


def test_the_bytes_of_a_pinned_score_stay() -> None:
    """And those of ``max_score`` with it, while the scores of the others are written."""
    connector = Elasticsearch()
    plan = plan_of(connector, {"query": WORDS}, Policy())
    reply = Reply(200, "OK", JSON, REPLY.encode())
    pages = connector.parse(plan, reply)
    order = [RankedHit(0, 1.7014122e38), RankedHit(1, 1.5)]
    body = connector.splice(plan, pages, reply, [order]).body
    assert body == REPLY.replace('"_score":3.5', '"_score":1.5000000').encode()
