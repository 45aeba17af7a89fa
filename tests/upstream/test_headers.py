"""Which fields travel on, and what of a target."""

from __future__ import annotations

import pytest

from bridge.headers import decode, for_client, for_engine, is_chunked, origin_form
from connectors.base import Headers


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ((), ()),
        ((("A", "1"), ("a", "2")), (("A", "1"), ("a", "2"))),
        ((("Host", "h"), ("HOST", "h"), ("A", "1")), (("A", "1"),)),
        ((("x-rerank", "off"), ("X-Rerank-Other", "1")), (("X-Rerank-Other", "1"),)),
        ((("x-rerank-instruction", "news"), ("A", "1")), (("A", "1"),)),
        ((("Connection", "close, X-a ,, x-B"), ("x-A", "1"), ("X-b", "2"), ("X-c", "3")), (("X-c", "3"),)),
        ((("Transfer-Encoding", "chunked"), ("TE", "trailers"), ("Trailer", "X"), ("Upgrade", "h2c")), ()),
        (
            (("Keep-Alive", "5"), ("Proxy-Connection", "close"), ("Proxy-Authorization", "x")),
            (("Proxy-Authorization", "x"),),
        ),
    ],
)
def test_fields_for_the_engine(fields: Headers, kept: Headers) -> None:
    """Hop-by-hop fields, those that Connection names, Host and our own stay behind; all else travels in its order."""
    assert for_engine(fields) == kept


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ((("Host", "odd"), ("X-Rerank", "theirs")), (("Host", "odd"), ("X-Rerank", "theirs"))),
        ((("Content-Length", "5"), ("Connection", "close")), (("Content-Length", "5"),)),
        ((("content-length", "5"), ("transfer-encoding", "chunked"), ("A", "1")), (("A", "1"),)),
    ],
)
def test_fields_for_the_client(fields: Headers, kept: Headers) -> None:
    """Only hop-by-hop fields stay behind, and a length that chunking overrules."""
    assert for_client(fields) == kept


def test_fields_keep_bytes_that_are_no_text() -> None:
    """Decoding loses no byte, so that a field can be written as it was read."""
    ((name, value),) = decode([(b"X-A", b"caf\xe9 \xe2\x82\xac")])
    assert (name, value.encode("utf-8", "surrogateescape")) == ("X-A", b"caf\xe9 \xe2\x82\xac")


def test_chunking_is_seen_whatever_its_case() -> None:
    """The field's name is compared without case."""
    assert is_chunked((("transfer-ENCODING", "chunked"),))
    assert not is_chunked((("Content-Length", "1"),))


@pytest.mark.parametrize(
    ("target", "origin"),
    [
        ("/a?b", "/a?b"),
        ("//host/a", "//host/a"),
        ("/redirect?to=http://x/y", "/redirect?to=http://x/y"),
        ("*", "*"),
        ("http://h", "/"),
        ("http://h/", "/"),
        ("HTTPS://u:p@h:1/a//b?c=http://d", "/a//b?c=http://d"),
        ("http://h?q", "/?q"),
        ("http://h#f", "/#f"),
    ],
)
def test_targets_are_brought_to_origin_form(target: str, origin: str) -> None:
    """Only an absolute target changes, and only by losing what stands before its path."""
    assert origin_form(target) == origin
