"""A small engine behind the exchange: records what it is asked, and answers with so many hits, or what it is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.errors import ReplyTooLargeError
from connectors.base import Reply, Request

JSON = (("Content-Type", "application/json"),)
TOO_LARGE_A_WINDOW = (
    "Result window is too large, from + size must be less than or equal to: [{}] but was [{}]. See the scroll api"
)


def search_request(path: str = "/index/_search", /, **members: Any) -> Request:
    body = {"query": {"match": {"title": "quick fox"}}, **members}
    return Request("POST", path, JSON, json.dumps(body).encode())


def json_reply(content: object, status: int = 200) -> Reply:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Reply(status, "OK", (("X-Own", "1"), *JSON), body)


def refusal(limit: int, asked: int) -> Reply:
    reason = TOO_LARGE_A_WINDOW.format(limit, asked)
    return json_reply({"error": {"type": "illegal_argument_exception", "reason": reason}, "status": 400}, 400)


@dataclass
class SmallSender:
    """Hits have texts of growing length, so a model that likes long texts turns their order round."""

    hits: int = 5
    answers: list[Reply | Exception] = field(default_factory=list)
    max_window: int | None = None
    requests: list[Request] = field(default_factory=list)

    async def send(self, request: Request, *, limit_bytes: int) -> Reply:
        if request.method == "GET":  # a question about the index, which does not say
            return json_reply(b"", 404)
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else self.page(request)
        if isinstance(answer, Exception):
            raise answer
        if len(answer.body) > limit_bytes:
            raise ReplyTooLargeError(limit_bytes)
        return answer

    def page(self, request: Request) -> Reply:
        """What the engine answers to a search of any page."""
        body = json.loads(request.body)
        start, size = body.get("from", 0), body.get("size", 10)
        if self.max_window is not None and start + size > self.max_window:
            return refusal(self.max_window, start + size)
        found = [self.hit(number) for number in range(self.hits)]
        total = {"value": self.hits, "relation": "eq"}
        return json_reply({"hits": {"total": total, "max_score": 9.0, "hits": found[start : start + size]}, "took": 1})

    def hit(self, number: int) -> dict[str, Any]:
        return {"_id": str(number), "_score": 9.0 - number / 10, "_source": {"title": "x" * (number + 1)}}

    @property
    def windows(self) -> list[int]:
        """The size of each request."""
        return [json.loads(request.body)["size"] for request in self.requests]


def shown(reply: Reply) -> list[int]:
    """The hits of a reply by their number, in the order shown."""
    return [int(hit["_id"]) for hit in json.loads(reply.body)["hits"]["hits"]]


def scores(reply: Reply) -> Sequence[float]:
    return [hit["_score"] for hit in json.loads(reply.body)["hits"]["hits"]]
