"""Reranking before it is shown, or shown to some: whole bridges in each mode."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bridge.command_line import patient
from bridge.composition import Bridge, bridging
from bridge.config import Config
from bridge.modes import point
from tests.doubles.raw_http import Conversation, Message, RawEngine, ask
from tests.doubles.small_models import GivenModel, HeldModel, LengthModel

HITS = 6
MAPPING = {"i": {"mappings": {"properties": {"title": {"type": "text"}}}}}
_HANGS_AFTER_S = 30.0
OURS = (b"x-rerank", b"server-timing")


@dataclass
class Engine:
    """Six hits whose texts grow, so that a model that likes long texts turns their order round; its own bytes."""

    status: bytes = b"200 OK"
    asked: list[Message] = field(default_factory=list)
    starts: list[bytes] = field(default_factory=list)
    """Of all requests, in their order."""

    def server(self) -> RawEngine:
        return RawEngine(answer=self.converse)

    async def converse(self, conversation: Conversation) -> None:
        await conversation.receive_body()
        request = conversation.request
        self.starts.append(request.start)
        if request.start.startswith(b"GET"):
            await conversation.send(_answer(b"200 OK", json.dumps(MAPPING).encode()))
            return
        self.asked.append(request)
        if b"_msearch" in request.start:
            bodies = [json.loads(line) for line in request.body.splitlines()[1::2]]
            parts = [b'{"status":200,' + self.page(body)[1:] for body in bodies]
            await conversation.send(_answer(self.status, b'{"took":1,"responses":[' + b",".join(parts) + b"]}"))
        else:
            await conversation.send(_answer(self.status, self.page(json.loads(request.body))))

    def page(self, body: Mapping[str, Any]) -> bytes:
        start, size = body.get("from", 0), body.get("size", 10)
        hits = [
            b'{"_index":"i", "_id":"%d","_score":%d.50,"_source":{"title":"%s"}}' % (n, 9 - n, b"x" * (n + 1))
            for n in range(HITS)
        ]
        return b'{"took":1,"hits":{"max_score":9.50, "hits":[%s]}}' % b",".join(hits[start : start + size])

    @property
    def sizes(self) -> list[int]:
        return [json.loads(request.body).get("size", 10) for request in self.asked]


def _answer(status: bytes, body: bytes) -> bytes:
    fields = b"Content-Type: application/json\r\nX-Own: 1\r\nContent-Length: %d" % len(body)
    return b"HTTP/1.1 %s\r\n%s\r\n\r\n%s" % (status, fields, body)


def search(*headers: str, path: str = "/i/_search", **members: Any) -> bytes:
    body = json.dumps({"query": {"match": {"title": "quick fox"}}, **members}).encode()
    return posted(path, body, *headers)


def posted(path: str, body: bytes, *headers: str) -> bytes:
    fields = ["Host: h", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([f"POST {path} HTTP/1.1", *fields, "", ""]).encode() + body


@dataclass
class Rolled:
    """A whole bridge before the engine."""

    engine: Engine
    direct: tuple[str, int]
    bridge: Bridge

    async def ask(self, data: bytes) -> Message:
        return await ask(self.bridge.running.host, self.bridge.running.port, data)

    async def told(self, data: bytes) -> bytes:
        return (await self.ask(data)).values(b"X-Rerank")[0]

    def counts(self, sample: str) -> bool:
        return sample.encode() in self.samples()

    def samples(self) -> list[bytes]:
        return self.bridge.telemetry.exposition().splitlines()

    async def counted(self, sample: str) -> None:
        """Returns when the metrics have this line."""
        while not self.counts(sample):
            await asyncio.to_thread(os.sched_yield)


@asynccontextmanager
async def rolled(mode: str, model: LengthModel | None = None, **settings: object) -> AsyncIterator[Rolled]:
    engine = Engine()
    async with engine.server() as server:
        given = {"upstream": server.url, "engine": "opensearch", "listen": "127.0.0.1:0", "model": "small", "window": 4}
        config = Config.model_validate({**given, "mode": mode, **settings})
        async with bridging(config, {"small": (model or LengthModel(),)}) as bridge, asyncio.timeout(_HANGS_AFTER_S):
            yield Rolled(engine, (server.host, server.port), bridge)


def ids(reply: Message) -> list[int]:
    return [int(hit["_id"]) for hit in json.loads(reply.body)["hits"]["hits"]]


async def test_shadow_does_not_touch_a_reply() -> None:
    """Byte for byte what the engine answers to the request as it came, and two fields that say what happened."""
    page: dict[str, Any] = {"from": 1, "size": 2}
    data = search("X-Opaque-Id: 7", **page)
    async with rolled("shadow") as bridge:
        shadowed = await bridge.ask(data)
        await bridge.counted('rerank_bridge_shadow_searches_total{compared="yes"} 1.0')
        direct = await ask(*bridge.direct, data)
    assert (shadowed.start, shadowed.body) == (direct.start, direct.body)
    assert [line for line in shadowed.fields if line.split(b":")[0].lower() not in OURS] == direct.fields
    assert shadowed.values(b"X-Rerank") == [b"skipped; reason=shadow"]
    own, wider, again = bridge.engine.asked
    assert (own.start, own.body) == (again.start, again.body)
    assert json.loads(wider.body)["size"] == 4


async def test_shadow_says_what_would_have_changed() -> None:
    """Metrics by index pattern: another first hit, and how many of the first ten are the same."""
    async with rolled("shadow", indices=[{"pattern": "i", "window": 4}]) as bridge:
        await bridge.ask(search())
        await bridge.counted('rerank_bridge_shadow_searches_total{compared="yes"} 1.0')
        assert bridge.counts('rerank_bridge_shadow_top_changed_searches_total{index="i"} 1.0')
        assert bridge.counts('rerank_bridge_shadow_overlap_at_10_sum{index="i"} 1.0')
        assert bridge.counts('rerank_bridge_searches_total{index="i",outcome="skipped",reason="shadow"} 1.0')


async def test_shadow_waits_for_nothing() -> None:
    """The client has its page before the mapping is asked for, the engine is asked again, or a model scores."""
    model = HeldModel()
    async with rolled("shadow", model) as bridge:
        data = posted("/i/_search", json.dumps({"query": {"query_string": {"query": "quick fox"}}}).encode())
        assert await bridge.told(data) == b"skipped; reason=shadow"
        await asyncio.to_thread(model.begun.acquire)
        starts = [start.split(b" ")[0] for start in bridge.engine.starts]
        assert (starts[0], starts[-1], starts.count(b"GET") > 0) == (b"POST", b"POST", True)
        assert bridge.engine.asked[0].body == data.partition(b"\r\n\r\n")[2]
        model.go_on()
        await bridge.counted('rerank_bridge_shadow_searches_total{compared="yes"} 1.0')


async def test_shadow_looks_at_so_many_at_a_time() -> None:
    """What comes while they are under way is passed on and not looked at; later ones are again."""
    model = HeldModel()
    async with rolled("shadow", model, shadow_limit=1) as bridge:
        await bridge.ask(search())
        await asyncio.to_thread(model.begun.acquire)
        for _ in range(3):
            assert await bridge.told(search()) == b"skipped; reason=shadow"
        assert bridge.counts('rerank_bridge_shadow_searches_total{compared="busy"} 3.0')
        assert len(bridge.engine.asked) == 5
        model.go_on(2)
        await bridge.counted('rerank_bridge_shadow_searches_total{compared="yes"} 1.0')
        await bridge.ask(search(query={"match": {"title": "other"}}))
        await bridge.counted('rerank_bridge_shadow_searches_total{compared="yes"} 2.0')


@pytest.mark.parametrize("status", [b"429 Too Many Requests", b"503 Service Unavailable"])
async def test_shadow_spares_an_engine_that_struggles(status: bytes) -> None:
    """The client's own request is all that reaches it, also those of the next seconds."""
    async with rolled("shadow") as bridge:
        bridge.engine.status = status
        assert (await bridge.ask(search())).start == b"HTTP/1.1 " + status
        bridge.engine.status = b"200 OK"
        await bridge.ask(search())
        assert len(bridge.engine.asked) == 2
        assert bridge.counts('rerank_bridge_shadow_searches_total{compared="engine"} 2.0')


