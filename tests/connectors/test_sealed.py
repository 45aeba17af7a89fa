"""Ids that carry something: opened with their key, and with no other."""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._sealed import PREFIX, Sealer

KEY = b"a key of the tests"
SEALER = Sealer(KEY)


@given(content=st.binary(max_size=300) | st.binary(max_size=3).map(lambda part: part * 200))
def test_what_was_sealed_is_opened(content: bytes) -> None:
    """Any content comes back, with another object of the same key, from an id that a URL need not escape."""
    sealed = SEALER.seal(content)
    assert re.fullmatch(r"rerank1\.[A-Za-z0-9_-]+", sealed)
    assert Sealer(KEY).opened(sealed) == content


def test_what_repeats_is_made_shorter() -> None:
    """A long query of words that repeat takes a fraction of its length, and short content no more than itself."""
    assert len(SEALER.seal(b"the quick brown fox " * 100)) < 150
    assert len(SEALER.seal(b"x")) == len(PREFIX) + 24


@given(content=st.binary(max_size=40), place=st.integers(0, 10_000), bit=st.integers(0, 5))
def test_a_changed_id_is_not_opened(content: bytes, place: int, bit: int) -> None:
    """Whichever character is another one, signature or content, the id is not ours any more."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    body = SEALER.seal(content).removeprefix(PREFIX)
    place %= len(body) - 1  # the last character has bits that mean nothing
    other = alphabet[alphabet.index(body[place]) ^ 1 << bit]
    assert SEALER.opened(PREFIX + body[:place] + other + body[place + 1 :]) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rerank1.",
        "rerank1.a",
        "rerank1.AAAA",
        "rerank1.é",
        "rerank1.=",
        "rerank2." + SEALER.seal(b"x").removeprefix(PREFIX),
        SEALER.seal(b"x").removeprefix(PREFIX),
        SEALER.seal(b"x")[:-4],
        Sealer(b"another key").seal(b"x"),
        "FmRldE8zREVEUzA2ZVpUeGs2ejJFUFEaMkZ5QTVrSTZSaVN3WlNFVmtlWHJsdzoxMDc=",
    ],
)
def test_what_is_not_ours_is_not_opened(text: str) -> None:
    """Another key's, another version's, cut short, an engine's own, or no id at all."""
    assert SEALER.opened(text) is None


def test_the_version_is_signed_too() -> None:
    """What the key signs without this version's prefix means something else, and is not opened."""
    other = hmac.digest(KEY, b"\0x", "sha256")[:16] + b"\0x"
    assert SEALER.opened(PREFIX + urlsafe_b64encode(other).rstrip(b"=").decode()) is None


def test_an_empty_key_is_refused() -> None:
    """Ids that anybody could sign are not made."""
    with pytest.raises(ValueError, match="key"):
        Sealer(b"")
