"""What a system answered to one search, as it is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from bridge.replay.http_client import HttpReply

_OK = 200
_DURATION = re.compile(r"(?:^|,)\s*([\w-]+);dur=(\d+(?:\.\d+)?)")
_TITLES = ("title", "name", "headline", "subject", "label", "heading", "question")
_MAX_TITLE_CHARS = 120
_MAX_ERROR_CHARS = 200
NO_ANSWER = 0
"""The status of a search that was not answered at all."""


class ShownHit(msgspec.Struct, frozen=True, array_like=True):
    """One hit of a page, as a reader of the report sees it."""

    index: str
    id: str
    score: float | None
    title: str = ""
    first_stage_rank: int | None = None
    """1-based; None where the bridge was not asked for it."""
    passage: str = ""
    """What the model decided by, where the bridge was asked."""
    object_id: str = ""
    """What events know it by, where that is a field of the document."""

    @property
    def known_as(self) -> str:
        """What events know it by."""
        return self.object_id or self.id


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One system's answer to one search."""

    status: int
    """Of HTTP; ``NO_ANSWER`` where none came."""
    latency_ms: float
    """From the moment that the search was to be sent until its last byte; reading its JSON is not counted."""
    service_ms: float
    """The same from the moment that it was sent."""
    error: str = ""
    """In few words; empty where hits came."""
    fate: str = ""
    """The first word of ``X-Rerank``: ``applied`` or ``skipped``; empty where there is none, as from an engine."""
    reason: str = ""
    """Why it was skipped, or cut."""
    parts_ms: Mapping[str, float] = {}
    """Where the time went, as ``Server-Timing`` says it; of several entries of a name the sum."""
    total: int | None = None
    hits: tuple[ShownHit, ...] = ()

    @property
    def is_answered(self) -> bool:
        """Whether a page of hits came."""
        return self.status == _OK and not self.error

    @property
    def ids(self) -> tuple[tuple[str, str], ...]:
        """Index and id of each hit, best first."""
        return tuple((hit.index, hit.id) for hit in self.hits)


class _Hit(msgspec.Struct):
    id: str = msgspec.field(name="_id", default="")
    index: str = msgspec.field(name="_index", default="")
    score: float | None = msgspec.field(name="_score", default=None)
    source: msgspec.Raw = msgspec.field(name="_source", default=msgspec.Raw(b"{}"))
    fields: msgspec.Raw = msgspec.Raw(b"{}")


class _Hits(msgspec.Struct):
    hits: list[_Hit]
    total: msgspec.Raw = msgspec.Raw(b"null")


class _FirstStage(msgspec.Struct):
    rank: int


class _Explained(msgspec.Struct):
    id: str = msgspec.field(name="_id", default="")
    index: str = msgspec.field(name="_index", default="")
    first_stage: _FirstStage | None = None
    passage: str = ""


class _SearchExplained(msgspec.Struct):
    hits: list[_Explained] = []


class _Explanation(msgspec.Struct):
    searches: list[_SearchExplained] = []


class _Body(msgspec.Struct):
    hits: _Hits
    rerank_bridge: _Explanation | None = None


class _Cause(msgspec.Struct):
    type: str = ""


class _Error(msgspec.Struct):
    error: _Cause | str


_BODY = msgspec.json.Decoder(_Body)
_ERROR = msgspec.json.Decoder(_Error)


def read_answer(reply: HttpReply, latency_s: float, service_s: float, object_field: str = "") -> Answer:
    """The answer that a reply is. ``object_field`` is the field that events know a document by; empty: its id."""
    told = reply.headers.get("x-rerank", "")
    word, *parameters = (part.strip() for part in told.split(";"))
    named = dict(part.partition("=")[::2] for part in parameters)
    answer = Answer(
        status=reply.status,
        latency_ms=_ms(latency_s),
        service_ms=_ms(service_s),
        fate=word,
        reason=named.get("reason") or named.get("cut", ""),
        parts_ms=_parts(reply.headers.get("server-timing", "")),
    )
    if reply.status != _OK:
        return msgspec.structs.replace(answer, error=_error(reply))
    try:
        body = _BODY.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.structs.replace(answer, error="not the reply of a search")
    return msgspec.structs.replace(answer, total=_total(body.hits.total), hits=_shown(body, object_field))


def no_answer(problem: str, latency_s: float, service_s: float) -> Answer:
    """The answer where none came."""
    return Answer(NO_ANSWER, _ms(latency_s), _ms(service_s), error=problem)


def _shown(body: _Body, object_field: str) -> tuple[ShownHit, ...]:
    searches = body.rerank_bridge.searches if body.rerank_bridge is not None else []
    told = {(hit.index, hit.id): hit for search in searches for hit in search.hits}
    return tuple(_shown_hit(hit, told.get((hit.index, hit.id)), object_field) for hit in body.hits.hits)


def _shown_hit(hit: _Hit, told: _Explained | None, object_field: str) -> ShownHit:
    rank = told.first_stage.rank if told is not None and told.first_stage is not None else None
    documents = [document for raw in (hit.source, hit.fields) if isinstance(document := _decoded(raw), dict)]
    return ShownHit(
        hit.index,
        hit.id,
        hit.score,
        next((title for document in documents if (title := _title(document))), ""),
        rank,
        told.passage if told is not None else "",
        next((text for document in documents if (text := _text(document.get(object_field)))), "")
        if object_field
        else "",
    )


def _decoded(raw: msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _title(document: Mapping[str, object]) -> str:
    """The field that people know a document by, or its first text."""
    names = [name for name in _TITLES if name in document]
    texts = (_text(document[name]) for name in [*names, *document])
    return next((text for text in texts if text), "")[:_MAX_TITLE_CHARS]


def _text(value: object) -> str:
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, str) else ""


def _total(raw: msgspec.Raw) -> int | None:
    value = msgspec.json.decode(raw)
    found = value.get("value") if isinstance(value, dict) else value
    return found if isinstance(found, int) else None


def _error(reply: HttpReply) -> str:
    try:
        error = _ERROR.decode(reply.body).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"status {reply.status}"
    return (error if isinstance(error, str) else error.type)[:_MAX_ERROR_CHARS] or f"status {reply.status}"


def _parts(timing: str) -> dict[str, float]:
    parts: dict[str, float] = {}
    for name, ms in _DURATION.findall(timing):
        parts[name] = parts.get(name, 0.0) + float(ms)
    return parts


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
