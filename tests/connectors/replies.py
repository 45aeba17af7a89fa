"""Replies of an engine, made up for the tests: any number of hits, in the forms that are on the wire."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any

from connectors._dialect import Dialect
from connectors._search_body import plan_search
from connectors._search_reply import parse_reply
from connectors.base import HitPage, Policy, Reply, Request, SearchPlan

JSON = (("Content-Type", "application/json"),)
QUERY: dict[str, Any] = {"query": {"match": {"title": "quick fox"}}}


def planned(body: Mapping[str, Any] | None = None, query: str = "", policy: Policy | None = None) -> SearchPlan:
    request = Request("POST", "/index/_search" + query, JSON, json.dumps(QUERY | dict(body or {})).encode())
    plan = plan_search(request, policy or Policy(window=20), (), {}, Dialect())
    assert isinstance(plan, SearchPlan), plan
    return plan


def hit(name: str, score: object, **members: Any) -> dict[str, Any]:
    return {"_index": "i", "_id": name, "_score": score, "_source": {"title": f"fox {name}"}, **members}


def envelope(hits: Sequence[Mapping[str, Any]], max_score: object) -> dict[str, Any]:
    total = {"value": len(hits), "relation": "eq"}
    return {"took": 3, "hits": {"total": total, "max_score": max_score, "hits": list(hits)}, "aggregations": {"a": 1.0}}


def scored_hits(scores: Sequence[float]) -> list[dict[str, Any]]:
    return [hit(str(index), score) for index, score in enumerate(scores)]


def written(content: object, *, pretty: bool = False) -> bytes:
    """As the engines write it: without a space, or with the line ends and colons of ``pretty``."""
    if pretty:
        return json.dumps(content, indent=2, separators=(",", " : ")).encode() + b"\n"
    return json.dumps(content, separators=(",", ":")).encode()


def reply(body: object, *, coding: str | None = None, status: int = 200) -> Reply:
    raw = body if isinstance(body, bytes) else written(body)
    content = gzip.compress(raw) if coding == "gzip" else raw
    headers = (("X-Own", "1"), *JSON, ("content-length", str(len(content))))
    return Reply(status, "OK", (*headers, ("Content-Encoding", coding)) if coding else headers, content)


def parsed(plan: SearchPlan, answer: Reply) -> HitPage:
    page = parse_reply(plan, answer)
    assert isinstance(page, HitPage), page
    return page
