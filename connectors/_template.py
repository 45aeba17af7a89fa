"""``_search/template`` and ``_msearch/template``: the engine renders the template, and what comes out is planned.

The widened search goes where the client sent it, as a template of its own whose one parameter is the whole text of the
search. So the reply has the form of that API, ``explain`` and ``profile`` mean what they mean there, and of several
searches each goes its own way. A cluster that allows stored scripts alone (``script.allowed_types``) refuses such a
template; the client's own is then passed on. Sources: "Search templates" and "Render search template API",
Elasticsearch 7.10 to 9, "Search templates", OpenSearch 1.3 to 3; ``TransportSearchTemplateAction`` and
``SearchTemplateRequest`` of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qsl

import msgspec

from connectors import _codings
from connectors._bodies import request_with
from connectors._dialect import Dialect
from connectors._msearch import PlannedItem, plan_several
from connectors._one_search import OneSearch, indices_of
from connectors._raw_json import RawJsonError, decode, members, with_members
from connectors._search_body import plan_search
from connectors._search_reply import OK
from connectors._ways import Planned
from connectors.base import (
    Answers,
    ExchangePlan,
    PassThrough,
    Policy,
    PolicyOf,
    Question,
    Questions,
    Reason,
    Reply,
    Request,
    SearchPlan,
)

_RENDER = "/_render/template"
_VERBATIM = "{{{search}}}"  # three braces: nothing is escaped
_KEPT = ("explain", "profile")
_OVERRIDDEN = frozenset(
    {
        *("q", "df", "from", "size", "sort", "stored_fields", "docvalue_fields"),
        *("_source", "_source_includes", "_source_excludes", "_source_include", "_source_exclude"),
    }
)
"""URL parameters that the rendered search replaces: the engines read them, and let them have no effect."""
_SOURCE = frozenset({"source", "source_content_type"})
_COUNTS = ("from", "size")
_MAX_DIGITS = 10  # of a 32-bit number


def plan_search_template(request: Request, policy_of: PolicyOf, answers: Answers, dialect: Dialect) -> Planned:
    """The widened search as a template, or why the client's is left alone, or the question how it is rendered."""
    indices = indices_of(request.path)
    policy = policy_of(indices)
    plan = _plan(_with_body(request), policy, indices, answers, dialect)
    if not isinstance(plan, SearchPlan):
        return plan
    return ExchangePlan(plan.request, (plan,), policy.max_reply_bytes, OneSearch())


def plan_msearch_template(request: Request, policy_of: PolicyOf, answers: Answers, dialect: Dialect) -> Planned:
    """Like ``plan_msearch`` for lines that are templates."""

    def plan_item(search: Request, indices: tuple[str, ...]) -> PlannedItem:
        return _plan(search, policy_of(indices), indices, answers, dialect)

    return plan_several(request, policy_of(indices_of(request.path)).max_body_bytes, plan_item)


def _plan(
    request: Request, policy: Policy, indices: tuple[str, ...], answers: Answers, dialect: Dialect
) -> PlannedItem:
    read = _read(request, policy)
    if isinstance(read, Reason):
        return PassThrough(read, pattern=policy.pattern)
    media_type = request.header("content-type") or "application/json"
    question = Question(request_with(request, _RENDER, read, media_type))
    if question not in answers:
        return Questions((question,))
    rendered = _rendered(answers[question], policy.max_body_bytes)
    if rendered is None:
        return PassThrough(Reason.TEMPLATE, pattern=policy.pattern)
    plan = plan_search(request_with(request, request.target, rendered, media_type), policy, indices, answers, dialect)
    if not isinstance(plan, SearchPlan):
        return plan
    return replace(plan, request=replace(plan.request, body=_template(read, plan.request.body)))


def _read(request: Request, policy: Policy) -> bytes | Reason:
    """The template as it was sent, without its content coding; or why it need not be rendered to be left alone."""
    parameters = dict(parse_qsl(request.query_string, keep_blank_values=True, errors="surrogateescape"))
    reply_format = parameters.get("format") or request.header("accept") or ""
    refusals = (
        (Reason.MODE_OFF, not policy.is_on),
        (Reason.TEMPLATE, bool(_OVERRIDDEN & parameters.keys())),
        (Reason.CONTENT_TYPE, not _codings.is_json(request.header("content-type"))),
        (Reason.REPLY_FORMAT, _codings.asks_for_another_format(reply_format)),
    )
    reason = next((reason for reason, applies in refusals if applies), None)
    return reason or _decoded(request, policy)


def _decoded(request: Request, policy: Policy) -> bytes | Reason:
    try:
        body = _codings.decoded(request.body, request.header("content-encoding"), policy.max_body_bytes)
        members(body)
    except _codings.TooLargeError:
        return Reason.BODY_TOO_LARGE
    except _codings.CodingError:
        return Reason.CONTENT_ENCODING
    except RawJsonError:
        return Reason.NOT_JSON
    return body


def _with_body(request: Request) -> Request:
    """The request with the body that stands in its URL, where it has no other."""
    parameters = dict(parse_qsl(request.query_string, keep_blank_values=True, errors="surrogateescape"))
    if request.body or "source" not in parameters:
        return request
    parts = (part for part in request.query_string.split("&") if part.partition("=")[0] not in _SOURCE)
    body = parameters["source"].encode(errors="surrogateescape")
    return request_with(request, f"{request.path}?{'&'.join(parts)}", body, parameters.get("source_content_type") or "")


def _rendered(reply: Reply | None, limit_bytes: int) -> bytes | None:
    """The search that the template became, byte for byte; None where it is none, or was not rendered."""
    if reply is None or reply.status != OK:
        return None
    try:
        body = _codings.decoded(reply.body, reply.header("content-encoding"), 2 * limit_bytes)
        search = members(body)["template_output"].value.of(body)
        return with_members(search, _counts(search))
    except (_codings.CodingError, RawJsonError, KeyError):
        return None


def _counts(search: bytes) -> Mapping[str, int]:
    """``from`` and ``size`` that are numbers in quotes, as templates have them where a parameter fills them in."""
    present = members(search)
    values = {key: decode(present[key].value.of(search)) for key in _COUNTS if key in present}
    return {key: int(value) for key, value in values.items() if isinstance(value, str) and _is_number(value)}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS


def _template(given: bytes, search: bytes) -> bytes:
    """A template that is rendered as this search, with the other wishes of the one that was given."""
    present = members(given)
    kept = {key: msgspec.Raw(present[key].value.of(given)) for key in _KEPT if key in present}
    return msgspec.json.encode({"source": _VERBATIM, "params": {"search": search.decode()}, **kept})
