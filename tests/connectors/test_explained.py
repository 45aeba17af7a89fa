"""A member added to an engine's reply, and nothing else changed."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from connectors.base import Reply
from connectors.explained import MEMBER, with_explanation
from tests.connectors.replies import reply

LIMIT = 1_000
ODD = b'{ "took" : 1e-7, "hits":{"\\u00e4":[12345678901234567890, 1.0 ]}, "d\\ud83d": null\n}\n'


@pytest.mark.parametrize("body", [b"{}", b"{ }", b'{"a":1}', ODD], ids=["empty", "space", "one", "odd"])
@pytest.mark.parametrize("coding", [None, "gzip"])
def test_a_member_more(body: bytes, coding: str | None) -> None:
    """Taking the member out again leaves every byte as the engine wrote it, and length and coding fit the body."""
    explained = with_explanation(reply(body, coding=coding), {"why": ["ä"]}, LIMIT)
    assert explained is not None
    assert explained.header("content-length") == str(len(explained.body))
    assert explained.header("content-encoding") == coding
    assert explained.header("x-own") == "1"
    content = gzip.decompress(explained.body) if coding else explained.body
    assert json.loads(content)[MEMBER] == {"why": ["ä"]}
    added = b'"rerank_bridge":{"why":["\xc3\xa4"]}'
    assert body in (content.replace(b"," + added, b""), content.replace(added, b""))


def test_a_reply_without_a_length_gets_one() -> None:
    """A chunked reply is whole by now, so that its length is said and its framing is not."""
    chunked = Reply(200, "OK", (("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")), b"{}")
    explained = with_explanation(chunked, 1, LIMIT)
    assert explained is not None
    assert [name for name, _ in explained.headers] == ["Content-Type", "Content-Length"]


@pytest.mark.parametrize(
    "answer",
    [
        reply(b'{"error":{}}', status=404),
        reply(b"", status=204),
        reply(b'{"hits":'),
        reply(b"[]"),
        reply(b'{"a":1,"a":2}'),
        reply(b'{"a":"' + b"x" * LIMIT + b'"}'),
        reply(b'{"a":"' + b"x" * LIMIT + b'"}', coding="gzip"),
        Reply(200, "OK", (("Content-Type", "application/yaml"),), b"{}"),
        Reply(200, "OK", (), b"{}"),
        Reply(200, "OK", (("Content-Type", "application/json"), ("Content-Encoding", "br")), b"{}"),
        Reply(200, "OK", (("Content-Type", "application/json"), ("Content-Encoding", "deflate")), zlib.compress(b"{")),
    ],
)
def test_what_can_not_have_a_member(answer: Reply) -> None:
    """Errors, what is no JSON object or can't be read, and what is too large have no explanation."""
    assert with_explanation(answer, 1, LIMIT) is None
