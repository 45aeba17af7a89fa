"""``rerank-bridge explain``: what would be made of a search, without running it.

No engine is asked and no model loaded. What the bridge would ask the engine first (mappings, rendered templates) stays
unknown, so that a running bridge may know better; those requests are named.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bridge.errors import DataError
from bridge.explanation import SearchExplained, read
from connectors.base import (
    Connector,
    ExchangePlan,
    PassThrough,
    Policy,
    Question,
    Questions,
    Request,
    SearchPlan,
)
from connectors.elasticsearch import Elasticsearch
from connectors.opensearch import OpenSearch
from connectors.solr import Solr

STANDARD_INPUT = "-"
_MAX_ROUNDS = 4  # of questions, as in an exchange
_CONNECTORS: Mapping[str, Callable[[], Connector]] = {
    "opensearch": OpenSearch,
    "elasticsearch": Elasticsearch,
    "solr": Solr,
}
_JSON, _LINES = "application/json", "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Job:
    """What is asked."""

    request: Request
    engine: str
    """``auto`` reads as OpenSearch does."""


class Sent(msgspec.Struct, frozen=True):
    """The request that would go to the engine in the client's place."""

    method: str
    target: str
    body: msgspec.Raw | str
    """A JSON body as it is, else its text."""


class Planned(msgspec.Struct, frozen=True, omit_defaults=True):
    """What would be made of a request."""

    engine: str
    request: str
    is_search: bool
    """Whether the bridge looks at it at all."""
    searches: tuple[SearchExplained, ...] = ()
    unknown: tuple[str, ...] = ()
    """What the engine would be asked first."""
    sends: Sent | None = None


def request_of(file: str | None, index: str, path: str | None, engine: str = "auto") -> Request:
    """The request of a file's body, ``-`` being standard input. Raises ``DataError`` where it can't be read.

    Without a path, lines of JSON are an ``_msearch`` and all else a ``_search``; Solr has ``select`` for a body.
    """
    body = _read(file) if file is not None else b""
    several = _is_several(body)
    own = [index] if index else []
    names = ["solr", *own, "select"] if engine == "solr" else [*own, "_msearch" if several else "_search"]
    target = path or "/".join(names)
    target = target if target.startswith("/") else f"/{target}"
    headers = (("Content-Type", _LINES if several else _JSON),) if body else ()
    return Request("POST" if body else "GET", target, headers, body)


def planned(job: Job, policy_of: Callable[[tuple[str, ...]], Policy]) -> Planned:
    """What would be made of a request. Raises whatever a connector does, which is a mistake."""
    name = "opensearch" if job.engine == "auto" else job.engine
    connector, request = _CONNECTORS[name](), job.request
    line = f"{request.method} {request.target}"
    if not connector.is_search(request.method, request.path):
        return Planned(name, line, is_search=False)
    answers: dict[Question, None] = {}
    for _ in range(_MAX_ROUNDS):
        plan = connector.plan(request, policy_of, answers)
        if not isinstance(plan, Questions):
            break
        answers |= dict.fromkeys(plan.questions)
    unknown = tuple(f"{question.request.method} {question.request.target}" for question in answers)
    if isinstance(plan, ExchangePlan):
        searches = tuple(map(_search, plan.searches))
        return Planned(name, line, is_search=True, searches=searches, unknown=unknown, sends=_sent(plan.request))
    skipped = (_search(plan),) if isinstance(plan, PassThrough) else ()
    return Planned(name, line, is_search=True, searches=skipped, unknown=unknown)


def as_json(found: Planned) -> str:
    """One object, indented."""
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()


def as_text(found: Planned) -> Iterator[str]:
    """Lines for a person to read."""
    yield f"{found.request}, as {found.engine} reads it"
    if not found.is_search:
        yield "  no search that the bridge looks at: passed through untouched"
    for number, search in enumerate(found.searches, start=1):
        yield from ["", f"search {number}"] if len(found.searches) > 1 else [""]
        for name, value in _facts(search):
            yield f"  {name:<12}{value}"
    if found.unknown:
        yield from [
            "",
            "not asked here, though a bridge would ask the engine:",
            *(f"  {line}" for line in found.unknown),
        ]
    if found.sends is not None:
        yield from ["", "sent to the engine:", f"  {found.sends.method} {found.sends.target}"]
        yield from (f"  {line}" for line in _body_lines(found.sends.body))


def _facts(search: SearchExplained) -> Iterator[tuple[str, str]]:
    if search.reason is not None:
        yield "skipped", f"{search.reason.value}: {search.because}"
    if search.query_text is None:
        return
    if search.reason is None:
        yield "reranked", "unless the reply gives a reason not to"
    yield "words", search.query_text
    yield "fields", ", ".join(search.fields or ()) or "every text that a hit shows"
    yield "indices", ", ".join(search.indices) or "all"
    yield "page", f"from {search.start}, size {search.size}"
    yield "window", f"{search.window} hits"
    if search.instruction:
        yield "instruction", search.instruction


def _body_lines(body: msgspec.Raw | str) -> list[str]:
    return (body if isinstance(body, str) else msgspec.json.format(bytes(body), indent=2).decode()).splitlines()


def _search(search: SearchPlan | PassThrough) -> SearchExplained:
    if isinstance(search, PassThrough):
        return read(search.read or search, search.reason)
    return read(search, None, search.policy.instruction)


def _sent(request: Request) -> Sent:
    body = request.body
    return Sent(request.method, request.target, msgspec.Raw(body) if _is_json(body) else body.decode(errors="replace"))


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).read_bytes()
    except OSError as error:
        raise DataError(file, error.strerror or "can't be read") from error


def _is_several(body: bytes) -> bool:
    """Whether this is lines of JSON, two at least, and not one value over several lines."""
    lines = [line for line in body.splitlines() if line.strip()]
    return len(lines) > 1 and not _is_json(body) and all(map(_is_json, lines))


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True
