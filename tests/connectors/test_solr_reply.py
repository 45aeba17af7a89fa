"""Solr's replies: reordered and cut, every other byte as it came, and nothing left of what was asked beside."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ranking import Rule, StageScores, order
from connectors._solr_restore import MARKER, NO_SHARD, SHARD
from connectors.base import ExchangePlan, HitPage, PassThrough, Policy, RankedHit, Reason, Reply, Request
from connectors.solr import Solr
from tests.connectors.solr_replies import (
    JSON,
    SELECT,
    Told,
    document,
    envelope,
    json_request,
    parameters_of,
    parsed,
    planned,
    reply,
    request,
    written,
)

RULE = Rule()
ELEVATING = Told({**SELECT, "last-components": ["elevator"]})


def falling(count: int, **members: Any) -> list[dict[str, Any]]:
    return [document(number, 9.5 - number / 10, **members) for number in range(count)]


def reversed_order(page: HitPage) -> list[RankedHit]:
    return [
        RankedHit(place, 1.9 - step / 10) for step, place in enumerate(reversed(range(len(page.first_stage_scores))))
    ]


def spliced(plan: ExchangePlan, answered: Reply, *, reranked: bool = True) -> Reply:
    page = parsed(plan, answered)
    return Solr().splice(plan, [page], answered, [reversed_order(page) if reranked else None])


def answered_by(plan: ExchangePlan, documents: Sequence[Mapping[str, Any]], **more: Any) -> Any:
    """The content of the reply to a widened search; what was added is echoed as Solr does it."""
    asked = parameters_of(plan)
    start, size = int(asked["json.offset"]), int(asked["json.limit"])
    return envelope(documents[start : start + size], start, len(documents), **more)


@pytest.mark.parametrize("indent", [False, True])
def test_a_page_in_another_order(indent: bool) -> None:  # noqa: FBT001 - the two forms of replies
    """The page is cut from the new order; its scores fall, and the best of them is the page's highest."""
    plan = planned(request("q=title:fox&fl=id,title,score&rows=2&start=1"))
    answered = reply(answered_by(plan, falling(4), facets={"count": 4.50}), indent=indent)
    shown = [document(2, 1.8), document(1, 1.7)]
    expected = envelope(shown, 1, 4, facets={"count": 4.50})
    expected["response"]["maxScore"] = 1.9
    texts = written(expected, indent=indent)
    for short, long in ((b"1.9", b"1.9000000"), (b"1.8", b"1.8000000"), (b"1.7", b"1.7000000")):
        texts = texts.replace(short, long)
    assert spliced(plan, answered).body == texts


@pytest.mark.parametrize("indent", [False, True])
@pytest.mark.parametrize(
    "query", ["", "&fl=id", "&fl=none", "&fl=t:title", "&fl=*", "&fl=score", "&rows=2&start=3", "&start=9"]
)
def test_the_first_stage_page_is_the_clients_own(query: str, indent: bool) -> None:  # noqa: FBT001 - as above
    """Where nothing is reranked, the reply is byte for byte the one to the client's own search."""
    plan = planned(request(f"q=title:fox{query}"))
    (search,) = plan.searches
    shown = {"id": {"id"}, "none": set(), "t:title": {"t"}, "score": {"score"}}.get(query.partition("fl=")[2])
    everything = [{**one, "t": one["title"]} if shown == {"t"} else one for one in falling(5)]
    fetched = [{key: one[key] for key in one if key != "title" or shown != {"t"}} for one in everything]
    own = [
        {key: one[key] for key in one if (key in shown if shown is not None else key != "score")} for one in everything
    ]
    own = own[search.start : search.start + search.size]  # type: ignore[union-attr]
    start = int(dict(part.split("=") for part in plan.request.query_string.split("&")).get("start", 0))
    expected = envelope(own, start, 5)
    content = answered_by(plan, fetched)
    answered = reply(content, indent=indent)
    assert spliced(plan, answered, reranked=False).body == written(expected, indent=indent)


