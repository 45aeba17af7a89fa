"""Which hits a model may not move, and which searches mean more than words: as the engine and the configuration say."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from connectors.fields import Leaves, path_in

_ID = "_id"
_HIGHEST_ORGANIC_SCORE = 2.0**127
"""Of hits that are not pinned, in Elasticsearch, which gives each pinned one more: ``pinned`` and ``rule`` queries and
retrievers. Source: ``PinnedQueryBuilder``, Elasticsearch 7.4 to 9; OpenSearch pins nothing."""

BOOSTS = frozenset({"function_score", "script_score", "rank_feature", "distance_feature", "boosting"})
"""Clauses that raise documents, or lower them, by more than words. Source: "Compound queries" and "Specialized
queries", Elasticsearch 8 and OpenSearch 2 manuals."""


def is_pinned(score: float) -> bool:
    """Whether the engine was told to put a hit with this first-stage score where it stands."""
    return score > _HIGHEST_ORGANIC_SCORE


def exact_names(exact_fields: Iterable[str]) -> list[str]:
    """Those of the configured fields that have to be fetched: a hit's id comes with it."""
    return [name for name in exact_fields if name != _ID]


def is_exact(document: Leaves, hit_id: object, exact_fields: Sequence[str], query_text: str) -> bool:
    """Whether one value of these fields is the query text, but for case, white space and ways to write a sign."""
    wanted = _plain(query_text)
    paths = [path for name in exact_names(exact_fields) if (path := path_in(document, name)) is not None]
    values = [value for path in paths for value in document[path]] + ([hit_id] if _ID in exact_fields else [])
    return any(_plain(str(value)) == wanted for value in values if not isinstance(value, bool) and value is not None)


def _plain(text: str) -> str:
    """In Unicode's normal form for comparing without case: NFKC_Casefold, Unicode 15, section 3.13."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())
