"""The kinds of clauses of the query DSL: what each says of a user's words, and where its manual page stands.

One table, ``KINDS``: a kind that is not there says nothing. Sources: "Query DSL", manuals of Elasticsearch 7.17 to 9
and OpenSearch 1.3 to 3; each kind names its page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from connectors import _clause_words as read
from connectors._clause_words import Body, Fields, Found, Reader, Standing
from connectors.base import Reason

__all__ = ["KINDS", "Found", "Kind", "Standing", "manual_page"]


class Kind(NamedTuple):
    """A kind of clause."""

    page: str
    """Of the manual: ``es`` or ``os`` and its name, see ``manual_page``."""
    example: Body
    """A body that shows what is read."""
    words: Reader | None = None
    inner: Fields = ()
    """Keys of further clauses that make up the score."""
    shows_own_fields: bool = True
    """Whether the fields of inner clauses are fields of the hits."""
    without_words: Reason = Reason.NO_QUERY_TEXT
    """Why a search is left alone that has no words and a clause of this kind."""


_ELASTIC = "https://www.elastic.co/docs/reference/query-languages/query-dsl/query-dsl-"
_OLDER = "https://www.elastic.co/guide/en/elasticsearch/reference/7.17/query-dsl-"
_OPENSEARCH = "https://docs.opensearch.org/latest/query-dsl/"


def manual_page(kind: Kind) -> str:
    """The address of a kind's manual page."""
    manual, _, name = kind.page.partition(":")
    addresses = {"es": f"{_ELASTIC}{name}", "es7": f"{_OLDER}{name}.html", "os": f"{_OPENSEARCH}{name}/"}
    return addresses[manual]


_TITLE = {"match": {"title": "quick fox"}}
_OTHER = {"match": {"body": "some longer words"}}
_QUICK, _FOX = {"span_term": {"title": "quick"}}, {"span_term": {"title": "fox"}}

_BUILDER = {"text_embedding": {"model_id": "m", "model_text": "quick fox"}}
_VECTOR = Reason.VECTOR_SEARCH

_FULL_TEXT: Mapping[str, Kind] = {
    "match": Kind("es:match-query", {"title": "quick fox"}, read.field),
    "match_phrase": Kind("es:match-query-phrase", {"title": "quick fox"}, read.field),
    "match_phrase_prefix": Kind("es:match-query-phrase-prefix", {"title": "quick fo"}, read.prefix),
    "match_bool_prefix": Kind("es:match-bool-prefix-query", {"title": "quick fo"}, read.prefix),
    "multi_match": Kind("es:multi-match-query", {"query": "quick fox", "fields": ["title^3", "b*"]}, read.multi_match),
    "combined_fields": Kind(
        "es:combined-fields-query", {"query": "quick fox", "fields": ["title", "body"]}, read.multi_match
    ),
    "query_string": Kind(
        "es:query-string-query", {"query": "title:quick AND fox^2 -lazy", "fields": ["body"]}, read.query_string
    ),
    "simple_query_string": Kind(
        "es:simple-query-string-query", {"query": "+quick fo* -lazy", "fields": ["title"]}, read.simple_query
    ),
    "kql": Kind("es:kql-query", {"query": "title: quick fox and not lang: en"}, read.kql),
    "intervals": Kind(
        "es:intervals-query",
        {"title": {"all_of": {"intervals": [{"match": {"query": "quick"}}, {"fuzzy": {"term": "fox"}}]}}},
        read.intervals,
    ),
    "common": Kind("es7:common-terms-query", {"title": {"query": "quick fox"}}, read.field),
}

_COMPOUND: Mapping[str, Kind] = {
    "bool": Kind("es:bool-query", {"must": [_TITLE], "filter": [_OTHER]}, inner=("must", "should")),
    "boosting": Kind("es:boosting-query", {"positive": _TITLE, "negative": _OTHER}, inner=("positive",)),
    "constant_score": Kind("es:constant-score-query", {"filter": _TITLE}, inner=("filter",)),
    "dis_max": Kind("es:dis-max-query", {"queries": [_TITLE]}, inner=("queries",)),
    "function_score": Kind(
        "es:function-score-query", {"query": _TITLE, "functions": [{"filter": _OTHER, "weight": 2}]}, inner=("query",)
    ),
    "script_score": Kind("es:script-score-query", {"query": _TITLE, "script": {"source": "1"}}, inner=("query",)),
    "pinned": Kind("es:pinned-query", {"ids": ["1"], "organic": _TITLE}, inner=("organic",)),
    "rule": Kind("es:rule-query", {"match_criteria": {"q": "x"}, "organic": _TITLE}, inner=("organic",)),
    "rule_query": Kind("es:rule-query", {"match_criteria": {"q": "x"}, "organic": _TITLE}, inner=("organic",)),
    "hybrid": Kind("os:compound/hybrid", {"queries": [_TITLE]}, inner=("queries",), without_words=_VECTOR),
    "nested": Kind("es:nested-query", {"path": "title", "query": _TITLE}, inner=("query",)),
    "has_child": Kind("es:has-child-query", {"type": "a", "query": _TITLE}, inner=("query",), shows_own_fields=False),
    "has_parent": Kind(
        "es:has-parent-query", {"parent_type": "q", "query": _TITLE}, inner=("query",), shows_own_fields=False
    ),
}

