"""``_msearch``: several searches in lines, a header and a body each, answered in one reply.

Sources: "Multi search API", Elasticsearch 7.10 to 9 and OpenSearch 1.3 to 3 manuals; how lines are read:
``MultiSearchRequest.readMultiLineFormat`` of both. An empty line is a header without members; a header without a body
at the end is left out; everything ends with a line feed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import parse_qsl, quote

from connectors import _codings
from connectors._bodies import reply_with, request_with
from connectors._dialect import Dialect
from connectors._one_search import indices_of
from connectors._raw_json import Edit, RawJsonError, Span, decode, edited, elements, members
from connectors._search_body import plan_search
from connectors._search_reply import OK, STRUGGLES, parse_reply, splice_reply
from connectors._ways import Planned
from connectors.base import (
    Answers,
    ExchangePlan,
    HitPage,
    Order,
    Page,
    PassThrough,
    PolicyOf,
    Questions,
    Reason,
    Reply,
    Request,
    SearchPlan,
)

MAX_SEARCHES = 100
"""Of one request that are read; as many windows of 100 hits may wait to be scored, by default."""
_LINES = re.compile(r"\s*application/(?:[\w.+-]+\+)?(?:x-nd)?json\s*(?:;.*)?", re.IGNORECASE)
_INDEX_KEYS = ("index", "indices")
_INDEX_OPTIONS = ("ignore_unavailable", "allow_no_indices", "expand_wildcards")
_BAD_REQUEST, _UNAVAILABLE = 400, 503
_UNREADABLE = (_codings.CodingError, RawJsonError, KeyError)

PlannedItem = SearchPlan | PassThrough | Questions
ItemPlanner = Callable[[Request, tuple[str, ...]], PlannedItem]
"""Plans one search of these indices; the body of the plan's request is the line to send in place of the client's."""


def plan_msearch(request: Request, policy_of: PolicyOf, answers: Answers, dialect: Dialect) -> Planned:
    """One request for all searches: those that can be reranked widened, the others as they came."""

    def plan_item(search: Request, indices: tuple[str, ...]) -> PlannedItem:
        return plan_search(search, policy_of(indices), indices, answers, dialect)

    return plan_several(request, policy_of(indices_of(request.path)).max_body_bytes, plan_item)


def plan_several(request: Request, limit_bytes: int, plan_item: ItemPlanner) -> Planned:
    """The searches of lines that ``plan_item`` reads, in one request; why all are left alone; or what to ask first."""
    lines = _lines(request, limit_bytes)
    if isinstance(lines, Reason):
        return PassThrough(lines)
    items = _planned_items(request, lines, plan_item)
    questions = dict.fromkeys(question for item in items if isinstance(item, Questions) for question in item.questions)
    if questions:
        return Questions(tuple(questions))
    searches = tuple(item for item in items if not isinstance(item, Questions))
    widened = [search for search in searches if isinstance(search, SearchPlan)]
    if not widened:
        left = [search for search in searches if isinstance(search, PassThrough)]
        pattern = _only(search.pattern for search in left)
        return PassThrough(_commonest(search.reason for search in left), pattern=pattern)
    way = SeveralSearches(request, tuple(lines))
    limit = max(search.policy.max_reply_bytes for search in widened)
    return ExchangePlan(_with_lines(request, _replaced(lines, searches)), searches, limit, way)


def _lines(request: Request, limit_bytes: int) -> list[bytes] | Reason:
    """Header, body, header, body and so on, without their line feeds; or why they are not read."""
    if "filter_path" in dict(parse_qsl(request.query_string, keep_blank_values=True, errors="surrogateescape")):
        return Reason.FILTER_PATH  # its paths begin at the whole reply
    if not _LINES.fullmatch(request.header("content-type") or ""):
        return Reason.CONTENT_TYPE
    try:
        body = _codings.decoded(request.body, request.header("content-encoding"), limit_bytes)
    except _codings.TooLargeError:
        return Reason.BODY_TOO_LARGE
    except _codings.CodingError:
        return Reason.CONTENT_ENCODING
    *lines, rest = body.split(b"\n")
    # An empty first line is a header to some versions, and passed over by others.
    return Reason.BODY_SHAPE if rest or not lines or not lines[0] else lines


def _planned_items(request: Request, lines: Sequence[bytes], plan_item: ItemPlanner) -> list[PlannedItem]:
    return [
        _planned_item(request, head, line, plan_item) if number < MAX_SEARCHES else PassThrough(Reason.OVERLOADED)
        for number, (head, line) in enumerate(zip(lines[::2], lines[1::2], strict=False))
    ]


def _planned_item(request: Request, head: bytes, line: bytes, plan_item: ItemPlanner) -> PlannedItem:
    """The plan of one search, as if it had come by itself."""
    try:
        header = decode(head or b"{}")
    except RawJsonError:
        return PassThrough(Reason.BODY_SHAPE)
    indices = _indices(header, indices_of(request.path)) if isinstance(header, dict) else None
    if not isinstance(header, dict) or indices is None or not line:
        return PassThrough(Reason.BODY_SHAPE)
    options = {key: header[key] for key in _INDEX_OPTIONS if isinstance(header.get(key), str | bool)}
    target = f"{_search_path(indices)}?{_with_options(request.query_string, options)}"
    return plan_item(request_with(request, target, line, _codings.json_type_like(request.header("accept"))), indices)


def _indices(header: Mapping[str, object], of_path: tuple[str, ...]) -> tuple[str, ...] | None:
    """Those that a header names, or those of the path; None where it can't be told."""
    named = [header[key] for key in _INDEX_KEYS if key in header]
    if not named:
        return of_path
    names = named[0].split(",") if isinstance(named[0], str) else named[0]
    if len(named) > 1 or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(name for name in names if name)


