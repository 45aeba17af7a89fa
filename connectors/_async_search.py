"""``_async_search`` (Elasticsearch) and ``_plugins/_asynchronous_search`` (OpenSearch): searches that run on their own.

A search that can be reranked is sent on to the same place, widened. The id that the engine gives it reaches the client
inside one of ours (``connectors._async_ticket``), with what a later request for its hits has to know. Whoever has the
same key answers that request; the bridge keeps nothing. While the search runs, its page is cut in first-stage order;
the final one is reranked, by the configuration of that moment. A search that is not reranked keeps the engine's own id
and bytes, and so does an id that is not ours or was changed: the engine says what it thinks of it.

**Never twice.** A submitted search is asked anew as it came only where the reply says that it has ended: with an error
that may be for what was widened, or with hits that can't be cut. A reply that says that it runs, or can't be read at
all, goes to the client as it came but for the id. One larger than ``max_search_reply_bytes`` is dropped unread and
asked anew: it is the hits that make a reply so large, and they come at the end. What the engine keeps of a search that
was asked anew goes when its ``keep_alive`` ends. A later request for hits is never asked anew; where they can't be cut
it shows what there is.

What can't be told when a search is submitted: whether an index refuses the wider page. An engine says so at once, but
may take longer than the client wants to wait, who then gets the error with a later request. No engine refuses pages of
less than 10,000 hits unless ``index.max_result_window`` was lowered.

``filter_path`` is applied here, since the engine would leave out what has to be read.

Sources: "Async search" in the manual, and ``AsyncSearchResponse`` and ``AsyncStatusResponse`` in the source of
Elasticsearch 7.10 to 9; "Asynchronous search" in the manual, and ``AsynchronousSearchResponse`` in the source of the
plugin of OpenSearch 1 to 3. ``_opendistro`` is the plugin's older path, which OpenSearch 1 and 2 answer as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast
from urllib.parse import parse_qsl, quote, unquote_plus

import msgspec

from connectors import _codings
from connectors._async_reply import Envelope, cut_hits, read_envelope, read_hits
from connectors._async_ticket import Ticket, Tickets
from connectors._bodies import reply_with
from connectors._dialect import Dialect
from connectors._filter_path import parse as parsed_filter
from connectors._filtered_json import filtered
from connectors._one_search import indices_of, segments
from connectors._raw_json import Edit, RawJsonError, edited
from connectors._sealed import PREFIX, Sealer
from connectors._search_body import plan_search
from connectors._search_reply import OK, splice_reply
from connectors._ways import Planned, Planner
from connectors._widening import Restore
from connectors.base import (
    Answers,
    ExchangePlan,
    Headers,
    HitPage,
    Order,
    Page,
    PassThrough,
    PolicyOf,
    Reason,
    Reply,
    Request,
    SearchPlan,
)

MAX_ID_CHARS = 2_048
"""Of an id of ours. Half of what the engines, and servers between, take as a request line by default (4 KiB, Netty's
``maxInitialLineLength``): a few hundred words of a query."""
_ROOM_CHARS = 320  # in it for the engine's id, of about 70 that name document, node and task, written in base64 again
_BASES = (("_async_search",), ("_plugins", "_asynchronous_search"), ("_opendistro", "_asynchronous_search"))
_STATISTICS = "stats"
_ID_HEADER = "x-elasticsearch-async-id"
_CONTROL_HEADER, _OFF = "x-rerank", "off"
_INSTRUCTION_HEADER = "x-rerank-instruction"
_FILTER = "filter_path"
_NO_FILTER = "-_"  # leaves out nothing, but has the engine write the reply as it does for any filter


class AsyncSearches:
    """The ways in to searches that run on their own, with ids that one key signs."""

    def __init__(self, sealer: Sealer) -> None:
        self._tickets = Tickets(sealer)

    def planner(self, method: str, named: Sequence[str]) -> Planner | None:
        """What plans a request, by the segments of its path; None where it is another API's, or nothing is to be done.

        A status or a deletion has no hits: it concerns the bridge where its id is ours.
        """
        for base in _BASES:
            if method == "POST" and tuple(named[-len(base) :]) == base and len(named) <= len(base) + 1:
                return self._submit
            if tuple(named[: len(base)]) == base:
                return self._planner_of_id(method, named[len(base) :])
        return None

    def _planner_of_id(self, method: str, named: Sequence[str]) -> Planner | None:
        is_ours = bool(named) and named[-1].startswith(PREFIX)
        if method == "GET" and len(named) == 1 and named[0] != _STATISTICS:
            return self._poll
        return self._translate if is_ours and (method, len(named)) in {("GET", 2), ("DELETE", 1)} else None

    def forwarded(self, request: Request) -> Request:
        """The request with the engine's own id in the place of ours; the same where it has none."""
        ticket = self._tickets.of(segments(request.path))
        return request if ticket is None else _with_id(request, ticket.engine_id)

    def _submit(self, request: Request, policy_of: PolicyOf, answers: Answers, dialect: Dialect) -> Planned:
        indices = indices_of(request.path)
        policy = policy_of(indices)
        bare, filter_path = _without_filter(request)
        search = plan_search(bare, policy, indices, answers, dialect)
        if not isinstance(search, SearchPlan):
            return search
        if cast("Restore", search.restore).score_before_sort:
            # In the order of another search, which could not be undone.
            return PassThrough(Reason.SORTED, pattern=policy.pattern)
        client_id = partial(self._tickets.sealed, search, request.header(_INSTRUCTION_HEADER))
        if len(client_id("")) > MAX_ID_CHARS - _ROOM_CHARS:
            return PassThrough(Reason.ID_TOO_LONG, pattern=policy.pattern)
        search = replace(search, is_reordered=False)  # or it would be asked anew where it is not reranked
        wider = _with_filter(search.request, filter_path)
        return ExchangePlan(wider, (search,), policy.max_reply_bytes, _AsyncSearch(client_id, filter_path))

    def _poll(self, request: Request, policy_of: PolicyOf, answers: Answers, dialect: Dialect) -> Planned:
        del answers, dialect
        ticket = self._tickets.of(segments(request.path))
        if ticket is None:
            return PassThrough(Reason.UNKNOWN_ID)
        bare, filter_path = _without_filter(request)
        asked = _with_filter(_readable(_with_id(bare, ticket.engine_id)), filter_path)
        search = ticket.search(asked, policy_of)
        way = _AsyncSearch(_Known.of(request, ticket), filter_path, ticket.engine_id, _unwanted(request, search))
        return ExchangePlan(asked, (_other_format(request) or search,), search.policy.max_reply_bytes, way)

    def _translate(self, request: Request, policy_of: PolicyOf, answers: Answers, dialect: Dialect) -> Planned:
        del answers, dialect
        ticket = self._tickets.of(segments(request.path))
        if ticket is None:
            return PassThrough(Reason.UNKNOWN_ID)
        way = _AsyncSearch(_Known.of(request, ticket), asked_id=ticket.engine_id)
        asked = _readable(_with_id(request, ticket.engine_id))
        return ExchangePlan(asked, (), policy_of(ticket.indices).max_reply_bytes, way)