_VECTORS: Mapping[str, Kind] = {
    "knn": Kind("es:knn-query", {"field": "v", "query_vector_builder": _BUILDER}, read.knn, without_words=_VECTOR),
    "semantic": Kind(
        "es:semantic-query", {"field": "title", "query": "quick fox"}, read.semantic, without_words=_VECTOR
    ),
    "sparse_vector": Kind(
        "es:sparse-vector-query",
        {"field": "v", "inference_id": "m", "query": "quick fox"},
        read.vector_text("query"),
        without_words=_VECTOR,
    ),
    "text_expansion": Kind(
        "es:text-expansion-query",
        {"v": {"model_id": "m", "model_text": "quick fox"}},
        read.vector_text("*", "model_text"),
        without_words=_VECTOR,
    ),
    "weighted_tokens": Kind("es:weighted-tokens-query", {"v": {"tokens": {"fox": 0.5}}}, without_words=_VECTOR),
    "neural": Kind(
        "os:specialized/neural",
        {"v": {"query_text": "quick fox", "k": 9}},
        read.vector_text("*", "query_text"),
        without_words=_VECTOR,
    ),
    "neural_sparse": Kind(
        "os:specialized/neural-sparse",
        {"v": {"query_text": "quick fox"}},
        read.vector_text("*", "query_text"),
        without_words=_VECTOR,
    ),
    "agentic": Kind("os:specialized/agentic", {"query_text": "quick fox"}, read.vector_text("query_text")),
}

_SPANS: Mapping[str, Kind] = {
    name: Kind(f"es:{page}-query", example, read.span(name))
    for name, page, example in (
        ("span_term", "span-term", {"title": "fox"}),
        ("span_near", "span-near", {"clauses": [_QUICK, _FOX], "slop": 2}),
        ("span_or", "span-or", {"clauses": [_QUICK, _FOX]}),
        ("span_first", "span-first", {"match": _FOX, "end": 3}),
        ("span_not", "span-not", {"include": _FOX, "exclude": _QUICK}),
        ("span_containing", "span-containing", {"big": _QUICK, "little": _FOX}),
        ("span_within", "span-within", {"big": _FOX, "little": _QUICK}),
        ("field_masking_span", "span-field-masking", {"query": _FOX, "field": "body"}),
        ("span_multi", "span-multi-term", {"match": {"prefix": {"title": "qu"}}}),
    )
}

_TERMS: Mapping[str, Kind] = {
    "term": Kind("es:term-query", {"title": {"value": "fox"}}, read.term),
    "terms": Kind("es:terms-query", {"title": ["quick", "fox"]}, read.term),
    "fuzzy": Kind("es:fuzzy-query", {"title": {"value": "fox"}}, read.term),
}

_WORDLESS: Mapping[str, Kind] = {
    "more_like_this": Kind("es:mlt-query", {"like": "quick fox"}, without_words=Reason.MORE_LIKE_THIS),
    "match_all": Kind("es:match-all-query", {}),
    "exists": Kind("es:exists-query", {"field": "title"}),
    "ids": Kind("es:ids-query", {"values": ["1"]}),
    "prefix": Kind("es:prefix-query", {"title": "qu"}),
    "range": Kind("es:range-query", {"price": {"lt": 5}}),
    "regexp": Kind("es:regexp-query", {"title": "qu.*"}),
    "wildcard": Kind("es:wildcard-query", {"title": "qu*"}),
    "terms_set": Kind("es:terms-set-query", {"tags": {"terms": ["quick"]}}),
    "parent_id": Kind("es:parent-id-query", {"type": "answer", "id": "1"}),
    "distance_feature": Kind("es:distance-feature-query", {"field": "at", "origin": "now", "pivot": "7d"}),
    "rank_feature": Kind("es:rank-feature-query", {"field": "pagerank"}),
    "script": Kind("es:script-query", {"script": "doc.price.value > 5"}),
    "percolate": Kind("es:percolate-query", {"field": "query", "document": {"title": "quick fox"}}),
    "geo_distance": Kind("es:geo-distance-query", {"distance": "9km", "place": [0, 51]}),
    "wrapper": Kind("es:wrapper-query", {"query": "eyJtYXRjaF9hbGwiOnt9fQ=="}),
    "template": Kind("os:specialized/template", {"match": {"title": "${words}"}}),
}

KINDS: Mapping[str, Kind] = {**_FULL_TEXT, **_COMPOUND, **_VECTORS, **_SPANS, **_TERMS, **_WORDLESS}
