"""The ``hits.hits`` envelope that Elasticsearch and OpenSearch share: taken apart, reordered, cut.

Every hit keeps its bytes but for its score and for what the widened fetch brought. Source: "Search API", response
body, Elasticsearch 7.10 to 9 and OpenSearch 1.3 to 3 manuals.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from connectors import _codings
from connectors._bodies import reply_with
from connectors._fields_block import asked_part
from connectors._highlight import with_fragments
from connectors._protected import is_exact, is_pinned
from connectors._raw_json import (
    Edit,
    Member,
    RawJsonError,
    Span,
    decode,
    edited,
    elements,
    members,
    values_of,
    without_members,
)
from connectors._widening import Restore
from connectors.base import Candidate, HitPage, Order, PassThrough, Reason, Reply, SearchPlan
from connectors.fields import Leaves, leaves, text_of, tops_of

OK = 200
_BAD_REQUEST = 400
STRUGGLING = frozenset({429, *range(500, 600)})
# Both engines, every version since 2.1: QueryPhase or DefaultSearchContext, "Result window is too large".
_WINDOW_LIMIT = re.compile(rb"from \+ size must be less than or equal to: \[(\d{1,10})\]")
STRUGGLES = ("rejected_execution_exception", "circuit_breaking_exception", "no_shard_available_action_exception")
_IDENTITY = ("_index", "_id")
_MAX_SCORE = 2.0**128  # the engines' scores are 32-bit floats


class _Hit:
    """One hit: its bytes, and where its members stand in them."""

    def __init__(self, raw: bytes) -> None:
        """Raises ``RawJsonError``."""
        self.raw = raw
        self._values = values_of(raw)

    @cached_property
    def places(self) -> Mapping[str, Member]:
        """Looked for in the hits that are shown alone, a tenth of them as a rule."""
        return members(self.raw)

    def value(self, key: str) -> object:
        """The decoded value of a member; None where there is none, or it can't be read."""
        if key not in self._values:
            return None
        try:
            return decode(self._values[key])
        except RawJsonError:
            return None

    def raw_value(self, key: str) -> bytes:
        """The bytes of a member that is there."""
        return self._values[key]


@dataclass(frozen=True, slots=True)
class _Parts:
    """Where things stand in the decoded reply."""

    body: bytes
    hits: tuple[_Hit, ...]
    array: Span
    max_score: Span | None
    before_first: bytes
    between: bytes
    after_last: bytes


def parse_reply(plan: SearchPlan, reply: Reply) -> HitPage | PassThrough:
    """The hits of a reply to a widened search, or why it can't be read."""
    if reply.status in STRUGGLING:
        return HitPage((), (), Reason.ENGINE_ERROR)  # as it came: a struggling engine is not asked again
    reason = Reason.REPLY_SHAPE if reply.status == OK else Reason.ENGINE_ERROR
    try:
        body = _codings.decoded(reply.body, reply.header("content-encoding"), plan.policy.max_reply_bytes)
        if reply.status == OK and _codings.is_json(reply.header("content-type")):
            return _read(plan, body)
    except _codings.TooLargeError:
        return PassThrough(Reason.REPLY_TOO_LARGE)
    except (_codings.CodingError, RawJsonError, KeyError):
        return PassThrough(reason)
    return PassThrough(reason, window_limit(body) if reply.status == _BAD_REQUEST else None)


def _read(plan: SearchPlan, body: bytes) -> HitPage | PassThrough:
    parts, failures = _take_apart(body), _failures(body)
    reason = _differs(plan, parts, failures)
    return _page(plan, parts) if reason is None else PassThrough(reason, window_limit(shards_of(body)))


def window_limit(said: bytes) -> int | None:
    """``index.max_result_window`` where an error or a shard's failure says that it was exceeded."""
    return min((int(limit) for limit in _WINDOW_LIMIT.findall(said)), default=None)


def first_stage_page(plan: SearchPlan, body: bytes) -> HitPage:
    """The hits in the JSON of a reply, whatever its shards say. Raises ``RawJsonError``, ``KeyError``."""
    return _page(plan, _take_apart(body))


