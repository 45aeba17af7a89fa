"""The query DSL -> the user's words, and the fields they were matched in.

Only the scoring part is read: what stands in ``filter`` or ``must_not`` says what may be found, not what is meant.
Several texts: the longest wins; equal ones count once, with the fields of all. What each kind of clause says stands in
``connectors._clauses``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from connectors._clauses import KINDS, Fields, Found, Standing, in_query_string, manual_page
from connectors._retrievers import queries_of, rank_window
from connectors.base import Reason

__all__ = [
    "CLAUSE_KINDS",
    "QueryText",
    "filter_only",
    "is_being_typed",
    "manual_page",
    "read",
    "read_query_string",
    "read_search",
    "widest_fetch",
]

CLAUSE_KINDS = KINDS
MAX_DEPTH = 50  # nested clauses; the engines' own limit is 30 (indices.query.bool.max_nested_depth)


@dataclass(frozen=True, slots=True)
class QueryText:
    """What a search means."""

    text: str
    fields: Fields
    """Names and patterns in the order of the query, without boosts; empty where the query names none."""


def read(query: object, *, min_last_word_letters: int = 0) -> QueryText | Reason:
    """The user's words and their fields, or why there are none to rerank by."""
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


def filter_only(query: object, *, min_last_word_letters: int = 0) -> tuple[QueryText, list[dict[str, object]]] | None:
    """The words that stand in filter context alone, and the clauses there that hold words; None where there are none.

    Each clause is a query that stands by itself, as the client wrote it: a ``nested`` clause comes whole, a ``bool`` is
    taken apart. None as well where the scoring part has words, completes them, or orders by vectors or likeness.
    """
    if _why_no_words([query], _texts([query])) is not Reason.NO_QUERY_TEXT:
        return None
    found = _in_filters(query)
    if not found:
        return None
    meant = _best([one for _, words in found for one in words], min_last_word_letters)
    return (meant, [clause for clause, _ in found]) if isinstance(meant, QueryText) else None


def _completes(suggest: object) -> bool:
    """Whether suggestions complete what is being typed. Source: "Suggesters", Elasticsearch and OpenSearch manuals."""
    return isinstance(suggest, dict) and any(isinstance(one, dict) and "completion" in one for one in suggest.values())


def widest_fetch(search: Mapping[str, object], size: int) -> int | None:
    """The most hits that may be asked for without changing what is found; None: any number; ``size``: the client's.

    A tree of retrievers allows no more than its ``rank_window_size``, and vectors without a ``k`` find as many
    neighbours as the search wants hits.
    """
    window = rank_window(search)
    if window is not None:
        return window
    queries = queries_of(search)
    without_k = not isinstance(queries, Reason) and any(
        name in _SIZED_BY_SEARCH and isinstance(body, dict) and not _names_k(body)
        for query in queries
        for name, body, _ in _clauses(query)
    )
    return size if without_k else None


_SIZED_BY_SEARCH = frozenset({"knn", "semantic"})
_K = ("k", "vector", "max_distance", "min_score")


def _names_k(body: Mapping[str, object]) -> bool:
    """Whether a vector clause says itself how many neighbours it finds; OpenSearch's stands under its field."""
    return "k" in body or any(isinstance(value, dict) and any(key in value for key in _K) for value in body.values())


_Clause = tuple[str, object, bool]
"""Kind, body, and whether the fields that it names are the hits' own."""


def _clauses(query: object, depth: int = 0, *, is_own: bool = True) -> Iterator[_Clause]:
    """Every clause of the scoring part, compound ones before what they hold."""
    if not isinstance(query, dict) or depth > MAX_DEPTH:
        return
    for name, body in query.items():
        yield name, body, is_own
        kind = KINDS.get(name)
        if kind is not None:
            for inner in _held(body, kind.inner):
                yield from _clauses(inner, depth + 1, is_own=is_own and kind.shows_own_fields)


def _held(body: object, keys: Iterable[str]) -> Iterator[object]:
    if isinstance(body, dict):
        for key in keys:
            inner = body.get(key)
            yield from inner if isinstance(inner, list) else (inner,)


