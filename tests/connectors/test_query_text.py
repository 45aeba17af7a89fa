"""Query DSL -> words and fields, clause by clause."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Reason
from connectors.query_text import CLAUSE_KINDS, MAX_DEPTH, QueryText, read, read_query_string

TITLE = {"match": {"title": "quick fox"}}
FOUND = QueryText("quick fox", ("title",))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (TITLE, FOUND),
        ({"match": {"title": {"query": "quick fox", "operator": "and"}}}, FOUND),
        ({"match": {"title": "  quick\n fox "}}, FOUND),
        ({"match_phrase": {"title": "quick fox"}}, FOUND),
        ({"match_phrase": {"title": {"query": "quick fox", "slop": 2}}}, FOUND),
        (
            {"multi_match": {"query": "quick fox", "fields": ["title^3", "body"]}},
            QueryText("quick fox", ("title", "body")),
        ),
        ({"multi_match": {"query": "quick fox", "fields": "title"}}, FOUND),
        ({"multi_match": {"query": "quick fox", "fields": ["t*^2"]}}, QueryText("quick fox", ("t*",))),
        ({"multi_match": {"query": "quick fox", "fields": ["title", "*"]}}, QueryText("quick fox", ())),
        ({"multi_match": {"query": "quick fox"}}, QueryText("quick fox", ())),
        ({"multi_match": {"query": "quick fox", "fields": ["title", "title^2"]}}, FOUND),
        ({"multi_match": {"query": "quick fox", "type": [], "fields": ["title"]}}, FOUND),
        (
            {"combined_fields": {"query": "quick fox", "fields": ["title", "body"]}},
            QueryText("quick fox", ("title", "body")),
        ),
        (
            {"query_string": {"query": "title:quick AND fox", "fields": ["body"]}},
            QueryText("quick fox", ("title", "body")),
        ),
        ({"query_string": {"query": "title:(quick fox)", "fields": ["body"]}}, FOUND),
        ({"query_string": {"query": "quick fox", "default_field": "title"}}, FOUND),
        ({"query_string": {"query": "title:quick fox"}}, QueryText("quick fox", ())),
        ({"simple_query_string": {"query": "+quick -lazy fox", "fields": ["title^2"]}}, FOUND),
        ({"dis_max": {"queries": [TITLE, {"match": {"body": "fox"}}]}}, FOUND),
        ({"bool": {"must": TITLE}}, FOUND),
        ({"bool": {"should": [{"term": {"a": "b"}}, TITLE]}}, FOUND),
        ({"bool": {"must": [TITLE], "filter": {"match": {"body": "much longer words"}}}}, FOUND),
        ({"bool": {"must": [TITLE], "must_not": [{"match": {"body": "much longer words"}}]}}, FOUND),
        ({"constant_score": {"filter": TITLE}}, FOUND),
        (
            {"function_score": {"query": TITLE, "functions": [{"filter": {"match": {"body": "much longer words"}}}]}},
            FOUND,
        ),
        ({"script_score": {"query": TITLE, "script": {"source": "1"}}}, FOUND),
        ({"boosting": {"positive": TITLE, "negative": {"match": {"body": "much longer words"}}}}, FOUND),
        (
            {"nested": {"path": "comments", "query": {"match": {"comments.text": "quick fox"}}}},
            QueryText("quick fox", ("comments.text",)),
        ),
        ({"bool": {"must": [{"dis_max": {"queries": [{"nested": {"query": {"bool": {"should": TITLE}}}}]}}]}}, FOUND),
        ({"bool": {"should": [{"match": {"body": "fox"}}, TITLE, {"match": {"body": "a"}}]}}, FOUND),
        (
            {"bool": {"should": [TITLE, {"match_phrase": {"body": "Quick Fox"}}]}},
            QueryText("quick fox", ("title", "body")),
        ),
        ({"bool": {"should": [TITLE, {"multi_match": {"query": "quick fox"}}]}}, QueryText("quick fox", ())),
        ({"bool": {"should": [{"match_phrase_prefix": {"body": "much longer words"}}, TITLE]}}, FOUND),
    ],
)
def test_the_words_of_a_query(query: Any, expected: QueryText) -> None:
    """Every clause that scores is read, the longest text wins, and equal texts bring the fields of all."""
    assert read(query) == expected


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (None, Reason.NO_QUERY_TEXT),
        ([], Reason.NO_QUERY_TEXT),
        ("quick", Reason.NO_QUERY_TEXT),
        ({}, Reason.NO_QUERY_TEXT),
        ({"match_all": {}}, Reason.NO_QUERY_TEXT),
        ({"term": {"tag": "a"}}, Reason.NO_QUERY_TEXT),
        ({"match": {"title": 5}}, Reason.NO_QUERY_TEXT),
        ({"match": {"title": {"query": ["a"]}}}, Reason.NO_QUERY_TEXT),
        ({"match": {"title": " \n"}}, Reason.NO_QUERY_TEXT),
        ({"match": "quick"}, Reason.NO_QUERY_TEXT),
        ({"bool": {"filter": TITLE}}, Reason.NO_QUERY_TEXT),
        ({"bool": {"must_not": TITLE}}, Reason.NO_QUERY_TEXT),
        ({"bool": [TITLE]}, Reason.NO_QUERY_TEXT),
        ({"boosting": {"negative": TITLE}}, Reason.NO_QUERY_TEXT),
        ({"query_string": {"query": "-lazy *"}}, Reason.NO_QUERY_TEXT),
        ({"match_phrase_prefix": {"title": "qui"}}, Reason.AUTOCOMPLETE),
        ({"match_bool_prefix": {"title": {"query": "qui"}}}, Reason.AUTOCOMPLETE),
        ({"multi_match": {"query": "qui", "type": "bool_prefix"}}, Reason.AUTOCOMPLETE),
        ({"bool": {"should": [{"multi_match": {"query": "qui", "type": "phrase_prefix"}}]}}, Reason.AUTOCOMPLETE),
        ({"more_like_this": {"like": "quick fox"}}, Reason.MORE_LIKE_THIS),
        ({"bool": {"must": {"more_like_this": {"like": "quick fox"}}}}, Reason.MORE_LIKE_THIS),
        ({"knn": {"vector": {"vector": [1], "k": 2}}}, Reason.VECTOR_SEARCH),
        ({"neural": {"vector": {"query_image": "aGk="}}}, Reason.VECTOR_SEARCH),
        ({"hybrid": {"queries": [{"knn": {"vector": {"vector": [1], "k": 2}}}]}}, Reason.VECTOR_SEARCH),
    ],
)
def test_a_query_without_words_has_a_reason(query: Any, reason: Reason) -> None:
    """What selects, completes, compares with documents or vectors, or can't be read gives a reason instead of words."""
    assert read(query) is reason


