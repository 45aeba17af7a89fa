"""Searches that run on their own, through whole bridges before a server that speaks the engines' protocol."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from opensearchpy import OpenSearch
from opensearchpy.plugins.asynchronous_search import AsynchronousSearchClient

from bridge.composition import bridging
from bridge.config import Config
from tests.doubles.async_engine import SHARD_FAILURE, AsyncEngine
from tests.doubles.raw_http import Message, ask
from tests.doubles.small_models import LengthModel

SECRET = "a secret of two bridges"
ELASTICSEARCH = "/_async_search"
OPENSEARCH = "/_plugins/_asynchronous_search"
BASES = [ELASTICSEARCH, OPENSEARCH, "/_opendistro/_asynchronous_search"]
QUERY = {"query": {"match": {"title": "quick fox"}}}
RERANKED, FIRST_STAGE = ["3", "2", "1", "0", "4", "5"], ["0", "1", "2", "3", "4", "5"]
"""The window holds four hits, and the model likes long texts."""


@dataclass(frozen=True)
class Told:
    """A reply as its client reads it."""

    message: Message

    @property
    def status(self) -> int:
        return int(self.message.start.split()[1])

    @property
    def body(self) -> bytes:
        is_packed = self.message.values(b"Content-Encoding") == [b"gzip"]
        return gzip.decompress(self.message.body) if is_packed else self.message.body

    @property
    def content(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return str(self.content["id"])

    @property
    def hits(self) -> list[str]:
        return [hit["_id"] for hit in self.content["response"]["hits"]["hits"]]

    @property
    def outcome(self) -> str:
        (value,) = self.message.values(b"X-Rerank") or [b""]
        return value.decode()


@dataclass
class Bridge:
    """A bridge that listens at a port, and what its model read."""

    port: int
    model: LengthModel = field(default_factory=LengthModel)

    async def ask(self, method: str, target: str, body: object = None, **headers: str) -> Told:
        raw = b"" if body is None else json.dumps(body).encode()
        fields = {"Host": "b", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if raw:
            fields |= {"Content-Type": "application/json", "Content-Length": str(len(raw))}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return Told(await ask("127.0.0.1", self.port, f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + raw))

    async def submit(self, base: str = ELASTICSEARCH, body: object = None, **parameters: object) -> Told:
        asked = {"wait_for_completion_timeout": "200ms", **parameters}
        more = body if isinstance(body, dict) else {}
        return await self.ask("POST", f"/i{base}?{urlencode(asked)}", {**QUERY, **more})


class Bridges:
    """Starts bridges before one engine; they end with the test."""

    def __init__(self, stack: AsyncExitStack, url: str) -> None:
        self._stack = stack
        self._url = url

    async def start(self, **settings: object) -> Bridge:
        """One whose secret is the same as that of others, unless it is told otherwise."""
        usual = {"engine": "elasticsearch", "id_secret": SECRET, "listen": "127.0.0.1:0", "window": 4}
        given = {"upstream": self._url, **usual, **settings}
        model = LengthModel()
        config = Config.model_validate(given)
        bridge = await self._stack.enter_async_context(bridging(config, {"embedded": (model,)}))
        return Bridge(bridge.running.port, model)


@pytest.fixture
def engine() -> AsyncEngine:
    return AsyncEngine()


@pytest.fixture
async def bridges(engine: AsyncEngine) -> AsyncIterator[Bridges]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(engine.server())
        yield Bridges(stack, server.url)


@pytest.fixture
async def bridge(bridges: Bridges) -> Bridge:
    return await bridges.start()


@pytest.mark.parametrize("base", BASES)
async def test_a_search_is_submitted_polled_and_reranked_when_it_has_ended(
    bridges: Bridges, engine: AsyncEngine, base: str
) -> None:
    """While it runs its hits stay as they are; the final ones are reranked, and cut to the page asked for at first."""
    bridge = await bridges.start(engine="elasticsearch" if base == ELASTICSEARCH else "opensearch")
    submitted = await bridge.submit(base, {"size": 5})
    assert (submitted.hits, submitted.outcome) == ([], "skipped; reason=partial")
    running = await bridge.ask("GET", f"{base}/{submitted.id}")
    assert (running.id, running.outcome) == (submitted.id, "skipped; reason=partial")
    engine.end(keeps=True)
    for _ in range(2):
        final = await bridge.ask("GET", f"{base}/{submitted.id}")
        assert (final.hits, final.id) == (RERANKED[:5], submitted.id)
        assert final.outcome == "applied; window=4; model=small"
    assert len(engine.searches) == 1


async def test_the_engine_gets_the_clients_parameters_and_its_own_ids(bridge: Bridge, engine: AsyncEngine) -> None:
    """Everything in the URL stays but the page, which stands widened in the body; polls name what the engine knows."""
    wanted = {"keep_on_completion": "true", "keep_alive": "2d", "batched_reduce_size": "7"}
    wanted |= {"ccs_minimize_roundtrips": "true", "routing": "a b"}
    submitted = await bridge.submit(size=2, **wanted)
    (name,) = engine.searches
    query = "keep_alive=5d&typed_keys=true&wait_for_completion_timeout=1s"
    await bridge.ask("GET", f"{ELASTICSEARCH}/{submitted.id}?{query}")
    first, second = engine.asked
    assert first.parameters == {"wait_for_completion_timeout": "200ms", **wanted}
    assert (first.path, first.body) == ("/i/_async_search", {**QUERY, "from": 0, "size": 4})
    assert second.line == f"GET {ELASTICSEARCH}/{name.replace('=', '%3D')}?{query} HTTP/1.1"


async def test_partial_hits_are_cut_in_the_engines_order(bridge: Bridge, engine: AsyncEngine) -> None:
    """Where a search that runs shows hits, as those of clusters that are done, the page is cut and not reranked."""
    submitted = await bridge.submit(body={"from": 1, "size": 2})
    engine.searches[next(iter(engine.searches))].partial_hits = 5
    running = await bridge.ask("GET", f"{ELASTICSEARCH}/{submitted.id}")
    assert (running.hits, running.content["response"]["hits"]["max_score"]) == (["1", "2"], 9.0)
    assert running.content["response"]["aggregations"] == {"n": {"value": 1.0}}
    assert bridge.model.batches == []


@pytest.mark.parametrize("base", [ELASTICSEARCH, OPENSEARCH])
@pytest.mark.parametrize("keeps", [False, True])
async def test_a_search_that_ends_at_once(bridge: Bridge, engine: AsyncEngine, base: str, *, keeps: bool) -> None:
    """It is reranked with its submission; only one that is kept has an id, and can be asked for again."""
    engine.runs_on = False
    submitted = await bridge.submit(base, {"size": 3}, keep_on_completion=str(keeps).lower())
    assert (submitted.hits, submitted.outcome) == (RERANKED[:3], "applied; window=4; model=small")
    assert ("id" in submitted.content) is keeps
    if keeps:
        assert (await bridge.ask("GET", f"{base}/{submitted.id}")).hits == RERANKED[:3]
    assert len(engine.asked) == 1 + keeps


async def test_any_bridge_with_the_same_secret_answers(bridges: Bridges, engine: AsyncEngine) -> None:
    """Submitted at one and polled at another, or at one that was started since: nothing is lost but what it cached."""
    first, second = await bridges.start(), await bridges.start()
    submitted = await first.submit(body={"from": 2, "size": 2})
    engine.end(keeps=True)
    for bridge in (second, first, await bridges.start()):
        polled = await bridge.ask("GET", f"{ELASTICSEARCH}/{submitted.id}")
        assert (polled.hits, polled.id, polled.outcome[:7]) == (RERANKED[2:4], submitted.id, "applied")


@pytest.mark.parametrize("secret", [None, "another secret of a bridge"])
async def test_a_bridge_with_another_secret_passes_the_id_on(
    bridges: Bridges, engine: AsyncEngine, secret: str | None
) -> None:
    """What it can't read it does not touch; without a secret in the configuration each start has one of its own."""
    submitted = await (await bridges.start(id_secret=None)).submit()
    other = await bridges.start(id_secret=secret)
    target = f"{ELASTICSEARCH}/{submitted.id}?keep_alive=1d"
    polled = await other.ask("GET", target)
    assert engine.asked[-1].line == f"GET {target} HTTP/1.1"
    assert (polled.status, polled.outcome) == (400, "skipped; reason=unknown-id")
    assert (await other.ask("DELETE", target)).status == 400


