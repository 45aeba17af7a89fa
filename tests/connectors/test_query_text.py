"""Query DSL -> words and fields, clause by clause; the examples are those of the documentation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Reason
from connectors.query_text import (
    CLAUSE_KINDS,
    MAX_DEPTH,
    QueryText,
    is_being_typed,
    manual_page,
    read,
    read_query_string,
    read_search,
)

TITLE = {"match": {"title": "quick fox"}}
LONGER = {"match": {"body": "much longer words"}}
NUMBERS = {"knn": {"field": "v", "query_vector": [0.5], "k": 9}}
FOUND = QueryText("quick fox", ("title",))
EVERYWHERE = QueryText("quick fox", ())
FOX = QueryText("fox", ("title",))

KINDS: dict[str, QueryText | Reason] = {
    "match": FOUND,
    "match_phrase": FOUND,
    "match_phrase_prefix": Reason.AUTOCOMPLETE,
    "match_bool_prefix": Reason.AUTOCOMPLETE,
    "multi_match": QueryText("quick fox", ("title", "b*")),
    "combined_fields": QueryText("quick fox", ("title", "body")),
    "query_string": QueryText("quick fox", ("title", "body")),
    "simple_query_string": QueryText("quick fo", ("title",)),
    "kql": FOUND,
    "intervals": FOUND,
    "common": FOUND,
    "bool": FOUND,
    "boosting": FOUND,
    "constant_score": FOUND,
    "dis_max": FOUND,
    "function_score": FOUND,
    "script_score": FOUND,
    "pinned": FOUND,
    "rule": FOUND,
    "rule_query": FOUND,
    "hybrid": FOUND,
    "nested": FOUND,
    "has_child": EVERYWHERE,
    "has_parent": EVERYWHERE,
    "knn": EVERYWHERE,
    "semantic": FOUND,
    "sparse_vector": EVERYWHERE,
    "text_expansion": EVERYWHERE,
    "weighted_tokens": Reason.VECTOR_SEARCH,
    "neural": EVERYWHERE,
    "neural_sparse": EVERYWHERE,
    "agentic": EVERYWHERE,
    "span_term": FOX,
    "span_near": FOUND,
    "span_or": FOUND,
    "span_first": FOX,
    "span_not": FOX,
    "span_containing": FOUND,
    "span_within": FOUND,
    "field_masking_span": FOX,
    "span_multi": Reason.NO_QUERY_TEXT,
    "term": QueryText("fox", ("title",), is_of_terms=True),
    "terms": QueryText("quick fox", ("title",), is_of_terms=True),
    "fuzzy": QueryText("fox", ("title",), is_of_terms=True),
    "more_like_this": Reason.MORE_LIKE_THIS,
    "match_all": Reason.NO_QUERY_TEXT,
    "exists": Reason.NO_QUERY_TEXT,
    "ids": Reason.NO_QUERY_TEXT,
    "prefix": Reason.NO_QUERY_TEXT,
    "range": Reason.NO_QUERY_TEXT,
    "regexp": Reason.NO_QUERY_TEXT,
    "wildcard": Reason.NO_QUERY_TEXT,
    "terms_set": Reason.NO_QUERY_TEXT,
    "parent_id": Reason.NO_QUERY_TEXT,
    "distance_feature": Reason.NO_QUERY_TEXT,
    "rank_feature": Reason.NO_QUERY_TEXT,
    "script": Reason.NO_QUERY_TEXT,
    "percolate": Reason.NO_QUERY_TEXT,
    "geo_distance": Reason.NO_QUERY_TEXT,
    "wrapper": Reason.NO_QUERY_TEXT,
    "template": Reason.NO_QUERY_TEXT,
}


@pytest.mark.parametrize("kind", CLAUSE_KINDS)
def test_each_kind_of_clause(kind: str) -> None:
    """The example of the documentation says what it is written to say, alone and beside a clause without words."""
    query = {kind: CLAUSE_KINDS[kind].example}
    assert read(query) == KINDS[kind]
    assert read({"bool": {"must": [query, {"rank_feature": {"field": "pagerank"}}]}}) == KINDS[kind]


@pytest.mark.parametrize("kind", CLAUSE_KINDS)
def test_no_clause_hides_the_words_beside_it(kind: str) -> None:
    """Whatever stands beside it, a longer text that scores is what is meant; one that must not match is not."""
    query = {kind: CLAUSE_KINDS[kind].example}
    assert read({"bool": {"should": [query, LONGER]}}) == QueryText("much longer words", ("body",))
    assert read({"bool": {"must": query, "must_not": LONGER}}) == KINDS[kind]


@pytest.mark.parametrize("kind", CLAUSE_KINDS)
def test_each_kind_has_a_manual_page(kind: str) -> None:
    """The documentation links each kind to its page in a manual of the engine that has it."""
    address = manual_page(CLAUSE_KINDS[kind])
    assert address.startswith(("https://www.elastic.co/", "https://docs.opensearch.org/"))
    assert kind.partition("_")[0] in address or kind in {"more_like_this", "field_masking_span"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"match": {"title": {"query": "quick fox", "operator": "and"}}}, FOUND),
        ({"match": {"title": "  quick\n fox "}}, FOUND),
        ({"match_phrase": {"title": {"query": "quick fox", "slop": 2}}}, FOUND),
        ({"multi_match": {"query": "quick fox", "type": "most_fields", "fields": "title"}}, FOUND),
        ({"multi_match": {"query": "quick fox", "type": "cross_fields", "fields": ["title"]}}, FOUND),
        ({"multi_match": {"query": "quick fox", "type": "phrase", "fields": ["title"]}}, FOUND),
        ({"multi_match": {"query": "quick fox", "type": [], "fields": ["title"]}}, FOUND),
        ({"multi_match": {"query": "quick fox", "fields": ["t*^2"]}}, QueryText("quick fox", ("t*",))),
        ({"multi_match": {"query": "quick fox", "fields": ["title", "*"]}}, EVERYWHERE),
        ({"multi_match": {"query": "quick fox"}}, EVERYWHERE),
        ({"multi_match": {"query": "quick fox", "fields": ["title", "title^2"]}}, FOUND),
        ({"query_string": {"query": "title:(quick fox)", "fields": ["body"]}}, FOUND),
        ({"query_string": {"query": "quick fox", "default_field": "title"}}, FOUND),
        ({"query_string": {"query": "title:quick fox"}}, EVERYWHERE),
        (
            {"query_string": {"query": '(title:"quick fox"^2 OR body:"quick fox")', "fields": [], "escape": False}},
            QueryText("quick fox", ("title", "body")),
        ),
        ({"query_string": {"query": "a:b -c/d", "escape": True}}, QueryText("a:b -c/d", ())),
        ({"simple_query_string": {"query": "+quick -lazy fox", "fields": ["title^2"]}}, FOUND),
        ({"simple_query_string": {"query": "quick -fox", "flags": "PHRASE|WHITESPACE"}}, QueryText("quick -fox", ())),
        ({"kql": {"query": "quick fox", "default_field": "title"}}, FOUND),
        (
            {"intervals": {"title": {"all_of": {"intervals": [{"any_of": {"intervals": [
                {"match": {"query": "quick", "filter": {"not_containing": {"match": {"query": "lazy"}}}}},
                {"match": {"query": "fox", "use_field": "title.en"}},
            ]}}, {"wildcard": {"pattern": "d*"}}]}}}},
            QueryText("quick fox", ("title", "title.en")),
        ),
        (
            {"span_near": {"clauses": [{"span_term": {"title": {"value": "quick"}}}, {"span_or": {"clauses": [
                {"span_term": {"body": "fox"}}, {"span_multi": {"match": {"prefix": {"title": "do"}}}},
            ]}}]}},
            QueryText("quick fox", ("title", "body")),
        ),
        ({"bool": {"must": TITLE}}, FOUND),
        ({"bool": {"should": [{"term": {"a": "b"}}, TITLE]}}, FOUND),
        ({"bool": {"must": [TITLE], "must_not": [LONGER]}}, FOUND),
        ({"constant_score": {"filter": {"bool": {"must": TITLE, "filter": LONGER}}}}, FOUND),
        ({"pinned": {"docs": [{"_id": "1"}], "organic": TITLE}}, FOUND),
        (
            {"nested": {"path": "comments", "query": {"match": {"comments.text": "quick fox"}}}},
            QueryText("quick fox", ("comments.text",)),
        ),
        ({"bool": {"must": [{"dis_max": {"queries": [{"nested": {"query": {"bool": {"should": TITLE}}}}]}}]}}, FOUND),
        ({"has_child": {"query": {"nested": {"path": "a", "query": TITLE}}}}, EVERYWHERE),
        ({"knn": {"query_vector_builder": {"embedding": {"input": "quick fox"}}}}, EVERYWHERE),
        (
            {"knn": {"query_vector_builder": {"embedding": {"input": [
                {"type": "text", "value": "quick"},
                {"type": "image", "value": "data:"},
                {"type": "text", "value": "fox"},
            ]}}}},
            EVERYWHERE,
        ),
        ({"hybrid": {"queries": [NUMBERS, {"neural": {"v": {"query_text": "quick fox"}}}]}}, EVERYWHERE),
        ({"bool": {"must": NUMBERS, "should": TITLE}}, FOUND),
        ({"bool": {"must": {"more_like_this": {"like": "a"}}, "should": TITLE}}, FOUND),
    ],
)  # fmt: skip
def test_the_words_of_a_query(query: Any, expected: QueryText) -> None:
    """Every form in which a clause can be written says the same."""
    assert read(query) == expected


@pytest.mark.parametrize(
    ("queries", "expected"),
    [
        ([{"match": {"body": "fox"}}, TITLE, {"match": {"body": "a"}}], FOUND),
        ([TITLE, {"match_phrase": {"body": "Quick Fox"}}], QueryText("quick fox", ("title", "body"))),
        ([TITLE, {"multi_match": {"query": "quick fox"}}], EVERYWHERE),
        ([{"neural": {"v": {"query_text": "quick fox"}}}, TITLE], FOUND),
        ([{"has_child": {"query": {"match": {"body": "quick fox"}}}}, TITLE], FOUND),
        ([{"match_phrase_prefix": {"body": "much longer words"}}, TITLE], FOUND),
        ([{"term": {"body": "muchlongerword"}}, TITLE], FOUND),
    ],
)
def test_several_texts(queries: list[Any], expected: QueryText) -> None:
    """The longest text wins, equal ones bring the fields of all that name some; completions and terms stand back."""
    assert read({"bool": {"should": queries}}) == expected
    assert read({"dis_max": {"queries": queries}}) == expected


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (None, Reason.NO_QUERY_TEXT),
        ([], Reason.NO_QUERY_TEXT),
        ("quick", Reason.NO_QUERY_TEXT),
        ({}, Reason.NO_QUERY_TEXT),
        ({"match": {"title": 5}}, Reason.NO_QUERY_TEXT),
        ({"match": {"title": {"query": ["a"]}}}, Reason.NO_QUERY_TEXT),
        ({"match": {"title": " \n"}}, Reason.NO_QUERY_TEXT),
        ({"match": "quick"}, Reason.NO_QUERY_TEXT),
        ({"bool": {"filter": TITLE}}, Reason.NO_QUERY_TEXT),
        ({"bool": {"must_not": TITLE}}, Reason.NO_QUERY_TEXT),
        ({"bool": [TITLE]}, Reason.NO_QUERY_TEXT),
        ({"boosting": {"negative": TITLE}}, Reason.NO_QUERY_TEXT),
        ({"knn": {"field": "v", "query_vector": [1], "filter": TITLE}}, Reason.VECTOR_SEARCH),
        ({"neural": {"vector": {"query_image": "aGk=", "filter": TITLE}}}, Reason.VECTOR_SEARCH),
        ({"knn": {"query_vector_builder": {"lookup": {"id": "1"}}}}, Reason.VECTOR_SEARCH),
        ({"sparse_vector": {"field": "v", "query_vector": {"fox": 0.5}}}, Reason.VECTOR_SEARCH),
        ({"hybrid": {"queries": [NUMBERS]}}, Reason.VECTOR_SEARCH),
        ({"query_string": {"query": "-lazy *"}}, Reason.NO_QUERY_TEXT),
        ({"multi_match": {"query": "qui", "type": "bool_prefix"}}, Reason.AUTOCOMPLETE),
        ({"multi_match": {"query": "qui", "fields": ["title", "title._2gram^2"]}}, Reason.AUTOCOMPLETE),
        ({"match": {"title._index_prefix": "qui"}}, Reason.AUTOCOMPLETE),
        ({"query_string": {"query": "qui", "type": "phrase_prefix"}}, Reason.AUTOCOMPLETE),
        ({"simple_query_string": {"query": "qui", "fields": ["title._3gram"]}}, Reason.AUTOCOMPLETE),
        ({"intervals": {"title": {"prefix": {"prefix": "qui"}}}}, Reason.AUTOCOMPLETE),
        ({"bool": {"should": [{"multi_match": {"query": "qui", "type": "phrase_prefix"}}]}}, Reason.AUTOCOMPLETE),
        ({"bool": {"must": [NUMBERS, {"match_bool_prefix": {"title": "qui"}}]}}, Reason.AUTOCOMPLETE),
        ({"bool": {"must": [NUMBERS, {"term": {"title": "fox"}}]}}, Reason.VECTOR_SEARCH),
        ({"bool": {"must": [{"more_like_this": {"like": "quick fox"}}, NUMBERS]}}, Reason.MORE_LIKE_THIS),
    ],
)
def test_a_query_without_words_has_a_reason(query: Any, reason: Reason) -> None:
    """What selects, completes, compares with documents or vectors, or can't be read gives a reason instead of words."""
    assert read(query) is reason


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ("fox", "fox"),
        ("Fox", "Fox"),
        ("don't", "don't"),
        ("日", "日"),
        ("iPhone 15 Pro", "iPhone 15 Pro"),
        (["quick", "b1", 7, "fox"], "quick fox"),
        ("b1", None),
        ("b", None),
        ("SKU", None),
        ("IN_STOCK", None),
        ("en-us", None),
        ("true", None),
        ("2024-05-01", None),
        ("1 May 2024", None),
        ("15", None),
        ("", None),
        (15, None),
        (True, None),
        (None, None),
    ],
)
def test_terms_are_the_last_resort(values: object, text: str | None) -> None:
    """A term is read where no other words are and it looks like a word; codes, numbers and dates never are."""
    expected = QueryText(text, ("title",), is_of_terms=True) if text else Reason.NO_QUERY_TEXT
    kind = "terms" if isinstance(values, list) else "term"
    assert read({kind: {"title": values, "boost": 2}}) == expected
    assert (
        read({"bool": {"must": {kind: {"title": {"value": values}}}, "filter": {"term": {"a": "quick"}}}}) == expected
    )
    assert read({"bool": {"must": {kind: {"title": values}}, "filter": TITLE}}) is Reason.NO_QUERY_TEXT
    assert read({kind: {"_routing": values}}) is Reason.NO_QUERY_TEXT


