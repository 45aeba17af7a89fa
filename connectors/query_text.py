"""The query DSL -> the user's words, and the fields they were matched in.

Only the scoring part is read: what stands in ``filter`` or ``must_not`` says what may be found, not what is meant.
Several texts: the longest wins; equal ones count once, with the fields of all. What each kind of clause says stands in
``connectors._clauses``, and which queries a search body holds in ``connectors._retrievers``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from connectors._clause_words import MAX_DEPTH, Fields, Found, Standing, in_query_string, listed
from connectors._clauses import KINDS, manual_page
from connectors._retrievers import INNER, queries_of
from connectors.base import Reason

__all__ = [
    "CLAUSE_KINDS",
    "MAX_DEPTH",
    "RETRIEVER_KINDS",
    "QueryText",
    "clause_kinds",
    "is_being_typed",
    "manual_page",
    "read",
    "read_query_string",
    "read_search",
]

CLAUSE_KINDS = KINDS
RETRIEVER_KINDS = tuple(INNER)


@dataclass(frozen=True, slots=True)
class QueryText:
    """What a search means."""

    text: str
    fields: Fields
    """Names and patterns in the order of the query, without boosts; empty where the query names none."""
    is_of_terms: bool = False
    """Whether only ``term`` clauses held words: codes as well, where the field is not one of text."""


def read(query: object, *, min_last_word_letters: int = 0) -> QueryText | Reason:
    """The user's words and their fields, or why there are none to rerank by.

    ``min_last_word_letters``: a text whose last word is shorter is being typed, see ``is_being_typed``; 0: none is.
    """
    return _meant([query], min_last_word_letters)


def read_search(search: Mapping[str, object], *, min_last_word_letters: int = 0) -> QueryText | Reason:
    """The same for a whole search body: its query, the vectors beside it, or its tree of retrievers."""
    queries = queries_of(search)
    if isinstance(queries, Reason):
        return queries
    meant = _meant(queries, min_last_word_letters)
    return Reason.AUTOCOMPLETE if meant is Reason.NO_QUERY_TEXT and _completes(search.get("suggest")) else meant


def read_query_string(query: str, default_field: str | None, *, min_last_word_letters: int = 0) -> QueryText | Reason:
    """The same for the URL parameters ``q`` and ``df``."""
    found = in_query_string(query, (default_field,) if default_field else ())
    return _best([found], min_last_word_letters) if found.text else Reason.NO_QUERY_TEXT


def is_being_typed(text: str, min_last_word_letters: int) -> bool:
    """Whether the last word is made of fewer letters than that.

    Lower-case letters alone are counted as such, so that digits, capitals and scripts without case are never taken for
    the beginning of a word: "iphone 5", "vitamin C" and a Chinese character are whole.
    """
    last = text.rpartition(" ")[2]
    return len(last) < min_last_word_letters and all(character.islower() for character in last)


def clause_kinds(search: Mapping[str, object]) -> frozenset[str]:
    """The kinds of all clauses of the scoring part, of those that hold others as well."""
    queries = queries_of(search)
    if isinstance(queries, Reason):
        return frozenset()
    return frozenset(name for query in queries for name, _, _ in _clauses(query))


def _completes(suggest: object) -> bool:
    """Whether suggestions complete what is being typed. Source: "Suggesters", Elasticsearch and OpenSearch manuals."""
    return isinstance(suggest, dict) and any(isinstance(one, dict) and "completion" in one for one in suggest.values())


class _Clause(NamedTuple):
    kind: str
    body: object
    is_own: bool
    """Whether the fields that it names are the hits' own."""


def _clauses(query: object, depth: int = 0, *, is_own: bool = True) -> Iterator[_Clause]:
    """Every clause of the scoring part, compound ones before what they hold."""
    if not isinstance(query, dict) or depth > MAX_DEPTH:
        return
    for name, body in query.items():
        yield _Clause(name, body, is_own)
        kind = KINDS.get(name)
        if kind is not None:
            for inner in _held(body, kind.inner):
                yield from _clauses(inner, depth + 1, is_own=is_own and kind.shows_own_fields)


def _held(body: object, keys: Iterable[str]) -> Iterator[object]:
    if isinstance(body, dict):
        for key in keys:
            yield from listed(body.get(key))


def _texts(clauses: Iterable[_Clause]) -> Iterator[Found]:
    for clause in clauses:
        kind = KINDS.get(clause.kind)
        if kind is not None and kind.words is not None and isinstance(clause.body, dict):
            for found in kind.words(clause.body):
                if found.text:
                    yield found if clause.is_own else found._replace(fields=None)


def _meant(queries: Sequence[object], min_last_word_letters: int) -> QueryText | Reason:
    clauses = [clause for query in queries for clause in _clauses(query)]
    found = list(_texts(clauses))
    words, completions, terms = ([one for one in found if one.standing is standing] for standing in Standing)
    if words:
        return _best(words, min_last_word_letters)
    if completions:
        return Reason.AUTOCOMPLETE
    reasons = {KINDS[clause.kind].without_words for clause in clauses if clause.kind in KINDS}
    telling = next((reason for reason in _TELLING if reason in reasons), None)
    if telling is not None:
        return telling
    if terms and not _filters_by_words(clauses):
        return _best(terms, 0, is_of_terms=True)
    return Reason.NO_QUERY_TEXT


_TELLING = (Reason.MORE_LIKE_THIS, Reason.VECTOR_SEARCH)
"""Reasons that kinds of clauses have of their own, the more telling first."""


def _filters_by_words(clauses: Iterable[_Clause]) -> bool:
    """Whether the user's words stand in filter context, so that a term of the scoring part is none of them."""
    filters = (query for clause in clauses if clause.kind == "bool" for query in _held(clause.body, ("filter",)))
    return any(found.standing is Standing.WORDS for query in filters for found in _texts(_clauses(query)))


def _best(texts: Sequence[Found], min_last_word_letters: int, *, is_of_terms: bool = False) -> QueryText | Reason:
    """The longest text, with the fields of all that are equal to it."""
    best = max(texts, key=lambda found: len(found.text))
    if is_being_typed(best.text, min_last_word_letters):
        return Reason.AUTOCOMPLETE
    equal = [found.fields for found in texts if found.text.casefold() == best.text.casefold()]
    named = [fields for fields in equal if fields is not None]
    return QueryText(best.text, _plain(named), is_of_terms)


def _plain(named: Sequence[Fields]) -> Fields:
    """Names without boosts, each once; none where one of them, or a clause without any, means every field."""
    names = tuple(dict.fromkeys(name.partition("^")[0].strip() for fields in named for name in fields))
    return () if "*" in names or not all(names) or not all(named) else names
