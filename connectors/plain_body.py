"""A request's body as it reads without its content coding."""

from __future__ import annotations

from connectors import _codings
from connectors.base import Request


def plain_body(request: Request, limit_bytes: int) -> bytes | None:
    """The body decoded; None where its coding is not read here, broken, or the body larger than the limit."""
    try:
        return _codings.decoded(request.body, request.header("content-encoding"), limit_bytes)
    except _codings.CodingError:
        return None