@dataclass(frozen=True, slots=True)
class _Known:
    """The client's id for an engine's: the one that the client asked with; another engine's id stays."""

    engine_id: str
    client_id: str

    @classmethod
    def of(cls, request: Request, ticket: Ticket) -> _Known:
        return cls(ticket.engine_id, segments(request.path)[-1])

    def __call__(self, engine_id: str) -> str:
        return self.client_id if engine_id == self.engine_id else engine_id


@dataclass(frozen=True, slots=True)
class _AsyncSearch:
    """The reply has an envelope around that of the search, or is about a search and has none."""

    client_id: Callable[[str], str]
    """The client's id for one of the engine's."""
    filter_path: str = ""
    """What the client wants to see of the reply, which the engine sends whole."""
    asked_id: str = ""
    """The engine's id that the request is about; empty where it submits a search."""
    skip: Reason | None = None
    """Why the hits are not wanted in another order, though the page has to be cut."""

    def parse(self, plan: ExchangePlan, reply: Reply) -> Sequence[Page]:
        """The hits so far; those that were asked for by an id are never asked for anew."""
        return [self._page(search, reply, plan.max_reply_bytes) for search in plan.searches]

    def _page(self, search: SearchPlan | PassThrough, reply: Reply, limit_bytes: int) -> Page:
        if isinstance(search, PassThrough):
            return search
        page = read_hits(search, reply, limit_bytes)
        if isinstance(page, PassThrough):
            return cut_hits(search, reply, limit_bytes, page.reason) if self.asked_id else page
        return page if self.skip is None else replace(page, candidates=(), skip=self.skip)

    def repeat(self, plan: ExchangePlan, failed: Sequence[int]) -> Request | None:
        """None: the exchange is the search."""
        del plan, failed
        return None

    def merged(self, plan: ExchangePlan, reply: Reply, failed: Sequence[int], again: Reply) -> Reply:
        """The second reply."""
        del plan, reply, failed
        return again

    def splice(self, plan: ExchangePlan, pages: Sequence[Page], reply: Reply, orders: Sequence[Order | None]) -> Reply:
        """The reply with the client's id and its page of the order."""
        reply = replace(reply, headers=tuple(self._header(*field) for field in reply.headers))
        try:
            envelope = read_envelope(reply, plan.max_reply_bytes)
        except (_codings.CodingError, RawJsonError):
            return reply
        edits = [*self._id_edits(envelope), *_hits_edits(plan, pages, envelope, orders)]
        body = edited(envelope.body, edits)
        if self.asked_id and reply.status != OK:  # errors quote it
            body = body.replace(self.asked_id.encode(), self.client_id(self.asked_id).encode())
        if self.filter_path:
            body = filtered(body, parsed_filter(self.filter_path))
        return reply if body == envelope.body else reply_with(reply, body)

    def _header(self, name: str, value: str) -> tuple[str, str]:
        return name, self.client_id(value) if name.lower() == _ID_HEADER else value

    def _id_edits(self, envelope: Envelope) -> Iterator[Edit]:
        engine_id = envelope.id
        if engine_id is not None:
            yield Edit(envelope.places["id"].value, msgspec.json.encode(self.client_id(engine_id)))