def _with_options(query_string: str, options: Mapping[str, str | bool]) -> str:
    """The URL's parameters, and those of the header, which win."""
    kept = [part for part in query_string.split("&") if part.partition("=")[0] not in options]
    return "&".join([*filter(None, kept), *(f"{key}={quote(str(value).lower())}" for key, value in options.items())])


def _search_path(indices: tuple[str, ...]) -> str:
    names = ",".join(quote(name, safe="", errors="replace") for name in indices)
    return f"/{names}/_search" if names else "/_search"


def _commonest(reasons: Iterable[Reason]) -> Reason:
    counted = Counter(reasons).most_common(1)
    return counted[0][0] if counted else Reason.BODY_SHAPE


def _only(patterns: Iterable[str | None]) -> str | None:
    """The pattern that all go by; None where they go by several."""
    found = set(patterns)
    return found.pop() if len(found) == 1 else None


def _replaced(lines: Sequence[bytes], searches: Sequence[SearchPlan | PassThrough]) -> list[bytes]:
    """The lines with the bodies of the searches that are widened."""
    replaced = list(lines)
    for place, search in enumerate(searches):
        if isinstance(search, SearchPlan):
            replaced[2 * place + 1] = search.request.body
    return replaced


def _with_lines(request: Request, lines: Iterable[bytes]) -> Request:
    body = b"".join(line + b"\n" for line in lines)
    return request_with(request, request.target, body, request.header("content-type") or "application/x-ndjson")


class _Responses(NamedTuple):
    """A reply's decoded body, and where the responses stand in it."""

    body: bytes
    places: list[Span]