async def test_a_forged_id_is_the_engines_to_judge(bridge: Bridge, engine: AsyncEngine) -> None:
    """An id that was changed anywhere reaches the engine as it came, and so does its answer."""
    submitted = await bridge.submit()
    for place in (9, 40, len(submitted.id) // 2):
        other = "B" if submitted.id[place] == "A" else "A"
        forged = submitted.id[:place] + other + submitted.id[place + 1 :]
        for method, target in (("GET", forged), ("GET", f"status/{forged}"), ("DELETE", forged)):
            reply = await bridge.ask(method, f"{ELASTICSEARCH}/{target}")
            assert engine.asked[-1].line == f"{method} {ELASTICSEARCH}/{target} HTTP/1.1"
            assert (reply.status, reply.content["error"]["reason"]) == (400, f"invalid id: [{forged}]")


async def test_status_and_deletion(bridge: Bridge, engine: AsyncEngine) -> None:
    """Both mean the engine's search; replies, header fields and errors name the id that the client knows."""
    submitted = await bridge.submit()
    assert submitted.message.values(b"X-Elasticsearch-Async-Id") == [submitted.id.encode()]
    running = await bridge.ask("GET", f"{ELASTICSEARCH}/status/{submitted.id}?keep_alive=60000ms")
    assert running.content | {"is_running": True, "id": submitted.id} == running.content
    assert running.message.values(b"X-Elasticsearch-Async-Id") == [submitted.id.encode()]
    assert running.message.values(b"X-Rerank") == []
    assert engine.asked[-1].parameters == {"keep_alive": "60000ms"}
    engine.end(keeps=True)
    ended = await bridge.ask("GET", f"{ELASTICSEARCH}/status/{submitted.id}", Accept_Encoding="gzip")
    assert (ended.id, ended.content["completion_status"]) == (submitted.id, 200)
    deleted = await bridge.ask("DELETE", f"{ELASTICSEARCH}/{submitted.id}")
    assert (deleted.status, deleted.content) == (200, {"acknowledged": True})
    assert engine.searches == {}
    gone = await bridge.ask("GET", f"{ELASTICSEARCH}/{submitted.id}")
    assert (gone.status, gone.content["error"]["reason"]) == (404, submitted.id)
    assert gone.outcome == "skipped; reason=engine-error"


@pytest.mark.parametrize(("base", "status"), [(ELASTICSEARCH, 400), (OPENSEARCH, 200)])
async def test_a_search_that_ends_with_an_error(bridge: Bridge, engine: AsyncEngine, base: str, status: int) -> None:
    """The client gets the error as the engine has it, and nothing is submitted anew."""
    submitted = await bridge.submit(base)
    engine.end(keeps=True, error={"type": "parsing_exception", "reason": "no"})
    failed = await bridge.ask("GET", f"{base}/{submitted.id}")
    assert (failed.status, failed.id, failed.outcome) == (status, submitted.id, "skipped; reason=engine-error")
    assert failed.content["error"]["reason"] == "no"
    assert [asked.method for asked in engine.asked] == ["POST", "GET"]


@pytest.mark.parametrize("base", [ELASTICSEARCH, OPENSEARCH])
async def test_a_window_that_is_refused_at_once(bridge: Bridge, engine: AsyncEngine, base: str) -> None:
    """The search is submitted again with the window that the index allows, as any search is."""
    engine.runs_on, engine.max_window = False, 3
    submitted = await bridge.submit(base, {"size": 2})
    assert (submitted.hits, submitted.outcome) == (["2", "1"], "applied; window=3; model=small")
    assert [asked.body["size"] for asked in engine.asked] == [4, 3]


async def test_an_error_at_once_is_the_clients_own(bridge: Bridge, engine: AsyncEngine) -> None:
    """A search that failed has ended, so it is submitted once more as it came, with the engine's own id."""
    engine.runs_on, engine.max_window = False, 1
    submitted = await bridge.submit(body={"size": 2}, keep_on_completion="true")
    assert (submitted.status, submitted.outcome) == (400, "skipped; reason=engine-error")
    assert [asked.body.get("size") for asked in engine.asked] == [4, 2]
    assert submitted.id in engine.searches


@pytest.mark.parametrize("instead", [b"no JSON", b"", b'{"id":"x","id":"y"}'])
async def test_a_submission_is_not_made_twice_where_one_may_run(
    bridge: Bridge, engine: AsyncEngine, instead: bytes
) -> None:
    """A reply that can't be read goes to the client as it came: the search may be running."""
    engine.instead = instead
    submitted = await bridge.submit()
    assert (submitted.body, submitted.outcome) == (instead, "skipped; reason=reply-shape")
    assert len(engine.asked) == 1


async def test_a_search_that_runs_without_a_reply_yet(bridge: Bridge, engine: AsyncEngine) -> None:
    """Before an engine knows the shards there is no response: the client gets an id all the same, and uses it."""
    engine.instead = b'{"id":"%s","is_partial":true,"is_running":true}'
    engine.instead %= b"FnZ5QTVrSTZSaVN3WlNFVmtlWHJsdzoxMD1=="
    submitted = await bridge.submit()
    assert submitted.content == {"id": submitted.id, "is_partial": True, "is_running": True}
    engine.end(keeps=True)
    assert (await bridge.ask("GET", f"{ELASTICSEARCH}/{submitted.id}")).hits == RERANKED


async def test_failed_shards(bridge: Bridge, engine: AsyncEngine) -> None:
    """Of a search that ended at once the client's own form is asked for; later, the page is cut and says so."""
    submitted = await bridge.submit(body={"size": 2})
    engine.end(keeps=True, shard_failures=[SHARD_FAILURE])
    polled = await bridge.ask("GET", f"{ELASTICSEARCH}/{submitted.id}")
    assert (polled.hits, polled.outcome) == (FIRST_STAGE[:2], "skipped; reason=shards-failed")
    assert polled.content["response"]["_shards"]["failures"] == [SHARD_FAILURE]
    engine.runs_on, engine.fails_on_shards = False, True
    at_once = await bridge.submit(body={"size": 2})
    assert (at_once.hits, at_once.outcome) == (FIRST_STAGE[:2], "skipped; reason=shards-failed")
    assert [asked.body.get("size") for asked in engine.asked[2:]] == [4, 2]


@pytest.mark.parametrize("target", ["", "status/"])
async def test_compressed_replies_stay_compressed(bridge: Bridge, engine: AsyncEngine, target: str) -> None:
    """What was changed comes in the coding that the client asked for, of those that can be read."""
    submitted = await bridge.submit()
    engine.end(keeps=True)
    polled = await bridge.ask("GET", f"{ELASTICSEARCH}/{target}{submitted.id}", Accept_Encoding="br, gzip")
    assert engine.asked[-1].message.values(b"Accept-Encoding") == [b"gzip"]
    assert polled.message.values(b"Content-Encoding") == [b"gzip"]
    assert polled.id == submitted.id


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"sort": ["date"]}, "sorted"),
        ({"query": {"match_all": {}}}, "no-query-text"),
        ({"query": {"match": {"title": " ".join(str(number) for number in range(1_000, 2_000))}}}, "id-too-long"),
    ],
)
async def test_a_search_that_is_not_reranked_keeps_the_engines_id_and_bytes(
    bridge: Bridge, engine: AsyncEngine, body: dict[str, Any], reason: str
) -> None:
    """The engine sees what the client sent and the client what the engine sent, then and when it asks again."""
    submitted = await bridge.submit(body=body)
    assert engine.asked[0].body == {**QUERY, **body}
    assert (submitted.id in engine.searches, submitted.outcome) == (True, f"skipped; reason={reason}")
    engine.end(keeps=True)
    polled = await bridge.ask("GET", f"{ELASTICSEARCH}/{submitted.id}")
    assert (polled.hits, polled.outcome) == (FIRST_STAGE, "skipped; reason=unknown-id")
    status = await bridge.ask("GET", f"{ELASTICSEARCH}/status/{submitted.id}")
    assert (status.id, status.outcome) == (submitted.id, "")