def test_documents_keep_their_bytes() -> None:
    """Number forms, white space, escapes and long integers of a document are as the engine wrote them."""
    raw = b'{"id":"d%d","title":"f\\u00f6x %d" ,"n":123456789012345678901234567890,"f":1.50,"e":1E-7,"score":%d}'
    first, second = raw % (1, 1, 9), raw % (2, 2, 8)
    body = b'{"response":{"numFound":2,"start":0,"maxScore":9,"docs":[%b,%b]}}' % (first, second)
    plan = planned(request("q=title:fox"))
    result = spliced(plan, reply(body)).body
    kept = [one.partition(b',"score"')[0] + b"}" for one in (second, first)]
    assert result == b'{"response":{"numFound":2,"start":0,"docs":[%b,%b]}}' % tuple(kept)


@pytest.mark.parametrize("coding", [None, "gzip"])
def test_replies_keep_their_coding(coding: str | None) -> None:
    """A compressed reply is read and compressed again; its length is told."""
    plan = planned(request())
    body = written(answered_by(plan, falling(3)))
    content = gzip.compress(body) if coding else body
    headers = (*JSON, ("X-Own", "1"), ("Content-Length", "1"), *((("Content-Encoding", coding),) if coding else ()))
    result = spliced(plan, Reply(200, "OK", headers, content))
    assert result.header("content-length") == str(len(result.body))
    assert result.header("x-own") == "1"
    read = json.loads(gzip.decompress(result.body) if coding else result.body)
    assert [one["id"] for one in read["response"]["docs"]] == ["d2", "d1", "d0"]


@pytest.mark.parametrize("indent", [False, True])
def test_sections_by_key_have_the_entries_of_the_page(indent: bool) -> None:  # noqa: FBT001 - as above
    """Highlights and explanations of the page's documents are there in its order, and no others."""
    plan = planned(request("q=title:fox&rows=2&fl=id"))
    by_key = {f"d{number}": {"title": [f"<em>fox</em> {number}"]} for number in range(4)}
    debug = {"rawquerystring": "x", "explain": {key: f"{key}\n" for key in by_key}, "QParser": "y"}
    answered = reply(answered_by(plan, falling(4), highlighting=by_key, debug=debug), indent=indent)
    own = {key: by_key[key] for key in ("d3", "d2")}
    expected = envelope(
        [{"id": "d3"}, {"id": "d2"}],
        0,
        4,
        highlighting=own,
        debug={**debug, "explain": {key: f"{key}\n" for key in own}},
    )
    assert spliced(plan, answered).body == written(expected, indent=indent)


def test_sections_under_other_keys_are_not_cut() -> None:
    """Where a section's keys are not those of the documents, the search is asked anew as it came."""
    plan = planned(request("q=title:fox"))
    answered = reply(answered_by(plan, falling(3), highlighting={"other": {}}))
    assert list(Solr().parse(plan, answered)) == [PassThrough(Reason.REPLY_SHAPE)]


def test_the_key_may_have_another_name_or_be_a_number() -> None:
    """Documents are found under their unique key, whatever the client calls it and whatever it is."""
    told = Told(schema={**dict(Told()._schema or {}), "uniqueKey": "n"})
    plan = planned(request("q=title:fox&fl=key:n,title"), told)
    found = [{"title": f"fox {n}", "score": 9 - n, "key": n} for n in range(3)]
    answered = reply(answered_by(plan, found, highlighting={str(n): {} for n in range(3)}))
    assert list(json.loads(spliced(plan, answered).body)["highlighting"]) == ["2", "1", "0"]


