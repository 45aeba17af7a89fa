"""What the connectors of Elasticsearch and OpenSearch share: the ways in, the error envelope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from secrets import token_bytes
from typing import cast

import msgspec

from connectors._async_search import AsyncSearches
from connectors._dialect import Dialect
from connectors._msearch import plan_msearch
from connectors._one_search import plan_one, segments
from connectors._sealed import KEY_BYTES, Sealer
from connectors._search_reply import identity_of
from connectors._template import plan_msearch_template, plan_search_template
from connectors._ways import Planned, Planner, Way
from connectors.base import (
    Answers,
    ExchangePlan,
    HitPage,
    Order,
    Page,
    PassThrough,
    PolicyOf,
    Reason,
    Reply,
    Request,
)

_READS = frozenset({"GET", "POST"})
_INDEX = "{index}"
_ROUTES: Mapping[tuple[str, ...], tuple[frozenset[str], Planner]] = {
    (_INDEX, "_search"): (_READS, plan_one),
    (_INDEX, _INDEX, "_search"): (_READS, plan_one),  # with a mapping type, as versions before 8 have it
    ("_search",): (_READS, plan_one),
    (_INDEX, "_msearch"): (_READS, plan_msearch),
    (_INDEX, _INDEX, "_msearch"): (_READS, plan_msearch),
    ("_msearch",): (_READS, plan_msearch),
    (_INDEX, "_search", "template"): (_READS, plan_search_template),
    (_INDEX, _INDEX, "_search", "template"): (_READS, plan_search_template),
    ("_search", "template"): (_READS, plan_search_template),
    (_INDEX, "_msearch", "template"): (_READS, plan_msearch_template),
    (_INDEX, _INDEX, "_msearch", "template"): (_READS, plan_msearch_template),
    ("_msearch", "template"): (_READS, plan_msearch_template),
}
"""Segments of a path -> its methods, and what plans it. None fits ``/index/_doc/_search``, which writes a document."""


class RestConnector:
    """The verbs over the search API that both engines have.

    ``secret`` signs the ids of searches that run on their own; without one they can be used with this object alone.
    """

    name: str
    info_target = "/"
    dialect: Dialect

    def __init__(self, secret: bytes | None = None) -> None:
        self._async = AsyncSearches(Sealer(secret or token_bytes(KEY_BYTES)))

    def is_search(self, method: str, path: str) -> bool:
        """Whether this is one of the ways in."""
        return self._planner(method, path) is not None

    def plan(self, request: Request, policy_of: PolicyOf, answers: Answers) -> Planned:
        """The widened request, or why it is left alone, or what has to be asked first."""
        planner = self._planner(request.method, request.path)
        return planner(request, policy_of, answers, self.dialect) if planner else PassThrough(Reason.BODY_SHAPE)

    def _planner(self, method: str, path: str) -> Planner | None:
        return _planner(method, path) or self._async.planner(method, segments(path))

    def parse(self, plan: ExchangePlan, reply: Reply) -> Sequence[Page]:
        """The hits of each search, or why they can't be read."""
        return _way(plan).parse(plan, reply)

    def repeat(self, plan: ExchangePlan, failed: Sequence[int]) -> Request | None:
        """The request that asks these searches anew as they came; None: the whole exchange has to be."""
        return _way(plan).repeat(plan, failed)

    def merged(self, plan: ExchangePlan, reply: Reply, failed: Sequence[int], again: Reply) -> Reply:
        """The reply with what the repeated searches were answered in the places of the failed ones."""
        return _way(plan).merged(plan, reply, failed, again)

    def splice(self, plan: ExchangePlan, pages: Sequence[Page], reply: Reply, orders: Sequence[Order | None]) -> Reply:
        """The reply with each search's page of its order."""
        return _way(plan).splice(plan, pages, reply, orders)

    def identity(self, page: HitPage, place: int) -> Mapping[str, object]:
        """``_index`` and ``_id`` of a hit, as far as the client sees them."""
        return identity_of(page, place)

    def forwarded(self, request: Request) -> Request:
        """The request to pass on where it is left alone: the same, or with the engine's own id in the place of ours."""
        return self._async.forwarded(request)

    def error(self, status: int, reason: str) -> Reply:
        """``{"error": {"root_cause": [...], "type": ..., "reason": ...}, "status": ...}``."""
        cause = {"type": _ERROR_TYPES.get(status, "rerank_bridge_exception"), "reason": f"rerank bridge: {reason}"}
        body = msgspec.json.encode({"error": {"root_cause": [cause], **cause}, "status": status})
        headers = (("Content-Type", "application/json; charset=UTF-8"), ("Content-Length", str(len(body))))
        return Reply(status, HTTPStatus(status).phrase, headers, body)


_ERROR_TYPES = {502: "bad_gateway_exception", 504: "gateway_timeout_exception"}


def _planner(method: str, path: str) -> Planner | None:
    named = tuple(segments(path))
    shape = (*(_INDEX if _is_index(name) else name for name in named[:-1]), *named[-1:])  # none ends with an index
    methods, planner = _ROUTES.get(shape, (frozenset(), None))
    return planner if method in methods else None


def _is_index(name: str) -> bool:
    return not name.startswith("_") or name == "_all"


def _way(plan: ExchangePlan) -> Way:
    return cast("Way", plan.way)  # the connector's own notes


def version_of(info: Mapping[str, object]) -> Mapping[str, object]:
    """The ``version`` object of the reply to ``GET /``; empty where there is none."""
    version = info.get("version")
    return version if isinstance(version, dict) else {}
