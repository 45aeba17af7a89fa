"""Ids that carry what the bridge has to know when they come back, signed so that only its own are believed.

Whoever has the key can open an id, on any worker or machine, and nothing has to be kept. What an id carries can be read
by whoever holds it; it holds nothing but what its client sent. The signature is no permission: the engine still judges
the client's own credentials.
"""

from __future__ import annotations

import hmac
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error

PREFIX = "rerank1."
"""With the version of what is carried. No id of an engine has a full stop: they are base64url of bytes."""
KEY_BYTES = 32
"""Of a good key: as many as the digest has, RFC 2104 section 3."""
_SIGNATURE_BYTES = 16  # of HMAC-SHA256, cut as RFC 2104 section 5 allows: half of the digest at least
_PLAIN, _DEFLATED = b"\0", b"\1"


class Sealer:
    """Makes and opens ids with one key."""

    def __init__(self, key: bytes) -> None:
        if not key:
            raise ValueError("ids need a key")
        self._key = key

    def seal(self, content: bytes) -> str:
        """An id that carries the content: characters of base64url behind the prefix, none to be escaped in a URL."""
        deflated = zlib.compress(content, zlib.Z_BEST_COMPRESSION)
        signed = _DEFLATED + deflated if len(deflated) < len(content) else _PLAIN + content
        return PREFIX + urlsafe_b64encode(self._signature(signed) + signed).rstrip(b"=").decode()

    def opened(self, text: str) -> bytes | None:
        """What an id carries; None where it was not made with this key, or was changed."""
        if not text.startswith(PREFIX):
            return None
        encoded = text.removeprefix(PREFIX)
        try:
            raw = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        except (Base64Error, ValueError):
            return None
        signature, signed = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(signed)):
            return None
        return zlib.decompress(signed[1:]) if signed.startswith(_DEFLATED) else signed[1:]

    def _signature(self, signed: bytes) -> bytes:
        return hmac.digest(self._key, PREFIX.encode() + signed, "sha256")[:_SIGNATURE_BYTES]
