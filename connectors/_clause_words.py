"""The words in the body of one clause, whatever JSON that body is; ``connectors._clauses`` has the kinds of clauses.

Sources: "Query DSL", manuals of Elasticsearch 7.17 to 9 and OpenSearch 1.3 to 3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum, auto
from typing import NamedTuple

from connectors import _kql, _lucene
from connectors._lucene_simple import flags_of, simple_query_string
from connectors._word_runs import Words

Fields = tuple[str, ...]
Body = Mapping[str, object]

MAX_DEPTH = 50  # of intervals and spans within each other, and of clauses; the engines' own limit is 30


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


Reader = Callable[[Body], Iterator[Found]]

_AS_YOU_TYPE = re.compile(r"\._(\dgram|index_prefix)(\^|$)")
"""The sub-fields of ``search_as_you_type``. Source: "Search-as-you-type field type", Elasticsearch and OpenSearch."""
_COMPLETING = ("bool_prefix", "phrase_prefix")


def _standing(fields: Fields, match_type: object = None) -> Standing:
    # A tuple is looked through: what the client sent may be unhashable.
    completes = match_type in _COMPLETING or any(_AS_YOU_TYPE.search(name) for name in fields)
    return Standing.COMPLETION if completes else Standing.WORDS


def field(body: Body) -> Iterator[Found]:
    """``{"title": "words"}`` or ``{"title": {"query": "words", ...}}``."""
    for name, value in body.items():
        text = value.get("query") if isinstance(value, dict) else value
        if isinstance(text, str):
            yield Found(_one_line(text), (name,), _standing((name,)))


def prefix(body: Body) -> Iterator[Found]:
    """The same of a clause that completes the last word."""
    return (found._replace(standing=Standing.COMPLETION) for found in field(body))


def multi_match(body: Body) -> Iterator[Found]:
    """``{"query": "words", "fields": [...], "type": ...}``."""
    text = body.get("query")
    if isinstance(text, str):
        fields = _names(body.get("fields"))
        yield Found(_one_line(text), fields, _standing(fields, body.get("type")))


def query_string(body: Body) -> Iterator[Found]:
    """Words in Lucene's syntax."""
    query = body.get("query")
    if isinstance(query, str):
        named = _names(body.get("fields")) or _names(body.get("default_field"))
        yield in_query_string(_lucene.escaped(query) if body.get("escape") is True else query, named, body.get("type"))


def in_query_string(query: str, default_fields: Fields, match_type: object = None) -> Found:
    """The words of a query in Lucene's syntax."""
    words = _lucene.query_string(query)
    fields = _fields_of(words, default_fields)
    return Found(words.text, fields, _standing(fields, match_type))


def kql(body: Body) -> Iterator[Found]:
    """Words in Kibana's syntax."""
    query = body.get("query")
    if isinstance(query, str):
        words = _kql.kql(query)
        yield Found(words.text, _fields_of(words, _names(body.get("default_field"))))


def simple_query(body: Body) -> Iterator[Found]:
    """Words in the syntax of ``simple_query_string``."""
    query = body.get("query")
    if isinstance(query, str):
        fields = _names(body.get("fields"))
        yield Found(simple_query_string(query, flags_of(body.get("flags"))), fields, _standing(fields))


def _fields_of(words: Words, default_fields: Fields) -> Fields:
    """The fields that a query was matched in; none where some word was matched in all of them."""
    if not words.has_bare_words:
        return words.fields
    return (*words.fields, *default_fields) if default_fields else ()


def intervals(body: Body) -> Iterator[Found]:
    """The words of all rules for a field, in their order; what a rule's ``filter`` says is left out."""
    for name, rule in body.items():
        parts = list(_rule(rule, 0))
        fields = (name, *(part.field for part in parts if part.field))
        completes = any(part.is_prefix for part in parts)
        standing = Standing.COMPLETION if completes else Standing.WORDS
        yield Found(_one_line(" ".join(part.text for part in parts)), fields, standing)


class _Part(NamedTuple):
    text: str
    field: str | None
    is_prefix: bool


_RULES = {"match": "query", "fuzzy": "term", "prefix": "prefix"}


def _rule(rule: object, depth: int) -> Iterator[_Part]:
    if not isinstance(rule, dict) or depth > MAX_DEPTH:
        return
    for kind, body in rule.items():
        if not isinstance(body, dict):
            continue
        text, use_field = body.get(_RULES.get(kind, "")), body.get("use_field")
        if isinstance(text, str):
            yield _Part(text, use_field if isinstance(use_field, str) else None, kind == "prefix")
        if kind in {"all_of", "any_of"}:
            for inner in listed(body.get("intervals")):
                yield from _rule(inner, depth + 1)


