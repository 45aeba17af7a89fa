"""Search requests in the shapes of public documentation, tests and applications: none is beyond the bridge.

``bodies/searches.ndjson`` has one request a line: its ``name``, the ``source`` of its shape (a page, or a repository
and the path of a file there; words, fields and numbers are this project's own), the ``engine`` whose connector reads
it, what is sent (``method``, ``path``, and a ``body``, or the ``lines`` of several), and what is ``expected``: the
words that are read of each search, or the reason for which it is left alone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors.base import (
    Answers,
    Connector,
    ExchangePlan,
    PassThrough,
    Policy,
    Question,
    Questions,
    Reason,
    Reply,
    Request,
    SearchPlan,
)
from connectors.elasticsearch import Elasticsearch
from connectors.opensearch import OpenSearch
from connectors.reasons import SENTENCES
from tests.connectors.small_engine import JSON, OK, SmallEngine, Widened, content, widened

BODIES: list[dict[str, Any]] = [
    json.loads(line)
    for line in (Path(__file__).parent / "bodies" / "searches.ndjson").read_text(encoding="utf-8").splitlines()
]
NAMES = [entry["name"] for entry in BODIES]
POLICY = Policy(window=50)
EVERYTHING = Policy(window=50, promote=True, sort_override=True, rescore="rerank", query_text="{q}")
TIMES = {"profile", "phase_took"}
"""Members of a reply that say how long its parts took."""
NDJSON = (("Content-Type", "application/x-ndjson"),)
CONNECTORS: Mapping[str, Connector] = {"opensearch": OpenSearch(), "elasticsearch": Elasticsearch()}
MAPPINGS: dict[str, Any] = {
    "properties": {
        "title": {"type": "text", "fields": {"english": {"type": "text", "analyzer": "english"}}},
        "description": {"type": "text"},
        "body": {"type": "text", "store": True},
        "author": {"type": "text"},
        "brand": {"type": "keyword"},
        "category": {"type": "keyword"},
        "sku": {"type": "keyword", "store": True},
        "tags": {"type": "keyword"},
        "price": {"type": "double"},
        "rating": {"type": "float"},
        "stock": {"type": "integer"},
        "in_stock": {"type": "boolean"},
        "created": {"type": "date"},
        "location": {"type": "geo_point"},
        "vendor": {"properties": {"name": {"type": "text"}, "city": {"type": "keyword"}}},
        "reviews": {"type": "nested", "properties": {"text": {"type": "text"}, "stars": {"type": "integer"}}},
        "typed": {"type": "search_as_you_type"},
        "suggest": {"type": "completion"},
        "popularity": {"type": "rank_feature"},
        "topics": {"type": "rank_features"},
        "saved_query": {"type": "percolator"},
        "relation": {"type": "join", "relations": {"question": "answer"}},
        "name_of_it": {"type": "alias", "path": "title"},
    }
}


def request_of(entry: dict[str, Any]) -> Request:
    """What is sent."""
    if "lines" in entry:
        raw = b"".join(json.dumps(line).encode() + b"\n" for line in entry["lines"])
        return Request(entry["method"], entry["path"], NDJSON, raw)
    if "body" in entry:
        return Request(entry["method"], entry["path"], JSON, json.dumps(entry["body"], ensure_ascii=False).encode())
    return Request(entry["method"], entry["path"], ())


def answer(question: Question) -> Reply | None:
    """The mapping of the tests' index; nothing to all other questions."""
    if question.request.path.endswith("/_mapping"):
        return Reply(OK, "OK", JSON, json.dumps({"shop": {"mappings": MAPPINGS}}).encode())
    return None


def planned(entry: dict[str, Any], policy: Policy) -> ExchangePlan | PassThrough:
    connector, request = CONNECTORS[entry["engine"]], request_of(entry)
    assert connector.is_search(request.method, request.path)
    answers: Answers = {}
    while isinstance(plan := connector.plan(request, lambda _: policy, answers), Questions):
        answers = {**answers, **{question: answer(question) for question in plan.questions}}
    return plan


def told(plan: ExchangePlan | PassThrough) -> list[dict[str, str]]:
    searches = plan.searches if isinstance(plan, ExchangePlan) else [plan]
    return [
        {"words": search.query_text} if isinstance(search, SearchPlan) else {"reason": search.reason.value}
        for search in searches
    ]


@pytest.mark.parametrize("entry", BODIES, ids=NAMES)
def test_what_is_read(entry: dict[str, Any]) -> None:
    """The words of each search, or the documented reason for which it is left alone."""
    assert told(planned(entry, POLICY)) == entry["expected"]


@pytest.mark.parametrize("entry", BODIES, ids=NAMES)
def test_nothing_is_beyond_the_bridge(entry: dict[str, Any]) -> None:
    """With everything switched on, too, there are words or a documented reason, and never a mistake of the bridge."""
    for one in told(planned(entry, EVERYTHING)):
        assert one.get("words") or (Reason(one["reason"]) in SENTENCES and one["reason"] != Reason.INTERNAL)


def test_the_collection() -> None:
    """There are more than 400 requests, each of a name of its own, from many sources, most of them reranked."""
    assert len(BODIES) == len(set(NAMES)) >= 400
    assert len({entry["source"] for entry in BODIES}) >= 100
    outcomes = Counter("words" in one for entry in BODIES for one in entry["expected"])
    assert outcomes[True] > outcomes[False]


