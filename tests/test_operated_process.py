"""A bridge in a process of its own, switched and changed by those who run it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bridge.addresses import split_listen
from tests.doubles.raw_http import RawEngine, ask, no_server
from tests.test_live_config import ANSWER, BODY, SEARCH

_HANGS_AFTER_S = 120.0
TOKEN = "a-token-of-the-operators"


async def rerank_bridge(*arguments: str, **environment: str) -> tuple[int | None, str]:
    """The exit code of a command, and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **environment},
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


@dataclass
class Served:
    """A process that serves."""

    process: asyncio.subprocess.Process
    file: Path
    address: str
    admin: str

    async def told(self) -> bytes:
        """The X-Rerank header of a search."""
        reply = await ask(*split_listen(self.address), SEARCH % (len(BODY), BODY))
        return reply.values(b"X-Rerank")[0]

    async def last_read(self) -> dict[str, Any]:
        head = f"GET /_bridge/config HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        content = json.loads((await ask(*split_listen(self.admin), head.encode())).body)
        last: dict[str, Any] = content.get("last_read", {"outcome": None})
        return last

    async def becomes(self, outcome: str) -> dict[str, Any]:
        """Returns when the configuration was read with this outcome."""
        while (last := await self.last_read())["outcome"] != outcome:
            await asyncio.to_thread(os.sched_yield)
        return last


@asynccontextmanager
async def serving(folder: Path, engine: RawEngine) -> AsyncIterator[Served]:
    file = folder / "bridge.yaml"
    file.write_text(f"engine: opensearch\nupstream: {engine.url}\nmode: on\n")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "serve", "--config", str(file)),
        *("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "RERANK_BRIDGE_ADMIN_TOKEN": TOKEN},
    )
    try:
        async with asyncio.timeout(_HANGS_AFTER_S):
            assert process.stdout is not None
            line = (await process.stdout.readline()).decode()
            addresses = [word.removeprefix("http://") for word in line.split() if word.startswith("http://127")]
            yield Served(process, file, addresses[0], addresses[-1])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_operators_switch_and_change_a_bridge_that_runs(tmp_path: Path) -> None:
    """Off and on by the command, another window at SIGHUP, a broken file that is seen and changes nothing."""
    async with RawEngine(answer=ANSWER) as engine, serving(tmp_path, engine) as bridge:
        assert await bridge.told() == b"applied; window=4; model=embedded"
        code, said = await rerank_bridge("off", "--admin-listen", bridge.admin, RERANK_BRIDGE_ADMIN_TOKEN=TOKEN)
        assert (code, "reranking is off" in said) == (0, True), said
        assert await bridge.told() == b"skipped; reason=switched-off"
        code, said = await rerank_bridge("on", "--admin-listen", bridge.admin, RERANK_BRIDGE_ADMIN_TOKEN=TOKEN)
        assert (code, "as configured: *: on" in said) == (0, True), said
        assert await bridge.told() == b"applied; window=4; model=embedded"

        code, said = await rerank_bridge("off", "--admin-listen", bridge.admin)
        assert (code, "answered 401: send the admin_token" in said) == (1, True), said

        bridge.file.write_text(bridge.file.read_text() + "window: 2\n")
        bridge.process.send_signal(signal.SIGHUP)
        await bridge.becomes("changed")
        assert await bridge.told() == b"applied; window=2; model=embedded"

        bridge.file.write_text("window: many\n")
        last = await bridge.becomes("failed")
        assert f"{bridge.file}: window: Input should be a valid integer" in "\n".join(last["problems"])
        assert await bridge.told() == b"applied; window=2; model=embedded"

        bridge.process.send_signal(signal.SIGTERM)
        assert await bridge.process.wait() == 0


async def test_a_switch_that_reaches_no_bridge_says_so() -> None:
    """Whoever switches off in need must not believe that it worked: exit 1, or 2 where no address is known."""
    async with no_server(b"220 mail.example\r\n") as port:
        code, said = await rerank_bridge("off", "--admin-listen", f"127.0.0.1:{port}")
        assert (code, "no bridge is administered there" in said) == (1, True), said
    code, said = await rerank_bridge("off", "--admin-listen", f"127.0.0.1:{port}")
    assert (code, "no bridge is administered there" in said) == (1, True), said
    other = b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"mode":"off"}'
    async with RawEngine(answer=other) as engine:
        code, said = await rerank_bridge("off", "--admin-listen", f"127.0.0.1:{engine.port}")
        assert (code, "is no administration port" in said) == (1, True), said


@pytest.mark.parametrize("address", ["off", "127.0.0.1:0"])
async def test_a_switch_needs_an_address(address: str) -> None:
    """A bridge that is not administered, or at a port that only it knows, can't be found by its configuration."""
    code, said = await rerank_bridge("on", "--admin-listen", address)
    assert (code, "--admin-listen HOST:PORT" in said) == (2, True), said