async def test_statistics_are_no_search(bridge: Bridge) -> None:
    """They pass without a mark."""
    reply = await bridge.ask("GET", f"{OPENSEARCH}/stats")
    assert (reply.content, reply.outcome) == ({"nodes": {}}, "")


async def test_a_client_that_does_not_want_to_be_reranked_any_more(bridge: Bridge, engine: AsyncEngine) -> None:
    """It still gets the page that it asked for at first, in the engine's order."""
    submitted = await bridge.submit(body={"from": 1, "size": 3})
    engine.end(keeps=True)
    polled = await bridge.ask("GET", f"{ELASTICSEARCH}/{submitted.id}", X_Rerank="off")
    assert (polled.hits, polled.outcome) == (FIRST_STAGE[1:4], "skipped; reason=off")


@pytest.mark.parametrize("settings", [{"mode": "off"}, {"max_search_reply_bytes": 300}])
async def test_a_search_that_the_bridge_can_not_take_apart_is_found_all_the_same(
    bridges: Bridges, bridge: Bridge, engine: AsyncEngine, settings: dict[str, object]
) -> None:
    """A bridge that is off, or a reply too large to be held: the engine's own reply comes, by the id of ours."""
    submitted = await bridge.submit(body={"size": 2})
    engine.end(keeps=True)
    polled = await (await bridges.start(**settings)).ask("GET", f"{ELASTICSEARCH}/{submitted.id}")
    assert (polled.status, polled.hits) == (200, FIRST_STAGE[:4])
    assert polled.id in engine.searches