@dataclass(frozen=True, slots=True)
class SeveralSearches:
    """The reply has a list of replies, each like that of a search, in the order of the request."""

    request: Request
    """As it came."""
    lines: tuple[bytes, ...]
    """Of the request as it came, its content coding undone."""

    def parse(self, plan: ExchangePlan, reply: Reply) -> Sequence[Page]:
        """The hits of each search; an error is one search's own, or that of all."""
        if reply.status != OK:
            return _pages(plan, [reply] * len(plan.searches))
        if not _codings.is_json(reply.header("content-type")):
            return _failed(plan, Reason.REPLY_SHAPE)
        try:
            body, places = _responses(reply, plan.max_reply_bytes, len(plan.searches))
            return _pages(plan, [_response(place.of(body)) for place in places])
        except _codings.TooLargeError:
            return _failed(plan, Reason.REPLY_TOO_LARGE)
        except _UNREADABLE:
            return _failed(plan, Reason.REPLY_SHAPE)

    def repeat(self, plan: ExchangePlan, failed: Sequence[int]) -> Request | None:
        """The lines of these searches as they came; None where that is all that was widened: it all goes anew."""
        if len(failed) == sum(isinstance(search, SearchPlan) for search in plan.searches):
            return None
        return _with_lines(self.request, (line for place in failed for line in self.lines[2 * place : 2 * place + 2]))

    def merged(self, plan: ExchangePlan, reply: Reply, failed: Sequence[int], again: Reply) -> Reply:
        """The reply with the second answers, or with the error that there was instead, in the failed places."""
        body, places = _responses(reply, plan.max_reply_bytes, len(plan.searches))
        answers = _answers(again, plan.max_reply_bytes, len(failed))
        edits = [Edit(places[place], answer) for place, answer in zip(failed, answers, strict=False)]
        return reply_with(reply, edited(body, edits)) if edits else reply

    def splice(self, plan: ExchangePlan, pages: Sequence[Page], reply: Reply, orders: Sequence[Order | None]) -> Reply:
        """The reply with each search's page of its order, every other byte as it was."""
        if reply.status != OK:
            return reply
        body, places = _responses(reply, plan.max_reply_bytes, len(plan.searches))
        edits: list[Edit] = []
        for search, page, place, order in zip(plan.searches, pages, places, orders, strict=True):
            if isinstance(search, SearchPlan) and isinstance(page, HitPage) and page.parts is not None:
                shown = splice_reply(search, page, _response(place.of(body)), order)
                edits.append(Edit(place, shown.body))
        return reply_with(reply, edited(body, edits)) if edits else reply


def _pages(plan: ExchangePlan, replies: Sequence[Reply]) -> list[Page]:
    return [
        parse_reply(search, reply) if isinstance(search, SearchPlan) else search
        for search, reply in zip(plan.searches, replies, strict=True)
    ]


def _failed(plan: ExchangePlan, reason: Reason) -> list[Page]:
    return [PassThrough(reason) if isinstance(search, SearchPlan) else search for search in plan.searches]


def _responses(reply: Reply, limit_bytes: int, count: int) -> _Responses:
    """Raises one of ``_UNREADABLE``."""
    body = _codings.decoded(reply.body, reply.header("content-encoding"), limit_bytes)
    array = members(body)["responses"].value
    places = [Span(array.start + place.start, array.start + place.end) for place in elements(array.of(body))]
    if len(places) != count:
        raise RawJsonError("more or fewer responses than searches")
    return _Responses(body, places)


def _response(raw: bytes) -> Reply:
    """One search's reply as if it had come by itself. Raises ``RawJsonError``."""
    return Reply(_status(raw), "", (("Content-Type", "application/json"),), raw)


def _status(raw: bytes) -> int:
    """What the engine says; ``_msearch/template`` says none, so it is told from the error there."""
    present = members(raw)
    if "status" in present:
        status = decode(present["status"].value.of(raw))
        return status if isinstance(status, int) else _BAD_REQUEST
    if "error" not in present:
        return OK
    return _UNAVAILABLE if any(kind.encode() in raw for kind in STRUGGLES) else _BAD_REQUEST


def _answers(again: Reply, limit_bytes: int, count: int) -> list[bytes]:
    """What each of the searches that were asked anew was answered; nothing where that can't be read."""
    try:
        if again.status == OK:
            body, places = _responses(again, limit_bytes, count)
            return [place.of(body) for place in places]
        error = _codings.decoded(again.body, again.header("content-encoding"), limit_bytes)
        return [error] * count if "error" in members(error) else []
    except _UNREADABLE:
        return []
