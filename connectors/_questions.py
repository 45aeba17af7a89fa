"""What the engine is asked about the indices of a search: always in the name of the client that searches.

An answer may serve other searches of the same client for a while, so that a question carries what says who asks, and
nothing that differs from search to search.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from connectors import _codings
from connectors._raw_json import RawJsonError, decode
from connectors.base import Headers, Question, Reply, Request

HOLDS_S = 60.0
"""Mappings and settings change seldom; one request a minute for an index is nothing to an engine."""
_OK = 200
_MAX_BYTES = 16 << 20
_INDEX_OPTIONS = ("ignore_unavailable", "allow_no_indices", "expand_wildcards")
_EVERYTHING = frozenset({"_all", "*"})
_OF_ONE_SEARCH = frozenset(
    {
        *("accept", "accept-encoding", "user-agent", "x-opaque-id", "x-elastic-client-meta", "x-request-id"),
        *("traceparent", "tracestate", "baggage", "sentry-trace", "b3", "x-amzn-trace-id", "elastic-apm-traceparent"),
        *("transfer-encoding", "if-none-match", "if-modified-since", "range", "origin", "referer", "cache-control"),
    }
)
_OF_ONE_SEARCH_PREFIXES = ("content-", "x-rerank", "x-b3-", "x-datadog-", "sec-")


def about(request: Request, target: str) -> Question:
    """What ``GET target`` is answered to the client that sent this request."""
    return Question(Request("GET", target, _identity(request.headers)), HOLDS_S)


def path_of(indices: tuple[str, ...], api: str, parameters: Mapping[str, str]) -> str | None:
    """The path of an API of these indices, read as the search reads them; None where it can't be asked for them.

    A search of everything is not asked about: the mappings of a whole cluster are more than they are worth. An index
    of another cluster can't be.
    """
    if not indices or _EVERYTHING & set(indices) or any(":" in name for name in indices):
        return None
    named = ",".join(quote(name, safe="*") for name in indices)
    options = urlencode({name: parameters[name] for name in _INDEX_OPTIONS if name in parameters})
    return f"/{named}/{api}?{options}" if options else f"/{named}/{api}"


def read(reply: Reply | None) -> Mapping[str, object] | None:
    """The object that the engine answered; None where it gave none, or an error."""
    if reply is None or reply.status != _OK:
        return None
    try:
        value = decode(_codings.decoded(reply.body, reply.header("content-encoding"), _MAX_BYTES))
    except (_codings.CodingError, RawJsonError):
        return None
    return value if isinstance(value, dict) else None


def _identity(headers: Headers) -> Headers:
    return tuple((name, value) for name, value in headers if not _differs(name.lower()))


def _differs(name: str) -> bool:
    return name in _OF_ONE_SEARCH or name.startswith(_OF_ONE_SEARCH_PREFIXES)