def _hits_edits(
    plan: ExchangePlan, pages: Sequence[Page], envelope: Envelope, orders: Sequence[Order | None]
) -> Iterator[Edit]:
    for search, page, order in zip(plan.searches, pages, orders, strict=True):
        if isinstance(search, SearchPlan) and isinstance(page, HitPage) and envelope.response is not None:
            yield Edit(envelope.response, splice_reply(search, page, envelope.search_reply, order).body)


def _with_id(request: Request, engine_id: str) -> Request:
    """The request for the engine's id, which stands last in its path."""
    path = "/".join(("", *segments(request.path)[:-1], quote(engine_id, safe="")))
    return replace(request, target=f"{path}?{request.query_string}" if request.query_string else path)


def _without_filter(request: Request) -> tuple[Request, str]:
    """The request without ``filter_path``, and what that said; empty where it says nothing."""
    parts = request.query_string.split("&")
    named = [part for part in parts if unquote_plus(part.partition("=")[0]) == _FILTER]
    kept = "&".join(part for part in parts if part not in named)
    target = f"{request.path}?{kept}" if kept else request.path
    value = unquote_plus(named[-1].partition("=")[2]) if named else ""
    return (replace(request, target=target), value) if named else (request, "")


def _with_filter(request: Request, filter_path: str) -> Request:
    """The request with a filter that leaves out nothing, where the client has one."""
    if not filter_path:
        return request
    return replace(request, target=f"{request.target}{'&' if request.query_string else '?'}{_FILTER}={_NO_FILTER}")


def _readable(request: Request) -> Request:
    """The request for a reply in a coding that can be read."""
    codings = _codings.readable_codings(request.header("accept-encoding") or "")
    kept: Headers = tuple(field for field in request.headers if field[0].lower() != "accept-encoding")
    return replace(request, headers=(*kept, ("Accept-Encoding", codings)) if codings else kept)


def _other_format(request: Request) -> PassThrough | None:
    wanted = dict(parse_qsl(request.query_string)).get("format") or request.header("accept") or ""
    return PassThrough(Reason.REPLY_FORMAT) if _codings.asks_for_another_format(wanted) else None


def _unwanted(request: Request, search: SearchPlan) -> Reason | None:
    """Why the hits of a search are to stay in first-stage order."""
    values = (value for name, value in request.headers if name.lower() == _CONTROL_HEADER)
    if _OFF in {word.strip().lower() for value in values for word in value.split(",")}:
        return Reason.OFF
    return None if search.policy.is_on else Reason.MODE_OFF
