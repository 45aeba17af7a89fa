"""The administration port: what the bridge counted, what is in force, and the switch that turns reranking off.

A port of its own, on the loopback address unless configured otherwise, so that no client of the searches reaches it.
Where a token is configured, all but health and readiness want it. Without one, a request must name this machine in its
``Host``: a page in a browser, whose own name was made to lead here (DNS rebinding), does not.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec
import structlog
from aiohttp import web

from bridge.client import Client
from bridge.logs import without_message
from bridge.modes import Switch
from bridge.operation_config import is_loopback
from bridge.status import PREFIX, StatusPages
from bridge.upload import read_up_to
from connectors.base import Reply, Request

MODE_PAGE = PREFIX + "/mode"
CONFIG_PAGE = PREFIX + "/config"
_MAX_BODY_BYTES = 1024
_OPEN_PAGES = frozenset({PREFIX + "/health", PREFIX + "/ready"})
_READ = ("GET", "HEAD")

_log = structlog.get_logger(__name__)


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """What is put to the page of the mode."""

    mode: str


class Configured(Protocol):
    """What is known of the configuration in force."""

    def modes(self) -> Mapping[str, str]:
        """The configured mode of each index pattern; ``*`` where no other matches."""
        ...

    def described(self) -> Mapping[str, object]:
        """The settings in force with their origins, and what became of the last change."""
        ...


class AdminPages:
    """Answers every request at the administration port."""

    def __init__(self, status: StatusPages, switch: Switch, configured: Configured, token: str | None) -> None:
        self._status = status
        self._switch = switch
        self._configured = configured
        self._token = token
        self._pages: Mapping[str, Mapping[str, Callable[[Request], Reply]]] = {
            **{page: dict.fromkeys(_READ, self._of_status) for page in status.paths},
            MODE_PAGE: {**dict.fromkeys(_READ, self._mode), "PUT": self._put_mode},
            CONFIG_PAGE: dict.fromkeys(_READ, self._config),
        }

    async def drained(self) -> None:
        """Returns at once: nothing here takes long, and nobody waits for the administration at the end."""

    async def handle(self, http: web.BaseRequest) -> web.StreamResponse:
        """The reply to any request, written; errors of whatever kind end in it."""
        client = Client(http, keep_alive=True)
        try:
            await client.answer(await self._reply(client))
        except ConnectionError:
            client.break_off()
        except Exception as error:  # noqa: BLE001 - no error of ours leaves an operator without an answer
            _log.error("administration failed", path=client.head.path, **without_message(error))
            if client.response.begun:
                client.break_off()
            else:
                await client.answer(_json(500, "Internal Server Error", {"error": "the bridge failed; see its log"}))
        return client.response

    async def _reply(self, client: Client) -> Reply:
        head = client.head
        page = self._pages.get(head.path)
        refusal = self._refusal(head)
        if refusal is not None:
            return refusal
        if page is None:
            return _json(404, "Not Found", {"error": f"no page {head.path}", "pages": list(self._pages)})
        if head.method not in page:
            allowed = ", ".join(page)
            return _json(405, "Method Not Allowed", {"error": f"only {allowed}"}, ("Allow", allowed))
        body, whole = await read_up_to(client.upload.chunks(), _MAX_BODY_BYTES)
        if not whole:
            return _json(413, "Content Too Large", {"error": f"more than {_MAX_BODY_BYTES} bytes"})
        return page[head.method](Request(head.method, head.target, head.headers, body))

    def _refusal(self, head: Request) -> Reply | None:
        if head.path in _OPEN_PAGES:
            return None
        if self._token is None:
            named = _host(head.header("Host") or "")
            return None if is_loopback(named) else _json(403, "Forbidden", {"error": f"{named!r} is not this machine"})
        given = (head.header("Authorization") or "").partition(" ")
        is_right = hmac.compare_digest(given[2].strip().encode(errors="surrogateescape"), self._token.encode())
        if given[0].lower() == "bearer" and is_right:
            return None
        error = {"error": "send the admin_token, as Authorization: Bearer ..."}
        return _json(401, "Unauthorized", error, ("WWW-Authenticate", 'Bearer realm="rerank-bridge"'))

    def _of_status(self, request: Request) -> Reply:
        return self._status.reply(request.method, request.path)

    def _mode(self, request: Request) -> Reply:
        del request
        mode = "off" if self._switch.is_off else "on"
        return _json(200, "OK", {"mode": mode, "configured": self._configured.modes()})

    def _put_mode(self, request: Request) -> Reply:
        try:
            wanted = msgspec.json.decode(request.body, type=Wanted).mode
        except (msgspec.DecodeError, UnicodeDecodeError):
            wanted = ""
        if wanted not in {"on", "off"}:
            error = 'send {"mode": "off"}, or {"mode": "on"} for what is configured'
            return _json(400, "Bad Request", {"error": error})
        if self._switch.is_off != (wanted == "off"):
            self._switch.is_off = wanted == "off"
            _log.warning("reranking is switched", mode=wanted)
        return self._mode(request)

    def _config(self, request: Request) -> Reply:
        del request
        return _json(200, "OK", self._configured.described())


def _host(field: str) -> str:
    """The host that a ``Host`` field names, without its port."""
    host, colon, port = field.rpartition(":")
    return (host if colon and port.isdecimal() else field).strip("[]")


def _json(status: int, reason: str, content: Mapping[str, object], *headers: tuple[str, str]) -> Reply:
    fields = (("Content-Type", "application/json; charset=UTF-8"), *headers)
    return Reply(status, reason, fields, json.dumps(content, indent=2).encode() + b"\n")