def splice_reply(plan: SearchPlan, page: HitPage, reply: Reply, order: Order | None) -> Reply:
    """The reply with the client's page of the order; None: of the first stage, with its own scores."""
    parts = page.parts
    if parts is None:
        return reply
    if not isinstance(parts, _Parts):
        raise TypeError("the page comes from another connector")
    writes_scores = order is not None and plan.policy.score_policy == "replace"
    kept = {index for index, candidate in enumerate(page.candidates) if candidate.is_pinned}
    places: Sequence[tuple[int, float | None]] = (
        [(index, None) for index in range(len(parts.hits))]
        if order is None
        else [
            (hit.first_stage_index, hit.score if writes_scores and hit.first_stage_index not in kept else None)
            for hit in order
        ]
    )
    shown = [_shown(plan, parts.hits[i], score) for i, score in places[plan.start : plan.start + plan.size]]
    edits = [Edit(parts.array, _joined(parts, shown))]
    best = _written(plan, places[0][1] if places else None)
    if best is not None and parts.max_score is not None and parts.max_score.of(parts.body) != b"null":
        edits.append(Edit(parts.max_score, best))
    return reply_with(reply, edited(parts.body, edits))


def identity_of(page: HitPage, place: int) -> dict[str, object]:
    """``_index`` and ``_id`` of the hit at a first-stage place, as far as they are there."""
    if not isinstance(page.parts, _Parts):
        return {}
    hit = page.parts.hits[place]
    return {key: hit.value(key) for key in _IDENTITY if key in hit.places}


def _written(plan: SearchPlan, score: float | None) -> bytes | None:
    """What to write where the engine has a score; None: leave it."""
    if _restore(plan).nulls_scores:
        return b"null"
    return None if score is None else written_score(score)


def written_score(score: float) -> bytes:
    """A score as JSON. Seven decimals: the engines' clients read 32-bit floats."""
    return f"{score:.7f}".encode()


def shards_of(body: bytes) -> bytes:
    """What a reply says of its shards, an object. Raises ``RawJsonError``."""
    shards = members(body).get("_shards")
    return shards.value.of(body) if shards is not None else b"{}"


def _failures(body: bytes) -> list[object]:
    """What shards failed with, one entry each; nothing where all answered."""
    shards = shards_of(body)
    failures = members(shards).get("failures")
    return _listed(decode(failures.value.of(shards))) if failures is not None else []


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _is_the_engines_own(failure: object) -> bool:
    """Whether a shard fails whatever is asked of it. Others may object to the wider page or the fields added."""
    reason = failure.get("reason") if isinstance(failure, dict) else None
    kind = reason.get("type") if isinstance(reason, dict) else None
    return isinstance(kind, str) and kind.endswith(STRUGGLES)


def _take_apart(body: bytes) -> _Parts:
    envelope = members(body)["hits"].value
    inner = members(envelope.of(body))
    array = _shifted(inner["hits"].value, envelope.start)
    max_score = inner.get("max_score")
    raw = array.of(body)
    spans = elements(raw)
    return _Parts(
        body=body,
        hits=tuple(_Hit(span.of(raw)) for span in spans),
        array=array,
        max_score=_shifted(max_score.value, envelope.start) if max_score is not None else None,
        before_first=raw[: spans[0].start] if spans else raw,
        between=raw[spans[0].end : spans[1].start] if len(spans) > 1 else b",",
        after_last=raw[spans[-1].end :] if spans else b"",
    )


def _shifted(span: Span, offset: int) -> Span:
    return Span(span.start + offset, span.end + offset)


def _differs(plan: SearchPlan, parts: _Parts, failures: Sequence[object]) -> Reason | None:
    """Why the page can't be cut from the wider reply as the engine would have written it."""
    is_filtered = _restore(plan).drops_empty_hits
    if failures and (is_filtered or not all(map(_is_the_engines_own, failures))):
        return Reason.SHARDS_FAILED
    return Reason.FILTER_PATH if is_filtered and not _keeps_its_hits(plan, parts) else None


def _keeps_its_hits(plan: SearchPlan, parts: _Parts) -> bool:
    """Whether the page has hits and each hit has something left: ``filter_path`` leaves out what is empty."""
    on_page = parts.hits[plan.start : plan.start + plan.size]
    return bool(on_page) and all(hit.places.keys() - _hidden(plan, hit) for hit in parts.hits)


def _page(plan: SearchPlan, parts: _Parts) -> HitPage:
    scores = [_first_stage_score(hit, _restore(plan)) for hit in parts.hits]
    known = tuple(score for score in scores if score is not None)
    if len(parts.hits) < 2:  # noqa: PLR2004 - one hit has no order
        return HitPage((), known, Reason.TOO_FEW_HITS, parts)
    if len(known) < len(scores):
        return HitPage((), known, Reason.NOT_SCORED, parts)
    candidates = tuple(_candidates(plan, parts.hits[: plan.policy.window], known))
    if not any(candidate.text for candidate in candidates):
        return HitPage((), known, Reason.NO_TEXT, parts)
    if all(candidate.text == candidates[0].text for candidate in candidates):
        return HitPage((), known, Reason.SAME_TEXT, parts)
    return HitPage(candidates, known, None, parts)


