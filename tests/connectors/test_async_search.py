"""Searches that run on their own: paths, envelopes, and what travels in their ids."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from random import Random
from typing import Any

import msgspec
import pytest

from connectors._async_search import MAX_ID_CHARS
from connectors._async_ticket import Ticket
from connectors._sealed import PREFIX, Sealer
from connectors.base import ExchangePlan, HitPage, PassThrough, Policy, Reason, Reply, Request, SearchPlan
from connectors.elasticsearch import Elasticsearch
from tests.connectors.replies import envelope, reply, scored_hits

SECRET = b"a secret of the tests"
CONNECTOR = Elasticsearch(SECRET)
JSON = (("Content-Type", "application/json"),)
QUERY = {"query": {"match": {"title": "quick fox"}}}
ENGINE_ID = "FmRldE8zREVEUzA2ZVpUeGs2ejJFUFEaMkZ5QTVrSTZSaVN3WlNFVmtlWHJsdzoxMDc="
RESPONSE = envelope(scored_hits([3.0, 2.0, 1.0]), 3.0)
NO_HITS = {"took": 1122, "hits": {"total": {"value": 157483, "relation": "gte"}, "max_score": None, "hits": []}}
OBJECTION = "Result window is too large, from + size must be less than or equal to: [50] but was [100]."


def policy_of(indices: tuple[str, ...]) -> Policy:
    return Policy(window=20, scoring=",".join(indices))


def submitted(target: str = "/i/_async_search", **body: Any) -> ExchangePlan | PassThrough:
    request = Request("POST", target, JSON, json.dumps(QUERY | body).encode())
    plan = CONNECTOR.plan(request, policy_of, {})
    assert isinstance(plan, ExchangePlan | PassThrough)
    return plan


def planned(target: str = "/i/_async_search", **body: Any) -> ExchangePlan:
    plan = submitted(target, **body)
    assert isinstance(plan, ExchangePlan), plan
    return plan


def spliced(plan: ExchangePlan, answer: Reply) -> Any:
    return json.loads(CONNECTOR.splice(plan, CONNECTOR.parse(plan, answer), answer, [None]).body)


def sealed(plan: ExchangePlan) -> str:
    """The id that a client gets for a search that runs."""
    return str(spliced(plan, reply({"id": ENGINE_ID, "is_running": True, "response": NO_HITS}))["id"])


def polled(plan: ExchangePlan, **headers: str) -> ExchangePlan:
    found = CONNECTOR.plan(Request("GET", f"/_async_search/{sealed(plan)}", tuple(headers.items())), policy_of, {})
    assert isinstance(found, ExchangePlan), found
    return found


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/_async_search", True),
        ("POST", "/i,j*/_async_search", True),
        ("POST", "/_plugins/_asynchronous_search", True),
        ("POST", "/i/_plugins/_asynchronous_search", True),
        ("POST", "/_opendistro/_asynchronous_search", True),
        ("GET", "/_async_search/abc", True),
        ("GET", "/_plugins/_asynchronous_search/abc", True),
        ("GET", "/_async_search/status/rerank1.abc", True),
        ("DELETE", "/_async_search/rerank1.abc", True),
        ("DELETE", "/_plugins/_asynchronous_search/rerank1.abc", True),
        ("GET", "/_async_search/status/abc", False),
        ("DELETE", "/_async_search/abc", False),
        ("GET", "/_plugins/_asynchronous_search/stats", False),
        ("GET", "/_async_search", False),
        ("HEAD", "/_async_search/rerank1.abc", False),
        ("PUT", "/_async_search", False),
        ("POST", "/_async_search/rerank1.abc", False),
        ("POST", "/i/_doc/_async_search", False),
        ("DELETE", "/i", False),
        ("DELETE", "/rerank1.abc", False),
        ("GET", "/i/_async_search/abc", False),
    ],
)
def test_which_requests_concern_searches(method: str, path: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """Submissions and hits do; a status or deletion where the id is ours; statistics and all else do not."""
    assert CONNECTOR.is_search(method, path) is expected


@pytest.mark.parametrize(
    ("status", "members", "submission", "poll"),
    [
        (200, {"id": ENGINE_ID, "is_partial": True, "is_running": True, "response": NO_HITS}, "partial", "partial"),
        (200, {"id": ENGINE_ID, "is_partial": True, "is_running": True, "response": RESPONSE}, "partial", "partial"),
        (200, {"id": ENGINE_ID, "is_partial": True, "is_running": True}, "partial", "partial"),
        (200, {"id": ENGINE_ID, "is_partial": True, "is_running": True, "response": {}}, "partial", "partial"),
        (200, {"id": ENGINE_ID, "is_partial": False, "is_running": False, "response": RESPONSE}, None, None),
        (200, {"is_partial": False, "is_running": False, "response": RESPONSE}, None, None),
        (200, {"id": ENGINE_ID, "is_partial": True, "is_running": False, "response": RESPONSE}, None, None),
        (200, {"is_running": False, "response": NO_HITS}, "too-few-hits", "too-few-hits"),
        (200, {"is_running": False}, "!reply-shape", "reply-shape"),
        (200, {"is_running": False, "response": RESPONSE, "error": {"type": "x"}}, "!engine-error", "engine-error"),
        (400, {"id": ENGINE_ID, "is_running": False, "error": {"type": "x"}}, "!engine-error", "engine-error"),
        (404, {"error": {"type": "x"}, "status": 404}, "!engine-error", "engine-error"),
        (429, {"error": {"type": "x"}, "status": 429}, "engine-error", "engine-error"),
        (503, {"id": ENGINE_ID, "is_running": False, "error": {"type": "x"}}, "engine-error", "engine-error"),
        (200, {"id": ENGINE_ID, "state": "INIT"}, "partial", "partial"),
        (200, {"id": ENGINE_ID, "state": "RUNNING", "response": NO_HITS}, "partial", "partial"),
        (200, {"id": ENGINE_ID, "state": "SUCCEEDED", "response": RESPONSE}, None, None),
        (200, {"id": ENGINE_ID, "state": "PERSISTING", "response": RESPONSE}, None, None),
        (200, {"id": ENGINE_ID, "state": "PERSIST_SUCCEEDED", "response": RESPONSE}, None, None),
        (200, {"id": ENGINE_ID, "state": "PERSIST_FAILED", "response": RESPONSE}, None, None),
        (200, {"id": ENGINE_ID, "state": "STORE_RESIDENT", "response": RESPONSE}, None, None),
        (200, {"state": "CLOSED", "response": RESPONSE}, None, None),
        (200, {"id": ENGINE_ID, "state": "FAILED", "error": {"type": "x"}}, "!engine-error", "engine-error"),
    ],
)
def test_envelopes(status: int, members: Mapping[str, Any], submission: str | None, poll: str | None) -> None:
    """None: reranked. An exclamation mark: the submission is asked anew as it came, which a poll never is."""
    plan = planned(size=2)
    for asked, expected in ((plan, submission), (polled(plan), poll)):
        answer = reply(members, status=status)
        (page,) = CONNECTOR.parse(asked, answer)
        if expected is None or not expected.startswith("!"):
            assert isinstance(page, HitPage)
            assert page.skip == expected
            content = spliced(asked, answer)
            assert content.get("id", PREFIX).startswith(PREFIX)
            hits = content.get("response", {}).get("hits", {}).get("hits", [])
            assert [hit["_id"] for hit in hits] in ([], ["0", "1"])
        else:
            assert page == PassThrough(Reason(expected[1:]))
    assert CONNECTOR.repeat(plan, [0]) is None


def test_an_error_that_can_not_be_read() -> None:
    """It is no engine's, so nothing runs: the submission is asked anew as it came, and a poll shows what there is."""
    plan, answer = planned(), reply(b"<html>", status=404)
    assert CONNECTOR.parse(plan, answer) == [PassThrough(Reason.ENGINE_ERROR)]
    assert CONNECTOR.parse(polled(plan), answer) == [HitPage((), (), Reason.ENGINE_ERROR)]