async def test_another_format_is_the_engines(bridge: Bridge, engine: AsyncEngine) -> None:
    """A client that asks for YAML gets what there is, and is told that it was left alone."""
    submitted = await bridge.submit()
    engine.end(keeps=True)
    polled = await bridge.ask("GET", f"{ELASTICSEARCH}/{submitted.id}?format=yaml")
    assert (polled.status, polled.outcome) == (200, "skipped; reason=reply-format")


async def test_an_instruction_counts_later(bridge: Bridge, engine: AsyncEngine) -> None:
    """What a search was to mean by relevance when it was submitted holds when its hits are ordered."""
    raw = json.dumps(QUERY).encode()
    head = f"POST /i/_async_search HTTP/1.1\r\nHost: b\r\nX-Rerank-Instruction: as told\r\nContent-Length: {len(raw)}"
    sent = f"{head}\r\nContent-Type: application/json\r\n\r\n".encode() + raw
    submitted = Told(await ask("127.0.0.1", bridge.port, sent))
    engine.end(keeps=True)
    await bridge.ask("GET", f"{ELASTICSEARCH}/{submitted.id}")
    await bridge.ask("GET", f"{ELASTICSEARCH}/{submitted.id}", X_Rerank_Instruction="as told now")
    assert bridge.model.instructions == ["as told", "as told now"]