ADDED = "what was added"
ECHOES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("q=title:fox", {"q": "title:fox"}, {}),
    ("q=title:fox&rows=2&fl=id", {"q": "title:fox", "rows": "2", "fl": "id"}, {}),
    ("q=title:fox&echoParams=all", {"q": "title:fox", "rows": "10"}, {"rows": "20", "start": "0", "fl": ADDED}),
    (
        "q=title:fox&echoParams=all&rows=2&start=0&fl=id",
        {"q": "title:fox", "rows": "2", "start": "0", "fl": "id"},
        {"rows": "20", "start": "0", "fl": ["id", ADDED]},
    ),
    (
        "q=title:fox&echoParams=all&rows=2&fl=id&fl=n",
        {"q": "title:fox", "rows": "2", "fl": ["id", "n"]},
        {"rows": "20", "start": "0", "fl": ["id", "n", ADDED]},
    ),
    ("q=title:fox&echoParams=all&rows=2&fl=*,score", {"rows": "2", "fl": "*,score"}, {"rows": "20", "start": "0"}),
]


@pytest.mark.parametrize("indent", [False, True])
@pytest.mark.parametrize(("query", "own", "changed"), ECHOES)
def test_echoed_parameters_are_the_clients_own(
    query: str,
    own: dict[str, Any],
    changed: dict[str, Any],
    indent: bool,  # noqa: FBT001 - as above
) -> None:
    """What was added is not shown, and what it won over is as the client or the handler has it."""
    plan = planned(request(query))
    added = {name: value for name, value in parameters_of(plan).items() if name.startswith("json.")}
    listed = json.loads(added.get("json.fields", '""'))
    if "fl" in changed:
        fields = changed["fl"]
        changed = {**changed, "fl": listed if fields == ADDED else [*fields[:-1], listed]}
    answered = reply(answered_by(plan, falling(3), params={**own, **changed, **added}), indent=indent)
    result = spliced(plan, answered).body
    assert json.loads(result)["responseHeader"]["params"] == own
    header = written({"responseHeader": {"status": 0, "QTime": 3, "params": own}}, indent=indent).rstrip(b"\n}")
    assert result.startswith(header)


DEBUGGED: list[tuple[Request, dict[str, Any] | None, dict[str, Any] | None]] = [
    (request("q=title:fox"), {"offset": 0, "limit": 20, "fields": "*,score"}, None),
    (
        request("q=title:fox&json.facet={x:1}"),
        {"facet": {"x": 1}, "offset": 0, "limit": 20, "fields": "*,score"},
        {"facet": {"x": 1}},
    ),
    (
        json_request({"query": "title:fox", "limit": 2, "fields": "id", "sort": "score desc"}),
        {"query": "title:fox", "limit": 20, "fields": ["id", "title,score"], "sort": "score desc", "offset": 0},
        {"query": "title:fox", "limit": 2, "fields": "id", "sort": "score desc"},
    ),
    (
        json_request({"query": "title:fox", "offset": 1, "fields": ["id"]}),
        {"query": "title:fox", "offset": 0, "fields": ["id", "title,score"], "limit": 20},
        {"query": "title:fox", "offset": 1, "fields": ["id"]},
    ),
    (json_request({"query": "title:fox", "fields": "*,score"}), {"fields": "*,score"}, {"fields": "*,score"}),
    (request("q=title:fox&json.facet={x:1}"), {"offset": 0, "limit": 20, "fields": "*,score"}, None),
    (request("q=title:fox"), None, None),
    (json_request({}, "q=title:fox"), {"offset": 0, "limit": 20, "fields": "*,score"}, {}),
]


@pytest.mark.parametrize("indent", [False, True])
@pytest.mark.parametrize(("asked", "shown", "own"), DEBUGGED)
def test_debugging_shows_the_clients_own_json(
    asked: Request, shown: dict[str, Any] | None, own: dict[str, Any] | None, *, indent: bool
) -> None:
    """The JSON that a debug section shows is what the client's own comes to."""
    plan = planned(asked)

    def debug(content: dict[str, Any] | None) -> dict[str, Any]:
        return {"querystring": "x", **({"json": content} if content is not None else {}), "QParser": "y"}

    answered = reply(answered_by(plan, falling(4), debug=debug(shown)), indent=indent)
    result = spliced(plan, answered, reranked=False).body
    assert result.endswith(written({"debug": debug(own)}, indent=indent).removeprefix(b"{"))


