"""A small real server for OpenSearch's search pipelines, which the test node has no processors for.

Its answers are shaped after "Retrieving search pipelines", "Using a search pipeline" (default pipelines), "Rerank
processor", "Truncate hits processor" and "Rename field processor" in the OpenSearch 3.5 manual
(docs.opensearch.org/latest/search-plugins/search-pipelines). The hits are made up: the longer a text, the further down
it stands; a reranker of the engine's own turns the page round.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.doubles.raw_http import Conversation, RawEngine

HITS = 9
SETTINGS = "_settings/index.search.default_pipeline"
Hits = list[dict[str, Any]]


@dataclass
class PipedEngine:
    """One index, ``i``, of nine documents."""

    pipelines: dict[str, Any] = field(default_factory=dict)
    default: str | None = None
    """The pipeline of the index."""
    forbids: tuple[str, ...] = ()
    """Starts of paths that the client has no right to."""
    paths: list[str] = field(default_factory=list)
    """What was asked for but searches, in order."""

    def server(self) -> RawEngine:
        return RawEngine(answer=self.converse)

    async def converse(self, conversation: Conversation) -> None:
        await conversation.receive_body()
        method, target, _ = conversation.request.start.decode().split(" ")
        path, _, query = target.partition("?")
        if method == "GET":
            self.paths.append(path)
        status, content = self.answer(unquote(path), dict(parse_qsl(query)), conversation.request.body)
        body = json.dumps(content, separators=(",", ":")).encode()
        head = f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: application/json\r\n"
        await conversation.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def answer(self, path: str, parameters: Mapping[str, str], body: bytes) -> tuple[HTTPStatus, Any]:
        if any(path.startswith(start) for start in self.forbids):
            return HTTPStatus.FORBIDDEN, {"error": {"type": "security_exception"}, "status": 403}
        if path == f"/i/{SETTINGS}":
            return HTTPStatus.OK, {"i": {"settings": _nested("index.search.default_pipeline", self.default)}}
        if path.startswith("/_search/pipeline/"):
            name = path.rpartition("/")[2]
            return (
                (HTTPStatus.OK, {name: self.pipelines[name]}) if name in self.pipelines else (HTTPStatus.NOT_FOUND, {})
            )
        return HTTPStatus.OK, self.search(parameters, json.loads(body))

    def search(self, parameters: Mapping[str, str], body: Mapping[str, Any]) -> Any:
        """The page, after all that the pipeline does to it."""
        start, size = body.get("from", 0), body.get("size", 10)
        found = [_hit(number) for number in range(HITS)][start : start + size]
        named = parameters.get("search_pipeline", self.default or "_none")
        for processor in self.pipelines.get(named, {}).get("response_processors", []):
            for kind, settings in processor.items():
                found = _PROCESSORS[kind](found, settings)
        return {"hits": {"total": {"value": HITS, "relation": "eq"}, "max_score": 9.0, "hits": found}}


def _nested(path: str, value: object) -> Any:
    for key in reversed(path.split(".")):
        value = {key: value} if value is not None else {}
    return value


def _hit(number: int) -> dict[str, Any]:
    source = {"title": "x" * (number + 1), "code": "z" * (20 - number)}
    return {"_index": "i", "_id": str(number), "_score": 9.0 - number / 10, "_source": source}


def _rerank(found: Hits, _: Any) -> Hits:
    return found[::-1]


def _truncate(found: Hits, settings: Any) -> Hits:
    return found[: settings["target_size"]]


def _rename(found: Hits, settings: Any) -> Hits:
    for hit in found:
        hit["_source"][settings["target_field"]] = hit["_source"].pop(settings["field"])
    return found


_PROCESSORS: Mapping[str, Callable[[Hits, Any], Hits]] = {
    "rerank": _rerank,
    "truncate_hits": _truncate,
    "rename_field": _rename,
}
