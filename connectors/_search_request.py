"""A search request as it was sent -> its URL parameters and the members of its body.

Sources: "Search API" (URL parameters and body), Elasticsearch 7.10 to 9 and OpenSearch 1.3 to 3 manuals. URL parameters
win over the body, as in the engines, but for ``sort``, which adds to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, TypeGuard
from urllib.parse import parse_qsl

from connectors import _codings
from connectors._raw_json import Member, decode, members
from connectors.base import Policy, Reason, Request

_MAX_INT = 2**31 - 1
_READ_OTHERWISE = re.compile(r";|%(?![0-9A-Fa-f]{2})")
"""In a query string: a separator to some versions of the engines and a character to others, and broken escapes."""
_MAX_DIGITS = 10  # of a 32-bit number
BOOLEANS = {"true": True, "false": False}


class Search(NamedTuple):
    """A search as it was sent: its URL parameters and its body, decoded."""

    parameters: Mapping[str, str]
    body: bytes
    body_members: Mapping[str, Member]

    def raw(self, key: str) -> bytes | None:
        member = self.body_members.get(key)
        return member.value.of(self.body) if member is not None else None

    def value(self, key: str) -> object:
        raw = self.raw(key)
        return decode(raw) if raw is not None else None

    def has(self, *keys: str) -> bool:
        return any(key in self.parameters or key in self.body_members for key in keys)

    def asks(self, key: str) -> bool:
        """Whether it is there, and neither null nor false."""
        return self.parameters.get(key, self.value(key)) not in (None, False, "false")


class DeclinedError(Exception):
    """The search is left alone; ends the planning from wherever that is found out."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def read(request: Request, policy: Policy) -> Search:
    if _READ_OTHERWISE.search(request.query_string):
        raise DeclinedError(Reason.BODY_SHAPE)
    parameters = parse_qsl(request.query_string, keep_blank_values=True, errors="surrogateescape")
    named = dict(parameters)
    if len(named) != len(parameters):
        raise DeclinedError(Reason.BODY_SHAPE)
    body = _codings.decoded(request.body, request.header("content-encoding"), policy.max_body_bytes)
    media_type = request.header("content-type")
    if not body and "source" in named:
        body = named.pop("source").encode(errors="surrogateescape")
        media_type = named.pop("source_content_type", None)
    # Without a body too: the engines reply in the format of the request.
    if (body or media_type is not None) and not _codings.is_json(media_type):
        raise DeclinedError(Reason.CONTENT_TYPE)
    if _codings.asks_for_another_format(named.get("format") or request.header("accept") or ""):
        raise DeclinedError(Reason.REPLY_FORMAT)
    body = body or b"{}"
    decode(body)
    search = Search(named, body, members(body))
    if not isinstance(search.value("fields"), list | None):
        raise DeclinedError(Reason.BODY_SHAPE)
    return search


def count(search: Search, key: str, default: int) -> int:
    in_body = search.value(key) if key in search.body_members else default
    text = search.parameters.get(key, "0")
    in_url = int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else None
    if not _iscount(in_body) or not _iscount(in_url):  # the engine may read it otherwise, or refuse it
        raise DeclinedError(Reason.BODY_SHAPE)
    return in_url if key in search.parameters else in_body


def _iscount(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_INT


def sort_keys(search: Search) -> list[object]:
    """The body's, then those of the URL: the one parameter that adds to the body instead of replacing it."""
    value = search.value("sort")
    in_body = value if isinstance(value, list) else [value] if value is not None else []
    names = [name.strip() for name in search.parameters.get("sort", "").split(",")]
    return [*in_body, *(dict([name.split(":", 1)]) if ":" in name else name for name in names if name)]


def is_by_score(key: object) -> bool:
    if key == "_score":
        return True
    if not isinstance(key, dict) or list(key) != ["_score"]:
        return False
    order = key["_score"].get("order", "desc") if isinstance(key["_score"], dict) else key["_score"]
    return isinstance(order, str) and order.lower() == "desc"
