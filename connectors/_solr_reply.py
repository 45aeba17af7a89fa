"""Solr's reply to a search: taken apart, reordered, cut, and made as if nothing had been asked beside.

Every document keeps its bytes but for its score and for what was added to its fields. Sources: "Response Writers",
"JSON Request API", "Highlighting", "Common Query Parameters" (``debug``, ``echoParams``,
``timeAllowed``) of Solr's reference guide, 8.11 to 10.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from connectors import _codings
from connectors._bodies import reply_with
from connectors._protected import is_exact
from connectors._raw_json import (
    Edit,
    Member,
    RawJsonError,
    Span,
    decode,
    edited,
    elements,
    members,
    without_members,
)
from connectors._search_reply import OK, STRUGGLING, written_score
from connectors._solr_layout import rebuilt
from connectors._solr_restore import MARKER, NO_SHARD, SHARD, Restore, with_own_json, with_own_parameters
from connectors._wildcard import is_pattern, matches
from connectors.base import Candidate, HitPage, Order, PassThrough, Reason, Reply, SearchPlan, TextField
from connectors.fields import Leaves, leaves, text_of

_NOT_MODIFIED = 304
_READABLE = re.compile(r"\s*(?:application/json|text/plain)\s*(?:;.*)?", re.IGNORECASE)
"""Older configurations have JSON sent as text, for browsers to show."""
_KEYED = ("highlighting",)
"""Sections with an entry for each document of the page, under its unique key."""
_DEBUG, _EXPLAIN = "debug", "explain"
_MAX_SCORE = 2.0**128  # scores are 32-bit floats


@dataclass(frozen=True, slots=True)
class _Document:
    raw: bytes
    values: Mapping[str, object]

    def key(self, restore: Restore) -> str:
        """Its unique key as sections name it."""
        return str(self.values.get(restore.unique_key))


@dataclass(frozen=True, slots=True)
class _Parts:
    body: bytes
    documents: tuple[_Document, ...]
    is_airy: bool
    """Whether the engine writes a space between the signs of what is empty, as Solr 9 does where it indents."""
    shows_best_score: bool = True
    """Whether the client's own reply would have the highest score: where it asks for scores, or shards tell theirs."""
    shown_key: str | None = None
    """What the unique key is called in a document, where the client sees it."""

    def empty(self, signs: bytes) -> bytes:
        return b" ".join((signs[:1], signs[1:])) if self.is_airy else signs


def parse_reply(plan: SearchPlan, reply: Reply) -> HitPage | PassThrough:
    """The documents of a reply to a widened search, or why they can't be read."""
    if reply.status in STRUGGLING:
        return HitPage((), (), Reason.ENGINE_ERROR)  # a struggling engine is not asked again
    if reply.status == _NOT_MODIFIED:
        return HitPage((), (), Reason.NOT_MODIFIED)
    if reply.status != OK:
        return PassThrough(Reason.ENGINE_ERROR)
    try:
        return _read(plan, _body(plan, reply))
    except _codings.TooLargeError:
        return PassThrough(Reason.REPLY_TOO_LARGE)
    except (_codings.CodingError, RawJsonError, KeyError):
        return PassThrough(Reason.REPLY_SHAPE)


def _body(plan: SearchPlan, reply: Reply) -> bytes:
    if not _READABLE.fullmatch(reply.header("content-type") or ""):
        raise RawJsonError("another type")
    return _codings.decoded(reply.body, reply.header("content-encoding"), plan.policy.max_reply_bytes)


def _read(plan: SearchPlan, body: bytes) -> HitPage | PassThrough:
    envelope = members(body)
    if "grouped" in envelope:
        return PassThrough(Reason.GROUPED)
    response = envelope["response"].value.of(body)
    raw = members(response)["docs"].value.of(response)
    documents = tuple(_document(place.of(raw)) for place in elements(raw))
    header = _header(envelope, body)
    if not documents and not _restore(plan).asked.scores and _may_be_spread(_restore(plan), header):
        return PassThrough(Reason.TOO_FEW_HITS)
    is_airy = body.startswith(b"{\n") and not raw.startswith((b"[\n", b"[]"))
    key = _restore(plan).unique_key
    parts = _Parts(
        body,
        documents,
        is_airy=is_airy,
        shows_best_score=bool(_restore(plan).asked.scores) or _is_spread(_restore(plan), documents),
        shown_key=None if _restore(plan).hides(key) else key,
    )
    is_partial = b'"partialResults"' in header
    if not _is_as_asked(_restore(plan), decode(response), len(documents), is_partial=is_partial):
        return PassThrough(Reason.REPLY_SHAPE)
    if not _has_known_keys(_restore(plan), parts):
        return PassThrough(Reason.REPLY_SHAPE)
    tuple(_edits_around(_restore(plan), parts))  # what they can't undo is seen here, where there is still a choice
    return _page(plan, parts)


def _header(envelope: Mapping[str, Member], body: bytes) -> bytes:
    header = envelope.get("responseHeader")
    return header.value.of(body) if header is not None else b""


