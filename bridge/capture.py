"""Searches kept in a folder as clients sent them, for a replay: a sample, bounded in size, readable by its owner alone.

No header field is kept, so no credentials are; bodies are what users searched, which is why nothing is kept unless a
folder is configured. Files are written by a thread of their own, and where that falls behind, searches are left out:
a search never waits for its capture.
"""

from __future__ import annotations

import gzip
import os
import random
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Full, Queue
from types import TracebackType
from typing import IO, Protocol, Self

import msgspec
import structlog

from bridge.errors import ConfigError
from connectors.base import PassThrough, Reason, Reply, Request
from connectors.plain_body import plain_body

PATTERN = "searches-*.ndjson.gz"
VERSION = 1
_WAITING = 1_000
"""Searches that may wait to be written: a second's worth of a busy bridge."""
_MAX_BODY_BYTES = 16 << 20
_FLUSH_S = 5.0
_FILES = 8
"""That the folder's size is divided into: the oldest goes when a new one is begun."""
_OWNER_ALONE = 0o600
_FOLDER_OF_OWNER = 0o700

_SAYS_WORDS = re.compile(r"(?:^|&)(?:q|source)=")  # others than a search's own: polls of asynchronous ones

_FOR_THE_MODE = frozenset({Reason.MODE_OFF, Reason.SWITCHED_OFF})

_log = structlog.get_logger(__name__)


class Captured(msgspec.Struct, frozen=True, omit_defaults=True):
    """One search, as a line of JSON."""

    rerank_bridge_capture: int
    """The version of the format."""
    at_s: float
    """Seconds since 1970."""
    method: str
    target: str
    body: str
    """Its content coding undone, where it has one that the bridge reads."""
    content_type: str = "application/json"


class Capture:
    """Keeps searches; use it as a context manager. Raises ``ConfigError`` where the folder can't be written."""

    def __init__(
        self,
        folder: Path,
        share: float,
        limit_bytes: int,
        *,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._folder = folder
        self._share = share
        self._file_bytes = max(limit_bytes // _FILES, 1)
        self._clock = clock
        self._chance = chance
        self._waiting: Queue[Captured | None] = Queue(_WAITING)
        self._thread = threading.Thread(target=self._work, name="capture", daemon=True)
        try:
            folder.mkdir(mode=_FOLDER_OF_OWNER, parents=True, exist_ok=True)
            (folder / ".writable").touch(_OWNER_ALONE)
            (folder / ".writable").unlink()
        except OSError as error:
            raise ConfigError([f"capture: {folder} can't be written: {error.strerror}"]) from error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.put(None)
        self._thread.join()

    def keep(self, request: Request) -> None:
        """Keeps a search, if it is in the sample and can be read. Never waits."""
        if self._chance() >= self._share:
            return
        body = plain_body(request, _MAX_BODY_BYTES)
        if body is None:
            return
        one = Captured(
            VERSION,
            round(self._clock(), 3),
            request.method,
            _readable(request.target),
            body.decode(errors="replace"),
            request.header("content-type") or "application/json",
        )
        try:
            self._waiting.put_nowait(one)
        except Full:
            _log.debug("a search was not captured")

    def _work(self) -> None:
        encoder = msgspec.json.Encoder()
        while (first := self._waiting.get()) is not None:
            try:
                is_last = self._write(first, encoder)
            except OSError as error:
                _log.error("capture failed", folder=str(self._folder), problem=str(error))
                continue
            if is_last:
                return

    def _write(self, first: Captured, encoder: msgspec.json.Encoder) -> bool:
        """Writes one file until it is full, or the end. Whether it was the end."""
        with self._begun() as (raw, packed):
            entry: Captured | None = first
            flushed_s = time.monotonic()
            while entry is not None:
                packed.write(encoder.encode(entry) + b"\n")
                if time.monotonic() - flushed_s > _FLUSH_S:
                    packed.flush()
                    flushed_s = time.monotonic()
                if raw.tell() >= self._file_bytes:
                    return False
                entry = self._waiting.get()
        return True

    def _begun(self) -> _File:
        files = sorted(self._folder.glob(PATTERN))
        for file in files[: max(len(files) - _FILES + 1, 0)]:
            file.unlink(missing_ok=True)
        name = f"searches-{time.time_ns():020}-{os.getpid()}.ndjson.gz"
        return _File(self._folder / name)


class _File:
    """A gzipped file that its owner alone can read."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ALONE)
        self._raw = os.fdopen(descriptor, "wb")
        self._packed = gzip.GzipFile(fileobj=self._raw, mode="wb", compresslevel=6)

    def __enter__(self) -> tuple[IO[bytes], gzip.GzipFile]:
        return self._raw, self._packed

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._packed.close()
        self._raw.close()


class SearchExchange(Protocol):
    """What answers searches; see ``bridge.gateway``."""

    def declines(self, head: Request) -> Reason | None:
        """Why a search is left alone, judged by its head alone; None: its body is needed."""
        ...

    async def search(self, request: Request) -> Reply | PassThrough:
        """The reply, or why the search is to be passed on as it came."""
        ...


class CapturingExchange:
    """Keeps searches on their way to an exchange, also where the mode is off: a log is wanted before switching."""

    def __init__(self, exchange: SearchExchange, capture: Capture) -> None:
        self._exchange = exchange
        self._capture = capture

    def declines(self, head: Request) -> Reason | None:
        """As the exchange; a search that is left alone for the mode has its body read first."""
        reason = self._exchange.declines(head)
        return None if reason in _FOR_THE_MODE else reason

    async def search(self, request: Request) -> Reply | PassThrough:
        """As the exchange."""
        if request.body or _SAYS_WORDS.search(request.query_string):
            self._capture.keep(request)
        return await self._exchange.search(request)


def _readable(target: str) -> str:
    """A request line's text, whose bytes need not be UTF-8."""
    return target.encode(errors="surrogateescape").decode(errors="replace")
