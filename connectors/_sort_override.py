"""A search that is sorted by something else than score, fetched by score so that it can be reranked.

The score is asked for as the first key, before the client's own: each hit then still carries the values of the client's
keys, byte for byte, behind one value that is taken out again. Source: "Sort search results", Elasticsearch 8 and
OpenSearch 2 manuals: with a sort, ``_score`` and ``max_score`` are null unless ``track_scores`` is set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from connectors._raw_json import elements

_BY_SCORE = b'{"_score":{"order":"desc"}}'
_EXPORTS = ("_doc", "_shard_doc")
"""First keys of searches that want every hit once; behind others they break ties, as in Discover of Kibana."""
_DEPENDS_ON_ORDER = ("collapse", "terminate_after")


def is_possible(asks: Callable[[str], bool], keys: Sequence[object]) -> bool:
    """Whether the order alone would change: not which hit stands for a group, nor which hits are looked at."""
    names = [name for key in keys for name in (key if isinstance(key, dict) else [key])]
    stays = "_score" in names or any(name in _EXPORTS for name in names[:1])  # a score has its place there on purpose
    return not stays and not any(map(asks, _DEPENDS_ON_ORDER))


def by_score_first(sort: bytes | None) -> msgspec.Raw:
    """The ``sort`` of a body with the score before its keys, whose bytes stay as they are."""
    if sort is None or sort == b"null":
        own = []
    else:
        own = [key.of(sort) for key in elements(sort)] if sort.startswith(b"[") else [sort]
    return msgspec.Raw(b"[%b]" % b",".join([_BY_SCORE, *own]))
