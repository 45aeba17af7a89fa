"""Systems that answer searches from given hits, on real sockets."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bridge.replay.http_client import Target
from bridge.replay.runner import System
from tests.doubles.raw_http import Conversation, RawEngine


def page(ids: Sequence[str], **members: object) -> bytes:
    """The body of a reply with these hits."""
    hits = [
        {"_index": "i", "_id": name, "_score": 9.0 - place, "_source": {"sku": "x", "title": f"Title {name}"}}
        for place, name in enumerate(ids)
    ]
    total = {"value": len(ids), "relation": "eq"}
    return json.dumps({"took": 1, "hits": {"total": total, "hits": hits}, **members}).encode()


def http(body: bytes, *fields: str, status: str = "200 OK") -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields])
    return head.encode() + b"\r\n\r\n" + body


def system(engine: RawEngine, name: str = "direct", timeout_s: float = 20.0) -> System:
    return System(name, Target("127.0.0.1", engine.port), timeout_s)


async def nothing(conversation: Conversation) -> None:
    """Never answers."""
    await conversation.client_left()
