"""What ``/_bridge`` answers: whether the bridge lives, whether it is ready, and what it counted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from bridge import telemetry
from connectors.base import Reply

PREFIX = "/_bridge"


def is_ours(path: str) -> bool:
    """Whether a path is the bridge's own, and so never reaches the engine."""
    return path == PREFIX or path.startswith(PREFIX + "/")


class StatusPages:
    """The pages under ``/_bridge``."""

    def __init__(self, counters: telemetry.Telemetry, ready: Callable[[], bool]) -> None:
        self._telemetry = counters
        self._ready = ready
        self._pages: Mapping[str, Callable[[], Reply]] = {
            "/health": lambda: _json(200, "OK", {"status": "ok"}),
            "/ready": self._readiness,
            "/metrics": self._metrics,
        }

    @property
    def paths(self) -> tuple[str, ...]:
        """Where there is a page."""
        return tuple(PREFIX + name for name in self._pages)

    def reply(self, method: str, path: str) -> Reply:
        """The page at a path; 404 where there is none, 405 for all but GET and HEAD."""
        page = self._pages.get(path.removeprefix(PREFIX))
        if page is None:
            return _json(
                404, "Not Found", {"error": f"no page {path}", "pages": [PREFIX + name for name in self._pages]}
            )
        if method not in {"GET", "HEAD"}:
            return _json(405, "Method Not Allowed", {"error": "only GET and HEAD"}, ("Allow", "GET, HEAD"))
        return page()

    def _readiness(self) -> Reply:
        return (
            _json(200, "OK", {"ready": True}) if self._ready() else _json(503, "Service Unavailable", {"ready": False})
        )

    def _metrics(self) -> Reply:
        return Reply(200, "OK", (("Content-Type", telemetry.CONTENT_TYPE),), self._telemetry.exposition())


def _json(status: int, reason: str, content: Mapping[str, object], *headers: tuple[str, str]) -> Reply:
    fields = (("Content-Type", "application/json; charset=UTF-8"), *headers)
    return Reply(status, reason, fields, json.dumps(content).encode() + b"\n")