@pytest.mark.parametrize("indent", [False, True])
def test_debugging_shows_nothing_where_only_what_was_added_is_shown(*, indent: bool) -> None:
    """A section that has nothing to tell is as empty as without the bridge: Solr 9.10.1 to ``debug=track``."""
    plan = planned(request("q=title:fox&debug=track"))
    answered = reply(answered_by(plan, falling(4), debug={"json": {"offset": 0, "limit": 20}}), indent=indent)
    assert spliced(plan, answered, reranked=False).body.endswith(
        written({"debug": {}}, indent=indent).removeprefix(b"{")
    )


def test_echoed_parameters_stand_in_the_order_of_the_clients_own() -> None:
    """Solr shows parameters in the order of a hash table, which is another where the table has to grow for ours."""
    # As Solr 9.10.1 wrote them, without the bridge and with its parameters.
    direct = ["a1", "q", "a2", "a3", "a4", "a5", "a6", "indent", "omitHeader", "a7", "a8", "rows"]
    wider = ["indent", "json.offset", "rows", "json.limit", "a1", "q", "a2", "a3", "a4", "a5", "a6", "omitHeader"]
    names = [*wider, "a7", "a8", "json.fields"]
    query = "q=title:fox&rows=1&a1=1&a2=2&a3=3&a4=4&a5=5&a6=6&a7=7&a8=8&indent=false&omitHeader=false"
    plan = planned(request(query))
    answered = reply(answered_by(plan, falling(3), params=dict.fromkeys(names, "x")))
    assert list(json.loads(spliced(plan, answered).body)["responseHeader"]["params"]) == direct


def test_errors_of_a_struggling_engine_echo_the_clients_own_parameters() -> None:
    """An error that is not asked about again goes to the client without what was added."""
    plan = planned(request("q=title:fox"))
    header = {"status": 503, "params": {"q": "title:fox", "json.offset": "0", "json.limit": "20"}}
    answered = reply({"responseHeader": header, "error": {"code": 503}}, status=503)
    page = parsed(plan, answered)
    assert page.skip is Reason.ENGINE_ERROR
    result = Solr().splice(plan, [page], answered, [None])
    expected = {"responseHeader": {"status": 503, "params": {"q": "title:fox"}}, "error": {"code": 503}}
    assert result.body == written(expected)
    page = parsed(plan, broken := reply(b"<html>", status=502))
    assert Solr().splice(plan, [page], broken, [None]) is broken


NOT_READ: list[tuple[Reply, Reason]] = [
    (reply({"error": {}}, status=400), Reason.ENGINE_ERROR),
    (reply(b"not json"), Reason.REPLY_SHAPE),
    (reply({}), Reason.REPLY_SHAPE),
    (reply({"response": {"docs": {}}}), Reason.REPLY_SHAPE),
    (reply({"grouped": {}}), Reason.GROUPED),
    (reply(envelope([{"id": "a", "score": 1}, {"id": "b", "score": 1}], start=3)), Reason.REPLY_SHAPE),
    (reply(envelope([{"id": "a", "score": 1}, {"id": "b", "score": 1}], found=3)), Reason.REPLY_SHAPE),
    (reply({"response": {"start": 0, "numFound": 2, "docs": [1, 2]}}), Reason.REPLY_SHAPE),
    (replace(reply(envelope([])), headers=(("Content-Type", "application/xml"),)), Reason.REPLY_SHAPE),
    (replace(reply(envelope([])), headers=(*JSON, ("Content-Encoding", "br"))), Reason.REPLY_SHAPE),
]


