"""Discover of Dashboards and Kibana: what of it is reranked, what is not and why, on the real engines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from connectors.base import (
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
from tests.connectors.discover_requests import (
    BY_SCORE,
    DASHBOARDS_PARAMETERS,
    HISTOGRAM,
    KIBANA_PARAMETERS,
    KQL_FIELD,
    KQL_LEVEL,
    KQL_NESTED,
    KQL_PHRASE,
    KQL_WORDS,
    LUCENE,
    PERIOD,
    PILL,
    PILLS,
    all_of,
    dashboards,
    kibana,
    query,
)
from tests.connectors.small_engine import OK, SmallEngine, Widened, content, search, widened

PLAIN = Policy(window=30)
PROMOTE = Policy(window=30, promote=True)
OVERRIDE = Policy(window=30, sort_override=True)
BOTH = Policy(window=30, promote=True, sort_override=True)
MESSAGES = (
    "payment gateway timeout after 30 s",
    "payment accepted",
    "gateway restarted",
    "connection refused by the gateway",
    "timeout of a payment, retried, then another timeout",
    "user logged in",
)
LEVELS = ("info", "warn", "error")
MAPPINGS: dict[str, Any] = {
    "properties": {
        "@timestamp": {"type": "date"},
        "message": {"type": "text"},
        "level": {"type": "keyword"},
        "host": {"properties": {"name": {"type": "keyword"}}},
        "causes": {"type": "nested", "properties": {"text": {"type": "text"}}},
    }
}


def entry(number: int) -> bytes:
    return json.dumps(
        {
            "@timestamp": f"2026-11-{number % 28 + 1:02}T0{number % 7}:30:00.000Z",
            "message": f"{MESSAGES[number % len(MESSAGES)]}, request {number}",
            "level": LEVELS[number // len(MESSAGES) % len(LEVELS)],
            "host": {"name": f"checkout-{number % 4}.example"},
            "causes": [{"text": "slow bank" + " again" * (number % 5) if number % 2 else f"unknown {number}"}],
            "took": number / 3,
        }
    ).encode()


@contextmanager
def with_logs(engine: SmallEngine) -> Iterator[SmallEngine]:
    for name, shards in (("logs-1", 1), ("logs-2", 2)):
        engine.make_index(name, {"number_of_shards": shards}, MAPPINGS)
        engine.fill(name, [entry(number) for number in range(shards * 50)])
    yield engine
    engine.put("/logs-1,logs-2", None, "DELETE")


@pytest.fixture(scope="module")
def logs(engine: SmallEngine) -> Iterator[SmallEngine]:
    with with_logs(engine):
        yield engine


@pytest.fixture(scope="module")
def elasticsearch_logs(elasticsearch9: SmallEngine) -> Iterator[SmallEngine]:
    with with_logs(elasticsearch9):
        yield elasticsearch9


SETTINGS = (PLAIN, PROMOTE, OVERRIDE, BOTH)
SORTED, FILTER_ONLY, NOTHING = Reason.SORTED, Reason.FILTER_ONLY, Reason.NO_QUERY_TEXT
LOOKED_UP = "payment gateway timeout"
DASHBOARDS: list[tuple[dict[str, Any], tuple[str | Reason, ...]]] = [
    # what is sent; and with each of the settings what is read, or why nothing is
    (dashboards(query(KQL_WORDS, PERIOD)), (SORTED, SORTED, FILTER_ONLY, LOOKED_UP)),
    (dashboards(query(KQL_PHRASE, PERIOD)), (SORTED, SORTED, FILTER_ONLY, "connection refused")),
    (dashboards(query(KQL_FIELD, PILL, PERIOD)), (SORTED, SORTED, FILTER_ONLY, "payment timeout")),
    (dashboards(query(all_of(KQL_LEVEL, KQL_FIELD), PERIOD)), (SORTED, SORTED, FILTER_ONLY, "payment timeout")),
    (dashboards(query(KQL_NESTED, PERIOD)), (SORTED, SORTED, FILTER_ONLY, "slow bank")),
    (dashboards(query(PERIOD, must=[LUCENE])), (SORTED, SORTED, "payment timeout", "payment timeout")),
    (dashboards(query(PILL, PERIOD)), (SORTED, SORTED, NOTHING, NOTHING)),
    (dashboards(query(PILLS, PERIOD)), (SORTED, SORTED, NOTHING, NOTHING)),
    (dashboards(query(PERIOD, must_not=[KQL_WORDS])), (SORTED, SORTED, NOTHING, NOTHING)),
    (dashboards(query(KQL_WORDS), BY_SCORE), (FILTER_ONLY, LOOKED_UP, FILTER_ONLY, LOOKED_UP)),
    (dashboards(query(must=[LUCENE]), BY_SCORE), ("payment timeout",) * 4),
    (dashboards(query(KQL_WORDS, PERIOD), aggs=HISTOGRAM), (SORTED, SORTED, FILTER_ONLY, LOOKED_UP)),
    (dashboards(query(KQL_WORDS, PERIOD), [], aggs=HISTOGRAM, size=0), (Reason.SIZE_ZERO,) * 4),
]


@pytest.mark.parametrize(("body", "expected"), DASHBOARDS)
def test_dashboards(logs: SmallEngine, body: dict[str, Any], expected: tuple[str | Reason, ...]) -> None:
    """By default only a Lucene query on an index without time is reranked; the settings add the rest, and no more."""
    asked = search(f"/logs-*/_search{DASHBOARDS_PARAMETERS}", body)
    direct = logs.send(asked)
    assert direct.status == OK, direct.body
    for policy, meant in zip(SETTINGS, expected, strict=True):
        wide = widened(logs, asked, policy)
        if isinstance(wide, PassThrough):
            assert wide.reason is meant
        else:
            assert wide.plan.query_text == meant
            check_the_same_but_for_order(wide, direct)
            check_the_window_is_the_best(wide)


def check_the_same_but_for_order(wide: Widened, direct: Reply) -> None:
    """Everything beside the hits is the engine's, and each hit is, but for a score that the engine has none of."""
    places = list(range(len(wide.page.first_stage_scores)))
    reranked, own = json.loads(content(wide.reordered(places[::-1]))), json.loads(content(direct))
    hits, own_hits = reranked["hits"].pop("hits"), own["hits"].pop("hits")
    scores, own_scores = reranked["hits"].pop("max_score"), own["hits"].pop("max_score")
    assert (scores is None) is (own_scores is None)
    assert reranked == own
    assert len(hits) == len(own_hits) > 1
    assert {without_score(hit) for hit in hits} == {without_score(hit) for hit in own_hits}
    assert {hit["_score"] is None for hit in hits} == {hit["_score"] is None for hit in own_hits}


