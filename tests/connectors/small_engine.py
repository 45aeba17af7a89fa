"""One keep-alive connection to a real engine, and searches sent both ways through it."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from connectors.base import (
    Connector,
    ExchangePlan,
    HitPage,
    Order,
    PassThrough,
    Policy,
    Question,
    Questions,
    RankedHit,
    Reply,
    Request,
    SearchPlan,
)
from connectors.opensearch import OpenSearch
from tests.connectors.engines import KEEPS_ORDER

JSON = (("Content-Type", "application/json"),)
OK = 200
POLICY = Policy(window=15)
_TOOK = re.compile(rb'"took"( ?: ?)\d+')


@dataclass
class SmallEngine:
    """Sends requests as the bridge would, one after the other."""

    url: str
    connector: Connector = field(default_factory=OpenSearch)
    lacks: frozenset[str] = frozenset()
    """What this engine, as it runs in the tests, can't do; see ``engines.py``."""
    connection: HTTPConnection = field(init=False)
    made: set[Callable[[SmallEngine], None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.connection = HTTPConnection(urlsplit(self.url).netloc, timeout=60)

    def once(self, make: Callable[[SmallEngine], None]) -> None:
        """Have it made, unless it was before: a fixture with a table's parameters is set up for every row."""
        if make not in self.made:
            self.made.add(make)
            make(self)

    def close(self) -> None:
        self.connection.close()

    def send(self, request: Request) -> Reply:
        self.connection.putrequest(request.method, request.target, skip_accept_encoding=True)
        for name, value in (*request.headers, ("Content-Length", str(len(request.body)))):
            self.connection.putheader(name, value)
        self.connection.endheaders(request.body)
        answer = self.connection.getresponse()
        return Reply(answer.status, answer.reason, tuple(answer.getheaders()), answer.read())

    def put(self, target: str, body: object, method: str = "PUT") -> None:
        answer = self.send(Request(method, target, JSON, json.dumps(body).encode() if body is not None else b""))
        assert answer.status < 300, answer.body

    def make_index(self, name: str, settings: Mapping[str, Any], mappings: Mapping[str, Any]) -> None:
        own = {"number_of_shards": 1, "number_of_replicas": 0, **settings}
        self.put(f"/{name}", {"settings": own, "mappings": mappings})

    def fill(self, index: str, documents: Sequence[bytes]) -> None:
        lines = (b'{"index":{"_id":"%d"}}\n%s\n' % entry for entry in enumerate(documents))
        headers = (("Content-Type", "application/x-ndjson"),)
        answer = self.send(Request("POST", f"/{index}/_bulk?refresh=true", headers, b"".join(lines)))
        assert json.loads(answer.body)["errors"] is False, answer.body


def search(target: str, body: object = None, headers: tuple[tuple[str, str], ...] = ()) -> Request:
    """A search as a client sends it; ``body`` may be bytes."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Request("POST" if raw else "GET", target, (*(JSON if raw else ()), *headers), raw)


def content(reply: Reply) -> bytes:
    """The body without its coding and without the time that the engine took."""
    body = gzip.decompress(reply.body) if reply.header("content-encoding") == "gzip" else reply.body
    return _TOOK.sub(rb'"took"\1 0', body)


@dataclass(frozen=True)
class Widened:
    """A widened search and the engine's reply to it."""

    connector: Connector
    exchange: ExchangePlan
    plan: SearchPlan
    page: HitPage
    reply: Reply

    def splice(self, order: Order | None) -> Reply:
        return self.connector.splice(self.exchange, [self.page], self.reply, [order])

    def reordered(self, places: Sequence[int]) -> Reply:
        """With the hits in another order, and scores that fall in it."""
        return self.splice([RankedHit(place, 1.9 - rank / 1_000) for rank, place in enumerate(places)])

    def turned_round(self) -> Reply:
        """With the hits of the page in the opposite order."""
        places = list(range(len(self.page.first_stage_scores)))
        end = self.plan.start + self.plan.size
        return self.reordered([*places[: self.plan.start], *places[self.plan.start : end][::-1], *places[end:]])


def both(engine: SmallEngine, target: str, body: object, *headers: tuple[str, str]) -> tuple[Reply, Widened]:
    """A search sent directly and widened; it has to succeed."""
    request = search(target, body, headers)
    wide = widened(engine, request, POLICY)
    assert isinstance(wide, Widened), wide
    direct = engine.send(request)
    assert direct.status == OK
    return direct, wide


def comparable(reply: Reply, *, reverse: bool = False) -> Any:
    """The reply without what may differ between two orders: the scores, wherever they stand."""
    envelope = json.loads(content(reply))
    if "hits" in envelope:
        envelope["hits"].pop("max_score", None)
        hits = envelope["hits"].get("hits", [])
        for hit in hits:
            hit.pop("_score", None)
            hit.get("sort", [None])[0] = None
        hits[:] = hits[::-1] if reverse else hits
    return envelope


def alike(engine: SmallEngine, wide: Widened, direct: Reply) -> bool:
    """Whether the first-stage page is the engine's to the byte, but for what it writes now so and now so.

    Elasticsearch 9 writes a filtered ``_source`` in the order of the document, and in another one when ``fields`` are
    asked for as well; there values are compared as they are written, and members whatever their order.
    """
    ours, sent = wide.splice(None), wide.exchange.request
    is_filtered = b'"_source"' in sent.body or "_source" in sent.target
    if KEEPS_ORDER in engine.lacks and is_filtered and b'"fields"' in sent.body:
        return _unordered(ours) == _unordered(direct)
    return content(ours) == content(direct)


def _unordered(reply: Reply) -> object:
    return json.loads(content(reply), parse_float=str, parse_int=str)


def widened(engine: SmallEngine, request: Request, policy: Policy) -> Widened | PassThrough:
    """What the bridge does up to the ranking; an error of the engine is passed on, as the exchange does."""
    connector = engine.connector
    answers: dict[Question, Reply | None] = {}
    while isinstance(plan := connector.plan(request, lambda _: policy, answers), Questions):
        answers |= {question: engine.send(question.request) for question in plan.questions}
    if isinstance(plan, PassThrough):
        return plan
    reply = engine.send(plan.request)
    (page,) = connector.parse(plan, reply)
    (search,) = plan.searches
    assert isinstance(search, SearchPlan)
    return page if isinstance(page, PassThrough) else Widened(connector, plan, search, page, reply)
