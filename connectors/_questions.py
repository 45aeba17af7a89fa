"""What the engine is asked about the indices of a search: always in the name of the client that searches.

An answer may serve other searches of the same client for a while, so that a question carries what says who asks, and
nothing that differs from search to search.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from connectors import _codings
from connectors._raw_json import RawJsonError, decode
from connectors.base import Answers, Headers, Question, Reply, Request

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


@dataclass(frozen=True, slots=True)
class Asker:
    """A client and the indices that it searches, with what is known of them already."""

    request: Request
    indices: tuple[str, ...]
    """Names and patterns; none where the search goes to all of them, or to others than its path says."""
    parameters: Mapping[str, str]
    """Of the search's URL."""
    answers: Answers

    def ask(self, target: str) -> Mapping[str, object] | Question | None:
        """The object that ``GET target`` is answered; None where it is another answer, or none at all."""
        answer = self.answer_of(target)
        return answer if isinstance(answer, Question) else read(answer)

    def ask_indices(self, api: str) -> Mapping[str, object] | Question | None:
        """The same for an API of the indices; None as well where it can't be asked for them."""
        answer = self.answer_of_indices(api)
        return answer if isinstance(answer, Question) else read(answer)

    def answer_of_indices(self, api: str) -> Reply | Question | None:
        """The same, unread: for answers that are read once and not for each search."""
        path = path_of(self.indices, api, self.parameters)
        return self.answer_of(path) if path is not None else None

    def answer_of(self, target: str) -> Reply | Question | None:
        """What ``GET target`` is answered, unread; the question where that is not known yet."""
        question = Question(Request("GET", target, _identity(self.request.headers)), HOLDS_S)
        return self.answers.get(question, question)


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
