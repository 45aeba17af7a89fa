"""Content codings and media types of bodies."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._codings import (
    CodingError,
    TooLargeError,
    asks_for_another_format,
    decoded,
    encoded,
    is_json,
    json_type_like,
    readable_codings,
)

LIMIT = 1_000


def raw_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (b"fox", None),
        (b"fox", "identity"),
        (b"fox", ""),
        (gzip.compress(b"fox"), "gzip"),
        (gzip.compress(b"fox"), " GZIP "),
        (gzip.compress(b"fox"), "x-gzip"),
        (zlib.compress(b"fox"), "deflate"),
        (raw_deflate(b"fox"), "deflate"),
    ],
)
def test_bodies_are_decoded(body: bytes, coding: str | None) -> None:
    """Every coding that clients and engines use is undone, deflate in both forms that are seen."""
    assert decoded(body, coding, LIMIT) == b"fox"


@given(st.binary(max_size=200), st.sampled_from([None, "identity", "gzip", "x-gzip", "deflate"]))
def test_what_is_encoded_can_be_decoded(body: bytes, coding: str | None) -> None:
    """Coding and decoding are each other's inverse."""
    assert decoded(encoded(body, coding), coding, LIMIT) == body


@pytest.mark.parametrize(
    ("body", "coding", "error"),
    [
        (b"fox", "br", CodingError),
        (b"fox", "gzip, gzip", CodingError),
        (b"fox", "gzip", CodingError),
        (b"fox", "deflate", CodingError),
        (b"", "gzip", CodingError),
        (gzip.compress(b"fox")[:-1], "gzip", CodingError),
        (gzip.compress(b"fox") + b"x", "gzip", CodingError),
        (gzip.compress(b"fox") * 2, "gzip", CodingError),
        (b"x" * (LIMIT + 1), None, TooLargeError),
        (gzip.compress(b"x" * (LIMIT + 1)), "gzip", TooLargeError),
        (zlib.compress(b"x" * 10_000_000), "deflate", TooLargeError),
    ],
)
def test_what_can_not_be_read_is_refused(body: bytes, coding: str | None, error: type[CodingError]) -> None:
    """Unknown codings, broken, doubled and too large bodies raise; a bomb is not inflated beyond the limit."""
    with pytest.raises(CodingError) as caught:
        decoded(body, coding, LIMIT)
    assert type(caught.value) is error


def test_the_limit_itself_is_allowed() -> None:
    """A body of exactly the limit is read, compressed or not."""
    body = b"x" * LIMIT
    assert decoded(body, None, LIMIT) == decoded(gzip.compress(body), "gzip", LIMIT) == body


@pytest.mark.parametrize(
    ("accepted", "left"),
    [
        ("gzip, deflate, br, zstd", "gzip, deflate"),
        ("br", ""),
        ("", ""),
        ("*", ""),
        ("gzip;q=0.5, br;q=1, identity;q=0.1", "gzip;q=0.5, identity;q=0.1"),
        ("GZIP", "GZIP"),
    ],
)
def test_only_readable_codings_are_asked_for(accepted: str, left: str) -> None:
    """The engine is asked for nothing that could not be taken apart."""
    assert readable_codings(accepted) == left


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        ("application/json", True),
        ("Application/JSON; charset=UTF-8", True),
        ("application/vnd.elasticsearch+json;compatible-with=8", True),
        ("application/vnd.elasticsearch+x-ndjson;compatible-with=8", False),
        ("application/x-ndjson", False),
        ("application/yaml", False),
        ("text/json", False),
        ("", False),
        (None, False),
    ],
)
def test_what_is_json(media_type: str | None, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """JSON and the vendors' JSON are, lines of JSON are not."""
    assert is_json(media_type) is expected


@pytest.mark.parametrize(
    ("accept", "other", "type_for_request"),
    [
        (None, False, "application/json"),
        ("*/*", False, "application/json"),
        ("application/json", False, "application/json"),
        ("application/yaml", True, "application/json"),
        ("application/cbor, application/json", True, "application/json"),
        ("smile", True, "application/json"),
        (
            "application/vnd.elasticsearch+json; compatible-with=8",
            False,
            "application/vnd.elasticsearch+json; compatible-with=8",
        ),
    ],
)
def test_what_is_accepted(accept: str | None, other: bool, type_for_request: str) -> None:  # noqa: FBT001 - a column of the table
    """Other formats are noticed; a body that we add is of the version of the vendor's type that is accepted."""
    assert asks_for_another_format(accept or "") is other
    assert json_type_like(accept) == type_for_request