def _may_be_spread(restore: Restore, header: bytes) -> bool:
    """Whether a search may have gone to several shards, and so show the highest score though nobody asks for it.

    ``QueryComponent`` of Solr 9 orders the hits of shards by their scores, and so has them told.
    """
    return not header or b'"zkConnected"' in header or restore.parameters.has("shards")


def _is_spread(restore: Restore, documents: Sequence[_Document]) -> bool:
    """Whether shards told their scores; a node that ``_route_`` sends a search to asks itself alone."""
    return any(map(_is_of_a_shard, documents)) and not restore.parameters.has("_route_")


def _is_of_a_shard(document: _Document) -> bool:
    return document.values.get(SHARD, NO_SHARD) != NO_SHARD


def _document(raw: bytes) -> _Document:
    values = decode(raw)
    if not isinstance(values, dict):
        raise RawJsonError("no document")
    return _Document(raw, values)


def _is_as_asked(restore: Restore, response: object, documents: int, *, is_partial: bool) -> bool:
    """Whether the documents are those that were asked for, so that no invariant of the handler stood against it."""
    if not isinstance(response, dict) or response.get("start") != restore.fetch_start:
        return False
    found = response.get("numFound")
    wanted = min(restore.fetch_size, max(found - restore.fetch_start, 0)) if isinstance(found, int) else -1
    return documents == wanted or (is_partial and documents < wanted)


def _has_known_keys(restore: Restore, parts: _Parts) -> bool:
    """Whether all that stands under the key of a document is that of a document known."""
    known = {document.key(restore) for document in parts.documents}
    return all(known.issuperset(members(section.of(parts.body))) for section in _sections(parts.body))


def _sections(body: bytes) -> Iterator[Span]:
    envelope = members(body)
    yield from (envelope[name].value for name in _KEYED if name in envelope)
    if _DEBUG in envelope:
        debug = envelope[_DEBUG].value
        explain = members(debug.of(body)).get(_EXPLAIN)
        if explain is not None:
            yield Span(debug.start + explain.value.start, debug.start + explain.value.end)


def _page(plan: SearchPlan, parts: _Parts) -> HitPage:
    restore = _restore(plan)
    scores = [_score(document, restore) for document in parts.documents]
    known = tuple(score for score in scores if score is not None)
    if len(scores) < 2:  # noqa: PLR2004 - one hit has no order
        return HitPage((), known, Reason.TOO_FEW_HITS, parts)
    if len(known) < len(scores):
        return HitPage((), known, Reason.NOT_SCORED, parts)
    if not restore.is_rescored and not _fall(parts.documents, known):
        return HitPage((), known, Reason.SORTED, parts)
    candidates = tuple(_candidates(plan, parts.documents[: plan.policy.window]))
    texts = {candidate.text for candidate in candidates}
    if texts == {""}:
        return HitPage((), known, Reason.NO_TEXT, parts)
    if len(texts) == 1:
        return HitPage((), known, Reason.SAME_TEXT, parts)
    return HitPage(candidates, known, None, parts)


def _score(document: _Document, restore: Restore) -> float | None:
    score = document.values.get(restore.score)
    return float(score) if isinstance(score, int | float) and abs(score) <= _MAX_SCORE else None


def _fall(documents: Sequence[_Document], scores: Sequence[float]) -> bool:
    """Whether the documents stand in the order of their scores, but for those that are put on top."""
    free = [score for document, score in zip(documents, scores, strict=True) if not _is_elevated(document)]
    return all(above >= below for above, below in pairwise(free))


def _is_elevated(document: _Document) -> bool:
    return document.values.get(MARKER) is True


def _candidates(plan: SearchPlan, documents: Sequence[_Document]) -> Iterator[Candidate]:
    """The texts; where no document has any of the fields wanted, every string is read instead."""
    restore, limit = _restore(plan), plan.policy.max_text_chars
    shown = [_leaves(document, restore) for document in documents]
    texts = [text_of(one, _wanted(plan, one), limit, in_document_order=restore.in_document_order) for one in shown]
    if plan.text_fields and not any(texts):
        texts = [text_of(one, (), limit) for one in shown]
    for document, one, text in zip(documents, shown, texts, strict=True):
        yield Candidate(text, _is_elevated(document), _is_exact(plan, document, one))


def _wanted(plan: SearchPlan, document: Leaves) -> Sequence[TextField]:
    """The fields to read, with names in the place of patterns where the document's order is theirs."""
    if not _restore(plan).in_document_order:
        return plan.text_fields
    return [
        replace(field, name=name)
        for field in plan.text_fields
        for name in (document if is_pattern(field.name) else (field.name,))
        if matches(field.name, name)
    ]


def _leaves(document: _Document, restore: Restore) -> Leaves:
    hidden = {restore.unique_key, restore.score, MARKER, SHARD}
    return leaves([{name: value for name, value in document.values.items() if name not in hidden and name[:1] != "_"}])


def _is_exact(plan: SearchPlan, document: _Document, shown: Leaves) -> bool:
    names = plan.policy.exact_fields
    return bool(names) and is_exact(
        leaves([document.values]) if _restore(plan).unique_key in names else shown,
        document.values.get(_restore(plan).unique_key),
        names,
        plan.query_text,
    )


