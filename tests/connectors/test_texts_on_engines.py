"""Which text is fetched, on real engines: each search goes directly, and as the bridge sends it, then spliced."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import PassThrough, Policy, Reason
from tests.connectors.engines import ENGLISH, PAINLESS, Needs, on_each
from tests.connectors.small_engine import POLICY, SmallEngine, Widened, alike, comparable, search, widened

MATCH: dict[str, Any] = {"query": {"match": {"title": "quick fox"}}}
ANY: dict[str, Any] = {"query": {"simple_query_string": {"query": "quick fox"}}}
WILD: dict[str, Any] = {"query": {"multi_match": {"query": "quick", "fields": ["t*^2", "oth*"]}}}
BY_MAPPING = ("title", "body", "comments.text", "uni")


def checked(engine: SmallEngine, target: str, body: Any, policy: Policy = POLICY) -> Widened:
    """The search both ways; the client's page has to be the engine's to the byte, and whole in any order."""
    request = search(target, body)
    wide, direct = widened(engine, request, policy), engine.send(request)
    assert isinstance(wide, Widened), wide
    assert alike(engine, wide, direct)
    assert comparable(wide.turned_round(), reverse=True) == comparable(direct)
    return wide


def texts(wide: Widened) -> list[str]:
    return [candidate.text for candidate in wide.page.candidates]


@on_each(
    "query,body,fields,text",
    [
        ("", ANY, BY_MAPPING, "quick fox 0\nthe quick brown fox\nhéllo"),
        ("", ANY | {"_source": False}, BY_MAPPING, None),
        ("", ANY | {"_source": False, "fields": ["tags"]}, BY_MAPPING, None),
        ("", ANY | {"_source": ["n"]}, BY_MAPPING, None),
        ("?size=3&from=2", ANY | {"stored_fields": ["body"]}, BY_MAPPING, None),
        ("", WILD, ("title",), "quick fox 0"),
        ("", WILD | {"_source": False}, ("title",), "quick fox 0"),
        ("", {"query": {"query_string": {"query": "quick AND fox"}}}, BY_MAPPING, None),
    ],
)
def test_text_by_the_mapping(
    each_engine: SmallEngine, query: str, body: Any, fields: tuple[str, ...], text: str | None
) -> None:
    """Fields of text are read as they stand in a document: no keyword, number or alias."""
    wide = checked(each_engine, f"/odd/_search{query}", body)
    assert {field.name for field in wide.plan.text_fields} == set(fields)
    assert wide.page.skip is None
    assert text is None or any(read.startswith(text) for read in texts(wide))


def test_text_of_several_indices(each_engine: SmallEngine) -> None:
    """Fields of text in any of them are read."""
    wide = checked(each_engine, "/odd,static/_search", ANY | {"_source": False})
    assert {field.name for field in wide.plan.text_fields} == set(BY_MAPPING)


@on_each("body", [(ANY,), (ANY | {"stored_fields": ["n"]},), (ANY | {"stored_fields": "body"},), (ANY | {"size": 3},)])
def test_documents_that_are_not_kept(each_engine: SmallEngine, body: Any) -> None:
    """Without a source the fields that are stored apart are read, and the client sees none that it did not ask for."""
    wide = checked(each_engine, "/sourceless/_search", body)
    assert texts(wide)[0].startswith("the quick brown fox")


NESTED: dict[str, Any] = {"path": "comments", "query": {"match": {"comments.text": "bad"}}, "inner_hits": {}}
FRAGMENTS = replace(POLICY, long_documents="highlight")


@on_each(
    "query,body",
    [
        ("", MATCH),
        ("?pretty", MATCH | {"size": 2}),
        ("", MATCH | {"_source": False}),
        ("", MATCH | {"highlight": {"fields": {"title": {}}}}),
        ("", MATCH | {"highlight": {"pre_tags": ["*"], "post_tags": ["*"], "fields": {"t*": {}}}}),
        ("", MATCH | {"highlight": {"fields": {"body": {"require_field_match": False}}}}),
        ("", MATCH | {"highlight": {"fields": [{"body": {}}, {"uni": {}}]}}),
        ("", MATCH | {"highlight": {"encoder": "html", "type": "plain", "fields": {"tags": {}}}}),
        ("?filter_path=hits.hits._id", MATCH),
        ("?filter_path=hits.hits.highlight", MATCH | {"highlight": {"fields": {"title": {}}}}),
        ("", ANY | {"_source": False}),
        ("?q=quick", None),
    ],
)
def test_fragments(each_engine: SmallEngine, query: str, body: Any) -> None:
    """The engine's fragments are read, and the client sees those that it asked for and no others."""
    wide = checked(each_engine, f"/odd/_search{query}", body, FRAGMENTS)
    assert wide.page.skip is None
    assert all(mark not in text for text in texts(wide) for mark in ("<em>", "*"))