def test_another_searchs_id_stays() -> None:
    """Should an engine answer with another id than it was asked about, that one is the client's too."""
    answer = reply({"id": "another", "is_running": True})
    assert spliced(polled(planned()), answer)["id"] == "another"


def test_orders_that_can_not_be_undone() -> None:
    """Words in filters may rank, whose hits are any page of equals; another sort can't give way to the scores."""
    wanted = Policy(window=20, promote=True, sort_override=True)
    promoted = {"query": {"bool": {"filter": [{"match": {"title": "quick fox"}}]}}}
    for body, expected in ((promoted, None), ({**QUERY, "sort": ["date"]}, PassThrough(Reason.SORTED))):
        request = Request("POST", "/i/_async_search", JSON, json.dumps(body).encode())
        plan = CONNECTOR.plan(request, lambda _: wanted, {})
        if expected is None:
            assert isinstance(plan, ExchangePlan)
            (search,) = plan.searches
            assert isinstance(search, SearchPlan)
            assert not search.is_reordered
            assert b'"should"' in plan.request.body
        else:
            assert plan == expected


@pytest.mark.parametrize("status", [200, 400])
def test_a_refused_window_is_read(status: int) -> None:
    """The limit stands in the error, and nothing in a hit is taken for one."""
    error = {"type": "illegal_argument_exception", "reason": OBJECTION}
    (page,) = CONNECTOR.parse(planned(), reply({"is_running": False, "error": error}, status=status))
    assert page == PassThrough(Reason.ENGINE_ERROR, window_limit=50)
    (page,) = CONNECTOR.parse(planned(), reply({"response": OBJECTION, "error": {"type": "x"}}, status=status))
    assert page == PassThrough(Reason.ENGINE_ERROR)


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/i/_async_search", {}),
        ("/i,j*,-k/_async_search", {"from": 3, "size": 4}),
        ("/_async_search?filter_path=id", {"_source": False, "fields": ["n", "m*"], "sort": ["_score", "n"]}),
        ("/ü/_plugins/_asynchronous_search", {"query": {"match": {"title": "größer 東京 😀"}}}),
        (
            "/i/_async_search",
            {"query": {"multi_match": {"query": "quick fox", "fields": ["a^2", "b"]}}, "_source": ["a"]},
        ),
        ("/i/_async_search", {"query": {"function_score": {**QUERY, "field_value_factor": {"field": "sold"}}}}),
    ],
)
def test_a_poll_knows_what_was_submitted(target: str, body: Mapping[str, Any]) -> None:
    """Page, window, words, fields and all notes are those of the submission; the request and its policy are new."""
    plan = planned(target, **body)
    found = polled(plan)
    (was,), (now,) = plan.searches, found.searches
    assert isinstance(was, SearchPlan)
    assert isinstance(now, SearchPlan)
    assert replace(now, request=was.request) == was
    assert now.request is found.request
    assert now.policy.scoring == ",".join(was.indices)


