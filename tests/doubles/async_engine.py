"""A small real server for searches that run on their own, as Elasticsearch and OpenSearch have them.

Its answers are shaped after "Submit async search", "Get async search", "Get async search status" and "Delete async
search" in the Elasticsearch 8 manual (elastic.co/guide/en/elasticsearch/reference/8.19/async-search.html), with the
header fields of ``TransportGetAsyncStatusAction``; and after "Asynchronous search" in the OpenSearch manual
(docs.opensearch.org/latest/search-plugins/async), with the states of ``AsynchronousSearchState``. The hits are made up:
the longer a text, the further down it stands.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from tests.doubles.raw_http import Conversation, Message, RawEngine

NODE_AND_TASK = "FnZ5QTVrSTZSaVN3WlNFVmtlWHJsdzoxMD"
SHARD_FAILURE = {"shard": 0, "reason": {"type": "illegal_argument_exception", "reason": "no"}}
_STARTED_MS, _EXPIRES_MS = 1583945890986, 1584377890986
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found"}
_ELASTICSEARCH = "/_async_search"
_BASES = (_ELASTICSEARCH, "/_plugins/_asynchronous_search", "/_opendistro/_asynchronous_search")


class Asked(NamedTuple):
    """A request as it reached the engine."""

    method: str
    path: str
    parameters: Mapping[str, str]
    body: Any
    message: Message

    @property
    def line(self) -> str:
        return self.message.start.decode()


class Answered(NamedTuple):
    """What is answered, before it is written."""

    status: int
    content: Mapping[str, Any]
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Search:
    """A search that was submitted, and what became of it."""

    id: str
    body: Mapping[str, Any]
    keeps: bool
    is_running: bool
    error: Mapping[str, Any] | None = None
    shard_failures: list[Mapping[str, Any]] = field(default_factory=list)
    partial_hits: int = 0


@dataclass
class AsyncEngine:
    """Searches end when the test says so, or at once."""

    runs_on: bool = True
    """Whether a search still runs when its submission is answered."""
    hits: int = 6
    max_window: int = 10_000
    asked: list[Asked] = field(default_factory=list)
    searches: dict[str, Search] = field(default_factory=dict)
    fails_on_shards: bool = False
    """Whether a shard can't do what is asked."""
    instead: bytes | None = None
    """Sent as the body of the next reply, whatever it would have been."""

    def server(self) -> RawEngine:
        return RawEngine(answer=self.converse)

    def end(self, **outcome: Any) -> None:
        """Every search that runs has ended, with its hits or as it is told."""
        for search in self.searches.values():
            search.is_running = False
            for name, value in outcome.items():
                setattr(search, name, value)

    async def converse(self, conversation: Conversation) -> None:
        await conversation.receive_body()
        asked = _read(conversation.request)
        self.asked.append(asked)
        answered = self.answer(asked)
        await conversation.send(_written(asked, answered, self.instead))
        self.instead = None

    def answer(self, asked: Asked) -> Answered:
        base = next(base for base in _BASES if base in asked.path)
        rest = asked.path.partition(base)[2].strip("/")
        if asked.method == "POST":
            return self.submit(asked, base)
        return Answered(200, {"nodes": {}}) if rest == "stats" else self.about(asked, base, rest)

    def about(self, asked: Asked, base: str, rest: str) -> Answered:
        """What is answered about one search."""
        named = rest.removeprefix("status/")
        if not named.startswith(NODE_AND_TASK):
            return _error(400, "illegal_argument_exception", f"invalid id: [{named}]")
        if named not in self.searches:
            return _error(404, "resource_not_found_exception", named)
        if asked.method == "DELETE":
            del self.searches[named]
            return Answered(200, {"acknowledged": True})
        return self.status(self.searches[named]) if named != rest else self.envelope(self.searches[named], base)

    def submit(self, asked: Asked, base: str) -> Answered:
        name = f"{NODE_AND_TASK}{len(self.asked)}=="
        keeps = asked.parameters.get("keep_on_completion") == "true"
        search = Search(name, asked.body, keeps, self.runs_on)
        if asked.body.get("from", 0) + asked.body.get("size", 10) > self.max_window:
            reason = f"Result window is too large, from + size must be less than or equal to: [{self.max_window}] but"
            search.error = {"type": "illegal_argument_exception", "reason": reason}
        if self.fails_on_shards:
            search.shard_failures = [SHARD_FAILURE]
        if self.runs_on or keeps:
            self.searches[name] = search
        return self.envelope(search, base)

    def envelope(self, search: Search, base: str) -> Answered:
        kept = search.is_running or search.keeps
        shown: dict[str, Any] = {"id": search.id} if kept else {}
        fails = search.error is not None and not search.is_running
        if base == _ELASTICSEARCH:
            shown |= {"is_partial": search.is_running or fails, "is_running": search.is_running}
        else:
            shown |= {"state": "RUNNING" if search.is_running else "FAILED" if fails else "SUCCEEDED"}
        shown |= {"start_time_in_millis": _STARTED_MS, "expiration_time_in_millis": _EXPIRES_MS}
        if fails:
            error = {"root_cause": [search.error], **(search.error or {})}
            return Answered(400 if base == _ELASTICSEARCH else 200, shown | {"error": error}, _headers(search, base))
        return Answered(200, shown | {"response": self.response(search)}, _headers(search, base))

    def response(self, search: Search) -> dict[str, Any]:
        start, size = search.body.get("from", 0), search.body.get("size", 10)
        found = [_hit(number, search.body) for number in range(self.hits)]
        shown = found[: search.partial_hits] if search.is_running else found[start : start + size]
        shards: dict[str, Any] = {"total": 3, "successful": 3 - len(search.shard_failures), "skipped": 0}
        shards["failed"] = len(search.shard_failures)
        if search.shard_failures:
            shards["failures"] = search.shard_failures
        relation = "gte" if search.is_running else "eq"
        best = shown[0]["_score"] if shown else None
        hits = {"total": {"value": self.hits, "relation": relation}, "max_score": best, "hits": shown}
        return {"took": 12, "timed_out": False, "_shards": shards, "hits": hits, "aggregations": {"n": {"value": 1.0}}}

    def status(self, search: Search) -> Answered:
        shown = {"id": search.id, "is_running": search.is_running, "is_partial": search.is_running}
        shown |= {"start_time_in_millis": _STARTED_MS, "expiration_time_in_millis": _EXPIRES_MS}
        shown |= {"_shards": {"total": 3, "successful": 1, "skipped": 0, "failed": 0}}
        completion = {} if search.is_running else {"completion_status": 200}
        return Answered(200, shown | completion, _headers(search, _ELASTICSEARCH))


