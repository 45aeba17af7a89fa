"""Replies taken apart and put together: what changes, and that nothing else does."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._search_reply import parse_reply, splice_reply, written_score
from connectors.base import PassThrough, Policy, RankedHit, Reason, Reply, SearchPlan
from tests.connectors.replies import JSON, envelope, hit, parsed, planned, reply, scored_hits, written

THREE = envelope(scored_hits([3.0, 2.0, 1.0]), 3.0)


def ranked(*places: int) -> list[RankedHit]:
    return [RankedHit(index, 1.9 - place / 10) for place, index in enumerate(places)]


def spliced(plan: SearchPlan, body: object, order: Sequence[RankedHit] | None) -> Any:
    answer = reply(body)
    return json.loads(splice_reply(plan, parsed(plan, answer), answer, order).body)


def shown(content: Any) -> list[tuple[str, float]]:
    return [(entry["_id"], entry["_score"]) for entry in content["hits"]["hits"]]


@pytest.mark.parametrize(
    ("page", "order", "expected"),
    [
        ({}, None, [("0", 3.0), ("1", 2.0), ("2", 1.0)]),
        ({}, ranked(2, 0, 1), [("2", 1.9), ("0", 1.8), ("1", 1.7)]),
        ({"size": 1}, ranked(2, 0, 1), [("2", 1.9)]),
        ({"from": 1, "size": 1}, ranked(2, 0, 1), [("0", 1.8)]),
        ({"from": 2}, ranked(2, 0, 1), [("1", 1.7)]),
        ({"from": 1, "size": 1}, None, [("1", 2.0)]),
        ({"from": 3}, ranked(2, 0, 1), []),
        ({"from": 3}, None, []),
    ],
)
def test_the_page_is_cut_from_the_order(page: Any, order: Any, expected: list[tuple[str, float]]) -> None:
    """Hits stand in the order given, with its scores, cut to the client's page; without one in the engine's."""
    plan = planned(page)
    content = spliced(plan, THREE, order)
    assert shown(content) == expected
    assert content["hits"]["max_score"] == (1.9 if order else 3.0)
    del content["hits"]["hits"], content["hits"]["max_score"]
    assert content == {"took": 3, "hits": {"total": {"value": 3, "relation": "eq"}}, "aggregations": {"a": 1.0}}


@pytest.mark.parametrize("pretty", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_first_stage_order_is_the_engines_own_page(size: int, pretty: bool) -> None:  # noqa: FBT001 - both forms on the wire
    """Without an order the cut reply is byte for byte what the engine writes for the page, pretty or not."""
    plan = planned({"size": size})
    wide, direct = envelope(THREE["hits"]["hits"], 3.0), envelope(THREE["hits"]["hits"][:size], 3.0)
    direct["hits"]["total"] = wide["hits"]["total"]
    answer = reply(written(wide, pretty=pretty))
    assert splice_reply(plan, parsed(plan, answer), answer, None).body == written(direct, pretty=pretty)


def test_hits_keep_their_bytes() -> None:
    """Duplicate keys, number forms, long integers, escapes and white space of a hit survive but for its score."""
    odd = (
        rb'{"_id":"a", "_score" : 2.5 ,"_source":'
        rb'{"n":1.0,"n":1e-7, "big":123456789012345678901,"\u0065":"\ud83d\ude00 \ud83d"}}'
    )
    plain = b'{"_id":"b","_score":1.5,"_source":{"title":"fox"}}'
    body = b'{"hits":{"max_score":2.5,"hits":[' + odd + b"," + plain + b"]}}"
    plan = planned()
    answer = reply(body)
    result = splice_reply(plan, parsed(plan, answer), answer, ranked(1, 0)).body
    expected = [plain.replace(b"1.5", b"1.9000000"), odd.replace(b"2.5", b"1.8000000")]
    assert result == b'{"hits":{"max_score":1.9000000,"hits":[' + b",".join(expected) + b"]}}"


SORTED = envelope([hit("0", 3.0, sort=[3.0, 7]), hit("1", None, sort=[2.0, 8])], None)


def test_sort_values_agree_with_the_score() -> None:
    """Where the first sort value is the score it is rewritten; a null score and a null max_score stay."""
    content = spliced(planned({"sort": ["_score", "n"]}), SORTED, ranked(1, 0))
    assert [(entry["_score"], entry["sort"]) for entry in content["hits"]["hits"]] == [
        (None, [1.9, 8]),
        (1.8, [1.8, 7]),
    ]
    assert content["hits"]["max_score"] is None


def test_sort_values_that_are_no_score_stay() -> None:
    """Where the search does not sort, whatever stands in sort is left alone."""
    content = spliced(planned(), envelope([hit("0", 3.0, sort=[5]), hit("1", 2.0, sort=[6])], 3.0), ranked(1, 0))
    assert [entry["sort"] for entry in content["hits"]["hits"]] == [[6], [5]]


def test_scores_may_be_kept() -> None:
    """The policy keep reorders the hits and changes no byte of them, nor of max_score."""
    plan = planned(policy=Policy(window=20, score_policy="keep"))
    content = spliced(plan, THREE, ranked(2, 0, 1))
    assert (shown(content), content["hits"]["max_score"]) == ([("2", 1.0), ("0", 3.0), ("1", 2.0)], 3.0)


FIELDS = {"title": ["fox"], "n": [1]}


@pytest.mark.parametrize(
    ("body", "query", "members", "expected"),
    [
        ({"_source": False}, "", {"fields": FIELDS}, {"_index", "_id", "_score"}),
        (
            {"_source": False},
            "",
            {"fields": FIELDS, "ignored_field_values": {"title": ["x"]}},
            {"_index", "_id", "_score"},
        ),
        ({"_source": False, "fields": ["n"]}, "", {"fields": FIELDS}, {"_index", "_id", "_score", "fields"}),
        ({"_source": False, "fields": ["x"]}, "", {"fields": FIELDS}, {"_index", "_id", "_score"}),
        ({}, "?filter_path=hits.hits._id", {}, {"_id"}),
        ({}, "?filter_path=hits.hits._id,hits.hits._index", {}, {"_index", "_id"}),
        ({"_source": False, "fields": ["n"]}, "?filter_path=hits.hits.fields", {"fields": FIELDS}, {"fields"}),
        ({"_source": False, "fields": ["x"]}, "?filter_path=hits.hits._id", {"fields": FIELDS}, {"_id"}),
    ],
)
def test_what_was_fetched_besides_is_taken_out(body: Any, query: str, members: Any, expected: set[str]) -> None:
    """Neither fields nor scores that only the bridge asked for reach the client."""
    plan = planned(body, query)
    sent = {"_score", *members} | ({"_source"} if "_source" not in body else set())
    sent |= {"_id", "_index"} & expected  # what filter_path has left out is not in the reply
    hits = [hit(str(index), 3.0 - index, **members) for index in range(3)]
    answer = envelope([{key: entry[key] for key in entry if key in sent} for entry in hits], 3.0)
    for entry in spliced(plan, answer, ranked(2, 1, 0))["hits"]["hits"]:
        assert set(entry) == expected
        assert entry.get("fields", {"n": [1]}) == {"n": [1]}


@pytest.mark.parametrize(
    ("body", "query", "hits"),
    [
        ({"_source": False, "fields": ["x"]}, "?filter_path=hits.hits.fields", [{"fields": FIELDS, "_score": 1.0}] * 2),
        ({}, "?filter_path=hits.hits.highlight", [{"_score": 1.0, "highlight": {}}, {"_score": 1.0}]),
        ({"from": 2}, "?filter_path=hits.hits._id", scored_hits([2.0, 1.0])),
    ],
)
def test_nothing_is_written_where_the_engine_leaves_it_out(body: Any, query: str, hits: Any) -> None:
    """A page without hits, and a hit with nothing left, are left out under filter_path: such searches pass through."""
    assert parse_reply(planned(body, query), reply(envelope(hits, 2.0))) == PassThrough(Reason.FILTER_PATH)


@pytest.mark.parametrize("query", ["?filter_path=hits", "?filter_path=-took", "?filter_path=*"])
def test_a_filter_that_hides_nothing_is_no_hindrance(query: str) -> None:
    """Searches whose filter shows the hits whole are reranked."""
    assert shown(spliced(planned({}, query), THREE, ranked(2, 1, 0)))[0] == ("2", 1.9)


def deflated(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


@pytest.mark.parametrize(
    ("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", deflated)]
)
def test_compressed_replies(coding: str, compress: Any) -> None:
    """A compressed reply goes back in its own coding, with its length; the other headers stay as they came."""
    plan = planned({"size": 1})
    content = compress(written(THREE))
    answer = Reply(200, "OK", (("X-Own", "1"), *JSON, ("Content-Encoding", coding), ("Content-Length", "1")), content)
    result = splice_reply(plan, parsed(plan, answer), answer, None)
    decode = gzip.decompress if coding == "gzip" else zlib.decompress
    assert [entry["_id"] for entry in json.loads(decode(result.body))["hits"]["hits"]] == ["0"]
    assert result.headers == (*answer.headers[:-1], ("Content-Length", str(len(result.body))))


def test_a_chunked_reply_gets_a_length() -> None:
    """What is read whole goes back with a length instead of chunks."""
    plan = planned()
    answer = Reply(200, "OK", (*JSON, ("Transfer-Encoding", "chunked")), written(THREE))
    result = splice_reply(plan, parsed(plan, answer), answer, None)
    assert result.headers == (*JSON, ("Content-Length", str(len(result.body))))


NO_HITS = written({"hits": {"hits": {}}})


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reply(THREE, status=404), Reason.ENGINE_ERROR),
        (Reply(200, "OK", (), written(THREE)), Reason.REPLY_SHAPE),
        (Reply(200, "OK", (("Content-Type", "application/yaml"),), b"---"), Reason.REPLY_SHAPE),
        (reply(b""), Reason.REPLY_SHAPE),
        (reply(b"[]"), Reason.REPLY_SHAPE),
        (reply(written(THREE)[:-1]), Reason.REPLY_SHAPE),
        (reply(written(THREE) + b"x"), Reason.REPLY_SHAPE),
        (reply({}), Reason.REPLY_SHAPE),
        (reply({"hits": 1}), Reason.REPLY_SHAPE),
        (reply({"hits": {}}), Reason.REPLY_SHAPE),
        (reply(NO_HITS), Reason.REPLY_SHAPE),
        (reply({"hits": {"hits": [1, 2]}}), Reason.REPLY_SHAPE),
        (reply(b'{"hits":{"hits":[]},"hits":{"hits":[]}}'), Reason.REPLY_SHAPE),
        (reply(b'{"hits":{"hits":[{"_id":"a","_id":"b"}]}}'), Reason.REPLY_SHAPE),
        (Reply(200, "OK", (*JSON, ("Content-Encoding", "gzip")), b"x"), Reason.REPLY_SHAPE),
        (Reply(200, "OK", (*JSON, ("Content-Encoding", "zstd")), b"x"), Reason.REPLY_SHAPE),
        (reply(b" " * 2_000), Reason.REPLY_TOO_LARGE),
        (reply(b" " * 2_000, coding="gzip"), Reason.REPLY_TOO_LARGE),
    ],
)
def test_replies_that_can_not_be_read(answer: Reply, reason: Reason) -> None:
    """An error, another format, and any shape but a search's passes through with its reason."""
    assert parse_reply(planned(policy=Policy(max_reply_bytes=1_000)), answer) == PassThrough(reason)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_struggling_engine_s_reply_is_the_clients(status: int) -> None:
    """It stands for the page as it came, since asking anew would not help the engine."""
    answer = reply(THREE, status=status)
    page = parsed(planned(), answer)
    assert page.skip is Reason.ENGINE_ERROR
    assert splice_reply(planned(), page, answer, None) == answer