def document(number: int) -> bytes:
    kinds = ("hiking boots", "camping stove", "usb hub", "folding table", "winter sleeping pad", "dock station")
    kind = kinds[number % len(kinds)]
    return json.dumps(
        {
            "title": f"{kind} number {number}",
            "description": f"quick dry and light, a {kind} for a tent" + " or two" * (number % 4),
            "body": f"Hamlet of Denmark bought a {kind}",
            "author": ("Anna Berg", "John Snow")[number % 2],
            "brand": ("Acme", "Rex", "Öko")[number % 3],
            "category": ("camping", "travel")[number % 2],
            "sku": f"AX-{number}",
            "tags": [("sale", "new", "eco")[number % 3]],
            "price": number + 0.5,
            "rating": number % 5,
            "stock": number,
            "in_stock": number % 2 == 0,
            "created": f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}",
            "location": {"lat": 48 + number / 100, "lon": 11},
            "vendor": {"name": "Mountain Goods", "city": "Bonn"},
            "reviews": [
                {"text": "john likes it, it keeps feet dry", "stars": number % 5},
                {"text": "fine", "stars": 3},
            ],
            "typed": f"{kind} with power",
            "suggest": f"{kind} {number}",
            "popularity": number + 1,
            "topics": {"sports": number + 1},
            "relation": "question",
        }
    ).encode()


@pytest.fixture(scope="module")
def shop(engine: SmallEngine) -> Iterator[SmallEngine]:
    engine.make_index("bodies", {}, MAPPINGS)
    engine.fill("bodies", [document(number) for number in range(60)])
    aliases = [{"add": {"index": "bodies", "alias": name}} for name in ("shop", "articles")]
    engine.put("/_aliases", {"actions": aliases}, "POST")
    yield engine
    engine.put("/bodies", None, "DELETE")


SENT = [entry for entry in BODIES if entry["path"].split("?")[0] in ("/shop/_search", "/shop,articles/_search")]


@pytest.mark.parametrize("entry", SENT, ids=[entry["name"] for entry in SENT])
def test_bridged_equals_direct(shop: SmallEngine, entry: dict[str, Any]) -> None:
    """What OpenSearch answers, it answers through the bridge: in first-stage order byte for byte, else in another."""
    request = request_of(entry)
    direct = shop.send(request)
    if direct.status != OK:
        pytest.skip(f"not for this engine: {json.loads(direct.body)['error']['type']}")
    wide = widened(shop, request, POLICY)
    if isinstance(wide, PassThrough):
        assert wide.reason.value in {one.get("reason") for one in entry["expected"]}
        return
    own, first_stage = json.loads(content(direct)), json.loads(content(wide.splice(None)))
    if own.keys().isdisjoint(TIMES):
        assert content(wide.splice(None)) == content(direct)
    assert without_times(first_stage) == without_times(own)
    assert turned_round(wide) == [names(hit) for hit in own.get("hits", {}).get("hits", [])]


def without_times(reply: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in reply.items() if key not in TIMES}


def turned_round(wide: Widened) -> list[object]:
    """The page's hits, by what names them, where a model had turned the page round; in first-stage order again."""
    places = list(range(len(wide.page.first_stage_scores)))
    start, end = wide.plan.start, wide.plan.start + wide.plan.size
    swapped = [*places[:start], *places[start:end][::-1], *places[end:]]
    return [names(hit) for hit in json.loads(content(wide.reordered(swapped)))["hits"]["hits"]][::-1]


def names(hit: dict[str, Any]) -> object:
    return hit.get("_id"), hit.get("_source"), hit.get("fields")


REORDERED = [
    entry for entry in SENT if any(one.get("reason") in ("sorted", "filter-only") for one in entry["expected"])
]


@pytest.mark.parametrize("entry", REORDERED, ids=[entry["name"] for entry in REORDERED])
def test_another_order_of_the_same(shop: SmallEngine, entry: dict[str, Any]) -> None:
    """Where words are promoted or a sort is overridden, the engine counts and aggregates as it does without."""
    request = request_of(entry)
    direct, wide = shop.send(request), widened(shop, request, EVERYTHING)
    if direct.status != OK or (isinstance(wide, PassThrough) and wide.reason is not Reason.ENGINE_ERROR):
        pytest.skip("not for this engine" if direct.status != OK else "left alone all the same")
    assert isinstance(wide, Widened), wide
    own, reply = json.loads(content(direct)), json.loads(content(wide.splice(None)))
    own_hits, hits = own["hits"].pop("hits"), reply["hits"].pop("hits")
    assert (reply["hits"].pop("max_score") is None) is (own["hits"].pop("max_score") is None)
    assert reply == own
    assert len(hits) == len(own_hits)
    assert {len(hit.get("sort", ())) for hit in hits} == {len(hit.get("sort", ())) for hit in own_hits}
    assert {hit["_score"] is None for hit in hits} == {hit["_score"] is None for hit in own_hits}


def test_most_are_sent(shop: SmallEngine) -> None:
    """The comparison is not an empty one: this engine answers most of the requests."""
    answered = sum(shop.send(request_of(entry)).status == OK for entry in SENT)
    assert answered > 0.6 * len(SENT)