@pytest.mark.parametrize(("depth", "expected"), [(MAX_DEPTH, FOUND), (MAX_DEPTH + 1, Reason.NO_QUERY_TEXT)])
def test_clauses_are_read_to_a_depth(depth: int, expected: QueryText | Reason) -> None:
    """Deeper than any engine allows nothing is read, and nothing overflows."""
    query: Any = TITLE
    for _ in range(depth):
        query = {"bool": {"must": [query]}}
    assert read(query) == expected


@pytest.mark.parametrize(
    ("query", "default_field", "expected"),
    [
        ("quick fox", None, QueryText("quick fox", ())),
        ("quick fox", "title", FOUND),
        ("title:quick body:fox", None, QueryText("quick fox", ("title", "body"))),
        ("title:quick fox", None, QueryText("quick fox", ())),
        ("body:quick fox", "title", QueryText("quick fox", ("body", "title"))),
        ("", None, Reason.NO_QUERY_TEXT),
        ("*", "title", Reason.NO_QUERY_TEXT),
    ],
)
def test_the_words_of_the_url(query: str, default_field: str | None, expected: QueryText | Reason) -> None:
    """The parameters q and df say the same as a query_string query."""
    assert read_query_string(query, default_field) == expected


KINDS = st.sampled_from([*CLAUSE_KINDS, "query", "fields", "type", "must", "should", "queries", "positive"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KINDS | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(ANYTHING)
def test_any_json_is_read(query: Any) -> None:
    """Whatever stands where a query is expected, there is an answer; words are never empty, and no field is either."""
    meant = read(query)
    assert isinstance(meant, Reason) or (meant.text and all(meant.fields))