OBJECTION = {"shard": 0, "index": "i", "reason": {"type": "illegal_argument_exception", "reason": "too large"}}
STRUGGLE = {"shard": 1, "index": "i", "reason": {"type": "opensearch_rejected_execution_exception"}}


@pytest.mark.parametrize(
    ("query", "failures", "reason"),
    [
        ("", [], None),
        ("", [STRUGGLE], None),
        ("", [OBJECTION], Reason.SHARDS_FAILED),
        ("", [STRUGGLE, OBJECTION], Reason.SHARDS_FAILED),
        ("", [{}], Reason.SHARDS_FAILED),
        ("", "odd", Reason.SHARDS_FAILED),
        ("?filter_path=hits", [STRUGGLE], Reason.SHARDS_FAILED),
    ],
)
def test_shards_that_failed(query: str, failures: Any, reason: Reason | None) -> None:
    """Shards that may object to the wider search alone lack their hits: the search passes through as it came."""
    answer = reply({"_shards": {"total": 2, "failures": failures}, **THREE})
    assert (
        parse_reply(planned({}, query), answer) == PassThrough(reason) if reason else parsed(planned({}, query), answer)
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (envelope([], None), Reason.TOO_FEW_HITS),
        (envelope(scored_hits([1.0]), 1.0), Reason.TOO_FEW_HITS),
        (envelope([hit("0", None), hit("1", None)], None), Reason.NOT_SCORED),
        (envelope([hit("0", 1.0), hit("1", "1.0")], 1.0), Reason.NOT_SCORED),
        (envelope([hit("0", 10**60), hit("1", 1.0)], 1.0), Reason.NOT_SCORED),
        (envelope([hit("0", 2.0, _source={}), hit("1", 1.0, _source={"n": 5})], 2.0), Reason.NO_TEXT),
        (
            envelope([hit("0", 2.0, _source={"title": "a"}), hit("1", 1.0, _source={"title": "a"})], 2.0),
            Reason.SAME_TEXT,
        ),
    ],
)
def test_hits_that_can_not_be_ranked(body: Any, reason: Reason) -> None:
    """Too few hits, hits without scores or texts: the page can still be cut, as the engine has it."""
    plan = planned({"size": 1})
    page = parsed(plan, reply(body))
    assert (page.skip, page.candidates) == (reason, ())
    assert len(spliced(plan, body, None)["hits"]["hits"]) == min(len(body["hits"]["hits"]), 1)