def _first_stage_score(hit: _Hit, restore: Restore) -> float | None:
    score = hit.value("_score")
    if score is None and restore.score_in_sort:
        values = hit.value("sort")
        score = values[0] if isinstance(values, list) and values else None
    return float(score) if isinstance(score, int | float) and abs(score) <= _MAX_SCORE else None


def _candidates(plan: SearchPlan, hits: Sequence[_Hit], scores: Sequence[float]) -> Iterator[Candidate]:
    """The hits' texts; where no hit has any of the fields wanted, every string of the hits is read instead."""
    tops = tops_of(plan.text_fields)
    documents = [_document(plan, hit, tops) for hit in hits]
    limit, in_document_order = plan.policy.max_text_chars, _restore(plan).in_document_order
    texts = [text_of(one, plan.text_fields, limit, in_document_order=in_document_order) for one in documents]
    if plan.text_fields and not any(texts):
        texts = [text_of(_document(plan, hit, None), (), limit) for hit in hits]
    for hit, text, score in zip(hits, texts, scores, strict=False):  # the scores are those of the tail, too
        yield Candidate(text, is_pinned(score), _is_exact(plan, hit))


def _is_exact(plan: SearchPlan, hit: _Hit) -> bool:
    names = plan.policy.exact_fields
    if not names:
        return False
    return is_exact(leaves((hit.value("_source"), hit.value("fields"))), hit.value("_id"), names, plan.query_text)


def _document(plan: SearchPlan, hit: _Hit, tops: Collection[str] | None) -> Leaves:
    """What a hit shows of its document, with the engine's fragments in the place of long texts where these are read."""
    document, fragments = leaves((hit.value("_source"), hit.value("fields")), tops), _restore(plan).fragments
    return document if fragments is None else with_fragments(document, hit.value("highlight"), fragments)


def _shown(plan: SearchPlan, hit: _Hit, score: float | None) -> bytes:
    """A hit as the client gets it."""
    hidden = _hidden(plan, hit)
    edits = [*_score_edits(plan, hit, score), *_sort_edits(plan, hit, score), *_fields_edits(plan, hit)]
    visible = [edit for edit in edits if not any(_within(edit.span, hit.places[key].whole) for key in hidden)]
    return edited(hit.raw, [*visible, *without_members(hidden, hit.places)])


def _hidden(plan: SearchPlan, hit: _Hit) -> set[str]:
    """The members that the client did not ask for, and those with nothing in them that it asked for."""
    in_vain = {key for key, part in _asked_parts(plan, hit) if part is None}
    return in_vain | (_restore(plan).hit_keys & hit.places.keys())


def _asked_parts(plan: SearchPlan, hit: _Hit) -> Iterator[tuple[str, bytes | None]]:
    """What the client asked for of the members that hold more; None: nothing of it is there."""
    restore = _restore(plan)
    in_highlight = restore.fragments.asked if restore.fragments is not None else None
    in_fields = restore.fields_asked
    for key, asked in (("fields", in_fields), ("ignored_field_values", in_fields), ("highlight", in_highlight)):
        if asked is not None and key in hit.places:
            yield key, asked_part(hit.raw_value(key), asked)


def _fields_edits(plan: SearchPlan, hit: _Hit) -> Iterator[Edit]:
    for key, part in _asked_parts(plan, hit):
        if part is not None:
            yield Edit(hit.places[key].value, part)


def _score_edits(plan: SearchPlan, hit: _Hit, score: float | None) -> Iterator[Edit]:
    member, written = hit.places.get("_score"), _written(plan, score)
    if written is not None and member is not None and member.value.of(hit.raw) != b"null":
        yield Edit(member.value, written)


def _sort_edits(plan: SearchPlan, hit: _Hit, score: float | None) -> Iterator[Edit]:
    """The first sort value is the score's: the client's, which agrees with ``_score``, or not asked for by it."""
    if "sort" not in hit.places:
        return
    place, restore = hit.places["sort"].value, _restore(plan)
    values = elements(place.of(hit.raw))
    if restore.score_before_sort:
        yield Edit(_shifted(Span(values[0].start, values[1].start), place.start), b"")
    elif restore.score_in_sort and score is not None:
        yield Edit(_shifted(values[0], place.start), written_score(score))


def _within(inner: Span, outer: Span) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


def _joined(parts: _Parts, hits: Sequence[bytes]) -> bytes:
    if not parts.hits:
        return parts.before_first
    if not hits:
        return b"[ ]" if parts.before_first != b"[" else b"[]"
    return parts.before_first + parts.between.join(hits) + parts.after_last


def _restore(plan: SearchPlan) -> Restore:
    if not isinstance(plan.restore, Restore):
        raise TypeError("the plan comes from another connector")
    return plan.restore
