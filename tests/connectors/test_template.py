"""Search templates: what the engine is asked, and what is made of its answer."""

from __future__ import annotations

import gzip
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import (
    Answers,
    ExchangePlan,
    PassThrough,
    Policy,
    Question,
    Questions,
    Reason,
    Reply,
    Request,
    SearchPlan,
)
from connectors.elasticsearch import Elasticsearch
from tests.connectors.replies import JSON, reply

POLICY = Policy(window=20)
NDJSON = (("Content-Type", "application/x-ndjson"),)
STORED = b'{ "id":"find", "params":{"q":"fox"}}'
FOX = b'{ "query":{"match":{"title":"fox"}} }'
FOX_20 = b'{ "query":{"match":{"title":"fox"}} ,"from":0,"size":20}'


def template(body: bytes = STORED, query: str = "", headers: tuple[tuple[str, str], ...] = JSON) -> Request:
    return Request("POST", f"/index/_search/template{query}", headers, body)


def output(search: bytes, **more: Any) -> Reply:
    return reply(b'{"template_output":' + search + b"}", **more)


def asked(request: Request, answers: Answers | None = None) -> tuple[Question, ...]:
    plan = Elasticsearch().plan(request, lambda _: POLICY, answers or {})
    assert isinstance(plan, Questions), plan
    return plan.questions


def planned(request: Request, *rendered: Reply | None) -> ExchangePlan | PassThrough:
    """With these answers to the questions."""
    answers: Answers = dict(zip(asked(request), rendered, strict=True))
    plan = Elasticsearch().plan(request, lambda _: POLICY, answers)
    assert not isinstance(plan, Questions), plan
    return plan


def sent(line: bytes) -> tuple[bytes, dict[str, Any]]:
    """The search that a template of ours is rendered as, and the rest of that template."""
    body = json.loads(line)
    assert body.pop("source") == "{{{search}}}"
    return body.pop("params")["search"].encode(), body


def test_the_question() -> None:
    """The engine renders what the client sent, with the client's credentials, and for this exchange alone."""
    headers = (("Authorization", "x"), *JSON, ("Content-Length", "9"), ("Accept-Encoding", "br"))
    (question,) = asked(template(STORED, "?typed_keys", headers))
    request = question.request
    assert (request.method, request.target, request.body) == ("POST", "/_render/template", STORED)
    assert request.headers == (("Authorization", "x"), *JSON)
    assert question.holds_s == 0


@pytest.mark.parametrize(
    ("given", "query", "rendered", "expected", "kept"),
    [
        (STORED, "", FOX, FOX_20, {}),
        (STORED, "?typed_keys&preference=a%20b", FOX, FOX_20, {}),
        (b'{"source":{},"explain":"true","profile":false}', "", FOX, FOX_20, {"explain": "true", "profile": False}),
        (
            STORED,
            "",
            b'{"query":{"match":{"title":"fox"}},"from":"3","size":"25","explain":true}',
            b'{"query":{"match":{"title":"fox"}},"from":0,"size":28,"explain":true}',
            {},
        ),
        (
            STORED,
            "",
            b'{\n"query":{"match":{"title":"{{\\"\\ud83d"}},"x":1.0e-7,"big":12345678901234567890123}',
            b'{\n"query":{"match":{"title":"{{\\"\\ud83d"}},"x":1.0e-7,"big":12345678901234567890123,"from":0,"size":20}',
            {},
        ),
    ],
)
def test_rendered_searches(given: bytes, query: str, rendered: bytes, expected: bytes, kept: Any) -> None:
    """What was rendered is widened byte for byte, and sent as a template with the client's other wishes."""
    plan = planned(template(given, query), output(rendered))
    assert isinstance(plan, ExchangePlan), plan
    assert plan.request.target.partition("?")[0] == "/index/_search/template"
    assert sent(plan.request.body) == (expected, kept)
    (search,) = plan.searches
    assert isinstance(search, SearchPlan)
    assert search.indices == ("index",)


def test_pages_of_a_template() -> None:
    """The page is the one that the template's own numbers mean, in quotes or without."""
    plan = planned(template(), output(b'{"query":{"match":{"title":"fox"}},"from":"3","size":7}'))
    assert isinstance(plan, ExchangePlan)
    (search,) = plan.searches
    assert isinstance(search, SearchPlan)
    assert (search.start, search.size, search.query_text) == (3, 7, "fox")


@pytest.mark.parametrize("query", ["", "&typed_keys=true"])
def test_a_template_in_the_url(query: str) -> None:
    """It is rendered, and the widened one is sent as a body instead."""
    source = f"source={quote(STORED.decode())}&source_content_type=application/json"
    request = Request("GET", f"/_search/template?{source}{query}", (("Authorization", "x"),))
    (question,) = asked(request)
    assert question.request.body == STORED
    plan = planned(request, output(FOX))
    assert isinstance(plan, ExchangePlan)
    assert plan.request.target.strip("?") == "/_search/template" + query.replace("&", "?")
    assert plan.request.headers == (("Authorization", "x"), *JSON)
    assert (plan.request.method, sent(plan.request.body)) == ("POST", (FOX_20, {}))


