"""Searches kept for a replay: what is kept, of how many, and within which bounds."""

from __future__ import annotations

import gzip
import json
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bridge.capture import PATTERN, Capture, CapturingExchange
from bridge.errors import ConfigError
from bridge.replay.formats import ReadOptions, open_log
from bridge.replay.logged import LoggedSearch
from connectors.base import PassThrough, Reason, Request
from tests.doubles.small_parts import SmallExchange

JSON = (("Content-Type", "application/json"), ("Authorization", "Basic secret"), ("Cookie", "secret"))
BODY = b'{"query":{"match":{"title":"red shoes"}}}'


def search(number: int = 0, body: bytes = BODY, *headers: tuple[str, str]) -> Request:
    return Request("POST", f"/shop/_search?n={number}", (*JSON, *headers), body)


def kept(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.glob(PATTERN))
    return [json.loads(line) for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]


def capture(folder: Path, requests: Sequence[Request], **options: Any) -> None:
    settings: dict[str, Any] = {"share": 1.0, "limit_bytes": 1 << 20, "clock": lambda: 1_700_000_000.5}
    with Capture(folder, **(settings | options)) as opened:
        for request in requests:
            opened.keep(request)


def test_a_search_is_kept_as_it_was_sent(tmp_path: Path) -> None:
    """Method, target, body and time, no header field but the type of the body, and readable by its owner alone."""
    capture(tmp_path / "kept", [search()])
    assert kept(tmp_path / "kept") == [
        {
            "rerank_bridge_capture": 1,
            "at_s": 1_700_000_000.5,
            "method": "POST",
            "target": "/shop/_search?n=0",
            "body": BODY.decode(),
            "content_type": "application/json",
        }
    ]
    (file,) = (tmp_path / "kept").glob(PATTERN)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700
    assert b"secret" not in gzip.decompress(file.read_bytes())


def test_a_capture_can_be_replayed(tmp_path: Path) -> None:
    """The folder, or one of its files, is a log of searches."""
    capture(tmp_path / "kept", [search(number) for number in range(3)])
    for place in (tmp_path / "kept", next((tmp_path / "kept").glob(PATTERN))):
        log = open_log(place, ReadOptions())
        entries = [entry for entry in log.entries if isinstance(entry, LoggedSearch)]
        assert [entry.target for entry in entries] == [f"/shop/_search?n={number}" for number in range(3)]
        assert {(entry.body, entry.at_s) for entry in entries} == {(BODY, 1_700_000_000.5)}


def test_compressed_bodies_are_kept_as_text(tmp_path: Path) -> None:
    """What a client compressed can be read; what can't be is left out."""
    packed = search(1, gzip.compress(BODY), ("Content-Encoding", "gzip"))
    unknown = search(2, b"x", ("Content-Encoding", "zstd"))
    capture(tmp_path / "kept", [packed, unknown])
    assert [one["body"] for one in kept(tmp_path / "kept")] == [BODY.decode()]


def test_a_share_is_kept(tmp_path: Path) -> None:
    """Of the searches, as many as the share says, by chance."""
    chances = iter([0.1, 0.5, 0.2, 0.9])
    capture(tmp_path / "kept", [search(number) for number in range(4)], share=0.5, chance=lambda: next(chances))
    assert [one["target"][-1] for one in kept(tmp_path / "kept")] == ["0", "2"]


def test_the_folder_keeps_its_size(tmp_path: Path) -> None:
    """The oldest searches go, and the newest are there."""
    for number in range(60):
        capture(tmp_path / "kept", [search(number, BODY + str(number).encode() * 50)], limit_bytes=800)
    files = list((tmp_path / "kept").glob(PATTERN))
    assert len(files) == 8
    assert kept(tmp_path / "kept")[-1]["target"] == "/shop/_search?n=59"


def test_a_folder_that_can_not_be_written_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    """It is told at the start, and not at the first search."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="can't be written"):
        Capture(tmp_path / "file", 1.0, 1_000)


async def test_what_passes_through_for_the_mode_is_kept(tmp_path: Path) -> None:
    """A log is wanted before the bridge is switched on; what the client declines is its own affair."""
    exchange = SmallExchange(declined=Reason.MODE_OFF, outcome=PassThrough(Reason.MODE_OFF))
    with Capture(tmp_path / "kept", 1.0, 1 << 20) as opened:
        capturing = CapturingExchange(exchange, opened)
        assert capturing.declines(search()) is None
        assert await capturing.search(search()) == PassThrough(Reason.MODE_OFF)
        assert capturing.declines(search(0, BODY, ("X-Rerank", "off"))) is Reason.OFF
        await capturing.search(Request("GET", "/_async_search/an-id?keep_alive=1m", JSON))
        await capturing.search(Request("GET", "/shop/_search?size=3&q=red", JSON))
    assert [one["target"] for one in kept(tmp_path / "kept")] == ["/shop/_search?n=0", "/shop/_search?size=3&q=red"]