async def test_shadow_of_what_can_not_be_reranked() -> None:
    """An error, a search that the engine would keep, a model that fails: counted, and the next is seen."""
    async with rolled("shadow", GivenModel(answers=[RuntimeError("of the model")])) as bridge:
        bridge.engine.status = b"404 Not Found"
        await bridge.ask(search())
        bridge.engine.status = b"200 OK"
        await bridge.ask(search(path="/i/_plugins/_asynchronous_search"))
        await bridge.ask(search())
        await bridge.counted('rerank_bridge_shadow_searches_total{compared="not-reranked"} 3.0')
        await bridge.ask(search())
        await bridge.counted('rerank_bridge_shadow_searches_total{compared="yes"} 1.0')
        assert [b"_asynchronous_search" in request.start for request in bridge.engine.asked].count(True) == 1


async def test_shadow_ends_with_the_bridge() -> None:
    """A search that is looked at does not keep the bridge from stopping."""
    model = HeldModel()
    async with rolled("shadow", model) as bridge:
        await bridge.ask(search())
        await asyncio.to_thread(model.begun.acquire)
    assert not any(line.startswith(b"rerank_bridge_shadow_searches_total") for line in bridge.samples())
    model.go_on()


def logged(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.glob("rollout-*.ndjson.gz"))
    return [json.loads(line) for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]


