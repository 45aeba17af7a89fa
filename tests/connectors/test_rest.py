"""Paths of searches, the error envelope, versions, and names with wildcards."""

from __future__ import annotations

import gzip
import json

import pytest

from connectors._search_reply import parse_reply
from connectors._wildcard import matches
from connectors.base import PassThrough, Policy, Reply, Request
from connectors.elasticsearch import Elasticsearch
from connectors.opensearch import OpenSearch
from tests.connectors.replies import planned

JSON = (("Content-Type", "application/json"),)
REFUSED = (
    b'{"error":{"root_cause":[{"type":"illegal_argument_exception","reason":"Result window is too large, from + size '
    b'must be less than or equal to: [50] but was [100]. See the scroll api for a more efficient way"}]},"status":400}'
)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/_search", True),
        ("POST", "/_search", True),
        ("POST", "/index/_search", True),
        ("POST", "/a,b*,-c/_search", True),
        ("POST", "/_all/_search", True),
        ("POST", "/%3Clogs-%7Bnow%2Fd%7D%3E/_search", True),
        ("POST", "/.hidden/_search", True),
        ("POST", "/index/type/_search", True),
        ("PUT", "/index/_search", False),
        ("DELETE", "/index/_search", False),
        ("HEAD", "/index/_search", False),
        ("POST", "/", False),
        ("POST", "/index", False),
        ("POST", "/index/_doc/_search", False),
        ("POST", "/index/_create/_search", False),
        ("POST", "/index/_update/_search", False),
        ("POST", "/_scripts/_search", False),
        ("POST", "/a/b/c/_search", False),
        ("POST", "/_search/scroll", False),
        ("POST", "/_search/template", True),
        ("GET", "/index/_search/template", True),
        ("POST", "/index/type/_search/template", True),
        ("POST", "/template/_search", True),
        ("POST", "/_search/template/id", False),
        ("POST", "/index/_doc/template", False),
        ("POST", "/_render/template", False),
        ("GET", "/_msearch", True),
        ("POST", "/index/_msearch", True),
        ("POST", "/a,b/type/_msearch", True),
        ("PUT", "/_msearch", False),
        ("GET", "/_msearch/template", True),
        ("POST", "/index/_msearch/template", True),
        ("POST", "/index/type/_msearch/template", True),
        ("POST", "/index/_doc/_msearch", False),
        ("POST", "/_search/_search", False),
    ],
)
def test_which_requests_are_searches(method: str, path: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """Searches of any indices are; documents that are named like one, and every other API, are not."""
    assert OpenSearch().is_search(method, path) is expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/_search?q=x", ()),
        ("/index/_search", ("index",)),
        ("/a,b*,,-c/_search", ("a", "b*", "-c")),
        ("/a%2Cb/_search", ("a", "b")),
        ("/index/type/_search", ("index",)),
    ],
)
def test_the_indices_of_a_search(target: str, expected: tuple[str, ...]) -> None:
    """Names and patterns as the path has them, none where it searches everything."""
    named: list[tuple[str, ...]] = []

    def policy_of(indices: tuple[str, ...]) -> Policy:
        named.append(indices)
        return Policy()

    OpenSearch().plan(Request("GET", target, ()), policy_of, {})
    assert named == [expected]


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (400, JSON, REFUSED, 50),
        (400, (*JSON, ("Content-Encoding", "gzip")), gzip.compress(REFUSED), 50),
        (400, (*JSON, ("Content-Encoding", "gzip")), REFUSED, None),
        (400, JSON, b'{"error":{"reason":"no such index"}}', None),
        (400, JSON, REFUSED.replace(b"[50]", b"[" + b"5" * 5_000 + b"]"), None),
        (404, JSON, REFUSED, None),
        (200, JSON, REFUSED, None),
        (
            200,
            JSON,
            b'{"hits":{"hits":[]},"_shards":{"failures":['
            + REFUSED
            + b","
            + REFUSED.replace(b"[50]", b"[40]")
            + b"]}}",
            40,
        ),
        (200, JSON, b'{"hits":{"hits":{"a":' + REFUSED + b"}}}", None),
        (200, JSON, b"{", None),
    ],
)
def test_the_window_limit(status: int, headers: tuple[tuple[str, str], ...], body: bytes, expected: int | None) -> None:
    """The largest page is read from the error that says it, and from nothing else."""
    page = parse_reply(planned(), Reply(status, "", headers, body))
    assert isinstance(page, PassThrough)
    assert page.window_limit == expected


@pytest.mark.parametrize(
    ("status", "kind"),
    [(502, "bad_gateway_exception"), (504, "gateway_timeout_exception"), (405, "rerank_bridge_exception")],
)
def test_errors_have_the_envelope_of_the_engine(status: int, kind: str) -> None:
    """An error of the bridge's own reads like one of the engine's, so that clients can parse it."""
    reply = OpenSearch().error(status, 'no "answer"')
    content = json.loads(reply.body)
    assert (reply.status, content["status"]) == (status, status)
    assert content["error"]["root_cause"] == [{"type": kind, "reason": 'rerank bridge: no "answer"'}]
    assert reply.header("content-length") == str(len(reply.body))


OPENSEARCH_INFO: dict[str, object] = {"version": {"distribution": "opensearch", "number": "3.5.0"}}
ELASTICSEARCH_INFO: dict[str, object] = {"version": {"number": "9.5.3", "build_flavor": "default"}}


@pytest.mark.parametrize(
    ("info", "opensearch", "elasticsearch"),
    [
        (OPENSEARCH_INFO, "3.5.0", None),
        (ELASTICSEARCH_INFO, None, "9.5.3"),
        ({}, None, None),
        ({"version": "9"}, None, None),
        ({"version": {"number": 9}}, None, None),
        ({"version": {"distribution": "opensearch"}}, None, None),
    ],
)
def test_engines_are_told_apart(info: dict[str, object], opensearch: str | None, elasticsearch: str | None) -> None:
    """Each connector knows its own engine's greeting, and takes nothing else for it."""
    assert (OpenSearch().identify(info), Elasticsearch().identify(info)) == (opensearch, elasticsearch)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("title", "title", True),
        ("title", "titles", False),
        ("t*", "title.kw", True),
        ("*.kw", "title.kw", True),
        ("*", "", True),
        ("a*c*e", "abcde", True),
        ("a.c", "abc", False),
        ("[a]", "a", False),
    ],
)
def test_wildcards(pattern: str, name: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """A star stands for any characters, dots too; every other character for itself."""
    assert matches(pattern, name) is expected
