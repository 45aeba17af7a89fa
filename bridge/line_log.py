"""Lines of JSON kept in a folder: gzipped files, bounded in size, readable by their owner alone.

Files are written by a thread of their own, and where that falls behind, lines are left out: nobody waits for a log.
"""

from __future__ import annotations

import gzip
import os
import threading
import time
from pathlib import Path
from queue import Full, Queue
from types import TracebackType
from typing import IO, Self

import msgspec
import structlog

from bridge.errors import ConfigError

_WAITING = 1_000
"""Lines that may wait to be written: a second's worth of a busy bridge."""
_FLUSH_S = 5.0
_FILES = 8
"""That the folder's size is divided into: the oldest goes when a new one is begun."""
_OWNER_ALONE = 0o600
_FOLDER_OF_OWNER = 0o700

_log = structlog.get_logger(__name__)


class LineLog:
    """Keeps lines; use it as a context manager. Raises ``ConfigError`` where the folder can't be written."""

    def __init__(self, setting: str, folder: Path, prefix: str, limit_bytes: int) -> None:
        """``setting`` is the one that names the folder; files are called ``PREFIX-*.ndjson.gz``."""
        self._setting = setting
        self._folder = folder
        self._prefix = prefix
        self._file_bytes = max(limit_bytes // _FILES, 1)
        self._waiting: Queue[msgspec.Struct | None] = Queue(_WAITING)
        self._thread = threading.Thread(target=self._work, name=setting, daemon=True)
        try:
            folder.mkdir(mode=_FOLDER_OF_OWNER, parents=True, exist_ok=True)
            (folder / ".writable").touch(_OWNER_ALONE)
            (folder / ".writable").unlink()
        except OSError as error:
            raise ConfigError([f"{setting}: {folder} can't be written: {error.strerror}"]) from error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.put(None)
        self._thread.join()

    def put(self, line: msgspec.Struct) -> None:
        """Keeps a line, unless too many wait to be written. Never waits."""
        try:
            self._waiting.put_nowait(line)
        except Full:
            _log.debug("a line was left out", setting=self._setting)

    def _work(self) -> None:
        encoder = msgspec.json.Encoder()
        while (first := self._waiting.get()) is not None:
            try:
                is_last = self._write(first, encoder)
            except OSError as error:
                _log.error("lines are not written", setting=self._setting, problem=str(error))
                continue
            if is_last:
                return

    def _write(self, first: msgspec.Struct, encoder: msgspec.json.Encoder) -> bool:
        """Writes one file until it is full, or the end. Whether it was the end."""
        with self._begun() as (raw, packed):
            entry: msgspec.Struct | None = first
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
        files = sorted(self._folder.glob(f"{self._prefix}-*.ndjson.gz"))
        for file in files[: max(len(files) - _FILES + 1, 0)]:
            file.unlink(missing_ok=True)
        return _File(self._folder / f"{self._prefix}-{time.time_ns():020}-{os.getpid()}.ndjson.gz")


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
