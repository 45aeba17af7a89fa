"""What the connectors of Elasticsearch and OpenSearch share: paths of searches, the error envelope."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import unquote

import msgspec

from connectors._codings import CodingError, decoded
from connectors._raw_json import RawJsonError
from connectors._search_body import plan_search
from connectors._search_reply import parse_reply, shards_of, splice_reply
from connectors.base import HitPage, Order, PassThrough, Policy, Reply, Request, SearchPlan

_MAX_REPLY_BYTES = 64 << 20
# Both engines, every version since 2.1: QueryPhase or DefaultSearchContext, "Result window is too large".
_WINDOW_LIMIT = re.compile(rb"from \+ size must be less than or equal to: \[(\d{1,10})\]")
_METHODS = frozenset({"GET", "POST"})
_MAX_SEGMENTS = 3  # /index/type/_search, as versions before 8 have it


class RestConnector:
    """The three verbs over the search API that both engines have."""

    name: str

    def is_search(self, method: str, path: str) -> bool:
        """Whether this is ``GET`` or ``POST`` of ``_search``, ``index/_search`` or ``index/type/_search``."""
        *before, last = _segments(path)
        # Also in the middle: ``POST /index/_doc/_search`` writes a document.
        names_api = any(name.startswith("_") for name in before if name != "_all")
        return method in _METHODS and last == "_search" and len(before) < _MAX_SEGMENTS and not names_api

    def indices(self, request: Request) -> tuple[str, ...]:
        """The names and patterns in the path; none for a search of everything."""
        segments = _segments(request.path)
        return tuple(name for name in segments[0].split(",") if name) if len(segments) > 1 else ()

    def plan(self, request: Request, policy: Policy) -> SearchPlan | PassThrough:
        """The widened search, or why it is left alone."""
        return plan_search(request, policy)

    def parse(self, plan: SearchPlan, reply: Reply) -> HitPage | PassThrough:
        """The hits of the reply, or why it can't be read."""
        return parse_reply(plan, reply)

    def splice(self, plan: SearchPlan, page: HitPage, reply: Reply, order: Order | None) -> Reply:
        """The reply with the client's page of the order."""
        return splice_reply(plan, page, reply, order)

    def window_limit(self, reply: Reply) -> int | None:
        """``index.max_result_window``, where it was exceeded: the reply is an error, or some shards failed."""
        if reply.status not in (HTTPStatus.BAD_REQUEST, HTTPStatus.OK):
            return None
        try:
            body = decoded(reply.body, reply.header("content-encoding"), _MAX_REPLY_BYTES)
            said = body if reply.status == HTTPStatus.BAD_REQUEST else shards_of(body)
        except (CodingError, RawJsonError):
            return None
        return min((int(limit) for limit in _WINDOW_LIMIT.findall(said)), default=None)

    def error(self, status: int, reason: str) -> Reply:
        """``{"error": {"root_cause": [...], "type": ..., "reason": ...}, "status": ...}``."""
        cause = {"type": _ERROR_TYPES.get(status, "rerank_bridge_exception"), "reason": f"rerank bridge: {reason}"}
        body = msgspec.json.encode({"error": {"root_cause": [cause], **cause}, "status": status})
        headers = (("Content-Type", "application/json; charset=UTF-8"), ("Content-Length", str(len(body))))
        return Reply(status, HTTPStatus(status).phrase, headers, body)


_ERROR_TYPES = {502: "bad_gateway_exception", 504: "gateway_timeout_exception"}


def _segments(path: str) -> list[str]:
    return [unquote(segment) for segment in path.split("/") if segment] or [""]


def version_of(info: Mapping[str, object]) -> Mapping[str, object]:
    """The ``version`` object of the reply to ``GET /``; empty where there is none."""
    version = info.get("version")
    return version if isinstance(version, dict) else {}
