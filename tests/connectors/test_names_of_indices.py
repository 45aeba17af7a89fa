"""Aliases, data streams, dates, patterns, other clusters, routing and preference: as without the bridge."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.base import PassThrough, Reason, Request
from tests.connectors.engines import DATA_STREAMS, Needs, on_each
from tests.connectors.small_engine import JSON, POLICY, SmallEngine, both, comparable, content, search, widened

MATCH: dict[str, Any] = {"query": {"match": {"title": "quick fox"}}}
DATED = "/%3Cdated-%7B2024-01%7C%7C%2FM%7Byyyy-MM%7D%7D%3E"
INDICES: dict[str, dict[str, Any]] = {
    "routed": {"number_of_shards": 3},
    "closed": {},
    ".dot": {"hidden": True},
    "dated-2024-01": {},
}
ALIASES = [
    {"add": {"index": "routed", "alias": "few", "filter": {"range": {"n": {"lt": 9}}}}},
    {"add": {"index": "routed", "alias": "sent", "routing": "1"}},
    {"add": {"indices": ["routed", "dated-*"], "alias": "several"}},
]
STREAM = {
    "index_patterns": ["stream-*"],
    "data_stream": {},
    "template": {"settings": {"number_of_shards": 1, "number_of_replicas": 0}},
}


def make(engine: SmallEngine) -> None:
    documents = [json.dumps({"title": "quick fox" + " fox" * (n % 4), "n": n}).encode() for n in range(20)]
    for name, settings in INDICES.items():
        engine.make_index(name, settings, {})
        engine.fill(name, documents)
    engine.put("/closed/_close", None, "POST")
    engine.put("/_aliases", {"actions": ALIASES}, "POST")
    if DATA_STREAMS not in engine.lacks:
        engine.put("/_index_template/streams", STREAM)
        lines = b"".join(b'{"create":{}}\n{"@timestamp":"2024-01-01",%s\n' % document[1:] for document in documents)
        engine.send(Request("POST", "/stream-a/_bulk?refresh=true", JSON, lines))


@pytest.fixture(autouse=True)
def _named(each_engine: SmallEngine) -> None:
    each_engine.once(make)


@on_each(
    "target",
    [
        ("/few/_search",),
        ("/sent/_search",),
        ("/several/_search",),
        ("/few,several/_search",),
        (f"{DATED}/_search",),
        ("/dated-*/_search",),
        ("/.dot/_search",),
        ("/routed,.d*/_search?expand_wildcards=open,hidden",),
        ("/routed/_search?routing=7",),
        ("/routed/_search?routing=7,8",),
        ("/routed/_search?preference=_shards:0",),
        ("/routed/_search?preference=_local",),
        ("/routed/_search?preference=anyone",),
        ("/routed,closed/_search?ignore_unavailable=true",),
        ("/routed,nosuch*/_search",),
        ("/*:nosuch,routed/_search",),
        ("/routed/_search/",),
        Needs(DATA_STREAMS, ("/stream-a/_search",)),
        Needs(DATA_STREAMS, ("/stream-*,routed/_search",)),
    ],
)
def test_names_are_the_engines(each_engine: SmallEngine, target: str) -> None:
    """However the indices and shards are named, the page is cut from the engine's, and can be turned round."""
    direct, wide = both(each_engine, target, MATCH | {"size": 6, "from": 2})
    assert wide.page.skip is None
    assert content(wide.splice(None)) == content(direct)
    assert comparable(wide.turned_round(), reverse=True) == comparable(direct)


@on_each(
    "target",
    [
        ("/closed/_search",),
        ("/routed,closed/_search",),
        ("/nocluster:routed/_search",),
        ("/nocluster:routed,routed/_search",),
        ("/nosuch*/_search?allow_no_indices=false",),
        ("/routed/_search?preference=_only_nodes:nosuch",),
        ("/ROUTED/_search",),
        ("/routed,,odd/_search",),
    ],
)
def test_refusals_are_the_engines(each_engine: SmallEngine, target: str) -> None:
    """What the engine refuses of names and shards, other clusters among it, the client is told in its own words."""
    request = search(target, MATCH)
    assert widened(each_engine, request, POLICY) == PassThrough(Reason.ENGINE_ERROR)
    assert each_engine.send(request).status in (400, 404)