@pytest.mark.parametrize(
    ("filter_path", "expected"),
    [
        ("id,is_running", {"id", "is_running"}),
        ("response.hits.hits._id", {"response"}),
        ("-response.aggregations,-**._shards", {"id", "is_partial", "is_running", "response"}),
        ("nothing", set()),
    ],
)
async def test_filtered_replies(bridge: Bridge, engine: AsyncEngine, filter_path: str, expected: set[str]) -> None:
    """What the client wants to see is taken from the reranked reply; the engine shows all that has to be read."""
    engine.runs_on = False
    query = urlencode({"filter_path": filter_path})
    submitted = await bridge.submit(body={"size": 2}, keep_on_completion="true", filter_path=filter_path)
    whole = await bridge.submit(body={"size": 2}, keep_on_completion="true")
    polled = await bridge.ask("GET", f"{ELASTICSEARCH}/{whole.id}?{query}&keep_alive=1d")
    for reply in (submitted, polled):
        assert set(reply.content) - {"start_time_in_millis", "expiration_time_in_millis"} == expected
        if "response" in expected:
            assert reply.hits == RERANKED[:2]
            assert "aggregations" not in reply.content["response"]
    assert {asked.parameters.get("filter_path") for asked in engine.asked} == {"-_", None}
    assert [asked.parameters.get("keep_alive") for asked in engine.asked] == [None, None, "1d"]


async def test_a_pretty_reply_stays_pretty(bridge: Bridge, engine: AsyncEngine) -> None:
    """Line ends and indentation are the engine's, around the id and the hits that were put in."""
    submitted = await bridge.submit(body={"size": 2})
    engine.end(keeps=True)
    polled = await bridge.ask("GET", f"{ELASTICSEARCH}/{submitted.id}?pretty=true")
    assert polled.body.startswith(b'{\n  "id" : "rerank1.')
    assert polled.hits == RERANKED[:2]
    scores = [hit["_score"] for hit in polled.content["response"]["hits"]["hits"]]
    for written in (f'"_score" : {score:.7f}' for score in scores):
        assert written.encode() in polled.body


async def test_hits_keep_their_bytes(bridge: Bridge, engine: AsyncEngine) -> None:
    """Integers that no float holds come as they were, and what the bridge had to fetch besides is taken out again."""
    submitted = await bridge.submit(body={"size": 2, "_source": False})
    assert engine.asked[0].body["fields"] == ["title"]
    engine.end(keeps=True)
    polled = await bridge.ask("GET", f"{ELASTICSEARCH}/{submitted.id}")
    assert (polled.hits, b"fields" in polled.body) == (RERANKED[:2], False)
    submitted = await bridge.submit(body={"size": 1})
    engine.end(keeps=True)
    assert b'"big":12345678901234567890123' in (await bridge.ask("GET", f"{ELASTICSEARCH}/{submitted.id}")).body