def identity_of(page: HitPage, place: int) -> Mapping[str, object]:
    """``_id``, which is the unique key of the document at a first-stage place, where the client sees it."""
    parts = page.parts
    if not isinstance(parts, _Parts) or parts.shown_key is None:
        return {}
    values = parts.documents[place].values
    return {"_id": values[parts.shown_key]} if parts.shown_key in values else {}


def splice_reply(plan: SearchPlan, page: HitPage, reply: Reply, order: Order | None) -> Reply:
    """The reply with the client's page of the order; None: of the first stage, with its own scores."""
    parts, restore = page.parts, _restore(plan)
    if parts is None:
        return _with_own_header(plan, reply)
    if not isinstance(parts, _Parts):
        raise TypeError("the page comes from another connector")
    kept = {place for place, candidate in enumerate(page.candidates) if candidate.is_pinned}
    writes = order is not None and plan.policy.score_policy == "replace"
    places: Sequence[tuple[int, float | None]] = (
        [(place, None) for place in range(len(parts.documents))]
        if order is None
        else [
            (hit.first_stage_index, hit.score if writes and hit.first_stage_index not in kept else None)
            for hit in order
        ]
    )
    chosen = places[plan.start : plan.start + plan.size]
    best = max(hit.score for hit in order) if order and writes else None  # what is on top may have less
    return reply_with(reply, edited(parts.body, [*_edits(restore, parts, chosen, best)]))


def _with_own_header(plan: SearchPlan, reply: Reply) -> Reply:
    """A reply without documents, as an error is, with the client's own parameters where it echoes them."""
    try:
        body = _body(plan, reply)
        edits = [*_header_edits(_restore(plan), _Parts(body, (), is_airy=body.startswith(b"{\n")))]
    except (_codings.CodingError, RawJsonError):
        return reply
    return reply_with(reply, edited(body, edits)) if edits else reply


def _edits(
    restore: Restore, parts: _Parts, chosen: Sequence[tuple[int, float | None]], best: float | None
) -> Iterator[Edit]:
    yield from _edits_around(restore, parts)
    response = members(parts.body)["response"].value
    shown = [_shown(restore, parts, parts.documents[place], score) for place, score in chosen]
    yield Edit(response, _response(response.of(parts.body), restore, parts, shown, best))
    keys = [parts.documents[place].key(restore) for place, _ in chosen]
    for section in _sections(parts.body):
        raw = section.of(parts.body)
        entries = members(raw)
        own = [entries[key].whole.of(raw) for key in keys if key in entries]
        yield Edit(section, rebuilt(raw, [entry.whole for entry in entries.values()], own, parts.empty(b"{}")))


def _edits_around(restore: Restore, parts: _Parts) -> Iterator[Edit]:
    """What the header and the debug section show of the request, as of the client's own."""
    yield from _header_edits(restore, parts)
    yield from _debug_edits(restore, parts)


def _debug_edits(restore: Restore, parts: _Parts) -> Iterator[Edit]:
    debug = members(parts.body).get(_DEBUG)
    if debug is not None:
        for edit in with_own_json(debug.value.of(parts.body), restore, parts.empty(b"{}")):
            place = Span(debug.value_start + edit.span.start, debug.value_start + edit.span.end)
            yield Edit(place, edit.replacement)


def _header_edits(restore: Restore, parts: _Parts) -> Iterator[Edit]:
    header = members(parts.body).get("responseHeader")
    raw = header.value.of(parts.body) if header is not None else b"{}"
    params = members(raw).get("params")
    if header is not None and params is not None:
        place = Span(header.value_start + params.value_start, header.value_start + params.end)
        yield Edit(place, with_own_parameters(params.value.of(raw), restore, parts.empty(b"{}")))


def _response(raw: bytes, restore: Restore, parts: _Parts, shown: Sequence[bytes], best: float | None) -> bytes:
    places = members(raw)
    documents = places["docs"].value.of(raw)
    edits = [
        Edit(places["docs"].value, rebuilt(documents, elements(documents), shown, parts.empty(b"[]"))),
        Edit(places["start"].value, str(restore.start).encode()),
    ]
    if "maxScore" in places and not parts.shows_best_score:
        edits += without_members(["maxScore"], places)
    elif "maxScore" in places and best is not None and restore.asked.scores:
        edits.append(Edit(places["maxScore"].value, written_score(best)))
    return edited(raw, edits)


def _shown(restore: Restore, parts: _Parts, document: _Document, score: float | None) -> bytes:
    """A document as the client gets it."""
    places = members(document.raw)
    hidden = [name for name in places if restore.hides(name)]
    if len(hidden) == len(places):
        return document.raw if not places else parts.empty(b"{}")
    edits = without_members(hidden, places)
    if score is not None:
        edits += [Edit(places[name].value, written_score(score)) for name in restore.asked.scores if name in places]
    return edited(document.raw, edits)


def _restore(plan: SearchPlan) -> Restore:
    if not isinstance(plan.restore, Restore):
        raise TypeError("the plan comes from another connector")
    return plan.restore
