"""``rerank-bridge off`` and ``on``: the kill switch of a bridge that runs, by its administration port."""

from __future__ import annotations

from http.client import HTTPException
from typing import Annotated, Literal
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import msgspec
import typer

from bridge.admin import MODE_PAGE
from bridge.command_line import ConfigFile, errors_told, fail, settings_of
from bridge.config import Config

_TIMEOUT_S = 10.0
_NO_ENGINE = "http://localhost"  # the setting is needed, and nobody is asked there
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what a bridge listens on, not where this one does

AdminListen = Annotated[
    str | None, typer.Option(help="HOST:PORT where the bridge is administered; 127.0.0.1:9401 by default.")
]


class Answered(msgspec.Struct):
    """What the page of the mode answers."""

    mode: str = ""
    configured: dict[str, str] = {}
    error: str = ""


def off(admin_listen: AdminListen = None, config: ConfigFile = None) -> None:
    """Turn all reranking off at once; searches pass through until `on`, or until the bridge is started anew."""
    with errors_told():
        switched("off", settings_of({"upstream": _NO_ENGINE, "admin_listen": admin_listen}, config))
    typer.echo("reranking is off: searches pass through until `rerank-bridge on`, or a restart of the bridge")


def on(admin_listen: AdminListen = None, config: ConfigFile = None) -> None:
    """Rerank again as the bridge is configured."""
    with errors_told():
        answered = switched("on", settings_of({"upstream": _NO_ENGINE, "admin_listen": admin_listen}, config))
    modes = ", ".join(f"{pattern}: {mode}" for pattern, mode in answered.configured.items())
    typer.echo(f"reranking is as configured: {modes}")


def switched(mode: Literal["off", "on"], config: Config) -> Answered:
    """What the bridge answers to the change of its switch; ends the command where there is no such answer."""
    address = config.admin_address
    if address is None or address[1] == 0:
        fail(
            f"admin_listen is {config.admin_listen}: say where the bridge is administered, --admin-listen HOST:PORT", 2
        )
    host = _EVERYWHERE.get(address[0], address[0])
    url = f"http://{f'[{host}]' if ':' in host else host}:{address[1]}{MODE_PAGE}"
    headers = {"Content-Type": "application/json"}
    if config.admin_token is not None:
        headers["Authorization"] = f"Bearer {config.admin_token}"
    request = Request(url, msgspec.json.encode({"mode": mode}), headers, method="PUT")
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=_TIMEOUT_S) as reply:
            answered = _read(reply.read())
    except HTTPError as error:
        with error:
            fail(f"{url} answered {error.code}: {_read(error.read()).error or error.reason}", 1)
    except (OSError, HTTPException) as error:
        fail(f"{url}: no bridge is administered there: {error}", 1)
    if answered.mode != mode or not answered.configured:
        fail(f"{url} is no administration port of a bridge", 1)
    return answered


def _read(body: bytes) -> Answered:
    try:
        return msgspec.json.decode(body, type=Answered)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Answered()
