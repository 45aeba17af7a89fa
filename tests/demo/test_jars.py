"""Fetching jars: what is said when they can't be had, and what a broken download leaves."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from jgo.maven import MavenContext

from bridge.demo.elasticsearch_home import COMPILER_COORDINATES
from bridge.demo.jars import ReportingResolver, fetch
from bridge.errors import EngineStartError


def test_no_network_is_an_error_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an empty cache and no way out, the error says where jars come from and what to do."""
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    monkeypatch.setenv("JGO_CACHE_DIR", str(tmp_path / "jgo"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(EngineStartError, match=r"jars of Thing can't be had: ProxyError(?s:.)*Check the network"):
        fetch("Thing", "org.example:thing:1.0", lambda _: None)


class _BreaksOff(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"PK half a jar")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def repository_that_breaks_off() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), _BreaksOff) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_broken_download_is_reported_and_leaves_no_half_file(repository_that_breaks_off: str, tmp_path: Path) -> None:
    """A connection that breaks off in a jar raises, and the next start does not find the half of it."""
    said: list[str] = []
    context = MavenContext(
        ReportingResolver("Thing", said.append), tmp_path, remote_repos={"broken": repository_that_breaks_off}
    )
    artifact = context.project("org.example", "thing").at_version("1.0").artifact()
    with pytest.raises(requests.RequestException):
        artifact.resolve()
    assert said == ["downloading Thing: thing-1.0.jar (0 MB so far)"]
    assert not list(tmp_path.rglob("*.jar"))


def test_jars_that_are_there_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second start touches no jar of the first, whose engine may be reading it; one that is gone is fetched again."""
    monkeypatch.setenv("JGO_CACHE_DIR", str(tmp_path))
    (jar,) = fetch("Thing", COMPILER_COORDINATES, lambda _: None)
    before = jar.stat()
    assert fetch("Thing", COMPILER_COORDINATES, lambda _: None) == (jar,)
    after = jar.stat()
    assert (after.st_ino, after.st_ctime_ns) == (before.st_ino, before.st_ctime_ns)
    jar.unlink()
    assert fetch("Thing", COMPILER_COORDINATES, lambda _: None) == (jar,)
    assert jar.is_file()
