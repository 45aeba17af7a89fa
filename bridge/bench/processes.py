"""The processes of the systems that are compared: each loads once, then answers one command after the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

OWN_PYTHON = Path(sys.executable)
WORKER = Path(__file__).with_name("worker.py")
_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "DO_NOT_TRACK": "1", "TOKENIZERS_PARALLELISM": "true"}
"""What is compared is on this machine already, and measuring is nobody else's business."""
_LAST_BYTES = 2_000


class SystemFailedError(Exception):
    """A system could not be loaded or did not answer; the message says why."""


class SystemProcess:
    """A running system; use it as a context manager."""

    def __init__(self, python: Path) -> None:
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(  # noqa: S603 - our own words
            [str(python), "-P", str(WORKER)],  # -P: the benchmark's modules shall not stand in for packages
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, **_OFFLINE},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def load(self, task: dict[str, Any]) -> dict[str, Any]:
        """Load the system; the answer says how long it took and what memory it has. Raises ``SystemFailedError``."""
        return self._ask({"do": "load", **task})

    def score(self, query: str, texts: Sequence[str]) -> dict[str, Any]:
        """Score once: ``wall_s``, ``cpu_s``, ``scores`` and memory. Raises ``SystemFailedError``."""
        return self._ask({"do": "score", "query": query, "texts": list(texts)})

    def ask(self, do: str, **values: object) -> dict[str, Any]:
        """The answer to another command. Raises ``SystemFailedError``."""
        return self._ask({"do": do, **values})

    def _ask(self, task: dict[str, Any]) -> dict[str, Any]:
        if self._process.stdin is None or self._process.stdout is None:
            raise SystemFailedError("it was started without pipes")
        try:
            self._process.stdin.write(json.dumps(task) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError as error:
            raise SystemFailedError(f"it ended: {error}") from error
        if not line:
            raise SystemFailedError(f"it ended: {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise SystemFailedError(str(answer["error"]))
        return answer

    def _last_words(self) -> str:
        status = self._process.wait()
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - _LAST_BYTES))
        lines = [line for line in self._log.read().decode(errors="replace").splitlines() if line.strip()]
        return f"exit status {status}; {lines[-1] if lines else 'it said nothing'}"
