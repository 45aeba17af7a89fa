"""Lines of several searches -> one widened request; one reply -> the pages of each."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._msearch import MAX_SEARCHES
from connectors.base import (
    ExchangePlan,
    HitPage,
    PassThrough,
    Policy,
    RankedHit,
    Reason,
    Reply,
    Request,
    SearchPlan,
)
from connectors.elasticsearch import Elasticsearch
from tests.connectors.replies import JSON, envelope, reply, scored_hits, written

POLICY = Policy(window=20)
NDJSON = (("Content-Type", "application/x-ndjson"),)
FOX = b'{"query":{"match":{"title":"quick fox"}}}'
WIDE_FOX = b'{"query":{"match":{"title":"quick fox"}},"from":0,"size":20}'
AGGS = b'{"size":0 ,"aggs":{}}'
THREE = envelope(scored_hits([3.0, 2.0, 1.0]), 3.0)
TWO = envelope(scored_hits([2.0, 1.0]), 2.0)
NO_INDEX = {"error": {"root_cause": [{"type": "index_not_found_exception"}]}, "status": 404}


def msearch(body: bytes, target: str = "/_msearch", headers: tuple[tuple[str, str], ...] = NDJSON) -> Request:
    return Request("POST", target, headers, body)


def lines(*given: bytes) -> bytes:
    return b"".join(line + b"\n" for line in given)


def planned(request: Request, policy_of: Callable[[tuple[str, ...]], Policy] | None = None) -> ExchangePlan:
    plan = Elasticsearch().plan(request, policy_of or (lambda _: POLICY), {})
    assert isinstance(plan, ExchangePlan), plan
    return plan


def reasons(plan: ExchangePlan) -> list[Reason | None]:
    return [search.reason if isinstance(search, PassThrough) else None for search in plan.searches]


@pytest.mark.parametrize(
    ("given", "expected", "left_alone"),
    [
        (lines(b"{}", FOX), lines(b"{}", WIDE_FOX), [None]),
        (
            lines(b'{"index":"a"}', FOX, b"{}", AGGS),
            lines(b'{"index":"a"}', WIDE_FOX, b"{}", AGGS),
            [None, "size-zero"],
        ),
        (lines(b"{}", AGGS, b"", FOX), lines(b"{}", AGGS, b"", WIDE_FOX), ["size-zero", None]),
        (lines(b"{} \r", FOX + b"\r"), lines(b"{} \r", WIDE_FOX + b"\r"), [None]),
        (lines(b"{}", FOX, b""), lines(b"{}", WIDE_FOX, b""), [None]),
        (lines(b"{}", FOX, b'{"index":"a"}'), lines(b"{}", WIDE_FOX, b'{"index":"a"}'), [None]),
        (lines(b"{}", FOX, b"{}", b""), lines(b"{}", WIDE_FOX, b"{}", b""), [None, "body-shape"]),
        (lines(b"{}", FOX, b"{}", b"{"), lines(b"{}", WIDE_FOX, b"{}", b"{"), [None, "not-json"]),
        (lines(b"{}", FOX, b"{", FOX), lines(b"{}", WIDE_FOX, b"{", FOX), [None, "body-shape"]),
        (lines(b"{}", FOX, b"[]", FOX), lines(b"{}", WIDE_FOX, b"[]", FOX), [None, "body-shape"]),
        (lines(b"{}", FOX, b'{"index":7}', FOX), lines(b"{}", WIDE_FOX, b'{"index":7}', FOX), [None, "body-shape"]),
        (
            lines(b"{}", FOX, b'{"index":"a","indices":"b"}', FOX),
            lines(b"{}", WIDE_FOX, b'{"index":"a","indices":"b"}', FOX),
            [None, "body-shape"],
        ),
        (
            lines(b'{"search_type":"dfs_query_then_fetch","preference":"x","routing":"7","request_cache":true}', FOX),
            lines(
                b'{"search_type":"dfs_query_then_fetch","preference":"x","routing":"7","request_cache":true}', WIDE_FOX
            ),
            [None],
        ),
    ],
)
def test_lines(given: bytes, expected: bytes, left_alone: list[str | None]) -> None:
    """Bodies that can be reranked are widened in their places; every other byte, and every other item, stays."""
    plan = planned(msearch(given))
    assert plan.request.body == expected
    assert reasons(plan) == left_alone


@pytest.mark.parametrize(
    ("head", "path", "expected"),
    [
        (b"{}", "", ()),
        (b"", "/a,b*", ("a", "b*")),
        (b'{"index":"c,-d"}', "/a", ("c", "-d")),
        (b'{"index":["c","d,e"]}', "/a", ("c", "d,e")),
        (b'{"indices":["c"]}', "/a/type", ("c",)),
        (b'{"index":[]}', "/a", ()),
        (b'{"index":"<x-{now/d}>"}', "", ("<x-{now/d}>",)),
    ],
)
def test_indices(head: bytes, path: str, expected: tuple[str, ...]) -> None:
    """A header's indices win over those of the path; their policy is the item's."""

    def policy_of(indices: tuple[str, ...]) -> Policy:
        return Policy(window=33 if indices == expected else 44)

    plan = planned(msearch(lines(b'{"index":"first"}', FOX, head, FOX), f"{path}/_msearch"), policy_of)
    _, item = plan.searches
    assert isinstance(item, SearchPlan)
    assert (item.indices, item.policy.window) == (expected, 33)
    assert [json.loads(line).get("size") for line in plan.request.body.splitlines()[1::2]] == [44, 33]


@pytest.mark.parametrize(
    ("head", "query", "expected"),
    [
        (b"{}", "", ""),
        (b'{"ignore_unavailable":true}', "", "ignore_unavailable=true"),
        (b'{"ignore_unavailable":true}', "ignore_unavailable=false&pretty", "pretty=&ignore_unavailable=true"),
        (
            b'{"expand_wildcards":"open,hidden","allow_no_indices":"false"}',
            "typed_keys=true",
            "typed_keys=true&allow_no_indices=false&expand_wildcards=open%2Chidden",
        ),
        (b'{"allow_no_indices":[1]}', "", ""),
    ],
)
def test_index_options(head: bytes, query: str, expected: str) -> None:
    """How names of indices are read travels with each search, so that what is asked about them is read alike."""
    plan = planned(msearch(lines(head, FOX), f"/_msearch?{query}"))
    (item,) = plan.searches
    assert isinstance(item, SearchPlan)
    assert item.request.query_string == expected
    assert plan.request.target == f"/_msearch?{query}"


@pytest.mark.parametrize(
    "media_type",
    [
        "application/x-ndjson",
        "application/json",
        "application/json; charset=utf-8",
        "application/x-ndjson;charset=UTF-8",
        "application/vnd.elasticsearch+x-ndjson;compatible-with=8",
        "application/vnd.elasticsearch+json; compatible-with=9",
    ],
)
def test_content_types(media_type: str) -> None:
    """Every type that the engines read lines from is read, and sent on as it came with the credentials."""
    headers = (("Authorization", "x"), ("Content-type", media_type), ("Content-Length", "1"))
    plan = planned(msearch(lines(b"{}", FOX), headers=headers))
    assert plan.request.headers == (("Authorization", "x"), ("Content-Type", media_type))


def test_compressed_lines() -> None:
    """A compressed body is read, and sent on plain."""
    headers = (*NDJSON, ("Content-Encoding", "gzip"), ("Accept-Encoding", "gzip, br"))
    plan = planned(msearch(gzip.compress(lines(b"{}", FOX)), headers=headers))
    assert plan.request.body == lines(b"{}", WIDE_FOX)
    assert plan.request.headers == (("Accept-Encoding", "gzip"), *NDJSON)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (msearch(b""), Reason.BODY_SHAPE),
        (msearch(lines(b"{}")), Reason.BODY_SHAPE),
        (msearch(lines(b"{}", FOX)[:-1]), Reason.BODY_SHAPE),
        (msearch(b"\n" + lines(b"{}", FOX)), Reason.BODY_SHAPE),
        (msearch(lines(b"{}", FOX), headers=()), Reason.CONTENT_TYPE),
        (msearch(lines(b"{}", FOX), headers=(("Content-Type", "application/cbor"),)), Reason.CONTENT_TYPE),
        (msearch(lines(b"{}", FOX), headers=(*NDJSON, ("Content-Encoding", "gzip"))), Reason.CONTENT_ENCODING),
        (msearch(lines(b"{}", FOX), headers=(*NDJSON, ("Accept", "application/yaml"))), Reason.REPLY_FORMAT),
        (msearch(lines(b"{}", FOX), "/_msearch?filter_path=responses.hits"), Reason.FILTER_PATH),
        (msearch(lines(b"{}", FOX), "/_msearch?filter_path=-took"), Reason.FILTER_PATH),
        (msearch(lines(b"{}", FOX), "/_msearch?format=cbor"), Reason.REPLY_FORMAT),
        (msearch(lines(b"{}", FOX), "/_msearch?a=%zz"), Reason.BODY_SHAPE),
        (msearch(lines(b"{}", FOX) + b" " * 900 + b"\n"), Reason.BODY_TOO_LARGE),
        (msearch(lines(b"{}", AGGS, b"{}", b"{}", b"{}", b"{}")), Reason.NO_QUERY_TEXT),
    ],
)
def test_what_is_left_alone(request_: Request, expected: Reason) -> None:
    """Where no search can be reranked the request is passed on; the reason is the one that most of them have."""
    assert Elasticsearch().plan(request_, lambda _: Policy(max_body_bytes=800), {}) == PassThrough(expected)


def test_many_searches() -> None:
    """The searches behind the hundredth stay as they came."""
    plan = planned(msearch(lines(*[b"{}", FOX] * (MAX_SEARCHES + 2))))
    assert plan.request.body == lines(*[b"{}", WIDE_FOX] * MAX_SEARCHES, *[b"{}", FOX] * 2)
    assert reasons(plan) == [*[None] * MAX_SEARCHES, Reason.OVERLOADED, Reason.OVERLOADED]


FIRST, ALONE, MISSING = (b'{"index":"a"}', FOX), (b"{}", AGGS), (b'{"index":"none"}', FOX)
PLAN = planned(msearch(lines(*FIRST, *ALONE, *MISSING, *FIRST)))
RESPONSES = [{**THREE, "status": 200}, {**TWO, "status": 200}, NO_INDEX, {**TWO, "status": 200}]
ALL = {"took": 3, "responses": RESPONSES}


def test_pages() -> None:
    """Each search has the hits of its own response; what was left alone has its reason, what failed an error."""
    pages = Elasticsearch().parse(PLAN, reply(ALL))
    assert [len(page.first_stage_scores) if isinstance(page, HitPage) else page.reason for page in pages] == [
        3,
        Reason.SIZE_ZERO,
        Reason.ENGINE_ERROR,
        2,
    ]


BUSY = {"error": {"type": "es_rejected_execution_exception"}}
REFUSED = {"error": {"reason": "from + size must be less than or equal to: [50] but"}}


@pytest.mark.parametrize(
    ("response", "skip", "limit"),
    [
        ({**BUSY, "status": 429}, Reason.ENGINE_ERROR, None),
        (BUSY, Reason.ENGINE_ERROR, None),
        ({**NO_INDEX, "status": 503}, Reason.ENGINE_ERROR, None),
        (NO_INDEX, None, None),
        ({"error": NO_INDEX["error"]}, None, None),
        ({**REFUSED, "status": 400}, None, 50),
        (REFUSED, None, 50),
        ({**NO_INDEX, "status": "x"}, None, None),
        ({"status": 200}, None, None),
    ],
)
def test_failed_responses(response: Any, skip: Reason | None, limit: int | None) -> None:
    """An error about a search is asked anew; one of a struggling engine stays, with or without a status of its own."""
    plan = planned(msearch(lines(*FIRST)))
    (page,) = Elasticsearch().parse(plan, reply({"responses": [response]}))
    if skip is not None:
        assert isinstance(page, HitPage)
        assert page.skip is skip
    else:
        assert isinstance(page, PassThrough)
        assert page.window_limit == limit


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (reply({"error": "x"}, status=400), Reason.ENGINE_ERROR),
        (reply({"responses": [1]}), Reason.REPLY_SHAPE),
        (reply({"responses": [1, 2, 3, 4]}), Reason.REPLY_SHAPE),
        (reply({"responses": 1}), Reason.REPLY_SHAPE),
        (reply({}), Reason.REPLY_SHAPE),
        (reply(b"["), Reason.REPLY_SHAPE),
        (Reply(200, "OK", (), written(ALL)), Reason.REPLY_SHAPE),
        (reply(b" " * POLICY.max_reply_bytes + b" "), Reason.REPLY_TOO_LARGE),
    ],
)
def test_replies_that_can_not_be_read(answer: Reply, expected: Reason) -> None:
    """What is no list of as many responses makes every search fail, so that all is asked anew as it came."""
    assert Elasticsearch().parse(PLAN, answer) == [
        PassThrough(expected),
        PassThrough(Reason.SIZE_ZERO),
        PassThrough(expected),
        PassThrough(expected),
    ]
    assert Elasticsearch().repeat(PLAN, [0, 2, 3]) is None


def test_a_struggling_engine() -> None:
    """An engine that answers 429 to all is not asked again, and its reply is the client's."""
    answer = reply({"error": "busy"}, status=429)
    pages = Elasticsearch().parse(PLAN, answer)
    assert not [place for place in (0, 2, 3) if isinstance(pages[place], PassThrough)]
    assert Elasticsearch().splice(PLAN, pages, answer, [None] * 4) == answer