_SPANS: Mapping[str, Fields] = {
    "span_near": ("clauses",),
    "span_or": ("clauses",),
    "span_first": ("match",),
    "span_not": ("include",),
    "span_containing": ("big", "little"),
    "span_within": ("little", "big"),
    "field_masking_span": ("query",),
}
"""Kinds of spans that hold others, and the keys of those that say what is looked for."""


def span(kind: str) -> Reader:
    """A reader of the terms of a span clause, in their order."""

    def read(body: Body) -> Iterator[Found]:
        terms = list(_span_terms(kind, body, 0))
        yield Found(_one_line(" ".join(term for _, term in terms)), tuple(dict.fromkeys(name for name, _ in terms)))

    return read


def _span_terms(kind: str, body: object, depth: int) -> Iterator[tuple[str, str]]:
    if not isinstance(body, dict) or depth > MAX_DEPTH:
        return
    if kind == "span_term":
        yield from _values(body)
    for key in _SPANS.get(kind, ()):
        for inner in listed(body.get(key)):
            for inner_kind, inner_body in inner.items() if isinstance(inner, dict) else ():
                yield from _span_terms(inner_kind, inner_body, depth + 1)


def term(body: Body) -> Iterator[Found]:
    """The value of a ``term`` or ``fuzzy``, or the values of a ``terms``, that reads as words."""
    words: dict[str, list[str]] = {}
    for name, value in _values(body):
        if not name.startswith("_") and reads_as_words(value):
            words.setdefault(name, []).append(value)
    return (Found(_one_line(" ".join(values)), (name,), Standing.TERM) for name, values in words.items())


def _values(body: Body) -> Iterator[tuple[str, str]]:
    for name, given in body.items():
        value = given.get("value", given.get("term")) if isinstance(given, dict) else given
        for one in listed(value):
            if isinstance(one, str):
                yield name, one


def reads_as_words(value: str) -> bool:
    """Whether a value may be what somebody typed: most of its parts are of letters, and it is no constant.

    An analyzed word has no capitals throughout, no digit and no mark but an apostrophe, and more than one letter where
    its script has capitals. "quick" and "iPhone 15 Pro" read as words; "SKU", "IN_STOCK", "b1", "2024-05-01" and "true"
    don't.
    """
    parts = value.split()
    words = [part for part in parts if part.replace("'", "").isalpha() and not part.isupper()]
    lone = len(words) == 1 and (value in {"true", "false"} or (len(words[0]) == 1 and words[0].islower()))
    return 2 * len(words) > len(parts) and not lone


def vector_text(*path: str) -> Reader:
    """A reader of the text at a path, ``*`` for any key; a field of vectors is nothing to read."""

    def read(body: Body) -> Iterator[Found]:
        return (Found(_one_line(text), None) for text in _at(body, path) if isinstance(text, str))

    return read


def _at(value: object, path: Fields) -> Iterator[object]:
    if not path:
        yield value
    elif isinstance(value, dict):
        for inner in value.values() if path[0] == "*" else (value.get(path[0]),):
            yield from _at(inner, path[1:])


def semantic(body: Body) -> Iterator[Found]:
    """Words that are matched with a field that keeps its text beside its vectors."""
    text = body.get("query")
    if isinstance(text, str):
        yield Found(_one_line(text), _names(body.get("field")))


def knn(body: Body) -> Iterator[Found]:
    """The text that a model makes the vector of. Source: ``query_vector_builder``, "Knn query", Elasticsearch 9.4."""
    texts = [*_at(body, ("query_vector_builder", "text_embedding", "model_text"))]
    for inputs in _at(body, ("query_vector_builder", "embedding", "input")):
        texts += [_text_input(one) for one in listed(inputs)]
    yield Found(_one_line(" ".join(text for text in texts if isinstance(text, str))), None)


def _text_input(given: object) -> object:
    return given.get("value") if isinstance(given, dict) and given.get("type") == "text" else given


def _names(value: object) -> Fields:
    return tuple(name for name in listed(value) if isinstance(name, str))


def listed(value: object) -> Iterable[object]:
    """The members of a list, or what stands for a list of one."""
    return value if isinstance(value, list) else (value,)


def _one_line(text: str) -> str:
    return " ".join(text.split())