async def test_shadow_is_logged_where_a_folder_is_given(tmp_path: Path) -> None:
    """The words, the ids in the order that would have been, and where the engine had them; no text of a hit."""
    async with rolled("shadow", rollout_log=str(tmp_path / "log")) as bridge:
        await bridge.ask(search("X-Opaque-Id: 7"))
        await bridge.counted('rerank_bridge_shadow_searches_total{compared="yes"} 1.0')
    (line,) = logged(tmp_path / "log")
    assert line.pop("at_s") > 1_700_000_000
    hits = line.pop("hits")
    assert [(hit["_index"], hit["_id"], hit["rank"], hit["first_stage_rank"]) for hit in hits] == [
        ("i", str(place), rank, place + 1) for rank, place in enumerate([3, 2, 1, 0, 4, 5], start=1)
    ]
    assert line == {
        "rerank_bridge_rollout": 1,
        "mode": "shadow",
        "indices": ["i"],
        "query_text": "quick fox",
        "opaque_id": "7",
        "top_changed": True,
        "overlap_at_10": 1.0,
    }


async def test_a_canary_concerns_a_share_of_the_users() -> None:
    """By their header: some get the models' order, the others the engine's own bytes, each always the same."""
    users = [f"user-{number}" for number in range(12)]
    inside = [user for user in users if point(user) < 0.5]
    assert 0 < len(inside) < len(users)
    async with rolled("canary", share=0.5, share_header="X-User") as bridge:
        for user in users:
            for text in ("quick fox", "slow fox"):
                reply = await bridge.ask(search(f"X-User: {user}", query={"match": {"title": text}}))
                applied = reply.values(b"X-Rerank")[0] == b"applied; window=4; model=small"
                assert (applied, ids(reply)[0]) == ((True, 3) if user in inside else (False, 0))
                assert applied or reply.values(b"X-Rerank") == [b"skipped; reason=not-in-share"]
                assert applied or b'{"max_score":9.50, "hits"' in reply.body
        assert bridge.engine.sizes.count(10) == 24


async def test_a_canary_without_a_header_goes_by_the_words() -> None:
    """A tenth of them unless more is said; a client that asks for it is reranked."""
    texts = [f"fox {number}" for number in range(40)]
    inside = {text for text in texts if point(text) < 0.1}
    assert inside
    async with rolled("canary") as bridge:
        for text in texts:
            told = await bridge.told(search(query={"match": {"title": text}}))
            assert told.startswith(b"applied") == (text in inside)
        outside = next(text for text in texts if text not in inside)
        assert (await bridge.told(search("X-Rerank: on", query={"match": {"title": outside}}))).startswith(b"applied")


async def test_searches_of_one_request_each_go_by_their_own_index() -> None:
    """In an _msearch, those in shadow or not in the share keep the engine's order while others are reranked."""
    indices = [
        {"pattern": "shadow", "mode": "shadow"},
        {"pattern": "none", "mode": "canary", "share": 0},
        {"pattern": "off", "mode": "off"},
    ]
    names = ["on", "shadow", "none", "off"]
    body = "".join(f'{{"index":"{name}"}}\n{{"query":{{"match":{{"title":"fox"}}}}}}\n' for name in names)
    async with rolled("on", indices=indices) as bridge:
        reply = await bridge.ask(posted("/_msearch", body.encode()))
        assert len(bridge.engine.asked) == 1
    orders = [[hit["_id"] for hit in part["hits"]["hits"]] for part in json.loads(reply.body)["responses"]]
    assert [order[0] for order in orders] == ["3", "0", "0", "0"]
    assert reply.values(b"X-Rerank")[0].startswith(b"applied; searches=4; reranked=1; reasons=")