def test_failed_searches_are_asked_anew_as_they_came() -> None:
    """The lines of the failed searches, and no others."""
    again = Elasticsearch().repeat(PLAN, [2, 3])
    assert again is not None
    assert (again.target, again.body) == ("/_msearch", lines(*MISSING, *FIRST))


@pytest.mark.parametrize(
    ("again", "expected"),
    [
        (reply({"took": 9, "responses": [{"new": 1.0}]}), {"new": 1.0}),
        (reply({"took": 9, "responses": [{"new": 1.0}]}, coding="gzip"), {"new": 1.0}),
        (reply({"error": "busy", "status": 429}, status=429), {"error": "busy", "status": 429}),
        (reply(b"busy", status=503), NO_INDEX),
        (reply({"responses": []}), NO_INDEX),
    ],
)
@pytest.mark.parametrize("coding", [None, "gzip"])
def test_second_answers(again: Reply, expected: Any, coding: str | None) -> None:
    """They stand in the places of the first ones, or the error does that there was instead."""
    merged = Elasticsearch().merged(PLAN, reply(ALL, coding=coding), [2], again)
    body = gzip.decompress(merged.body) if coding else merged.body
    assert body == written({"took": 3, "responses": [*RESPONSES[:2], expected, RESPONSES[3]]})
    assert merged.header("content-length") == str(len(merged.body))


