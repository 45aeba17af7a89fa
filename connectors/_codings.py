"""Content codings and media types of bodies that are read: gzip and deflate, JSON.

Sources: RFC 9110 sections 8.3 and 8.4, RFC 1950 to 1952; deflate is read in both forms that are seen in the wild.
"""

from __future__ import annotations

import re
import zlib

_GZIP = zlib.MAX_WBITS | 16
_WINDOW_BITS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS)}
_LEVEL = 3  # what Elasticsearch and OpenSearch compress their replies with (http.compression_level)
_JSON = re.compile(r"\s*application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_OTHER_FORMATS = re.compile(r"yaml|cbor|smile", re.IGNORECASE)


class CodingError(ValueError):
    """A body in a coding that can't be read, broken, or larger than its limit once decoded."""


class TooLargeError(CodingError):
    """Larger than its limit once decoded."""


def is_json(media_type: str | None) -> bool:
    """Whether a Content-Type is JSON, the engines' vendor types included."""
    return media_type is not None and _JSON.fullmatch(media_type) is not None


def asks_for_another_format(accept: str) -> bool:
    """Whether an Accept header or ``format`` parameter names a format of the engines other than JSON."""
    return _OTHER_FORMATS.search(accept) is not None


def json_type_like(accept: str | None) -> str:
    """A Content-Type for JSON that agrees with what is accepted: the vendor types carry a version that must match."""
    return accept if accept is not None and "+json" in accept and is_json(accept) else "application/json"


def decoded(body: bytes, coding: str | None, limit_bytes: int) -> bytes:
    """The body without its content coding. Raises ``CodingError``."""
    name = (coding or "identity").strip().lower()
    if name == "identity":
        if len(body) > limit_bytes:
            raise TooLargeError(name)
        return body
    if name not in _WINDOW_BITS:
        raise CodingError(f"unknown content coding {name}")
    return _inflated(body, _WINDOW_BITS[name], limit_bytes)


def encoded(body: bytes, coding: str | None) -> bytes:
    """The body in a content coding that ``decoded`` has read."""
    name = (coding or "identity").strip().lower()
    if name == "identity":
        return body
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS[name][0])
    return compressor.compress(body) + compressor.flush()


def readable_codings(accept_encoding: str) -> str:
    """An Accept-Encoding header without the codings that ``decoded`` can't read; may be empty."""
    parts = (part.strip() for part in accept_encoding.split(","))
    readable = {*_WINDOW_BITS, "identity"}
    return ", ".join(part for part in parts if part.partition(";")[0].strip().lower() in readable)


def _inflated(body: bytes, forms: tuple[int, ...], limit_bytes: int) -> bytes:
    failure: zlib.error | None = None
    for window_bits in forms:
        try:
            return _inflated_once(body, window_bits, limit_bytes)
        except zlib.error as error:
            failure = error
    raise CodingError(str(failure)) from failure


def _inflated_once(body: bytes, window_bits: int, limit_bytes: int) -> bytes:
    decompressor = zlib.decompressobj(window_bits)
    content = decompressor.decompress(body, limit_bytes + 1)
    if len(content) > limit_bytes:
        raise TooLargeError("decoded body")
    if not decompressor.eof or decompressor.unused_data:
        raise CodingError("truncated or followed by something else")
    return content