def test_a_long_text_is_read_by_its_fragments(each_engine: SmallEngine) -> None:
    """What is far from the words of the query is left out, and what is near is read."""
    filler = "Nothing of it is about what was asked. " * 200
    documents = [{"title": f"{filler}A quick fox {n}. {filler}"} for n in range(4)]
    name = "long-texts"
    each_engine.make_index(name, {}, {"properties": {"title": {"type": "text"}}})
    each_engine.fill(name, [json.dumps(one).encode() for one in documents])
    wide = checked(each_engine, f"/{name}/_search", MATCH, FRAGMENTS)
    assert all("quick fox" in text and len(text) < 2_000 for text in texts(wide))


RESCORE: dict[str, Any] = {"window_size": 8, "query": {"rescore_query": {"match": {"body": "jumps"}}}}


@on_each(
    "body,window",
    [
        (MATCH | {"rescore": RESCORE, "size": 3}, 8),
        (MATCH | {"rescore": RESCORE, "size": 3, "from": 4}, 8),
        (MATCH | {"rescore": RESCORE, "size": 5, "from": 4}, 5),
        (MATCH | {"rescore": [RESCORE, RESCORE | {"window_size": 12}], "size": 3}, 12),
        (MATCH | {"rescore": {"query": RESCORE["query"]}, "size": 3}, 10),
    ],
)
def test_rescored_searches(each_engine: SmallEngine, body: Any, window: int) -> None:
    """They pass through by default; else no more is fetched than the engine rescores, so that the page is the same."""
    assert widened(each_engine, search("/shards-1/_search", body), POLICY) == PassThrough(Reason.RESCORE)
    wide = checked(each_engine, "/shards-1/_search", body, replace(POLICY, rescore="rerank"))
    assert len(wide.page.first_stage_scores) == window


@on_each(
    "query,body",
    [
        ("", {"query": {"nested": NESTED}}),
        ("", {"query": {"match": {"title": {"query": "fox", "_name": "a"}}}, "size": 3}),
        Needs(PAINLESS, ("", MATCH | {"script_fields": {"s": {"script": "doc['n'].value"}}})),
        ("", MATCH | {"docvalue_fields": ["n", {"field": "tags"}], "_source": False}),
        ("?seq_no_primary_term=true&version=true", MATCH | {"explain": True, "size": 3}),
        ("?terminate_after=4", MATCH),
        ("?timeout=5s&allow_partial_search_results=true", MATCH),
        ("", MATCH | {"collapse": {"field": "n"}, "min_score": 0.01}),
        Needs(ENGLISH, ("", {"query": {"match": {"title.en": "foxes"}}, "highlight": {"fields": {"title.en": {}}}})),
    ],
)  # fmt: skip
def test_what_a_search_brings_beside_its_text(each_engine: SmallEngine, query: str, body: Any) -> None:
    """Inner hits, named queries, scripts, values, versions, explanations, groups and flags stay whole."""
    assert checked(each_engine, f"/odd/_search{query}", body).page.skip is None


@pytest.mark.parametrize("target", ["/odd/_search", "/shards-1/_search"])
def test_a_profile_stays(each_engine: SmallEngine, target: str) -> None:
    """What the engine says of its work is about the search that it was sent, and reaches the client."""
    wide = widened(each_engine, search(target, MATCH | {"profile": True}), POLICY)
    assert isinstance(wide, Widened)
    assert json.loads(wide.splice(None).body)["profile"] == json.loads(wide.reply.body)["profile"]


@pytest.fixture(scope="module")
def pipelines(engine: SmallEngine) -> SmallEngine:
    """An index with a default search pipeline; this engine's node has no processors to put into one."""
    engine.put("/_search/pipeline/plain", {"description": "nothing"})
    engine.make_index("piped", {"search": {"default_pipeline": "plain"}}, {"properties": {"title": {"type": "text"}}})
    engine.fill("piped", [b'{"title":"quick fox %d"}' % n for n in range(20)])
    return engine


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/piped/_search", MATCH),
        ("/piped,odd/_search", MATCH),
        ("/pip*/_search", MATCH),
        ("/piped/_search?search_pipeline=_none", MATCH),
        ("/odd/_search?search_pipeline=plain", MATCH),
        ("/odd/_search", MATCH | {"search_pipeline": "plain"}),
        ("/odd/_search", MATCH | {"search_pipeline": {"description": "none of its own"}}),
    ],
)
def test_pipelines_that_leave_the_order(pipelines: SmallEngine, target: str, body: Any) -> None:
    """OpenSearch says which pipelines hits pass through, and what is in them."""
    assert checked(pipelines, target, body).page.skip is None


def test_a_pipeline_that_is_not_there(pipelines: SmallEngine) -> None:
    """The engine says so to the client itself."""
    request = search("/odd/_search?search_pipeline=nosuch", MATCH)
    assert widened(pipelines, request, POLICY) == PassThrough(Reason.SEARCH_PIPELINE)
