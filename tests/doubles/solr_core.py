"""Cores of a real Solr for tests: made, filled, and asked byte for byte."""

from __future__ import annotations

import json
import re
import shutil
import urllib.request
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from bridge.demo.engine import Engine
from bridge.demo.solr_home import CONFIGSET
from connectors.base import Headers, Reply, Request

JSON: Headers = (("Content-Type", "application/json"),)
FORM: Headers = (("Content-Type", "application/x-www-form-urlencoded"),)
_TIME = re.compile(rb'((?:QTime|RESPONSE_TIME|rid|NOW)"?[=:>]\s*"?)[\w.-]+')
"""When a request was made and how long it took, in JSON and XML."""


def post(url: str, body: object, **parameters: str) -> Any:
    request = urllib.request.Request(f"{url}?{urlencode(parameters)}", json.dumps(body).encode(), dict(JSON))
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


def make_core(solr: Engine, name: str, *, config: Sequence[Mapping[str, Any]] = (), schema: Any = None) -> str:
    """The address of a new core with a configuration of its own, which its changes concern alone."""
    shutil.copytree(solr.data / "configsets" / CONFIGSET / "conf", solr.data / name / "conf")
    get_json(f"{solr.url}/solr/admin/cores?{urlencode({'action': 'CREATE', 'name': name})}")
    url = f"{solr.url}/solr/{name}"
    if schema is not None:
        post(f"{url}/schema", schema)
    for command in config:
        post(f"{url}/config", command)
    return url


def get_json(url: str) -> Any:
    with urllib.request.urlopen(url) as reply:
        return json.load(reply)


def fill(core: str, documents: Sequence[Mapping[str, Any]]) -> None:
    post(f"{core}/update", documents, commit="true")


def send(url: str, request: Request) -> Reply:
    """The reply as it was on the wire, on a connection of its own."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.putrequest(request.method, request.target, skip_accept_encoding=True)
        length = (("Content-Length", str(len(request.body))),) if request.body or request.method == "POST" else ()
        for name, value in (*request.headers, *length):
            connection.putheader(name, value)
        connection.endheaders(request.body)
        answer = connection.getresponse()
        return Reply(answer.status, answer.reason, tuple(answer.getheaders()), answer.read())
    finally:
        connection.close()


def timeless(body: bytes) -> bytes:
    """A reply's body without the time that it took."""
    return _TIME.sub(rb"\g<1>0", body)
