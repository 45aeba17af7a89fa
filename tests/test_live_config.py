"""A bridge that changes while it runs: its switch, and its configuration."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bridge.config_sources import load_with_origins
from bridge.live_config import Source, described_settings
from bridge.operation import Operated, operating
from bridge.operation_config import READ_AT_START
from tests.doubles.raw_http import Conversation, Message, RawEngine, ask
from tests.doubles.small_models import HeldModel, LengthModel

HITS = [{"_id": str(number), "_score": 9.0 - number, "_source": {"title": "x" * (number + 1)}} for number in range(4)]
PAGE = json.dumps({"took": 1, "hits": {"hits": HITS}}).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(PAGE), PAGE)
BODY = json.dumps({"query": {"match": {"title": "quick fox"}}}).encode()
SEARCH = b"POST /i/_search HTTP/1.1\r\nHost: b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
_HANGS_AFTER_S = 30.0
APPLIED = b"applied; window=4; model=small"


@dataclass
class Live:
    """A whole bridge with a file of its configuration."""

    file: Path
    engine: RawEngine
    operated: Operated

    def write(self, **settings: object) -> None:
        """Puts another file in the place of the first, as editors and deployments do."""
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(settings))
        new.rename(self.file)

    async def search(self) -> tuple[bytes, list[str]]:
        """The X-Rerank header of a search, and its hits."""
        running = self.operated.bridge.running
        reply = await ask(running.host, running.port, SEARCH % (len(BODY), BODY))
        return reply.values(b"X-Rerank")[0], [hit["_id"] for hit in json.loads(reply.body)["hits"]["hits"]]

    async def admin(self, method: str, page: str, content: object = None) -> Message:
        body = b"" if content is None else json.dumps(content).encode()
        head = f"{method} /_bridge/{page} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        assert self.operated.admin is not None
        return await ask(self.operated.admin.host, self.operated.admin.port, head.encode() + body)

    async def told(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((await self.admin("GET", "config")).body)
        return content

    async def counts(self, sample: str) -> bool:
        return sample.encode() in (await self.admin("GET", "metrics")).body.splitlines()

    async def has_gone(self, start: bytes) -> bool:
        """Returns when the metrics have no such line any more."""
        while any(line.startswith(start) for line in (await self.admin("GET", "metrics")).body.splitlines()):
            await asyncio.to_thread(os.sched_yield)
        return True

    async def read_anew(self, reads: int = 1) -> dict[str, Any]:
        """Returns when the configuration was read so many times, with what became of the last one."""
        while True:
            lines = (await self.admin("GET", "metrics")).body.decode().splitlines()
            counts = [line.split()[1] for line in lines if line.startswith("rerank_bridge_config_reads_total")]
            if sum(map(float, counts)) >= reads:
                last: dict[str, Any] = (await self.told())["last_read"]
                return last
            await asyncio.to_thread(os.sched_yield)

    async def changed(self, **settings: object) -> dict[str, Any]:
        """What becomes of another file, at SIGHUP."""
        self.write(**{**_usual(self.engine), **settings})
        os.kill(os.getpid(), signal.SIGHUP)
        return await self.read_anew()


def _usual(engine: RawEngine) -> dict[str, object]:
    return {
        "upstream": engine.url,
        "engine": "opensearch",
        "listen": "127.0.0.1:0",
        "admin_listen": "127.0.0.1:0",
        "model": "small",
        "id_secret": "0123456789abcdef",
    }


@asynccontextmanager
async def living(
    folder: Path, *models: LengthModel, look_every_s: float = 3_600.0, **settings: object
) -> AsyncIterator[Live]:
    """Looks at the file so seldom that only a signal counts."""
    file = folder / "bridge.yaml"
    async with RawEngine(answer=ANSWER) as engine:
        file.write_text(json.dumps({**_usual(engine), **settings}))

        source = Source(file, partial(load_with_origins, {}, file, {"RERANK_BRIDGE_SCORE_CACHE_MIB": "7"}))
        given = {model.name: (model,) for model in models or (LengthModel(),)}
        async with operating(source.read(), source, given, look_every_s) as operated, asyncio.timeout(_HANGS_AFTER_S):
            yield Live(file, engine, operated)


async def test_the_switch_turns_reranking_off_and_on(tmp_path: Path) -> None:
    """From the next search on, without a restart; metrics and replies say so."""
    async with living(tmp_path) as live:
        assert await live.search() == (APPLIED, ["3", "2", "1", "0"])
        await live.admin("PUT", "mode", {"mode": "off"})
        assert await live.search() == (b"skipped; reason=switched-off", ["0", "1", "2", "3"])
        assert await live.counts("rerank_bridge_switched_off 1.0")
        await live.admin("PUT", "mode", {"mode": "on"})
        assert await live.search() == (APPLIED, ["3", "2", "1", "0"])
        assert await live.counts("rerank_bridge_switched_off 0.0")


async def test_the_switch_outlives_a_change(tmp_path: Path) -> None:
    """What was switched off in need is not switched on by a change of something else."""
    async with living(tmp_path) as live:
        await live.admin("PUT", "mode", {"mode": "off"})
        assert (await live.changed(window=3))["outcome"] == "changed"
        assert (await live.search())[0] == b"skipped; reason=switched-off"


async def test_a_change_is_in_force_from_the_next_search_on(tmp_path: Path) -> None:
    """At SIGHUP the file is read anew; the page of the configuration tells the value and where it is from."""
    async with living(tmp_path) as live:
        await live.search()
        last = await live.changed(window=3)
        assert (last["outcome"], last["problems"], last["waiting_for_a_restart"]) == ("changed", [], [])
        assert await live.search() == (b"applied; window=3; model=small", ["2", "1", "0", "3"])
        settings = (await live.told())["settings"]
        assert settings["window"] == {"value": 3, "origin": str(live.file)}
        assert settings["score_cache_mib"] == {"value": 7, "origin": "RERANK_BRIDGE_SCORE_CACHE_MIB"}
        assert settings["ranking"] == {"value": "auto", "origin": "default"}
        assert settings["id_secret"]["value"] == "***"
        assert await live.counts('rerank_bridge_config_reads_total{outcome="changed"} 1.0')
        assert await live.counts("rerank_bridge_config_failed 0.0")


async def test_a_changed_file_is_seen(tmp_path: Path) -> None:
    """Without any signal: within two looks at the file."""
    async with living(tmp_path, look_every_s=0.001) as live:
        live.write(**{**_usual(live.engine), "window": 2})
        assert (await live.read_anew())["outcome"] == "changed"
        assert (await live.search())[0] == b"applied; window=2; model=small"


BAD: list[tuple[Mapping[str, object], str]] = [
    ({"window": 1}, "window: Input should be greater than or equal to 2"),
    ({"model": "no-such-model"}, "no-such-model"),
    ({"admin_listen": "0.0.0.0:0"}, "admin_token is needed"),
    ({"upstream": "http://127.0.0.1:9", "engine": "auto"}, "http://127.0.0.1:9: the engine refused the connection"),
    ({"capture": "/proc/nowhere"}, "capture: /proc/nowhere can't be written"),
]


@pytest.mark.parametrize(("settings", "problem"), BAD)
async def test_a_bad_configuration_changes_nothing(
    tmp_path: Path, settings: Mapping[str, object], problem: str
) -> None:
    """What is wrong with it is told, and the one in force goes on; a good one is taken then."""
    async with living(tmp_path) as live:
        last = await live.changed(**{"ranking": "rrf", **settings})
        assert (last["outcome"], problem in "\n".join(last["problems"])) == ("failed", True), last
        assert await live.counts("rerank_bridge_config_failed 1.0")
        assert await live.search() == (APPLIED, ["3", "2", "1", "0"])
        assert (await live.told())["settings"]["ranking"]["value"] == "auto"
        live.write(**{**_usual(live.engine), "window": 3})
        os.kill(os.getpid(), signal.SIGHUP)
        assert (await live.read_anew(2))["outcome"] == "changed"
        assert await live.counts("rerank_bridge_config_failed 0.0")


async def test_what_is_read_at_the_start_alone_waits(tmp_path: Path) -> None:
    """A new address to listen on is told as waiting, while all else of the change is in force."""
    async with living(tmp_path) as live:
        last = await live.changed(window=3, listen="127.0.0.1:1", admin_token="0123456789abcdef", log_level="error")
        assert last["outcome"] == "changed"
        assert last["waiting_for_a_restart"] == ["listen", "admin_token", "log_level"]
        assert (await live.search())[0] == b"applied; window=3; model=small"
        assert (await live.told())["settings"]["listen"]["value"] == "127.0.0.1:0"


async def test_a_search_under_way_keeps_what_it_began_with(tmp_path: Path) -> None:
    """The old model ends what it began after the new one has taken over; then nothing of it is left."""
    held, quick = HeldModel(name="small"), LengthModel(name="quick", revision="2")
    async with living(tmp_path, held, quick) as live:
        old = asyncio.create_task(live.search())
        await asyncio.to_thread(held.begun.acquire)
        assert (await live.changed(model="quick", window=2))["outcome"] == "changed"
        assert (await live.search())[0] == b"applied; window=2; model=quick"
        assert not old.done()
        held.go_on()
        assert await old == (APPLIED, ["3", "2", "1", "0"])
        assert await live.has_gone(b'rerank_bridge_queue_limit_pairs{model="small"}')


async def test_scores_outlive_a_change_of_something_else(tmp_path: Path) -> None:
    """A model that both configurations have is not loaded, nor asked for a known score, again."""
    model = LengthModel()
    async with living(tmp_path, model) as live:
        await live.search()
        assert (await live.changed(min_last_word_letters=0))["outcome"] == "changed"
        assert await live.search() == (APPLIED, ["3", "2", "1", "0"])
    assert len(model.batches) == 1


async def test_a_model_under_way_is_shared(tmp_path: Path) -> None:
    """Both configurations have one queue before a model that both have, so that it never works for two at once."""
    held = HeldModel(name="small")
    async with living(tmp_path, held) as live:
        old = asyncio.create_task(live.search())
        await asyncio.to_thread(held.begun.acquire)
        assert (await live.changed(min_last_word_letters=0))["outcome"] == "changed"
        weights = 'rerank_bridge_model_memory_bytes{device="cpu",model="small",part="weights"} 3.145728e+06'
        assert await live.counts(weights)
        held.go_on()
        assert await old == (APPLIED, ["3", "2", "1", "0"])


async def test_another_engine(tmp_path: Path) -> None:
    """The next search goes to the new address, and one under way is answered from the old one."""
    go_on = asyncio.Event()
    asked = asyncio.Event()

    async def slowly(conversation: Conversation) -> None:
        await conversation.receive_body()
        asked.set()
        await go_on.wait()
        await conversation.send(ANSWER)

    async with living(tmp_path) as live, RawEngine(answer=ANSWER) as other:
        live.engine.answer = slowly
        old = asyncio.create_task(live.search())
        await asked.wait()
        assert (await live.changed(upstream=other.url))["outcome"] == "changed"
        assert (await live.search())[0] == APPLIED
        assert other.request.start == b"POST /i/_search HTTP/1.1"
        go_on.set()
        assert (await old)[0] == APPLIED


async def test_nothing_new(tmp_path: Path) -> None:
    """A signal without a change leaves all as it is, and says so."""
    async with living(tmp_path) as live:
        assert (await live.changed())["outcome"] == "unchanged"


def test_what_is_shown_has_no_secrets() -> None:
    """Passwords, keys and tokens are hidden, those within addresses too."""
    secrets = {
        "upstream": "http://user:hidden-1@e:9200",
        "upstream_username": "u",
        "upstream_password": "hidden-2",
        "id_secret": "hidden-3-0123456789",
        "admin_token": "hidden-4-0123456789",
    }
    shown = described_settings(load_with_origins(secrets, None, {}).config)
    assert "hidden" not in json.dumps(shown)
    assert (shown["upstream"], shown["upstream_username"], shown["admin_token"]) == (["http://e:9200"], "u", "***")
    assert shown["upstream_api_key"] is None
    assert set(READ_AT_START) < shown.keys()
