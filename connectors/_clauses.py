"""The kinds of clauses of the query DSL: what each says of a user's words, and where its manual page stands.

One table, ``KINDS``: a kind that is not there says nothing. A reader gets a clause's body, whatever JSON that is, and
yields what it found; ``inner`` names the keys under which a kind holds further clauses of the scoring part. Sources:
"Query DSL", manuals of Elasticsearch 7.17 to 9 and OpenSearch 1.3 to 3; each kind names its page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from typing import NamedTuple

from connectors import _lucene
from connectors._lucene_simple import flags_of, simple_query_string
from connectors.base import Reason

Fields = tuple[str, ...]
Body = Mapping[str, object]


class Standing(Enum):
    """What the words of a clause are worth."""

    WORDS = auto()
    """They are what the user means."""
    COMPLETION = auto()
    """The last of them is being typed."""
    TERM = auto()
    """They may be a code as well, and count where nothing else is there."""


class Found(NamedTuple):
    """The words of one clause."""

    text: str
    fields: Fields | None
    """Where they were matched, boosts and all; empty: in every field; None: that says nothing of what to read."""
    standing: Standing = Standing.WORDS


class Kind(NamedTuple):
    """A kind of clause."""

    page: str
    """Of the manual: ``es`` or ``os`` and its name, see ``manual_page``."""
    example: Body
    """A body that shows what is read."""
    words: Callable[[Body], Iterator[Found]] | None = None
    inner: Fields = ()
    """Keys of further clauses that make up the score."""
    shows_own_fields: bool = True
    """Whether the fields of inner clauses are fields of the hits."""
    without_words: Reason = Reason.NO_QUERY_TEXT
    """Why a search is left alone that has no words and a clause of this kind."""


_ELASTIC = "https://www.elastic.co/docs/reference/query-languages/query-dsl/query-dsl-"
_OPENSEARCH = "https://docs.opensearch.org/latest/query-dsl/"


def manual_page(kind: Kind) -> str:
    """The address of a kind's manual page."""
    manual, _, name = kind.page.partition(":")
    return f"{_ELASTIC}{name}" if manual == "es" else f"{_OPENSEARCH}{name}/"


_AS_YOU_TYPE = re.compile(r"\._(\dgram|index_prefix)(\^|$)")
"""The sub-fields of ``search_as_you_type``. Source: "Search-as-you-type field type", Elasticsearch 7.17 to 9."""
_COMPLETING = ("bool_prefix", "phrase_prefix")


def _standing(fields: Fields, match_type: object = None) -> Standing:
    # A tuple is looked through: what the client sent may be unhashable.
    completes = match_type in _COMPLETING or any(_AS_YOU_TYPE.search(name) for name in fields)
    return Standing.COMPLETION if completes else Standing.WORDS


def _field(body: Body, key: str = "query") -> Iterator[Found]:
    """``{"title": "words"}`` or ``{"title": {"query": "words", ...}}``."""
    for name, value in body.items():
        text = value.get(key) if isinstance(value, dict) else value
        if isinstance(text, str):
            yield Found(_one_line(text), (name,), _standing((name,)))


def _prefix(body: Body) -> Iterator[Found]:
    return (found._replace(standing=Standing.COMPLETION) for found in _field(body))


def _multi_match(body: Body) -> Iterator[Found]:
    text = body.get("query")
    if isinstance(text, str):
        fields = _names(body.get("fields"))
        yield Found(_one_line(text), fields, _standing(fields, body.get("type")))


def _query_string(body: Body) -> Iterator[Found]:
    query = body.get("query")
    if isinstance(query, str):
        named = _names(body.get("fields")) or _names(body.get("default_field"))
        yield in_query_string(_lucene.escaped(query) if body.get("escape") is True else query, named, body.get("type"))


def in_query_string(query: str, default_fields: Fields, match_type: object = None) -> Found:
    """The words of a query in Lucene's syntax; its fields are none where some word was matched in all of them."""
    words = _lucene.query_string(query)
    fields = words.fields
    if words.has_bare_words:
        fields = (*words.fields, *default_fields) if default_fields else ()
    return Found(words.text, fields, _standing(fields, match_type))


def _simple_query_string(body: Body) -> Iterator[Found]:
    query = body.get("query")
    if isinstance(query, str):
        fields = _names(body.get("fields"))
        text = simple_query_string(query, flags_of(body.get("flags")))
        yield Found(text, fields, _standing(fields))


