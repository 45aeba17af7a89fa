"""A client's request or an engine's reply with another body: type, coding and length agree with it."""

from __future__ import annotations

from dataclasses import replace

from connectors import _codings
from connectors.base import Reply, Request

_OF_THE_BODY = frozenset({"content-length", "content-encoding", "content-type", "transfer-encoding"})
_FRAMING = frozenset({"content-length", "transfer-encoding"})


def request_with(request: Request, target: str, body: bytes, media_type: str) -> Request:
    """A POST of this body with the client's own credentials and wishes, whose reply comes in a coding that is read."""
    dropped = _OF_THE_BODY | {"accept-encoding"}
    headers = [(name, value) for name, value in request.headers if name.lower() not in dropped]
    codings = _codings.readable_codings(request.header("accept-encoding") or "")
    if codings:
        headers.append(("Accept-Encoding", codings))
    return Request("POST", target, (*headers, ("Content-Type", media_type)), body)


def reply_with(reply: Reply, body: bytes) -> Reply:
    """The reply with this body, in the reply's own content coding."""
    encoded = _codings.encoded(body, reply.header("content-encoding"))
    headers = (field for field in reply.headers if field[0].lower() not in _FRAMING)
    return replace(reply, body=encoded, headers=(*headers, ("Content-Length", str(len(encoded)))))