async def test_kibana_polls(bridge: Bridge, engine: AsyncEngine) -> None:
    """Submit, status while it runs, hits when it has ended, deletion, each with the parameters that Kibana sends.

    As in Kibana 9, ``src/platform/plugins/shared/data/server/search/strategies``: ``ese_search/ese_search_strategy.ts``
    (``getAsyncSearch``, ``cancelAsyncSearch``), ``ese_search/request_utils.ts`` and ``common/async_utils.ts``; the body
    as Discover builds it, sorted by relevance.
    """
    body = {
        "sort": [{"_score": {"order": "desc"}}],
        "size": 500,
        "fields": [{"field": "*", "include_unmapped": "true"}, {"field": "@timestamp", "format": "date_time"}],
        "script_fields": {},
        "stored_fields": ["*"],
        "_source": False,
        "track_total_hits": True,
        "query": {
            "bool": {
                "must": [{"query_string": {"query": "quick fox", "fields": ["title"]}}],
                "filter": [{"range": {"@timestamp": {"gte": "2026-01-01T00:00:00.000Z"}}}],
                "should": [],
                "must_not": [],
            }
        },
    }
    submitted = await bridge.submit(
        body=body,
        batched_reduce_size=64,
        ccs_minimize_roundtrips="true",
        keep_on_completion="false",
        keep_alive="60000ms",
        ignore_unavailable="true",
        preference="1732512345678",
    )
    assert (submitted.content["is_running"], submitted.outcome) == (True, "skipped; reason=partial")
    status = f"{ELASTICSEARCH}/status/{submitted.id}?keep_alive=60000ms"
    assert (await bridge.ask("GET", status)).content["is_running"] is True
    engine.end(keeps=True)
    assert (await bridge.ask("GET", status)).content["is_running"] is False
    query = "keep_alive=60000ms&wait_for_completion_timeout=200ms"
    final = await bridge.ask("GET", f"{ELASTICSEARCH}/{submitted.id}?{query}", Accept_Encoding="gzip, deflate")
    assert (final.hits, final.outcome[:7]) == (RERANKED, "applied")
    assert all(hit["fields"] for hit in final.content["response"]["hits"]["hits"])
    assert final.message.values(b"X-Elasticsearch-Async-Is-Running") == [b"?0"]
    assert (await bridge.ask("DELETE", f"{ELASTICSEARCH}/{submitted.id}")).content == {"acknowledged": True}


async def test_the_official_client_of_opensearch(bridges: Bridges, engine: AsyncEngine) -> None:
    """Its calls for these searches work with the ids that it gets, escaped as it does it."""
    bridge = await bridges.start(engine="opensearch")

    def use() -> tuple[list[str], object]:
        with closing(OpenSearch(f"http://127.0.0.1:{bridge.port}", http_compress=True)) as client:
            searches = AsynchronousSearchClient(client)
            submitted = searches.search(body=QUERY, params={"keep_on_completion": "true"})
            assert submitted["state"] == "RUNNING"
            engine.end()
            found = searches.get(id=submitted["id"])
            deleted = searches.delete(id=submitted["id"])
            return [hit["_id"] for hit in found["response"]["hits"]["hits"]], deleted

    assert await asyncio.to_thread(use) == (RERANKED, {"acknowledged": True})


def test_the_secret_is_not_shown() -> None:
    """A configuration that is printed or logged does not give it away."""
    config = Config.model_validate({"upstream": "http://e", "id_secret": SECRET})
    assert SECRET not in f"{config!r} {config}"


async def test_a_search_that_is_not_to_be_reranked_any_more_is_cut_to_its_page(
    bridges: Bridges, bridge: Bridge, engine: AsyncEngine
) -> None:
    """A bridge whose share it is not in knows its id as well, and shows the page asked for in first-stage order."""
    other = await bridges.start(mode="canary", share=0.0)
    submitted = await bridge.submit(body={"from": 1, "size": 2})
    engine.end(keeps=True)
    final = await other.ask("GET", f"{ELASTICSEARCH}/{submitted.id}")
    assert (final.hits, final.outcome) == (["1", "2"], "skipped; reason=not-in-share")
    assert other.model.batches == []
