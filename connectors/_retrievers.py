"""A search body -> the queries that make up its score: ``query``, ``knn``, ``sub_searches`` or a tree of retrievers.

Each kind of retriever stands in ``INNER`` with the keys of the retrievers that it holds. Sources: "Retrievers",
Elasticsearch 8.14 to 9.3; "Search API" (``knn``, ``sub_searches``, ``rank``), Elasticsearch 8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connectors.base import Reason

MAX_DEPTH = 20  # retrievers within retrievers

INNER: Mapping[str, tuple[str, ...]] = {
    "standard": (),
    "knn": (),
    "rrf": ("retrievers",),
    "linear": ("retrievers",),
    "rescorer": ("retriever",),
    "pinned": ("retriever",),
    "rule": ("retriever",),
    "diversify": ("retriever",),  # takes hits out, and leaves the others in their order
}
"""What is not there orders hits in a way of its own: ``text_similarity_reranker``, ``random_reranker``."""


class _UnreadError(Exception):
    """The tree can't be read; ends the reading from wherever that is found out."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def queries_of(search: Mapping[str, object]) -> list[object] | Reason:
    """The queries whose scores order the hits, in their order, or why they are not read."""
    if "retriever" not in search:
        beside = _each(search.get("knn"))
        sub_searches = [one.get("query") for one in _each(search.get("sub_searches")) if isinstance(one, dict)]
        return [search.get("query"), *sub_searches, *({"knn": knn} for knn in beside if knn is not None)]
    try:
        return list(_in_tree(search["retriever"]))
    except _UnreadError as unread:
        return unread.reason


def _in_tree(retriever: object, depth: int = 0) -> Iterator[object]:
    if not isinstance(retriever, dict) or depth > MAX_DEPTH:
        raise _UnreadError(Reason.RETRIEVER)
    for kind, body in retriever.items():
        if kind not in INNER or not isinstance(body, dict):
            raise _UnreadError(Reason.RETRIEVER)
        if "learning_to_rank" in _rescorers(body):
            raise _UnreadError(Reason.RESCORE)
        yield from _own_queries(kind, body)
        for key in INNER[kind]:
            for inner in _each(body.get(key, [])):
                yield from _in_tree(_unwrapped(inner), depth + 1)


def _own_queries(kind: str, body: Mapping[str, object]) -> Iterator[object]:
    if kind == "standard":
        yield body.get("query")
    elif kind == "knn":
        yield {"knn": body}
    elif "query" in body:  # one query for all fields of an rrf or linear retriever
        yield {"multi_match": {"query": body["query"], "fields": body.get("fields", [])}}


def _unwrapped(inner: object) -> object:
    """A retriever that stands beside its weight or normalizer."""
    return inner["retriever"] if isinstance(inner, dict) and "retriever" in inner else inner


def _rescorers(body: Mapping[str, object]) -> set[str]:
    return {kind for rescorer in _each(body.get("rescore")) if isinstance(rescorer, dict) for kind in rescorer}


def _each(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
