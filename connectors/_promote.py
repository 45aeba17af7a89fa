"""A user's words that stand in filter context alone, where they select and don't rank: made to rank as well.

Dashboards and Kibana put what is typed in KQL into ``bool.filter``, so that every hit scores the same and the rerank
window would be the first hits of the index. The promoted query keeps the whole query as its only ``must`` and adds the
words as ``should``: the same hits match, and the score is what the query gave plus what the words give. Sources: "Query
and filter context" and "Boolean query", Elasticsearch 8 and OpenSearch 2 manuals; ``buildOpenSearchQuery`` and
``kuery/functions`` in OpenSearch Dashboards, ``src/plugins/data/common/opensearch_query``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from connectors._clauses import KINDS, Standing
from connectors.query_text import MAX_DEPTH

Clause = Mapping[str, object]

_NESTED_KEYS = ("path", "ignore_unmapped")

_CHANGES_WITH_SCORES = ("collapse", "explain", "min_score", "profile", "terminate_after")
"""Members of a search body that make more than the order depend on the scores."""
_READS_SCORES = (b'"top_hits"', b'"top_metrics"', b'sampler"', b"_score")
"""In aggregations: kinds that take the best hits, and scripts and sorts that name the score."""


class _Leaf(NamedTuple):
    clause: Clause
    scores: bool


def clauses(query: object) -> list[Clause]:
    """The clauses with a user's words, each as it can stand alone; none where some words rank already."""
    found = list(_leaves(query, scores=True, wrap=_as_it_is, depth=0))
    return [] if any(leaf.scores for leaf in found) else [leaf.clause for leaf in found]


def words(unscored: Sequence[Clause]) -> Clause:
    """A query that says what these clauses say, all of them scoring."""
    return {"bool": {"should": unscored}}


def promoted(query: bytes, unscored: Sequence[Clause]) -> msgspec.Raw:
    """The query, its bytes as they came, that the clauses rank as well. ``minimum_should_match``: none has to match."""
    added = msgspec.json.encode(unscored)
    return msgspec.Raw(b'{"bool":{"must":[%b],"should":%b,"minimum_should_match":0}}' % (query, added))


def is_possible(asks: Callable[[str], bool], aggregations: Iterable[object]) -> bool:
    """Whether total, aggregations and the set of hits stay the same when hits score otherwise."""
    written = [msgspec.json.encode(asked) for asked in aggregations]
    reads_scores = any(name in asked for asked in written for name in _READS_SCORES)
    return not reads_scores and not any(map(asks, _CHANGES_WITH_SCORES))


_Wrap = Callable[[Clause], Clause]


def _as_it_is(clause: Clause) -> Clause:
    return clause


def _leaves(query: object, *, scores: bool, wrap: _Wrap, depth: int) -> Iterator[_Leaf]:
    if not isinstance(query, dict) or depth > MAX_DEPTH:
        return
    for kind, body in query.items():
        if not isinstance(body, dict):
            continue
        if kind not in _INNER:
            if _has_words(kind, body):
                yield _Leaf(wrap({kind: body}), scores)
            continue
        inside = _in_nested(body, wrap) if kind == "nested" else wrap
        for key, ranks in _INNER[kind].items():
            for inner in _listed(body.get(key)):
                if not (kind == "bool" and not ranks and _is_pill(inner)):
                    yield from _leaves(
                        inner, scores=scores and ranks and _joins_scores(body), wrap=inside, depth=depth + 1
                    )


def _has_words(kind: str, body: Clause) -> bool:
    """Whether it is a clause with words that are typed out."""
    words = KINDS[kind].words if kind in KINDS else None
    return words is not None and any(found.text and found.standing is Standing.WORDS for found in words(body))


def _in_nested(body: Clause, outer: _Wrap) -> _Wrap:
    """The clause inside of its own ``nested``, without ``inner_hits``: these stay those of the client's clause."""
    kept = {key: body[key] for key in _NESTED_KEYS if key in body}
    return lambda clause: outer({"nested": {**kept, "query": clause, "score_mode": "max"}})


def _joins_scores(body: Clause) -> bool:
    """False for ``nested`` with ``score_mode: none``, whose words only select."""
    return body.get("score_mode") != "none"


def _is_pill(query: object) -> bool:
    """Whether it is a filter that was picked in Dashboards or Kibana, "is" or "is one of", and not what was typed.

    KQL wraps a phrase by itself. Source: ``buildPhraseFilter`` and ``buildPhrasesFilter`` of both.
    """
    if _phrase_field(query) is not None:
        return True
    asked = query.get("bool") if isinstance(query, dict) else None
    phrases = _listed(asked.get("should")) if isinstance(asked, dict) else []
    fields = [_phrase_field(phrase) for phrase in phrases]
    return len(fields) > 1 and fields[0] is not None and fields.count(fields[0]) == len(fields)


def _phrase_field(query: object) -> str | None:
    """The field of a ``match_phrase`` clause."""
    phrase = query.get("match_phrase") if isinstance(query, dict) else None
    return next(iter(phrase), None) if isinstance(phrase, dict) else None


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


_INNER: Mapping[str, Mapping[str, bool]] = {
    "bool": {"must": True, "should": True, "filter": False},
    "constant_score": {"filter": False},
    "dis_max": {"queries": True},
    "function_score": {"query": True},
    "script_score": {"query": True},
    "boosting": {"positive": True},
    "nested": {"query": True},
}
"""Compound clauses -> keys of the queries they hold, and whether these rank. ``must_not`` says what is not meant."""
