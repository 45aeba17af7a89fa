"""Solr, 8.11 to 10.

Sources: "Query Guide" and "V2 API" of Solr's reference guide, 8.11 to 10; ``ResponseUtils.getErrorInfo`` of Solr 9 for
the envelope of errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from urllib.parse import unquote

import msgspec

from connectors._solr_reply import identity_of, parse_reply, splice_reply
from connectors._solr_select import Place, plan_select
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

HANDLERS = ("/select", "/query")
"""Request handlers that are searches in the configurations that Solr comes with."""

_READS = frozenset({"GET", "POST"})
_NAMED = ""
_PREFIXES: tuple[tuple[str, ...], ...] = (
    ("solr", _NAMED),
    (_NAMED,),  # where the address of the engine has the path that its context stands under
    ("api", "collections", _NAMED),
    ("api", "c", _NAMED),
    ("api", "cores", _NAMED),
)
"""What stands before the name of a handler in a path, the empty part for a collection, core or alias."""
_OF_ADMINISTRATION = frozenset({"solr", "api", "admin"})


class Solr:
    """The connector for Solr. ``handlers`` are the names of further request handlers that are searches."""

    name = "solr"
    info_target = "/solr/admin/info/system?wt=json"

    def __init__(self, handlers: Iterable[str] = ()) -> None:
        self._handlers = tuple(dict.fromkeys((*HANDLERS, *handlers)))

    def is_search(self, method: str, path: str) -> bool:
        """Whether this goes to a request handler that searches."""
        return method in _READS and self._place(path) is not None

    def plan(self, request: Request, policy_of: PolicyOf, answers: Answers) -> ExchangePlan | PassThrough | Questions:
        """The widened search, or why it is left alone, or what has to be asked first."""
        place = self._place(request.path)
        if place is None:
            return PassThrough(Reason.BODY_SHAPE)
        plan = plan_select(request, place, policy_of, answers)
        if not isinstance(plan, SearchPlan):
            return plan
        return ExchangePlan(plan.request, (plan,), plan.policy.max_reply_bytes)

    def _place(self, path: str) -> Place | None:
        return next((place for name in self._handlers if (place := _place(path, name)) is not None), None)

    def parse(self, plan: ExchangePlan, reply: Reply) -> Sequence[Page]:
        """The documents, or why they can't be read."""
        return [parse_reply(_search(plan), reply)]

    def repeat(self, plan: ExchangePlan, failed: Sequence[int]) -> Request | None:
        """None: the exchange is the search."""
        del plan, failed
        return None

    def merged(self, plan: ExchangePlan, reply: Reply, failed: Sequence[int], again: Reply) -> Reply:
        """The second reply."""
        del plan, reply, failed
        return again

    def splice(self, plan: ExchangePlan, pages: Sequence[Page], reply: Reply, orders: Sequence[Order | None]) -> Reply:
        """The reply with the client's page of the order."""
        (page,), (order,) = pages, orders
        return splice_reply(_search(plan), page, reply, order) if isinstance(page, HitPage) else reply

    def identity(self, page: HitPage, place: int) -> Mapping[str, object]:
        """``_id``: the unique key of a document, as far as the client sees it."""
        return identity_of(page, place)

    def forwarded(self, request: Request) -> Request:
        """The same: no id of the bridge's own is in it."""
        return request

    def error(self, status: int, reason: str) -> Reply:
        """``{"responseHeader": {"status": 502, ...}, "error": {"metadata": [...], "msg": "...", "code": 502}}``."""
        kind = "org.apache.solr.common.SolrException"
        error = {
            "metadata": ["error-class", kind, "root-error-class", kind],
            "msg": f"rerank bridge: {reason}",
            "code": status,
        }
        body = msgspec.json.encode({"responseHeader": {"status": status, "QTime": 0}, "error": error})
        headers = (("Content-Type", "application/json;charset=utf-8"), ("Content-Length", str(len(body))))
        return Reply(status, HTTPStatus(status).phrase, headers, body)

    def identify(self, info: Mapping[str, object]) -> str | None:
        """The version, where the reply names that of Solr beside Lucene's."""
        lucene = info.get("lucene")
        version = lucene.get("solr-spec-version") if isinstance(lucene, dict) else None
        return version if isinstance(version, str) else None


def _place(path: str, handler: str) -> Place | None:
    path = path.removesuffix("/")  # pysolr ends with one, and Solr takes it off as well
    base = path.removesuffix(handler)
    if len(base) == len(path):
        return None
    parts = [unquote(part) for part in base.split("/") if part]
    if not any(_fits(parts, prefix) for prefix in _PREFIXES) or parts[-1] in _OF_ADMINISTRATION:
        return None
    return Place(base, handler, tuple(filter(None, parts[-1].split(","))))


def _fits(parts: Sequence[str], prefix: Sequence[str]) -> bool:
    return len(parts) == len(prefix) and all(known in (_NAMED, part) for known, part in zip(prefix, parts, strict=True))


def _search(plan: ExchangePlan) -> SearchPlan:
    (search,) = plan.searches
    if not isinstance(search, SearchPlan):
        raise TypeError("the plan has no search")
    return search