@pytest.mark.parametrize(("answered", "reason"), NOT_READ)
def test_replies_that_are_asked_for_anew(answered: Reply, reason: Reason) -> None:
    """A reply that is not what was asked for is none to cut: the search goes on as it came."""
    assert list(Solr().parse(planned(request()), answered)) == [PassThrough(reason)]


def test_large_replies_are_asked_for_anew() -> None:
    """A reply over its limit is not read."""
    plan = planned(request(), policy=Policy(max_reply_bytes=5))
    assert list(Solr().parse(plan, reply(envelope([])))) == [PassThrough(Reason.REPLY_TOO_LARGE)]


SKIPPED: list[tuple[list[dict[str, Any]], Reason]] = [
    ([], Reason.TOO_FEW_HITS),
    ([document(1, 1.0)], Reason.TOO_FEW_HITS),
    ([document(1), document(2)], Reason.NOT_SCORED),
    ([document(1, 1.0), document(2, 2.0)], Reason.SORTED),
    ([{"id": "a", "score": 1}, {"id": "b", "score": 1}], Reason.NO_TEXT),
    ([document(1, 1.0), {**document(1, 1.0), "id": "b"}], Reason.SAME_TEXT),
]


@pytest.mark.parametrize(("documents", "reason"), SKIPPED)
def test_pages_that_are_cut_as_they_are(documents: list[dict[str, Any]], reason: Reason) -> None:
    """Where there is nothing to order by, the page of the first stage is cut."""
    assert parsed(planned(request()), reply(envelope(documents))).skip is reason


def test_partial_results_are_reranked() -> None:
    """Hits that were found when the time was over are ordered like others."""
    answered = envelope(falling(3), found=50)
    answered["responseHeader"]["partialResults"] = True
    assert parsed(planned(request()), reply(answered)).skip is None


def test_not_modified_goes_to_the_client() -> None:
    """A reply that says that the client's copy is good is not asked for again."""
    plan, answered = planned(request()), Reply(304, "Not Modified", (("ETag", "x"),))
    page = parsed(plan, answered)
    assert page.skip is Reason.NOT_MODIFIED
    assert Solr().splice(plan, [page], answered, [None]) is answered


def test_json_that_is_sent_as_text_is_read() -> None:
    """Configurations that have JSON sent as plain text for browsers are understood."""
    answered = replace(reply(envelope(falling(2))), headers=(("Content-Type", "text/plain;charset=utf-8"),))
    assert parsed(planned(request()), answered).skip is None


def test_elevated_documents_are_pinned() -> None:
    """Documents that Solr puts on top stay there with their scores, whatever theirs are."""
    plan = planned(request("q=title:fox&fl=id,score"), ELEVATING)
    found = [document(0, 0.0, **{MARKER: True}), *(document(n, 9.0 - n, **{MARKER: False}) for n in range(1, 4))]
    answered = reply(answered_by(plan, found))
    page = parsed(plan, answered)
    assert [candidate.is_pinned for candidate in page.candidates] == [True, False, False, False]
    ranked = [RankedHit(0, 0.0), RankedHit(3, 1.3), RankedHit(2, 1.2), RankedHit(1, 1.1)]
    response = json.loads(Solr().splice(plan, [page], answered, [ranked]).body)["response"]
    assert response["docs"] == [
        {"id": f"d{n}", "score": score} for n, score in ((0, 0.0), (3, 1.3), (2, 1.2), (1, 1.1))
    ]
    assert response["maxScore"] == 1.3


def spread(documents: Sequence[Mapping[str, Any]], shard: str) -> list[dict[str, Any]]:
    return [{**one, SHARD: shard} for one in documents]


@pytest.mark.parametrize(("shard", "is_shown"), [("http://a:8983/solr/c_shard1", True), (NO_SHARD, False)])
def test_searches_over_shards_show_the_highest_score(shard: str, is_shown: bool) -> None:  # noqa: FBT001 - a column
    """A search that is spread over shards has ``maxScore`` though nobody asks for scores; it stays the engine's own."""
    plan = planned(request("q=title:fox&fl=id"))
    answered = reply(answered_by(plan, spread(falling(3), shard)))
    response = json.loads(spliced(plan, answered).body)["response"]
    assert response.get("maxScore") == (9.5 if is_shown else None)
    assert response["docs"] == [{"id": "d2"}, {"id": "d1"}, {"id": "d0"}]


