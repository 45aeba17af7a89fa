"""The query DSL -> the user's words, and the fields they were matched in.

Only the scoring part is read: what stands in ``filter`` or ``must_not`` says what may be found, not what is meant.
Several texts: the longest wins; equal ones count once, with the fields of all. Each clause kind stands in ``_READERS``
with the function that reads it; a clause that is not there says nothing. Source: "Query DSL", Elasticsearch 8 and
OpenSearch 2 manuals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from connectors import _lucene
from connectors.base import Reason

MAX_DEPTH = 50  # nested clauses; the engines' own limit is 30 (indices.query.bool.max_nested_depth)

Fields = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueryText:
    """What a search means."""

    text: str
    fields: Fields
    """Names and patterns in the order of the query, without boosts; empty where the query names none."""


class _Found(NamedTuple):
    text: str
    fields: Fields
    is_autocompletion: bool = False


def read(query: object) -> QueryText | Reason:
    """The user's words and their fields, or why there are none to rerank by."""
    clauses = list(_clauses(query))
    texts = [found for found in _read(clauses) if found.text]
    typed_out = [found for found in texts if not found.is_autocompletion]
    if typed_out:
        return _longest(typed_out)
    if texts:
        return Reason.AUTOCOMPLETE
    kinds = {kind for kind, _ in clauses}
    return next((reason for reason, telling in _WHY_NO_TEXT if kinds & telling), Reason.NO_QUERY_TEXT)


def read_query_string(query: str, default_field: str | None) -> QueryText | Reason:
    """The same for the URL parameters ``q`` and ``df``."""
    words = _lucene.query_string(query)
    fields = _fields_of(words, (default_field,) if default_field else ())
    return QueryText(words.text, _plain(fields)) if words.text else Reason.NO_QUERY_TEXT


def _longest(texts: list[_Found]) -> QueryText:
    best = max(texts, key=lambda found: len(found.text))
    same = [found for found in texts if found.text.casefold() == best.text.casefold()]
    names_all = all(found.fields for found in same)
    fields = dict.fromkeys(name for found in same for name in found.fields)
    return QueryText(best.text, _plain(fields) if names_all else ())


def _plain(fields: Iterable[str]) -> Fields:
    """Names without boosts, each once; none where one of them means every field."""
    names = tuple(dict.fromkeys(name.partition("^")[0].strip() for name in fields))
    return () if "*" in names or not all(names) else names


_Clause = tuple[str, object]


def _clauses(query: object, depth: int = 0) -> Iterator[_Clause]:
    """Every clause of the scoring part, compound ones before what they hold."""
    if not isinstance(query, dict) or depth > MAX_DEPTH:
        return
    for kind, body in query.items():
        yield kind, body
        for inner in _inner_queries(kind, body):
            yield from _clauses(inner, depth + 1)


def _inner_queries(kind: str, body: object) -> Iterator[object]:
    if isinstance(body, dict):
        for key in COMPOUND.get(kind, ()):
            inner = body.get(key)
            yield from inner if isinstance(inner, list) else (inner,)


def _read(clauses: Iterable[_Clause]) -> Iterator[_Found]:
    for kind, body in clauses:
        reader = _READERS.get(kind)
        if reader is not None and isinstance(body, dict):
            yield from reader(body)


def _field_clause(body: Mapping[str, object], *, is_autocompletion: bool = False) -> Iterator[_Found]:
    """``{"title": "words"}`` or ``{"title": {"query": "words", ...}}``."""
    for name, value in body.items():
        text = value.get("query") if isinstance(value, dict) else value
        if isinstance(text, str):
            yield _Found(_one_line(text), (name,), is_autocompletion)


def _prefix_clause(body: Mapping[str, object]) -> Iterator[_Found]:
    return _field_clause(body, is_autocompletion=True)


def _multi_match(body: Mapping[str, object]) -> Iterator[_Found]:
    text = body.get("query")
    if isinstance(text, str):
        # A tuple: what the client sent may be unhashable.
        is_autocompletion = body.get("type") in ("bool_prefix", "phrase_prefix")
        yield _Found(_one_line(text), _names(body.get("fields")), is_autocompletion)


def _query_string(body: Mapping[str, object]) -> Iterator[_Found]:
    query = body.get("query")
    if isinstance(query, str):
        words = _lucene.query_string(query)
        named = _names(body.get("fields")) or _names(body.get("default_field"))
        yield _Found(words.text, _fields_of(words, named))


def _simple_query_string(body: Mapping[str, object]) -> Iterator[_Found]:
    query = body.get("query")
    if isinstance(query, str):
        yield _Found(_lucene.simple_query_string(query).text, _names(body.get("fields")))


def _fields_of(words: _lucene.Words, default_fields: Fields) -> Fields:
    """The fields that a query string was matched in; none where some word was matched in all of them."""
    if not words.has_bare_words:
        return words.fields
    return (*words.fields, *default_fields) if default_fields else ()


def _names(value: object) -> Fields:
    names = value if isinstance(value, list) else [value]
    return tuple(name for name in names if isinstance(name, str))


def _one_line(text: str) -> str:
    return " ".join(text.split())


_READERS: dict[str, Callable[[Mapping[str, object]], Iterator[_Found]]] = {
    "match": _field_clause,
    "match_phrase": _field_clause,
    "match_phrase_prefix": _prefix_clause,
    "match_bool_prefix": _prefix_clause,
    "multi_match": _multi_match,
    "combined_fields": _multi_match,
    "query_string": _query_string,
    "simple_query_string": _simple_query_string,
}

FULL_TEXT = tuple(kind for kind, reader in _READERS.items() if reader is not _prefix_clause)
"""Clause kinds that hold a user's words."""

AUTOCOMPLETION = (*(kind for kind, reader in _READERS.items() if reader is _prefix_clause), "multi_match bool_prefix")
"""Clause kinds that complete a word that is being typed."""

COMPOUND: dict[str, tuple[str, ...]] = {
    "bool": ("must", "should"),
    "dis_max": ("queries",),
    "constant_score": ("filter",),
    "function_score": ("query",),
    "script_score": ("query",),
    "boosting": ("positive",),
    "nested": ("query",),
}
"""Clause kinds that hold others, and the keys that they stand under in the scoring part."""

_WHY_NO_TEXT: tuple[tuple[Reason, frozenset[str]], ...] = (
    (Reason.MORE_LIKE_THIS, frozenset({"more_like_this", "mlt"})),
    (
        Reason.VECTOR_SEARCH,
        frozenset({"knn", "neural", "neural_sparse", "hybrid", "sparse_vector", "semantic", "text_expansion"}),
    ),
)