def ranked(*places: int) -> list[RankedHit]:
    return [RankedHit(index, 1.9 - place / 10) for place, index in enumerate(places)]


def spliced(answer: Reply, orders: Sequence[list[RankedHit] | None]) -> Reply:
    return Elasticsearch().splice(PLAN, Elasticsearch().parse(PLAN, answer), answer, orders)


@pytest.mark.parametrize("pretty", [False, True])
@pytest.mark.parametrize("coding", [None, "gzip"])
def test_pages_are_put_in_their_places(coding: str | None, pretty: bool) -> None:  # noqa: FBT001 - both forms on the wire
    """Each response has its own order; every byte beside those that were reordered is the engine's."""
    raw = written(ALL, pretty=pretty)
    answer = Reply(200, "OK", (*JSON, ("Content-Encoding", "gzip")), gzip.compress(raw)) if coding else reply(raw)
    result = spliced(answer, [ranked(2, 0, 1), None, None, None])
    body = gzip.decompress(result.body) if coding else result.body
    assert result.header("content-length") == str(len(result.body))
    shown = [[hit["_id"] for hit in one.get("hits", {}).get("hits", [])] for one in json.loads(body)["responses"]]
    assert shown == [["2", "0", "1"], ["0", "1"], [], ["0", "1"]]
    untouched = spliced(answer, [None] * 4)
    assert (gzip.decompress(untouched.body) if coding else untouched.body) == raw


LINE = st.sampled_from([b"{}", b"", FOX, AGGS, b'{"index":"a"}', b'{"index":["a",1]}', b"[", b'{"query":7}', b"\xff"])


@given(st.binary(max_size=60) | st.lists(LINE | st.binary(max_size=8)).map(lambda given: lines(*given)), st.binary())
def test_any_bytes_have_an_answer(body: bytes, query: bytes) -> None:
    """Whatever bytes stand in lines and URL, planning answers and never raises; a plan keeps the lines it leaves."""
    plan = Elasticsearch().plan(
        msearch(body, "/_msearch?" + query.decode("utf-8", "surrogateescape")), lambda _: POLICY, {}
    )
    if isinstance(plan, ExchangePlan):
        assert plan.request.body.count(b"\n") == body.count(b"\n")
        assert plan.request.body.split(b"\n")[::2] == body.split(b"\n")[::2]