@pytest.mark.parametrize(
    ("query", "header", "is_cut"),
    [
        ("", {"status": 0}, True),
        ("", {"zkConnected": True}, False),
        ("", None, False),
        ("&shards=a,b", {"status": 0}, False),
        ("&fl=*,score", {"zkConnected": True}, True),
    ],
)
def test_empty_pages_of_shards_are_asked_for_anew(query: str, header: dict[str, Any] | None, *, is_cut: bool) -> None:
    """Without a document it is not known whether a search was spread, so that its own reply is asked for."""
    content = envelope([])
    if header is None:
        del content["responseHeader"]
    else:
        content["responseHeader"] = header
    (page,) = Solr().parse(planned(request(f"q=title:fox{query}")), reply(content))
    assert isinstance(page, HitPage) is is_cut


def test_scores_may_be_kept() -> None:
    """With ``score_policy: keep`` the engine's scores stay with their documents."""
    plan = planned(request("q=title:fox&fl=id,s:score"), policy=Policy(score_policy="keep"))
    found = [{"id": f"d{n}", "title": f"fox {n}", "s": 9 - n} for n in range(3)]
    shown = json.loads(spliced(plan, reply(answered_by(plan, found))).body)["response"]["docs"]
    assert shown == [{"id": "d2", "s": 7}, {"id": "d1", "s": 8}, {"id": "d0", "s": 9}]


TEXTS: list[tuple[str, dict[str, Any], str]] = [
    ("q=title:fox", {"title": "a", "body": "b"}, "a"),
    ("q=fox&defType=edismax&qf=body title", {"title": "a", "body": ["b", "c"]}, "b, c\na"),
    ("q=fox&df=_text_", {"x_t": "x", "title": "a", "y_t": "y"}, "a\nx, y"),
    ("q=fox", {"body": "b", "x_t": "x", "title": "a", "n": 5, "k_s": "k"}, "b\nx\na"),
    ("q=title:fox", {"x_s": "only", "_version_": 5}, "only"),
]


@pytest.mark.parametrize(("query", "members", "text"), TEXTS)
def test_what_is_read_of_a_document(query: str, members: dict[str, Any], text: str) -> None:
    """The fields of the query in its order, or all texts in the document's; lists are joined."""
    found = [{"id": "1", **members, "score": 2}, {"id": "2", "title": "other", "score": 1}]
    if "only" in text:
        found[1] = {"id": "2", "x_s": "another", "score": 1}
    assert parsed(planned(request(query)), reply(envelope(found))).candidates[0].text == text


@pytest.mark.parametrize(
    ("names", "exact"), [(("title",), True), (("id",), False), (("body",), False), (("_id",), False)]
)
def test_exact_documents_are_told(names: tuple[str, ...], exact: bool) -> None:  # noqa: FBT001 - a column
    """A document of which a configured field is the query text is one that stays on top."""
    plan = planned(request("q=title:(fox 1)"), policy=Policy(exact_fields=names))
    page = parsed(plan, reply(envelope([document(0, 2.0), document(1, 1.0)])))
    assert [candidate.is_exact for candidate in page.candidates] == [False, exact]


@pytest.mark.parametrize("name", ["id", "_id"])
def test_exact_keys_are_told(name: str) -> None:
    """The unique key may be one of these fields, by its own name or that of the other engines."""
    plan = planned(request("q=title:d1"), policy=Policy(exact_fields=(name,)))
    page = parsed(plan, reply(envelope([document(0, 2.0), document(1, 1.0)])))
    assert [candidate.is_exact for candidate in page.candidates] == [False, True]