def without_score(hit: dict[str, Any]) -> str:
    """All of a hit but ``_score``, and a sort value that is the score."""
    kept = {key: value for key, value in hit.items() if key != "_score"}
    if hit.get("sort") and hit["sort"][0] == hit["_score"]:
        kept["sort"] = hit["sort"][1:]
    return json.dumps(kept)


def check_the_window_is_the_best(wide: Widened) -> None:
    """The hits came by falling score, and the words made some score more than others."""
    scores = wide.page.first_stage_scores
    assert list(scores) == sorted(scores, reverse=True)
    assert wide.page.skip is None
    assert scores[0] > scores[-1]


def test_a_promoted_window_has_the_hits_that_match_best(logs: SmallEngine) -> None:
    """Where a filter's words rank, the engine's best for them come first, as in a search that has them in ``must``."""
    size = {"size": 10}
    filtered = search("/logs-1/_search", {"query": {"bool": {"filter": [KQL_WORDS, PERIOD]}}, **size})
    ranked = search("/logs-1/_search", {"query": {"bool": {"must": [KQL_WORDS], "filter": [PERIOD]}}, **size})
    wide = widened(logs, filtered, PROMOTE)
    assert isinstance(wide, Widened)
    hits = json.loads(logs.send(ranked).body)["hits"]["hits"]
    assert json.loads(wide.reply.body)["hits"]["hits"][:10] == hits
    unranked = json.loads(logs.send(filtered).body)["hits"]["hits"]
    assert {hit["_score"] for hit in unranked} == {0.0}
    assert [hit["_id"] for hit in unranked] != [hit["_id"] for hit in hits]


def test_scores_of_the_query_are_kept(logs: SmallEngine) -> None:
    """What else a query scores by is added to the score of the promoted words."""
    recent = {"distance_feature": {"field": "@timestamp", "pivot": "1d", "origin": "2026-11-20", "boost": 50}}
    asked = {"query": {"bool": {"should": [recent], "filter": [KQL_WORDS]}}, "size": 100}
    wide = widened(logs, search("/logs-1/_search", asked), PROMOTE)
    assert isinstance(wide, Widened)
    own = {hit["_id"]: hit["_score"] for hit in hits_of(logs, "/logs-1/_search", asked)}
    words = {hit["_id"]: hit["_score"] for hit in hits_of(logs, "/logs-1/_search", {"query": KQL_WORDS, "size": 100})}
    for hit in json.loads(wide.reply.body)["hits"]["hits"]:
        assert hit["_score"] == pytest.approx(own[hit["_id"]] + words[hit["_id"]], rel=1e-5)


