"""Engines behind TLS, with an authority of the test's own."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from bridge.errors import UpstreamError
from connectors.base import Request
from tests.doubles.raw_http import RawEngine, no_server
from tests.doubles.upstreams import Upstreams

SEARCH = Request("GET", "/_search", ())


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


@pytest.fixture
async def engine(authority: trustme.CA) -> AsyncIterator[RawEngine]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    async with RawEngine(tls=context) as engine:
        yield engine


async def test_an_engine_is_trusted_by_its_authority(engine: RawEngine, upstreams: Upstreams, ca_file: Path) -> None:
    """With the CA file, searches and streams travel encrypted."""
    upstream = await upstreams.open(engine, upstream_ca_file=ca_file)
    assert (await upstream.send(SEARCH, limit_bytes=100)).body == b"{}"
    async with upstream.stream(SEARCH) as reply:
        assert [chunk async for chunk in reply.chunks] == [b"{}"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_an_engine_that_is_not_trusted_is_a_502(
    engine: RawEngine, upstreams: Upstreams, ca_file: Path, host: str
) -> None:
    """Neither an unknown authority nor a certificate for another name is taken; nothing is sent."""
    settings = {} if host == "localhost" else {"upstream_ca_file": ca_file}
    upstream = await upstreams.open(engine, upstream=engine.url.replace("localhost", host), **settings)
    with pytest.raises(UpstreamError, match="certificate is not trusted") as caught:
        await upstream.send(SEARCH, limit_bytes=100)
    assert caught.value.status == 502
    assert engine.requests == []


async def test_tls_to_a_port_without_it_is_a_502(engine: RawEngine, upstreams: Upstreams) -> None:
    """An https address of what does not speak TLS is told as such."""
    async with no_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        upstream = await upstreams.open(engine, upstream=f"https://localhost:{port}")
        with pytest.raises(UpstreamError, match="TLS") as caught:
            await upstream.send(SEARCH, limit_bytes=100)
    assert caught.value.status == 502