@pytest.mark.parametrize(
    ("text", "is_typed"),
    [
        ("wireless h", True),
        ("w", True),
        ("wireless é", True),
        ("wireless м", True),
        ("vitamin C", False),
        ("iphone 5", False),
        ("wireless he", False),
        ("東京 駅", False),
        ("駅", False),
        ("c++", False),
    ],
)
def test_a_last_letter_is_being_typed(text: str, is_typed: bool) -> None:  # noqa: FBT001 - a column of the table
    """A single small letter at the end begins a word, if that is wanted; it is read as it is where it is not."""
    query = {"match": {"title": text}}
    meant = QueryText(text, ("title",))
    expected = Reason.AUTOCOMPLETE if is_typed else meant
    assert read(query, min_last_word_letters=2) == expected
    assert read_search({"query": query}, min_last_word_letters=2) == expected
    assert is_being_typed(text, 2) is is_typed
    assert read(query) == read_search({"query": query}) == meant


@pytest.mark.parametrize(("text", "is_typed"), [("wireless he", True), ("wireless hea", False), ("phone 5s", False)])
def test_more_letters_can_be_asked_for(text: str, is_typed: bool) -> None:  # noqa: FBT001 - a column of the table
    """With a limit of three letters, two still read as the beginning of a word, unless one is a digit."""
    expected = Reason.AUTOCOMPLETE if is_typed else QueryText(text, ())
    assert read_query_string(text, None, min_last_word_letters=3) == expected