def test_compressed_templates() -> None:
    """A compressed request and a compressed answer are read."""
    request = template(gzip.compress(STORED), "", (*JSON, ("Content-Encoding", "gzip")))
    (question,) = asked(request)
    assert question.request.body == STORED
    plan = planned(request, output(FOX, coding="gzip"))
    assert isinstance(plan, ExchangePlan)
    assert plan.request.header("content-encoding") is None
    assert sent(plan.request.body) == (FOX_20, {})


@pytest.mark.parametrize(
    ("rendered", "expected"),
    [
        (None, Reason.TEMPLATE),
        (reply({"error": "no such script"}, status=404), Reason.TEMPLATE),
        (reply({"error": "you may not"}, status=403), Reason.TEMPLATE),
        (reply({}), Reason.TEMPLATE),
        (output(b"nothing"), Reason.TEMPLATE),
        (output(b"{} {}"), Reason.TEMPLATE),
        (output(b"[]"), Reason.TEMPLATE),
        (output(b'{"size":1,"size":2}'), Reason.TEMPLATE),
        (reply(b"x", coding="gzip"), Reason.TEMPLATE),
        (output(b'{"query":{"match_all":{}}}'), Reason.NO_QUERY_TEXT),
        (output(b'{"query":{"match":{"title":"fox"}},"size":""}'), Reason.BODY_SHAPE),
        (output(b'{"query":{"match":{"title":"fox"}},"size":"2.0"}'), Reason.BODY_SHAPE),
        (output(b'{"query":{"match":{"title":"fox"}},"size":"0"}'), Reason.SIZE_ZERO),
    ],
)
def test_what_is_left_alone_once_rendered(rendered: Reply | None, expected: Reason) -> None:
    """What is not rendered, and what becomes no search that can be reranked, is passed on as it came."""
    assert planned(template(), rendered) == PassThrough(expected)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (template(b"{"), Reason.NOT_JSON),
        (template(b""), Reason.NOT_JSON),
        (template(headers=()), Reason.CONTENT_TYPE),
        (template(headers=(*JSON, ("Accept", "application/yaml"))), Reason.REPLY_FORMAT),
        (template(headers=(*JSON, ("Content-Encoding", "gzip"))), Reason.CONTENT_ENCODING),
        (template(b'{"id":"' + b"x" * 900 + b'"}'), Reason.BODY_TOO_LARGE),
        (template(query="?size=3"), Reason.TEMPLATE),
        (template(query="?q=fox"), Reason.TEMPLATE),
        (template(query="?_source_includes=a"), Reason.TEMPLATE),
    ],
)
def test_what_is_not_even_rendered(request_: Request, expected: Reason) -> None:
    """The engine is asked nothing where the answer could not matter."""
    assert Elasticsearch().plan(request_, lambda _: Policy(max_body_bytes=800), {}) == PassThrough(expected)
    off = Elasticsearch().plan(template(), lambda _: Policy(is_on=False), {})
    assert off == PassThrough(Reason.MODE_OFF)


def several(*lines: bytes) -> Request:
    return Request("POST", "/index/_msearch/template", NDJSON, b"".join(line + b"\n" for line in lines))


OTHER = b'{"id":"other","explain":true}'


def test_several_templates() -> None:
    """Equal ones are rendered once; each is widened, or left as it came for a reason of its own."""
    request = several(b"{}", STORED, b"{}", OTHER, b'{"index":"a"}', STORED, b"{}", b"{")
    assert [question.request.body for question in asked(request)] == [STORED, OTHER]
    plan = planned(request, output(FOX), reply({}, status=404))
    assert isinstance(plan, ExchangePlan)
    lines = plan.request.body.splitlines()
    assert plan.request.target == "/index/_msearch/template"
    assert [sent(lines[1]), sent(lines[5])] == [(FOX_20, {})] * 2
    assert [lines[0], lines[2], lines[3], lines[4], lines[6], lines[7]] == [
        b"{}",
        b"{}",
        OTHER,
        b'{"index":"a"}',
        b"{}",
        b"{",
    ]
    reasons = [search.reason if isinstance(search, PassThrough) else search.indices for search in plan.searches]
    assert reasons == [("index",), Reason.TEMPLATE, ("a",), Reason.NOT_JSON]


@given(st.binary(max_size=40) | st.sampled_from([STORED, OTHER]), st.binary(max_size=60) | st.just(FOX), st.binary())
def test_any_bytes_have_an_answer(body: bytes, rendered: bytes, query: bytes) -> None:
    """Whatever bytes stand in a template, its URL and what it is rendered as, planning answers and never raises."""
    target = "/_search/template?" + query.decode("utf-8", "surrogateescape")
    for request in (Request("POST", target, JSON, body), several(b"{}", body)):
        plan = Elasticsearch().plan(request, lambda _: POLICY, {})
        if isinstance(plan, Questions):
            Elasticsearch().plan(request, lambda _: POLICY, {plan.questions[0]: output(rendered)})
