"""The administration port: who may ask, and what is answered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from bridge.admin import AdminPages
from bridge.modes import Switch
from bridge.server import Running, listening
from bridge.status import StatusPages
from bridge.telemetry import Telemetry
from tests.doubles.raw_http import Message, ask

TOKEN = "a-token-of-the-operators"
PAGES = [f"/_bridge/{name}" for name in ("health", "ready", "metrics", "mode", "config")]


@dataclass
class SmallConfigured:
    """A configuration in force."""

    fails: bool = False
    settings: Mapping[str, object] = field(default_factory=lambda: {"settings": {"window": {"value": 5}}})

    def modes(self) -> Mapping[str, str]:
        return {"*": "on", "logs-*": "off"}

    def described(self) -> Mapping[str, object]:
        if self.fails:
            raise RuntimeError("with words of a user")
        return self.settings


@dataclass
class Admin:
    """An administration port and what is behind it."""

    switch: Switch
    configured: SmallConfigured
    running: Running

    async def ask(self, method: str, path: str, body: bytes = b"", host: str = "localhost", token: str = "") -> Message:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
        lines += [f"Authorization: {token}"] if token else []
        data = "\r\n".join([*lines, "", ""]).encode(errors="surrogateescape") + body
        return await ask(self.running.host, self.running.port, data, bodiless=method == "HEAD")


@asynccontextmanager
async def admin_port(token: str | None = None) -> AsyncIterator[Admin]:
    switch, configured = Switch(), SmallConfigured()
    pages = AdminPages(StatusPages(Telemetry(), lambda: True), switch, configured, token)
    async with listening(pages, "127.0.0.1", 0, shutdown_timeout_s=0) as running:
        yield Admin(switch, configured, running)


@pytest.fixture
async def admin() -> AsyncIterator[Admin]:
    async with admin_port() as port:
        yield port


@pytest.mark.parametrize("path", PAGES)
async def test_each_page_is_read(admin: Admin, path: str) -> None:
    """GET gives a page, HEAD its fields alone."""
    whole = await admin.ask("GET", path)
    assert whole.start == b"HTTP/1.1 200 OK"
    assert whole.body
    assert (await admin.ask("HEAD", path)).start == whole.start


async def test_the_switch(admin: Admin) -> None:
    """What is put is in force at once, and is told with what is configured."""
    configured = {"*": "on", "logs-*": "off"}
    for mode in ("off", "on"):
        for method, body in (("PUT", json.dumps({"mode": mode}).encode()), ("GET", b"")):
            reply = await admin.ask(method, "/_bridge/mode", body)
            assert json.loads(reply.body) == {"mode": mode, "configured": configured}
        assert admin.switch.is_off == (mode == "off")


WRONG = [b"", b"off", b'{"mode":"shadow"}', b'{"mode":false}', b'{"mode":"off","x":1}', b"\xff", b'["off"]']


@pytest.mark.parametrize("body", WRONG)
async def test_what_is_no_mode_switches_nothing(admin: Admin, body: bytes) -> None:
    """The answer says what can be sent."""
    reply = await admin.ask("PUT", "/_bridge/mode", body)
    assert reply.start == b"HTTP/1.1 400 Bad Request"
    assert '{"mode": "off"}' in json.loads(reply.body)["error"]
    assert not admin.switch.is_off


@pytest.mark.parametrize(
    ("method", "path", "body", "start"),
    [
        ("GET", "/_bridge/other", b"", b"HTTP/1.1 404 Not Found"),
        ("GET", "/", b"", b"HTTP/1.1 404 Not Found"),
        ("POST", "/_bridge/mode", b'{"mode":"off"}', b"HTTP/1.1 405 Method Not Allowed"),
        ("PUT", "/_bridge/config", b"{}", b"HTTP/1.1 405 Method Not Allowed"),
        ("OPTIONS", "/_bridge/mode", b"", b"HTTP/1.1 405 Method Not Allowed"),
        ("PUT", "/_bridge/mode", b" " * 2_000, b"HTTP/1.1 413 Content Too Large"),
    ],
)
async def test_what_is_not_there_is_refused(admin: Admin, method: str, path: str, body: bytes, start: bytes) -> None:
    """Neither engine nor switch hears of it; a missing page is answered with those that there are."""
    reply = await admin.ask(method, path, body)
    assert reply.start == start
    assert not admin.switch.is_off
    assert b"404" not in start or json.loads(reply.body)["pages"] == PAGES


async def test_a_failure_is_told_without_its_words(admin: Admin) -> None:
    """A mistake in a page is an answer, and the next page is there."""
    admin.configured.fails = True
    reply = await admin.ask("GET", "/_bridge/config")
    assert reply.start == b"HTTP/1.1 500 Internal Server Error"
    assert b"words" not in reply.body
    assert (await admin.ask("GET", "/_bridge/mode")).start == b"HTTP/1.1 200 OK"


HOSTS = [
    ("localhost:9401", True),
    ("LOCALHOST", True),
    ("127.0.0.1:9401", True),
    ("127.1.2.3", True),
    ("[::1]:9401", True),
    ("evil.example", False),
    ("localhost.evil.example:9401", False),
    ("10.0.0.1", False),
    ("", False),
]


@pytest.mark.parametrize(("host", "may"), HOSTS)
async def test_a_page_of_a_browser_reaches_nothing(admin: Admin, host: str, *, may: bool) -> None:
    """Without a token, who names another host than this machine was led here by that name, and is refused."""
    reply = await admin.ask("PUT", "/_bridge/mode", b'{"mode":"off"}', host)
    assert (reply.start, admin.switch.is_off) == (b"HTTP/1.1 200 OK" if may else b"HTTP/1.1 403 Forbidden", may)


GIVEN = [
    (f"Bearer {TOKEN}", True),
    (f"bearer {TOKEN}", True),
    ("", False),
    (f"Basic {TOKEN}", False),
    (f"Bearer {TOKEN}x", False),
    (f"Bearer {TOKEN[:-1]}", False),
    ("Bearer", False),
    ("Bearer \udcff", False),
]


@pytest.mark.parametrize(("given", "may"), GIVEN)
async def test_a_token_is_wanted_where_one_is_configured(given: str, *, may: bool) -> None:
    """All pages want it, from whatever host, but those that probes ask for."""
    async with admin_port(TOKEN) as admin:
        for page in PAGES:
            reply = await admin.ask("GET", page, host="bridge.example", token=given)
            is_open = page in {"/_bridge/health", "/_bridge/ready"}
            assert reply.start == (b"HTTP/1.1 200 OK" if may or is_open else b"HTTP/1.1 401 Unauthorized")
        reply = await admin.ask("PUT", "/_bridge/mode", b'{"mode":"off"}', token=given)
        assert admin.switch.is_off == may
        assert may or reply.values(b"WWW-Authenticate") == [b'Bearer realm="rerank-bridge"']