def _vector_text(*path: str) -> Callable[[Body], Iterator[Found]]:
    """A reader of the text at a path, ``*`` for any key; a field of vectors is nothing to read."""

    def read(body: Body) -> Iterator[Found]:
        return (Found(_one_line(text), None) for text in _at(body, path) if isinstance(text, str))

    return read


def _at(value: object, path: Fields) -> Iterator[object]:
    if not path:
        yield value
    elif isinstance(value, dict):
        inner = value.values() if path[0] == "*" else (value.get(path[0]),)
        for one in inner:
            yield from _at(one, path[1:])


def _semantic(body: Body) -> Iterator[Found]:
    text = body.get("query")
    if isinstance(text, str):
        yield Found(_one_line(text), _names(body.get("field")))


def _knn(body: Body) -> Iterator[Found]:
    return _vector_text("query_vector_builder", "text_embedding", "model_text")(body)


def _names(value: object) -> Fields:
    names = value if isinstance(value, list) else [value]
    return tuple(name for name in names if isinstance(name, str))


def _one_line(text: str) -> str:
    return " ".join(text.split())


_TITLE = {"match": {"title": "quick fox"}}
_OTHER = {"match": {"body": "some longer words"}}
_VECTOR = [0.5, 0.1]

KINDS: Mapping[str, Kind] = {
    "match": Kind("es:match-query", {"title": "quick fox"}, _field),
    "match_phrase": Kind("es:match-query-phrase", {"title": "quick fox"}, _field),
    "match_phrase_prefix": Kind("es:match-query-phrase-prefix", {"title": "quick fo"}, _prefix),
    "match_bool_prefix": Kind("es:match-bool-prefix-query", {"title": "quick fo"}, _prefix),
    "multi_match": Kind("es:multi-match-query", {"query": "quick fox", "fields": ["title^3", "body.*"]}, _multi_match),
    "combined_fields": Kind(
        "es:combined-fields-query", {"query": "quick fox", "fields": ["title", "body"]}, _multi_match
    ),
    "query_string": Kind(
        "es:query-string-query", {"query": "title:quick AND fo?^2 -lazy", "fields": ["body"]}, _query_string
    ),
    "simple_query_string": Kind(
        "es:simple-query-string-query", {"query": '+"quick fox" -lazy', "fields": ["title"]}, _simple_query_string
    ),
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
    "hybrid": Kind("os:compound/hybrid", {"queries": [_TITLE]}, inner=("queries",), without_words=Reason.VECTOR_SEARCH),
    "nested": Kind("es:nested-query", {"path": "comments", "query": _TITLE}, inner=("query",)),
    "has_child": Kind(
        "es:has-child-query", {"type": "answer", "query": _TITLE}, inner=("query",), shows_own_fields=False
    ),
    "has_parent": Kind(
        "es:has-parent-query", {"parent_type": "q", "query": _TITLE}, inner=("query",), shows_own_fields=False
    ),
    "knn": Kind(
        "es:knn-query",
        {"field": "v", "query_vector_builder": {"text_embedding": {"model_id": "m", "model_text": "quick fox"}}},
        _knn,
        without_words=Reason.VECTOR_SEARCH,
    ),
    "semantic": Kind(
        "es:semantic-query", {"field": "title", "query": "quick fox"}, _semantic, without_words=Reason.VECTOR_SEARCH
    ),
    "sparse_vector": Kind(
        "es:sparse-vector-query",
        {"field": "v", "inference_id": "m", "query": "quick fox"},
        _vector_text("query"),
        without_words=Reason.VECTOR_SEARCH,
    ),
    "text_expansion": Kind(
        "es:text-expansion-query",
        {"v": {"model_id": "m", "model_text": "quick fox"}},
        _vector_text("*", "model_text"),
        without_words=Reason.VECTOR_SEARCH,
    ),
    "neural": Kind(
        "os:specialized/neural",
        {"v": {"query_text": "quick fox", "k": 9}},
        _vector_text("*", "query_text"),
        without_words=Reason.VECTOR_SEARCH,
    ),
    "neural_sparse": Kind(
        "os:specialized/neural-sparse",
        {"v": {"query_text": "quick fox"}},
        _vector_text("*", "query_text"),
        without_words=Reason.VECTOR_SEARCH,
    ),
    "more_like_this": Kind("es:mlt-query", {"like": "quick fox"}, without_words=Reason.MORE_LIKE_THIS),
}