def test_an_id_carries_all_that_a_plan_says() -> None:
    """Whoever adds something to a plan decides here whether a poll has to know it."""
    known = {field for field in Ticket.__struct_fields__ if field not in {"engine_id", "window", "instruction"}}
    found_anew = {"request", "policy"}
    never = {"is_reordered"}  # such a search would be asked anew where it is not reranked, which this one can't be
    assert {field.name for field in fields(SearchPlan)} == known | found_anew | never


def test_an_instruction_travels() -> None:
    """What a submission says of relevance is the policy's later on."""
    body = json.dumps(QUERY).encode()
    request = Request("POST", "/i/_async_search", (*JSON, ("x-rerank-instruction", "as told")), body)
    plan = CONNECTOR.plan(request, policy_of, {})
    assert isinstance(plan, ExchangePlan)
    (search,) = polled(plan).searches
    assert isinstance(search, SearchPlan)
    assert search.policy.instruction == "as told"


def test_the_longest_id() -> None:
    """Words that fit make an id within the bound, and more of them pass through."""
    words = Random(6).randbytes(2_000).hex()
    plans = [submitted(query={"match": {"title": words[:length]}}) for length in range(100, 4_000, 50)]
    lengths = [len(sealed(plan)) for plan in plans if isinstance(plan, ExchangePlan)]
    assert MAX_ID_CHARS - 320 < max(lengths) <= MAX_ID_CHARS
    assert plans[-1] == PassThrough(Reason.ID_TOO_LONG)


def test_an_index_that_is_off() -> None:
    """Submitted, it passes through; switched off since, its page is cut in the engine's order."""
    plan = planned(size=2)
    target = f"/_async_search/{sealed(plan)}"
    off = CONNECTOR.plan(Request("GET", target, ()), lambda _: Policy(is_on=False), {})
    assert isinstance(off, ExchangePlan)
    (page,) = CONNECTOR.parse(off, reply({"is_running": False, "response": RESPONSE}))
    assert isinstance(page, HitPage)
    assert (page.skip, page.candidates) == (Reason.MODE_OFF, ())
    request = Request("POST", "/i/_async_search", JSON, json.dumps(QUERY).encode())
    assert CONNECTOR.plan(request, lambda _: Policy(is_on=False), {}) == PassThrough(Reason.MODE_OFF)


@pytest.mark.parametrize("content", [b"", b"\xc1", msgspec.msgpack.encode(["x", 1])])
def test_a_ticket_of_another_version_is_unknown(content: bytes) -> None:
    """What was signed with the key but can't be understood goes to the engine as it came."""
    request = Request("GET", f"/_async_search/{Sealer(SECRET).seal(content)}", ())
    assert CONNECTOR.plan(request, policy_of, {}) == PassThrough(Reason.UNKNOWN_ID)
    assert CONNECTOR.forwarded(request) is request


def test_what_is_forwarded_names_the_engines_id() -> None:
    """Whatever is done with an id of ours, the engine gets its own; other requests are not touched."""
    target = f"/_plugins/_asynchronous_search/{sealed(planned())}?pretty"
    request = Request("HEAD", target, JSON, b"x")
    name = ENGINE_ID.replace("=", "%3D")
    assert CONNECTOR.forwarded(request) == replace(request, target=f"/_plugins/_asynchronous_search/{name}?pretty")
    for other in ("/", "/_async_search/abc", "/i/_search?q=rerank1.x"):
        assert CONNECTOR.forwarded(Request("GET", other, ())).target == other
