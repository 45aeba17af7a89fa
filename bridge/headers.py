"""Which header fields travel on, and what of a request line. Values in, values out.

Header bytes are read as UTF-8 with surrogates for what is none, as aiohttp does: no byte is lost.
"""

from __future__ import annotations

from collections.abc import Iterable

from connectors.base import Headers, Reason, header

CONTROL_HEADER = "X-Rerank"
"""Addressed to the bridge in a request, and from the bridge in a reply."""

INSTRUCTION_HEADER = "X-Rerank-Instruction"
"""What relevance means to this search, for models that know instructions."""
MAX_INSTRUCTION_CHARS = 1_000
"""Several times the longest in the cards of the models; each text of a window might be read with it."""

OFF = "off"
ON = "on"
SHADOW = "shadow"
EXPLAIN = "explain"

_HOP_BY_HOP = frozenset(
    # RFC 9110 7.6.1, and Trailer: trailers end here, so they must not be announced.
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
_OURS = frozenset({"host", CONTROL_HEADER.lower(), INSTRUCTION_HEADER.lower()})


def skipped(reason: Reason) -> str:
    """The control header's value for a search in first-stage order."""
    return f"skipped; reason={reason.value}"


def control_words(headers: Headers) -> frozenset[str]:
    """What the control header of a request says; several words stand in one field or several, as in any list."""
    wanted = CONTROL_HEADER.lower()
    values = (value for name, value in headers if name.lower() == wanted)
    return frozenset(word.strip().lower() for value in values for word in value.split(","))


def decode(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Header fields as text, in the order of the wire."""
    return tuple((_text(name), _text(value)) for name, value in raw)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def end_to_end(headers: Headers) -> Headers:
    """The fields that travel on: all but hop-by-hop ones and those that ``Connection`` names."""
    dropped = _HOP_BY_HOP | _named_by_connection(headers)
    return tuple(field for field in headers if field[0].lower() not in dropped)


def for_engine(headers: Headers) -> Headers:
    """The client's fields that reach the engine: end to end, without those that the bridge itself answers for."""
    return tuple(field for field in end_to_end(headers) if field[0].lower() not in _OURS)


def for_client(headers: Headers) -> Headers:
    """The engine's fields that reach the client; a length beside chunking is void (RFC 9112 6.3)."""
    kept = end_to_end(headers)
    return without(kept, "Content-Length") if is_chunked(headers) else kept


def without(headers: Headers, name: str) -> Headers:
    """The fields but those of this name."""
    unwanted = name.lower()
    return tuple(field for field in headers if field[0].lower() != unwanted)


def is_chunked(headers: Headers) -> bool:
    """Whether the body that follows is chunked rather than of a known length."""
    return header(headers, "Transfer-Encoding") is not None


def _named_by_connection(headers: Headers) -> frozenset[str]:
    named = (value for name, value in headers if name.lower() == "connection")
    return frozenset(option.strip().lower() for value in named for option in value.split(","))


def origin_form(target: str) -> str:
    """A request target as path and query, whatever form it came in (RFC 9112 3.2), with not a byte of them changed."""
    if target.startswith("/") or "://" not in target.partition("?")[0]:
        return target
    rest = target.partition("://")[2]
    start = min((place for place in map(rest.find, "/?#") if place >= 0), default=len(rest))
    origin = rest[start:]
    return origin if origin.startswith("/") else "/" + origin
