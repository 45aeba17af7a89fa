"""Lists of nodes: which requests ask for one, what address is written, and that nothing else changes."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Headers, Reply, Request
from connectors.nodes import NodeLists, readdressed

JSON = (("content-type", "application/json; charset=UTF-8"),)
LIST = b"""{ "_nodes":{"total":2},"cluster_name":"c", "nodes" : {
  "a": {"name":"n\\u0061","roles":["data"],"transport_address":"10.0.0.1:9300","http" : {
    "bound_address" : [ "[::1]:9200" , "10.0.0.1:9200" ], "publish_address":"es1/10.0.0.1:9200", "max":104857600.0 } },
  "b":{"transport":{"publish_address":"10.0.0.2:9300"},"http":{"publish_address":"10.0.0.2:9200","bound_address":[]}},
  "c":{"settings":{"http":{"publish_address":"of no concern"}}}}}
"""
CHANGED = (
    LIST.replace(b'"[::1]:9200" , "10.0.0.1:9200"', b'"bridge:9400" , "bridge:9400"')
    .replace(b'"es1/10.0.0.1:9200"', b'"bridge:9400"')
    .replace(b'"10.0.0.2:9200"', b'"bridge:9400"')
)


def reply(body: bytes, status: int = 200, headers: Headers = JSON) -> Reply:
    return Reply(status, "", headers, body)


def address(path: str, *headers: tuple[str, str], method: str = "GET", published: str | None = None) -> str | None:
    asked = NodeLists(published).asked(Request(method, path, headers))
    return asked[1] if asked is not None else None


def test_every_address_of_http_becomes_that_of_the_bridge() -> None:
    """Published and bound ones, in either form; other addresses, white space, escapes and number forms stay."""
    changed = readdressed(reply(LIST), "bridge:9400")
    assert changed is not None
    assert changed.body == CHANGED
    assert changed.header("content-type") == JSON[0][1]


def test_a_compressed_list_stays_compressed() -> None:
    """The reply keeps its coding, and its length is that of the new body."""
    compressed = reply(gzip.compress(LIST), headers=(*JSON, ("content-encoding", "gzip"), ("content-length", "1")))
    changed = readdressed(compressed, "bridge:9400")
    assert changed is not None
    assert gzip.decompress(changed.body) == CHANGED
    assert changed.header("content-length") == str(len(changed.body))


@pytest.mark.parametrize(
    "other",
    [
        reply(b'{"error":{"type":"security_exception"},"status":403}', 403),
        reply(LIST, 503),
        reply(LIST, headers=(("content-type", "application/yaml"),)),
        reply(LIST, headers=(*JSON, ("content-encoding", "br"))),
        reply(LIST[:-4]),
        reply(b'{"nodes":{"a":{"http":{"publish_address":"x:1"}}},"nodes":{}}'),
        reply(b'{"nodes":{"a":null}}'),
        reply(b"[]"),
    ],
)
def test_what_is_no_list_is_left_alone(other: Reply) -> None:
    """Errors, other formats and what can't be read go to the client as they came."""
    assert readdressed(other, "bridge:9400") is None


def test_a_list_over_the_limit_is_left_alone() -> None:
    """The limit holds for what a compressed reply becomes."""
    compressed = reply(gzip.compress(LIST), headers=(*JSON, ("content-encoding", "gzip")))
    assert readdressed(compressed, "bridge:9400", len(LIST) - 1) is None
    assert readdressed(compressed, "bridge:9400", len(LIST)) is not None


@given(st.binary(max_size=60))
def test_any_bytes_are_a_list_or_none(body: bytes) -> None:
    """No reply raises."""
    readdressed(reply(body), "bridge:9400")


PATHS = [
    ("/_nodes", True),
    ("/_nodes/http", True),
    ("/_nodes/http?timeout=1000ms", True),
    ("/_nodes/http,settings?flat_settings=true", True),
    ("/_nodes/_all/http", True),
    ("/_nodes/_all%2Fhttp", True),
    ("/_nodes/_local", True),
    ("/_nodes/data:true,master:false/info/http", True),
    ("/_nodes?filter_path=nodes.*.version,nodes.*.http.publish_address", True),
    ("/_nodes/stats", False),
    ("/_nodes/a/stats/http", False),
    ("/_nodes/hot_threads", False),
    ("/_cluster/nodes/hot_threads", False),
    ("/_cat/nodes", False),
    ("/shop/_nodes", False),
    ("/_nodes/a/b/c/d", False),
]


@pytest.mark.parametrize(("path", "is_list"), PATHS)
def test_lists_are_known_by_their_path(path: str, *, is_list: bool) -> None:
    """What the clients ask for when they sniff, and its kin; statistics and other APIs stream through."""
    assert (address(path, ("Host", "h:1")) is not None) == is_list
    assert address(path, ("Host", "h:1"), method="POST") is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("Host", "localhost:9400")], "localhost:9400"),
        ([("hOST", "[::1]:9400")], "[::1]:9400"),
        ([("Host", "search.example")], "search.example:80"),
        ([("Host", "search.example"), ("X-Forwarded-Proto", "HTTPS")], "search.example:443"),
        ([("Host", "search.example:8443"), ("X-Forwarded-Proto", "https")], "search.example:8443"),
        ([("Host", "search.example"), ("X-Forwarded-Proto", "gopher")], None),
        ([("Host", "")], None),
        ([("Host", "a b")], None),
        ([], None),
    ],
)
def test_the_address_is_where_the_client_reached_the_bridge(
    headers: list[tuple[str, str]], expected: str | None
) -> None:
    """By its Host, with the port of the scheme where that has none; a client that says nothing sees what there is."""
    assert address("/_nodes/http", *headers) == expected


def test_a_published_address_wins() -> None:
    """What the configuration says holds for every client."""
    assert address("/_nodes", ("Host", "h:1"), published="bridge:9400") == "bridge:9400"
    assert address("/_nodes", published="bridge:9400") == "bridge:9400"


def test_the_list_is_asked_for_in_a_coding_that_can_be_read() -> None:
    """A server between might else compress it in a way that hides the addresses; all other fields stay."""
    headers = (("Host", "h:1"), ("Accept-Encoding", "br, gzip;q=0.5"), ("Authorization", "ApiKey k"))
    asked = NodeLists().asked(Request("GET", "/_nodes/http?x=1", headers))
    assert asked is not None
    request = asked[0]
    assert request.target == "/_nodes/http?x=1"
    assert sorted(request.headers) == sorted((*headers[::2], ("Accept-Encoding", "gzip;q=0.5")))
