"""Lists of nodes, by which clients find the engine: every address in them becomes the bridge's own.

A client that sniffs would else go past the bridge from its first look on. What the clients ask: ``/_nodes/_all/http``
(elasticsearch-py, opensearch-py, elasticsearch-js, opensearch-js), ``/_nodes/http`` (the Java, Go and Ruby clients),
``/_nodes/http,settings`` (.NET). They read ``nodes.*.http.publish_address``, as ``host:port`` or ``name/ip:port``; the
Java client wants it among the ``bound_address`` as well. All nodes stay in the list, with the same address: the newer
clients take equal ones for one, the older ones keep several connections to it.

Sources: "Nodes info" in the manuals; ``RestNodesInfoAction`` in the source of Elasticsearch; ``Transport`` and
``create_sniff_callback`` in the Python clients, ``ElasticsearchNodesSniffer`` in the Java one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgspec

from connectors import _codings
from connectors._bodies import reply_with
from connectors._one_search import segments
from connectors._raw_json import Edit, Member, RawJsonError, Span, decode, edited, elements, members
from connectors.base import Reply, Request

MAX_LIST_BYTES = 16 << 20
"""Of a list, its content coding undone: that of a thousand nodes with all their settings and plugins."""

_BASE = "_nodes"
_MAX_SEGMENTS = 4  # /_nodes/{nodes}/info/{metrics}
_OTHERS = frozenset({"stats", "hot_threads", "hotthreads", "usage"})  # of the same base; none tells addresses
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^\s:/@\[\]]+)(?::(?P<port>[0-9]{1,5}))?")
_PORTS = {"http": "80", "https": "443"}
_OK = 200


@dataclass(frozen=True, slots=True)
class NodeLists:
    """What clients are told of the engine's addresses."""

    published: str | None = None
    """``HOST:PORT`` by which clients reach the bridge; None: as each of them did, by its ``Host``."""

    def asked(self, head: Request) -> tuple[Request, str] | None:
        """For a request of a list of nodes: what to ask in its place, and the address to write; None for any other."""
        address = (self.published or _address_of(head)) if _lists_nodes(head) else None
        return (_readable(head), address) if address else None


def readdressed(reply: Reply, address: str, limit_bytes: int = MAX_LIST_BYTES) -> Reply | None:
    """The list with this address for every node; None where it is an error, or none that can be read.

    All other bytes stay. ``limit_bytes`` is that of the reply, its content coding undone.
    """
    if reply.status != _OK or not _codings.is_json(reply.header("content-type")):
        return None
    try:
        body = _codings.decoded(reply.body, reply.header("content-encoding"), limit_bytes)
        return reply_with(reply, edited(body, _edits(body, msgspec.json.encode(address))))
    except (_codings.CodingError, RawJsonError):
        return None


def _lists_nodes(head: Request) -> bool:
    named = segments(head.path)
    is_of_nodes = head.method == "GET" and named[:1] == [_BASE] and len(named) <= _MAX_SEGMENTS
    return is_of_nodes and not _OTHERS.intersection(named)


def _address_of(head: Request) -> str | None:
    """Where the client reached the bridge, or whatever stands in front of it."""
    host = _HOST.fullmatch((head.header("host") or "").strip())
    if host is None:
        return None
    port = host["port"] or _PORTS.get((head.header("x-forwarded-proto") or "http").strip().lower())
    return f"{host['name']}:{port}" if port else None


def _readable(head: Request) -> Request:
    """The request for a reply in a coding that can be read."""
    codings = _codings.readable_codings(head.header("accept-encoding") or "")
    kept = tuple(field for field in head.headers if field[0].lower() != "accept-encoding")
    return replace(head, headers=(*kept, ("Accept-Encoding", codings)) if codings else kept)


def _edits(body: bytes, address: bytes) -> Iterator[Edit]:
    for place in _https(body):
        http = members(place.of(body))
        for found in _addresses(place.of(body), http):
            yield Edit(Span(place.start + found.start, place.start + found.end), address)


def _https(body: bytes) -> Iterator[Span]:
    """What is said of HTTP, node by node."""
    for nodes in _member(Span(0, len(body)), body, "nodes"):
        for node in members(nodes.of(body)).values():
            yield from _member(_within(nodes, node.value), body, "http")


def _member(place: Span, body: bytes, name: str) -> Iterator[Span]:
    member = members(place.of(body)).get(name)
    if member is not None:
        yield _within(place, member.value)


def _addresses(body: bytes, http: dict[str, Member]) -> Iterator[Span]:
    published, bound = http.get("publish_address"), http.get("bound_address")
    if published is not None and isinstance(decode(published.value.of(body)), str):
        yield published.value
    if bound is not None:
        yield from (_within(bound.value, one) for one in elements(bound.value.of(body)))


def _within(place: Span, inner: Span) -> Span:
    return Span(place.start + inner.start, place.start + inner.end)