@pytest.mark.parametrize(("depth", "expected"), [(MAX_DEPTH, FOUND), (MAX_DEPTH + 1, Reason.NO_QUERY_TEXT)])
def test_clauses_are_read_to_a_depth(depth: int, expected: QueryText | Reason) -> None:
    """Deeper than any engine allows nothing is read, and nothing overflows."""
    query: Any = TITLE
    rule: Any = {"match": {"query": "quick fox"}}
    span: Any = {"span_term": {"title": "fox"}}
    for _ in range(depth):
        query = {"bool": {"must": [query]}}
        rule = {"all_of": {"intervals": [rule]}}
        span = {"span_or": {"clauses": [span]}}
    assert read(query) == expected
    assert read({"intervals": {"title": rule}}) == expected
    assert read(span) == (FOX if expected is FOUND else expected)


@pytest.mark.parametrize(
    ("query", "default_field", "expected"),
    [
        ("quick fox", None, EVERYWHERE),
        ("quick fox", "title", FOUND),
        ("title:quick body:fox", None, QueryText("quick fox", ("title", "body"))),
        ("title:quick fox", None, EVERYWHERE),
        ("body:quick fox", "title", QueryText("quick fox", ("body", "title"))),
        ("", None, Reason.NO_QUERY_TEXT),
        ("*", "title", Reason.NO_QUERY_TEXT),
    ],
)
def test_the_words_of_the_url(query: str, default_field: str | None, expected: QueryText | Reason) -> None:
    """The parameters q and df say the same as a query_string query."""
    assert read_query_string(query, default_field) == expected


KEYS = st.sampled_from(
    [
        *CLAUSE_KINDS,
        *("query", "fields", "type", "must", "should", "filter", "queries", "positive", "organic", "value", "flags"),
        *(
            "match",
            "all_of",
            "intervals",
            "prefix",
            "clauses",
            "query_vector_builder",
            "embedding",
            "input",
            "query_text",
        ),
        *("retriever", "retrievers", "standard", "rrf", "rescorer", "rescore", "sub_searches", "suggest", "completion"),
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4),
    max_leaves=14,
)


@settings(deadline=None)  # every kind of clause is read for each example
@given(ANYTHING, st.integers(0, 3))
def test_any_json_is_read(query: Any, letters: int) -> None:
    """Whatever stands where a query is expected, there is an answer; words are never empty, and no field is either."""
    found = [read(query, min_last_word_letters=letters), read_search({"query": query}, min_last_word_letters=letters)]
    found += [read({kind: query}) for kind in CLAUSE_KINDS] + [read_search({"retriever": query, "suggest": query})]
    found.append(read_search(query if isinstance(query, dict) else {"knn": query, "sub_searches": query}))
    assert all(isinstance(meant, Reason) or (meant.text and all(meant.fields)) for meant in found)
