"""The envelope around the reply to a search that runs on its own, in the forms of Elasticsearch and of OpenSearch.

``{"id", "is_partial", "is_running", "start_time_in_millis", "expiration_time_in_millis", "response", "error"}``, or
with ``state`` in the place of the two flags. ``id`` is there while the engine keeps the search, ``response`` once its
shards are known, ``error`` where it failed. Sources: see ``connectors._async_search``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from connectors import _codings
from connectors._raw_json import Member, RawJsonError, Span, decode, members
from connectors._search_reply import OK, STRUGGLING, first_stage_page, parse_reply, window_limit
from connectors.base import HitPage, Page, PassThrough, Reason, Reply, SearchPlan

_BAD_REQUEST = 400
_RUNNING = ("INIT", "RUNNING")
_JSON = (("Content-Type", "application/json"),)


class Envelope(NamedTuple):
    """A reply that was read: its body, content coding undone, and where its members stand."""

    body: bytes
    places: Mapping[str, Member]

    def value(self, key: str) -> object:
        """The decoded value of a member, or None."""
        return decode(self.places[key].value.of(self.body)) if key in self.places else None

    @property
    def id(self) -> str | None:
        """The search's id, where the engine keeps it."""
        value = self.value("id")
        return value if isinstance(value, str) else None

    @property
    def is_running(self) -> bool:
        """Whether there is more to come. A search may end with partial hits: then they are the final ones."""
        return self.value("is_running") is True or self.value("state") in _RUNNING

    @property
    def response(self) -> Span | None:
        """Where the reply of the search itself stands."""
        member = self.places.get("response")
        return member.value if member is not None else None

    @property
    def error(self) -> bytes:
        """What the search ended with, as it stands; nothing where it did not fail."""
        member = self.places.get("error")
        return member.value.of(self.body) if member is not None else b""

    @property
    def search_reply(self) -> Reply:
        """The reply of the search itself, as ``_search`` would have given it; empty where there is none."""
        return Reply(OK, "", _JSON, self.response.of(self.body) if self.response is not None else b"")


def read_envelope(reply: Reply, limit_bytes: int) -> Envelope:
    """The reply taken apart. Raises ``CodingError``, ``RawJsonError``."""
    body = _codings.decoded(reply.body, reply.header("content-encoding"), limit_bytes)
    return Envelope(body, members(body))


def read_hits(search: SearchPlan, reply: Reply, limit_bytes: int) -> Page:
    """The hits so far; ``PassThrough`` only where the reply says that the search has ended, and they can't be used."""
    if reply.status in STRUGGLING:
        return cut_hits(search, reply, limit_bytes, Reason.ENGINE_ERROR)
    try:
        envelope = read_envelope(reply, limit_bytes)
    except (_codings.CodingError, RawJsonError):
        return HitPage((), (), Reason.REPLY_SHAPE) if reply.status == OK else PassThrough(Reason.ENGINE_ERROR)
    if envelope.is_running:
        return cut_hits(search, reply, limit_bytes, Reason.PARTIAL)
    if reply.status != OK or envelope.error:
        may_say_why = reply.status in (OK, _BAD_REQUEST)  # OpenSearch answers with 200 whatever came of the search
        return PassThrough(Reason.ENGINE_ERROR, window_limit(envelope.error) if may_say_why else None)
    return parse_reply(search, envelope.search_reply)


def cut_hits(search: SearchPlan, reply: Reply, limit_bytes: int, reason: Reason) -> HitPage:
    """The hits in first-stage order, for this reason; none where the reply has none that can be read."""
    try:
        envelope = read_envelope(reply, limit_bytes)
        return replace(first_stage_page(search, envelope.search_reply.body), candidates=(), skip=reason)
    except (_codings.CodingError, RawJsonError, KeyError):
        return HitPage((), (), reason)