def test_candidates_are_the_window() -> None:
    """The window's texts and the scores of all hits, tail included, come in first-stage order."""
    plan = planned({"size": 5}, policy=Policy(window=2))
    page = parsed(plan, reply(THREE))
    assert [candidate.text for candidate in page.candidates] == ["fox 0", "fox 1"]
    assert page.first_stage_scores == (3.0, 2.0, 1.0)


@pytest.mark.parametrize(
    ("sources", "texts"),
    [
        ([{"title": "fox", "body": "x"}, {"body": "y"}], ["fox", ""]),
        ([{"body": "x"}, {"other": "y"}], ["x", "y"]),
        ([{"title": "fox"}, {"title": "\ud83d cut"}], ["fox", "\N{REPLACEMENT CHARACTER} cut"]),
    ],
)
def test_texts_of_hits(sources: Any, texts: list[str]) -> None:
    """The fields that the query names; where no hit has any of them, every string."""
    hits = [hit(str(index), 1.0, _source=source) for index, source in enumerate(sources)]
    assert [candidate.text for candidate in parsed(planned(), reply(envelope(hits, 1.0))).candidates] == texts


@pytest.mark.parametrize(("score", "text"), [(1.5, b"1.5000000"), (1 - 2**-21, b"0.9999995"), (1e-9, b"0.0000000")])
def test_scores_are_written_as_plain_decimals(score: float, text: bytes) -> None:
    """Seven decimals, never an exponent."""
    assert written_score(score) == text


KEYS = st.sampled_from(["hits", "_score", "sort", "fields", "max_score"])
CONTENTS = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner),
    max_leaves=8,
)


@given(st.binary(max_size=80) | CONTENTS.map(written))
def test_any_reply_has_an_answer(body: bytes) -> None:
    """Whatever the engine writes is read or refused, and what is read can be cut."""
    plan = planned({"sort": ["_score", "n"], "_source": False, "fields": ["n"]})
    answer = reply(body)
    page = parse_reply(plan, answer)
    if not isinstance(page, PassThrough):
        places = range(len(page.first_stage_scores)) if page.skip is None else None
        splice_reply(plan, page, answer, None)
        splice_reply(plan, page, answer, ranked(*places) if places is not None else None)
