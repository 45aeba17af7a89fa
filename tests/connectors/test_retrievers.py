"""Search bodies -> the words of all that makes up their score: query, vectors beside it, fusions, retriever trees."""

from __future__ import annotations

from typing import Any

import pytest

from connectors._retrievers import MAX_DEPTH
from connectors.base import Reason
from connectors.query_text import QueryText, read_search

TITLE = {"match": {"title": "quick fox"}}
FOUND = QueryText("quick fox", ("title",))
EVERYWHERE = QueryText("quick fox", ())
TEXT_VECTOR = {
    "field": "v",
    "query_vector_builder": {"text_embedding": {"model_id": "m", "model_text": "quick fox"}},
}
VECTOR = {"field": "v", "query_vector": [0.5], "k": 9}
STANDARD = {"standard": {"query": TITLE, "filter": {"match": {"body": "much longer words"}}}}
RERANKED = {"text_similarity_reranker": {"retriever": STANDARD, "field": "title", "inference_text": "quick fox"}}


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({}, Reason.NO_QUERY_TEXT),
        ({"query": TITLE}, FOUND),
        ({"query": TITLE, "knn": VECTOR}, FOUND),
        ({"query": TITLE, "knn": [VECTOR, TEXT_VECTOR], "rank": {"rrf": {}}}, FOUND),
        ({"query": {"match_all": {}}, "knn": TEXT_VECTOR}, EVERYWHERE),
        ({"knn": TEXT_VECTOR}, EVERYWHERE),
        ({"knn": VECTOR}, Reason.VECTOR_SEARCH),
        ({"knn": [VECTOR, VECTOR]}, Reason.VECTOR_SEARCH),
        ({"query": {"match_all": {}}, "knn": {**VECTOR, "filter": TITLE}}, Reason.VECTOR_SEARCH),
        ({"query": {"term": {"title": "fox"}}, "knn": VECTOR}, Reason.VECTOR_SEARCH),
        (
            {"sub_searches": [{"query": TITLE}, {"query": {"match": {"body": "quick fox"}}}], "rank": {"rrf": {}}},
            QueryText("quick fox", ("title", "body")),
        ),
        ({"sub_searches": "fox", "rank": "rrf", "knn": "fox"}, Reason.VECTOR_SEARCH),
        ({"suggest": {"s": {"prefix": "qui", "completion": {"field": "suggest"}}}}, Reason.AUTOCOMPLETE),
        ({"suggest": {"text": "quikc", "s": {"term": {"field": "title"}}}}, Reason.NO_QUERY_TEXT),
        ({"query": TITLE, "suggest": {"s": {"prefix": "qui", "completion": {"field": "suggest"}}}}, FOUND),
    ],
)
def test_the_words_of_a_search(search: Any, expected: QueryText | Reason) -> None:
    """What stands beside the query is read as it is, and a completion suggester alone completes."""
    assert read_search(search) == expected


@pytest.mark.parametrize(
    ("retriever", "expected"),
    [
        (STANDARD, FOUND),
        ({"standard": {"filter": TITLE}}, Reason.NO_QUERY_TEXT),
        ({"knn": TEXT_VECTOR}, EVERYWHERE),
        ({"knn": VECTOR}, Reason.VECTOR_SEARCH),
        ({"rrf": {"retrievers": [STANDARD, {"knn": VECTOR}]}}, FOUND),
        ({"rrf": {"retrievers": [{"retriever": {"knn": VECTOR}, "weight": 2}, {"retriever": STANDARD}]}}, FOUND),
        ({"rrf": {"query": "quick fox", "fields": ["title^2"]}}, FOUND),
        ({"linear": {"query": "quick fox", "normalizer": "minmax"}}, EVERYWHERE),
        ({"linear": {"retrievers": [{"retriever": STANDARD, "weight": 2, "normalizer": "minmax"}]}}, FOUND),
        (
            {"rescorer": {"rescore": {"window_size": 50, "query": {"rescore_query": TITLE}}, "retriever": STANDARD}},
            FOUND,
        ),
        ({"rescorer": {"rescore": [{"learning_to_rank": {"model_id": "m"}}], "retriever": STANDARD}}, Reason.RESCORE),
        ({"pinned": {"ids": ["1"], "retriever": STANDARD}}, FOUND),
        ({"pinned": {"ids": ["1"]}}, Reason.NO_QUERY_TEXT),
        ({"rule": {"ruleset_ids": ["r"], "match_criteria": {"q": "much longer words"}, "retriever": STANDARD}}, FOUND),
        ({"diversify": {"type": "mmr", "field": "v", "retriever": STANDARD}}, FOUND),
        ({"rule": {"retriever": {"rrf": {"retrievers": [STANDARD, {"pinned": {"retriever": STANDARD}}]}}}}, FOUND),
        (RERANKED, Reason.RETRIEVER),
        ({"rrf": {"retrievers": [STANDARD, {"retriever": RERANKED, "weight": 1}]}}, Reason.RETRIEVER),
        ({"random_reranker": {"retriever": STANDARD, "field": "title"}}, Reason.RETRIEVER),
        ({"nosuch": {"retriever": STANDARD}}, Reason.RETRIEVER),
        ({"rrf": {"retrievers": "fox"}}, Reason.RETRIEVER),
        ({"standard": "fox"}, Reason.RETRIEVER),
        ("fox", Reason.RETRIEVER),
        (None, Reason.RETRIEVER),
    ],
)
def test_the_words_of_a_retriever_tree(retriever: Any, expected: QueryText | Reason) -> None:
    """A tree is read by its leaves; one that another reranker orders, or of an unknown kind, is left alone."""
    assert read_search({"retriever": retriever}) == expected


@pytest.mark.parametrize(("depth", "expected"), [(MAX_DEPTH, FOUND), (MAX_DEPTH + 1, Reason.RETRIEVER)])
def test_trees_are_read_to_a_depth(depth: int, expected: QueryText | Reason) -> None:
    """A tree deeper than anybody grows is left alone, and nothing overflows."""
    tree: Any = STANDARD
    for _ in range(depth):
        tree = {"rule": {"retriever": tree}}
    assert read_search({"retriever": tree}) == expected