def _hit(number: int, body: Mapping[str, Any]) -> dict[str, Any]:
    text = "x" * (number + 1)
    hit = {"_index": "i", "_id": str(number), "_score": 9.0 - number / 10}
    source = {} if body.get("_source") is False else {"_source": {"title": text, "big": 12345678901234567890123}}
    return hit | source | ({"fields": {"title": [text]}} if "fields" in body else {})


def _headers(search: Search, base: str) -> tuple[tuple[str, str], ...]:
    if base != _ELASTICSEARCH or not (search.is_running or search.keeps):
        return ()
    running = "?1" if search.is_running else "?0"
    return (("X-Elasticsearch-Async-Id", search.id), ("X-Elasticsearch-Async-Is-Running", running))


def _error(status: int, kind: str, reason: str) -> Answered:
    cause = {"type": kind, "reason": reason}
    return Answered(status, {"error": {"root_cause": [cause], **cause}, "status": status})


def _read(message: Message) -> Asked:
    method, target, _ = message.start.decode().split(" ")
    path, _, query = target.partition("?")
    body = gzip.decompress(message.body) if message.values(b"Content-Encoding") == [b"gzip"] else message.body
    return Asked(method, unquote(path), dict(parse_qsl(query)), json.loads(body or b"{}"), message)


def _written(asked: Asked, answered: Answered, instead: bytes | None) -> bytes:
    pretty = asked.parameters.get("pretty") == "true"
    form: dict[str, Any] = {"indent": 2, "separators": (",", " : ")} if pretty else {"separators": (",", ":")}
    body = json.dumps(answered.content, **form).encode() if instead is None else instead
    headers = [("Content-Type", "application/json"), *answered.headers]
    if any(b"gzip" in value for value in asked.message.values(b"Accept-Encoding")):
        body = gzip.compress(body)
        headers.append(("Content-Encoding", "gzip"))
    headers.append(("Content-Length", str(len(body))))
    start = f"HTTP/1.1 {answered.status} {_REASONS[answered.status]}"
    return "\r\n".join([start, *map(": ".join, headers), "", ""]).encode() + body