def hits_of(engine: SmallEngine, target: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(engine.send(search(target, body)).body)["hits"]["hits"]
    return found


@pytest.mark.parametrize("highlighter", ["unified", "plain"])
@pytest.mark.parametrize("members", [{}, {"_name": "typed"}])
def test_what_marks_the_words_stays(logs: SmallEngine, highlighter: str, members: dict[str, Any]) -> None:
    """Fragments and the names of matched queries are those of the client's own search."""
    typed = {"match": {"message": {"query": "payment timeout", **members}}}
    fields = {"message": {"type": highlighter, "fragment_size": 20, "number_of_fragments": 2, "order": "score"}}
    body = {"query": {"bool": {"filter": [typed]}}, "size": 100, "highlight": {"fields": fields}}
    asked = search("/logs-1/_search", body)
    wide = widened(logs, asked, PROMOTE)
    assert isinstance(wide, Widened)
    check_the_same_but_for_order(wide, logs.send(asked))


def test_inner_hits_of_a_filter_stay(logs: SmallEngine) -> None:
    """A nested filter keeps its inner hits, with its own clause alone having them."""
    inner = {**KQL_NESTED["nested"], "inner_hits": {"size": 1}}
    asked = search("/logs-1/_search", {"query": {"bool": {"filter": [{"nested": inner}]}}, "size": 100})
    wide = widened(logs, asked, PROMOTE)
    assert isinstance(wide, Widened)
    check_the_same_but_for_order(wide, logs.send(asked))


PROBES: list[tuple[dict[str, Any], str | Reason, str | Reason]] = [
    # what is sent; and what is read, or why nothing is: as it is, with both settings
    (kibana(query(KQL_WORDS, PERIOD)), Reason.SORTED, "payment gateway timeout"),
    (kibana(query(PERIOD, must=[LUCENE])), Reason.SORTED, "payment timeout"),
    (kibana(query(must=[KQL_WORDS, PERIOD]), BY_SCORE), LOOKED_UP, LOOKED_UP),
    (kibana(query(PILLS, PERIOD)), Reason.SORTED, Reason.NO_QUERY_TEXT),
]


@pytest.mark.parametrize(("body", "plain", "both"), PROBES)
def test_kibana(elasticsearch_logs: SmallEngine, body: dict[str, Any], plain: str | Reason, both: str | Reason) -> None:
    """What Kibana asks for is read as a search: sorted by score it has the words in ``must``, by time in ``filter``."""
    asked = search("/logs-*/_search?ignore_unavailable=true&preference=1764089000000", body)
    direct = elasticsearch_logs.send(asked)
    assert direct.status == OK, direct.body
    for policy, expected in ((PLAIN, plain), (BOTH, both)):
        wide = widened(elasticsearch_logs, asked, policy)
        if isinstance(wide, PassThrough):
            assert wide.reason is expected
        else:
            assert wide.plan.query_text == expected
            check_the_same_but_for_order(wide, direct)


def planned(engine: SmallEngine, request: Request, policy: Policy) -> ExchangePlan | PassThrough:
    answers: dict[Question, Reply | None] = {}
    while isinstance(plan := engine.connector.plan(request, lambda _: policy, answers), Questions):
        answers |= {question: engine.send(question.request) for question in plan.questions}
    return plan


def told(plan: ExchangePlan | PassThrough) -> list[str | Reason]:
    """What is read of each search, or why nothing is."""
    searches = plan.searches if isinstance(plan, ExchangePlan) else [plan]
    return [search.query_text if isinstance(search, SearchPlan) else search.reason for search in searches]


def test_a_batch_of_dashboards(logs: SmallEngine) -> None:
    """With ``courier:batchSearches`` the searches of a dashboard come as one ``_msearch``, each read by itself."""
    header = {"ignore_unavailable": True, "index": "logs-*", "preference": 1764089000000}
    bodies = (
        dashboards(query(KQL_WORDS, PERIOD)),
        dashboards(query(must=[LUCENE]), BY_SCORE),
        dashboards(query(PERIOD), [], aggs=HISTOGRAM, size=0),
    )
    lines = b"".join(
        json.dumps(header).encode() + b"\n" + json.dumps({"timeout": "30000ms", **body}).encode() + b"\n"
        for body in bodies
    )
    types = (("Content-Type", "application/x-ndjson"),)
    request = Request("POST", "/_msearch?ignore_unavailable=true&max_concurrent_shard_requests=5", types, lines)
    plain, both = planned(logs, request, PLAIN), planned(logs, request, BOTH)
    assert told(plain) == [Reason.SORTED, "payment timeout", Reason.SIZE_ZERO]
    assert told(both) == [LOOKED_UP, "payment timeout", Reason.SIZE_ZERO]
    assert isinstance(both, ExchangePlan)
    responses = json.loads(logs.send(both.request).body)["responses"]
    own = json.loads(logs.send(request).body)["responses"]
    assert [one["status"] for one in responses] == [OK] * 3
    assert [one["hits"]["total"] for one in responses] == [one["hits"]["total"] for one in own]


def test_what_kibana_submits(elasticsearch_logs: SmallEngine) -> None:
    """Kibana's own way in is ``_async_search``: sorted by score it is reranked, by time it keeps its order."""
    for body, expected in (
        (kibana(query(must=[KQL_WORDS, PERIOD]), BY_SCORE), LOOKED_UP),
        (kibana(query(PERIOD, must=[LUCENE]), BY_SCORE), "payment timeout"),
        (kibana(query(KQL_WORDS, PERIOD)), Reason.SORTED),
    ):
        submitted = search(f"/logs-*/_async_search{KIBANA_PARAMETERS}", body)
        assert told(planned(elasticsearch_logs, submitted, BOTH)) == [expected]
