"""What the engine is asked before a search is planned: in whose name, where, and how the answer is read."""

from __future__ import annotations

import gzip

import pytest

from connectors._questions import HOLDS_S, Asker, path_of, read
from connectors.base import Question, Reply, Request

JSON = (("Content-Type", "application/json"),)


def test_a_question_says_who_asks_and_nothing_of_the_search() -> None:
    """Credentials, cookies and what a proxy may go by travel on; what differs from search to search does not."""
    kept = (
        ("Authorization", "Basic x"),
        ("Cookie", "s=1"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Tenant", "a"),
        ("es-security-runas-user", "y"),
    )
    dropped = (
        ("Content-Type", "application/json"),
        ("Content-Length", "3"),
        ("Accept", "application/vnd.elasticsearch+json"),
        ("Accept-Encoding", "gzip"),
        ("X-Opaque-Id", "7"),
        ("traceparent", "00-1"),
        ("tracestate", "a=b"),
        ("User-Agent", "x"),
        ("X-Elastic-Client-Meta", "es=8"),
        ("X-Rerank", "on"),
        ("X-Rerank-Instruction", "i"),
    )
    search = Request("POST", "/i/_search", (*dropped, *kept), b"{}")
    question = Question(Request("GET", "/i/_mapping", kept), HOLDS_S)
    assert Asker(search, ("i",), {}, {}).ask_indices("_mapping") == question
    answered = Asker(search, ("i",), {}, {question: Reply(200, "OK", JSON, b'{"i":1}')})
    assert answered.ask_indices("_mapping") == {"i": 1}
    assert Asker(search, (), {}, {}).ask_indices("_mapping") is None


@pytest.mark.parametrize(
    ("indices", "parameters", "path"),
    [
        (("i",), {}, "/i/_mapping"),
        (("a", "b*", "-c"), {}, "/a,b*,-c/_mapping"),
        (("a b/c", "<logs-{now/d}>"), {}, "/a%20b%2Fc,%3Clogs-%7Bnow%2Fd%7D%3E/_mapping"),
        (("i",), {"ignore_unavailable": "true", "size": "3"}, "/i/_mapping?ignore_unavailable=true"),
        ((), {}, None),
        (("_all",), {}, None),
        (("*",), {}, None),
        (("remote:i",), {}, None),
        (("i", "*:j"), {}, None),
    ],
)
def test_the_path(indices: tuple[str, ...], parameters: dict[str, str], path: str | None) -> None:
    """Indices are named as the search names them; all of them, and those of another cluster, are not asked about."""
    assert path_of(indices, "_mapping", parameters) == path


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (Reply(200, "OK", JSON, b'{"i":1}'), {"i": 1}),
        (Reply(200, "OK", (*JSON, ("Content-Encoding", "gzip")), gzip.compress(b'{"i":1}')), {"i": 1}),
        (Reply(200, "OK", (*JSON, ("Content-Encoding", "gzip")), b"x"), None),
        (Reply(200, "OK", JSON, b"[]"), None),
        (Reply(200, "OK", JSON, b"{"), None),
        (Reply(403, "Forbidden", JSON, b"{}"), None),
        (Reply(404, "Not Found", JSON, b'{"i":1}'), None),
        (None, None),
    ],
)
def test_the_answer(reply: Reply | None, value: object) -> None:
    """An object, compressed or not; an error and no answer say nothing."""
    assert read(reply) == value
