"""The engine's addresses: whose turn it is, and which are left out for a while."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from yarl import URL

_MAX_PORT = 65_535
_CREDENTIALS = re.compile(r"^(\w+://)?.*@", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Address:
    """One address of the engine."""

    scheme: str
    host: str
    port: int
    path_prefix: str = ""
    """Stands before every target; no slash at its end."""
    authorization: str | None = None
    """The credentials that the address carries, as a header value."""

    def url(self, target: str) -> URL:
        """Where a request goes. The target stays as it is: yarl takes all of it for an encoded path."""
        return URL.build(
            scheme=self.scheme, host=self.host, port=self.port, path=self.path_prefix + target, encoded=True
        )

    def __str__(self) -> str:
        """What logs and errors show: no credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path_prefix}"


def parse_address(text: str) -> Address:
    """The address of ``scheme://[user:password@]host[:port][/prefix]``, which the configuration has checked."""
    parts = urlsplit(text)
    credentials = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return Address(
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port or {"http": 80, "https": 443}[parts.scheme],
        path_prefix=parts.path.rstrip("/"),
        authorization=basic(credentials) if parts.username else None,
    )


def check_address(address: str) -> None:
    """Raises ``ValueError``, which quotes no credentials, where it is none of an engine or a bridge."""
    shown = _CREDENTIALS.sub(r"\1...@", address)
    try:
        parts = urlsplit(address)
        port = parts.port  # raises where it is none
    except ValueError:  # whose text would quote what may be a password
        port = 0
    if port == 0 or "@" in parts.path:
        hint = "; in a password, / is written %2F, # %23 and ? %3F" if shown != address else ""
        raise ValueError(f"{shown!r} has no host and port that can be read{hint}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{shown!r} is not an http:// or https:// address")
    if parts.query or parts.fragment:
        raise ValueError(f"{shown!r} must not carry a query string or fragment")


def split_listen(value: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``. Raises ``ValueError`` where it is neither."""
    host, separator, port = value.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > _MAX_PORT:
        raise ValueError(f"{value!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def basic(credentials: str) -> str:
    """The ``Authorization`` value of ``user:password`` (RFC 7617, in UTF-8 as Elasticsearch reads it)."""
    return f"Basic {b64encode(credentials.encode()).decode()}"


class Rotation:
    """Round robin over addresses, leaving out for ``retry_after_s`` those that could not be reached."""

    def __init__(self, addresses: Sequence[Address], retry_after_s: float, clock: Callable[[], float]) -> None:
        self._addresses = tuple(addresses)
        self._retry_after_s = retry_after_s
        self._clock = clock
        self._next = 0
        self._out_until: dict[Address, float] = {}

    def turn(self) -> tuple[Address, ...]:
        """All addresses in the order in which one request tries them: those left out stand last."""
        start = self._next
        self._next = (start + 1) % len(self._addresses)
        rotated = self._addresses[start:] + self._addresses[:start]
        now = self._clock()
        return tuple(sorted(rotated, key=lambda address: self._out_until.get(address, now) > now))

    def unreachable(self, address: Address) -> bool:
        """Leaves an address out for a while. Whether that is news: it was in, or its time was over."""
        now = self._clock()
        is_news = self._out_until.get(address, now) <= now
        self._out_until[address] = now + self._retry_after_s
        return is_news

    def reached(self, address: Address) -> bool:
        """Takes an address in again. Whether it was out."""
        return self._out_until.pop(address, None) is not None