@pytest.mark.parametrize(("query", "identity"), [("", {"_id": "d1"}), ("&fl=title", {}), ("&fl=k:id", {"_id": "d1"})])
def test_documents_are_named_as_far_as_the_client_sees_it(query: str, identity: dict[str, str]) -> None:
    """An explanation names a document by its unique key, where the client gets that."""
    plan = planned(request(f"q=title:fox{query}"))
    found = [{**document(n, 9.0 - n), **({"k": f"d{n}"} if "k:" in query else {})} for n in range(2)]
    assert Solr().identity(parsed(plan, reply(envelope(found))), 1) == identity


def test_what_was_not_read_has_no_names() -> None:
    """A page without documents names none."""
    assert Solr().identity(HitPage((), ()), 0) == {}


@given(st.data())
def test_pages_partition_the_window(data: st.DataObject) -> None:
    """A search walked page by page shows each document once, with falling scores, and then the first stage's tail."""
    count, size = data.draw(st.integers(2, 20)), data.draw(st.integers(1, 7))
    window = data.draw(st.integers(2, 12))
    scored = min(count, window)
    model = data.draw(st.lists(st.none() | st.floats(-9, 9), min_size=scored, max_size=scored))
    seen: list[dict[str, Any]] = []
    for start in range(0, scored, size):
        plan = planned(request(f"q=title:fox&fl=id,score&start={start}&rows={size}"), policy=Policy(window=window))
        answered = reply(answered_by(plan, falling(count)))
        page = parsed(plan, answered)
        ranked = order(page.first_stage_scores, [StageScores(tuple(model), RULE)])
        result = json.loads(Solr().splice(plan, [page], answered, [ranked]).body)["response"]
        assert (result["start"], result["numFound"]) == (start, count)
        seen += result["docs"]
    names = [int(one["id"][1:]) for one in seen]
    assert sorted(names[:scored]) == list(range(scored))
    assert names[scored:] == list(range(scored, len(names)))
    assert all(above["score"] >= below["score"] for above, below in pairwise(seen))


ODD = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.sampled_from([[], {}, ["x", 1], {"d0": 1}, {"x": []}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
SOME_PARAMETERS = st.dictionaries(st.sampled_from(["q", "fl", "rows", "start", "json.limit", "json.fields"]), ODD)
SOME_JSON = st.dictionaries(st.sampled_from(["query", "offset", "limit", "fields", "facet"]), ODD)


@st.composite
def odd_replies(draw: st.DrawFn) -> bytes:
    """Replies that are right in most places, and anything in others; or bytes that are no reply."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=60))
    content = envelope(falling(draw(st.integers(0, 4))))
    content["responseHeader"]["params"] = draw(SOME_PARAMETERS | ODD)
    content["highlighting"] = draw(st.just({"d0": {}, "d1": {}}) | ODD)
    content["debug"] = draw(st.fixed_dictionaries({"json": SOME_JSON | ODD, "explain": st.just({}) | ODD}) | ODD)
    for place in draw(st.sets(st.sampled_from(["responseHeader", "response", "highlighting", "debug"]))):
        content.pop(place)
    if draw(st.booleans()) and "response" in content:
        content["response"][draw(st.sampled_from(["docs", "start", "numFound", "maxScore"]))] = draw(ODD)
    return written(content, indent=draw(st.booleans()))


@given(
    odd_replies(), st.sampled_from([request("q=title:fox&fl=id"), json_request({"query": "title:fox", "fields": []})])
)
def test_any_reply_is_taken(body: bytes, asked: Request) -> None:
    """Whatever comes as a reply, it is read and cut, or asked for anew."""
    plan = planned(asked)
    for status in (200, 500):
        answered = reply(body, status=status)
        (page,) = Solr().parse(plan, answered)
        if isinstance(page, HitPage):
            assert isinstance(Solr().splice(plan, [page], answered, [None]), Reply)