def _texts(queries: Iterable[object]) -> Iterator[Found]:
    """All words of the scoring part, where there are any."""
    for query in queries:
        for name, body, is_own in _clauses(query):
            kind = KINDS.get(name)
            if kind is not None and kind.words is not None and isinstance(body, dict):
                yield from (
                    found if is_own else found._replace(fields=None) for found in kind.words(body) if found.text
                )


def _meant(queries: list[object], min_last_word_letters: int) -> QueryText | Reason:
    found = list(_texts(queries))
    reason = _why_no_words(queries, found)
    if reason is None:
        return _best([one for one in found if one.standing is Standing.WORDS], min_last_word_letters)
    terms = [one for one in found if one.standing is Standing.TERM]
    if reason is Reason.NO_QUERY_TEXT and terms and not any(_in_filters(query) for query in queries):
        return _best(terms, 0)
    return reason


def _why_no_words(queries: Iterable[object], found: Iterable[Found]) -> Reason | None:
    """None where the scoring part has words that are typed out."""
    standings = {one.standing for one in found}
    if Standing.WORDS in standings:
        return None
    if Standing.COMPLETION in standings:
        return Reason.AUTOCOMPLETE
    names = [name for query in queries for name, _, _ in _clauses(query)]
    reasons = {KINDS[name].without_words for name in names if name in KINDS}
    return next((reason for reason in _WITHOUT_WORDS if reason in reasons), Reason.NO_QUERY_TEXT)


_WITHOUT_WORDS = (Reason.MORE_LIKE_THIS, Reason.VECTOR_SEARCH)


def _best(texts: list[Found], min_last_word_letters: int) -> QueryText | Reason:
    """The longest text, with the fields of all that are equal to it."""
    best = max(texts, key=lambda found: len(found.text))
    if is_being_typed(best.text, min_last_word_letters):
        return Reason.AUTOCOMPLETE
    same = [
        found.fields for found in texts if found.text.casefold() == best.text.casefold() and found.fields is not None
    ]
    names_all = all(same)
    return QueryText(best.text, _plain(name for fields in same for name in fields) if names_all else ())


def is_being_typed(text: str, min_last_word_letters: int) -> bool:
    """Whether the last word has fewer letters than that.

    Lower-case letters alone are counted as such, so that digits, capitals and scripts without case are never taken for
    the beginning of a word: "iphone 5", "vitamin C" and a Chinese character are whole.
    """
    last = text.rpartition(" ")[2]
    return len(last) < min_last_word_letters and all(character.islower() for character in last)


def _plain(fields: Iterable[str]) -> Fields:
    """Names without boosts, each once; none where one of them means every field."""
    names = tuple(dict.fromkeys(name.partition("^")[0].strip() for name in fields))
    return () if "*" in names or not all(names) else names


def _in_filters(query: object) -> list[tuple[dict[str, object], list[Found]]]:
    """The clauses in filter context that hold words, each a query that stands by itself, with its words."""
    found = []
    for clause in _apart(query):
        words = [one for one in _texts([clause]) if one.standing is Standing.WORDS]
        if words:
            found.append((clause, words))
    return found


_OPENED: Mapping[str, Fields] = {"bool": ("must", "should", "filter"), "constant_score": ("filter",)}


def _apart(query: object, depth: int = 0, *, in_filter: bool = False) -> Iterator[dict[str, object]]:
    """What stands in the ``filter`` of a ``bool``, taken apart down to clauses that have a score of their own."""
    if not isinstance(query, dict) or depth > MAX_DEPTH:
        return
    for name, body in query.items():
        if in_filter and name not in _OPENED:
            yield {name: body}
        keys = _OPENED.get(name) or (KINDS[name].inner if name in KINDS else ())
        if not in_filter or name in _OPENED:
            for key in keys:
                for inner in _held(body, (key,)):
                    filters = in_filter or (name, key) == ("bool", "filter")
                    yield from _apart(inner, depth + 1, in_filter=filters)