async def walked(bridge: Rolled, text: str, sizes: Sequence[int]) -> list[tuple[int, Any]]:
    """The hits of a search page by page, with who placed each."""
    found: list[tuple[int, Any]] = []
    for size in sizes:
        members: dict[str, Any] = {"from": len(found), "size": size, "query": {"match": {"title": text}}}
        reply = json.loads((await bridge.ask(search("X-Rerank: explain", **members))).body)
        told = reply["rerank_bridge"]["searches"][0].get("hits", [])
        teams = {hit["_id"]: hit.get("placed_by") for hit in told}
        found += [(int(hit["_id"]), teams.get(hit["_id"])) for hit in reply["hits"]["hits"]]
    return found


@pytest.mark.parametrize("sizes", [[1, 1, 1, 1, 1, 1], [2, 3, 1], [6]])
async def test_interleaved_pages_partition_the_hits(sizes: list[int]) -> None:
    """Each hit once, whatever the pages, and in the same turns; who placed it is told on request."""
    async with rolled("interleave") as bridge:
        for text in ("quick fox", "slow fox", "red fox"):
            found = await walked(bridge, text, sizes)
            assert found == await walked(bridge, text, [6])
            assert sorted(hit for hit, _ in found) == list(range(HITS))
            assert [hit for hit, _ in found[4:]] == [4, 5]
            window = found[:4]
            assert [hit for hit, team in window if team == "first_stage"] == sorted(
                hit for hit, team in window if team == "first_stage"
            )
            assert [team for _, team in window].count("models") == 2
            assert {team for _, team in found[4:]} == {None}


async def test_interleaving_is_fair_over_searches() -> None:
    """Each side has the first hit of about half of them, and the header says that they took turns."""
    async with rolled("interleave", long_documents="truncate") as bridge:
        firsts = [ids(await bridge.ask(search(query={"match": {"title": f"fox {n}"}})))[0] for n in range(200)]
        assert set(firsts) == {0, 3}
        assert 70 < firsts.count(3) < 130
        assert await bridge.told(search()) == b"applied; window=4; model=small; mode=interleave"


async def test_interleaving_is_logged_so_that_clicks_can_be_credited(tmp_path: Path) -> None:
    """Of each page that was shown: its hits, who placed them, and the names that clicks come with."""
    ubi: dict[str, Any] = {"ext": {"ubi": {"query_id": "a-query"}}}
    async with rolled("interleave", rollout_log=str(tmp_path)) as bridge:
        shown = ids(await bridge.ask(search("X-Opaque-Id: 7", **{"from": 1, "size": 2, **ubi})))
    (line,) = logged(tmp_path)
    assert (line["mode"], line["ubi_query_id"], line["opaque_id"]) == ("interleave", "a-query", "7")
    assert [(int(hit["_id"]), hit["rank"]) for hit in line["hits"]] == [(shown[0], 2), (shown[1], 3)]
    assert {hit["placed_by"] for hit in line["hits"]} <= {"first_stage", "models"}


@pytest.mark.parametrize(("allowed", "told"), [(True, b"skipped; reason=off"), (False, b"applied; window=4")])
async def test_a_client_is_heeded_where_the_configuration_lets_it(allowed: object, told: bytes) -> None:
    """Else its words change nothing, and nothing is explained."""
    async with rolled("on", allow_override=allowed) as bridge:
        assert (await bridge.told(search("X-Rerank: off"))).startswith(told)
        explained = b'"rerank_bridge"' in (await bridge.ask(search("X-Rerank: explain"))).body
    assert explained == allowed


async def test_a_search_in_shadow_by_its_own_word() -> None:
    """A client can have one search looked at and not shown."""
    async with rolled("on") as bridge:
        assert await bridge.told(search("X-Rerank: shadow")) == b"skipped; reason=shadow"
        await bridge.counted('rerank_bridge_shadow_searches_total{compared="yes"} 1.0')
        assert bridge.counts("rerank_bridge_unknown_control_words_total 0.0")


MODES = [("shadow", "canary", "on"), ("on", None, "on"), ("interleave", "off", "off"), ("off", "on", "off")]


@pytest.mark.parametrize(("general", "own", "tried"), MODES)
def test_what_is_measured_is_what_users_would_get(general: str, own: str | None, tried: str) -> None:
    """A file whose bridge runs in shadow can be checked, evaluated and replayed; what is off stays off."""
    given = {"upstream": "http://e", "mode": general, "share": 0.0, "indices": [{"pattern": "i", "mode": own}]}
    measured = patient(Config.model_validate(given))
    assert (measured.rollout(("i",)).mode, measured.policy(("i",)).is_on) == (tried, tried == "on")
    assert measured.rollout(("other",)).mode == ("off" if general == "off" else "on")
