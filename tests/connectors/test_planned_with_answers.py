"""What is read and fetched where the engine knows it better: mappings, pipelines, sizes, fragments."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from connectors._dialect import Dialect
from connectors._search_body import plan_search
from connectors._widening import Restore
from connectors.base import (
    PassThrough,
    Policy,
    Question,
    Questions,
    Reason,
    Reply,
    Request,
    RescorePolicy,
    SearchPlan,
    TextField,
)

JSON = (("Content-Type", "application/json"),)
OPENSEARCH, ELASTICSEARCH = Dialect(has_search_pipelines=True), Dialect()
POLICY = Policy(window=20)
MAPPING_PATH = "/i/_mapping"
SETTINGS_PATH = "/i/_settings/index.search.default_pipeline"
MAPPING: dict[str, Any] = {
    "i": {
        "mappings": {
            "properties": {
                "body": {"type": "text", "store": True},
                "tags": {"type": "keyword"},
                "title": {"type": "text"},
                "vector": {"type": "knn_vector"},
            }
        }
    }
}
SOURCELESS = {"i": {"mappings": {**MAPPING["i"]["mappings"], "_source": {"enabled": False}}}}
MATCH = {"query": {"match": {"title": "fox"}}}
ANY = {"query": {"query_string": {"query": "fox"}}}
WILD = {"query": {"multi_match": {"query": "fox", "fields": ["t*^2"]}}}
MIXED = {"query": {"multi_match": {"query": "fox", "fields": ["tags", "b*"]}}}


def asked(
    body: Mapping[str, Any],
    engine: Mapping[str, Any],
    query: str = "",
    *,
    dialect: Dialect = ELASTICSEARCH,
    **wanted: Any,
) -> tuple[SearchPlan | PassThrough, list[str]]:
    """The plan, and the paths that were asked for, round by round; ``engine`` answers some of them."""
    request = Request("POST", f"/i/_search{query}", JSON, json.dumps(body).encode())
    answers: dict[Question, Reply | None] = {}
    paths: list[str] = []
    policy = Policy(**{"window": 20, **wanted})
    while isinstance(plan := plan_search(request, policy, ("i",), answers, dialect), Questions):
        for question in plan.questions:
            said = engine.get(question.request.target)
            paths.append(question.request.target)
            answers[question] = None if said is None else Reply(200, "OK", JSON, json.dumps(said).encode())
    return plan, paths


def planned(*args: Any, **wanted: Any) -> SearchPlan:
    plan, _ = asked(*args, **wanted)
    assert isinstance(plan, SearchPlan), plan
    return plan


def sent(plan: SearchPlan) -> Any:
    return json.loads(plan.request.body)


def names(plan: SearchPlan) -> list[str]:
    return [field.name for field in plan.text_fields]


@pytest.mark.parametrize(
    ("body", "mapping", "paths", "fields"),
    [
        (ANY, MAPPING, [MAPPING_PATH], ["body", "title"]),
        (WILD, MAPPING, [MAPPING_PATH], ["title"]),
        (MATCH, MAPPING, [], ["title"]),
        (MIXED, MAPPING, [], ["tags", "b*"]),
        (ANY, None, [MAPPING_PATH], []),
        (WILD, None, [MAPPING_PATH], ["t*"]),
        (WILD, {"i": {"mappings": {}}}, [MAPPING_PATH], ["t*"]),
        (ANY | {"pit": {"id": "x"}}, MAPPING, [], []),
    ],
)
def test_fields_from_the_mapping(body: Any, mapping: Any, paths: list[str], fields: list[str]) -> None:
    """Where a query names no fields or only patterns, the mapping says which hold text; it is not asked for else."""
    plan, asked_paths = asked(body, {MAPPING_PATH: mapping})
    assert isinstance(plan, SearchPlan)
    assert (asked_paths, names(plan)) == (paths, fields)


def test_configured_fields_need_no_mapping() -> None:
    """What the configuration names is read; nothing is asked."""
    plan, paths = asked(ANY, {MAPPING_PATH: MAPPING}, text_fields=(TextField("tags"),))
    assert isinstance(plan, SearchPlan)
    assert (paths, names(plan)) == ([], ["tags"])


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (ANY, None),
        (ANY | {"_source": False}, ["body", "title"]),
        (ANY | {"_source": ["n"]}, ["body", "title"]),
        (ANY | {"_source": False, "fields": ["vector"]}, ["vector", "body", "title"]),
    ],
)
def test_vectors_are_not_fetched(body: Any, fields: list[str] | None) -> None:
    """Where the client does not fetch the document, the text fields are fetched and nothing else."""
    assert sent(planned(body, {MAPPING_PATH: MAPPING})).get("fields") == fields


TITLE_ASKED = Restore(fields_asked=("title",), in_document_order=True)


@pytest.mark.parametrize(
    ("body", "query", "stored", "restore"),
    [
        (ANY, "", ["body"], Restore(frozenset({"fields", "ignored_field_values"}), in_document_order=True)),
        (ANY | {"stored_fields": ["title"]}, "", ["title", "body"], TITLE_ASKED),
        (ANY | {"stored_fields": "title"}, "", ["title", "body"], TITLE_ASKED),
        (ANY, "?stored_fields=title", None, None),
    ],
)
def test_documents_that_are_not_kept(body: Any, query: str, stored: list[str] | None, restore: Restore | None) -> None:
    """With ``_source`` disabled the fields that are stored apart are fetched, and taken out again."""
    plan = planned(body, {MAPPING_PATH: SOURCELESS}, query)
    assert sent(plan).get("stored_fields") == stored
    assert restore is None or plan.restore == restore


RERANK: dict[str, Any] = {"p": {"response_processors": [{"rerank": {}}]}}
CUTS = {"p": {"response_processors": [{"truncate_hits": {"target_size": 5}}]}}
RENAMES = {"p": {"response_processors": [{"rename_field": {"field": "title", "target_field": "headline"}}]}}
DEFAULT = {"i": {"settings": {"index": {"search": {"default_pipeline": "p"}}}}}
P = "/_search/pipeline/p"


@pytest.mark.parametrize(
    ("dialect", "query", "engine", "paths", "outcome"),
    [
        (ELASTICSEARCH, "", {}, [], (0, 20)),
        (ELASTICSEARCH, "?search_pipeline=p", {}, [], Reason.SEARCH_PIPELINE),
        (OPENSEARCH, "", {}, [SETTINGS_PATH], (0, 20)),
        (OPENSEARCH, "", {SETTINGS_PATH: DEFAULT, P: RERANK}, [SETTINGS_PATH, P], Reason.SEARCH_PIPELINE),
        (OPENSEARCH, "", {SETTINGS_PATH: DEFAULT, P: CUTS}, [SETTINGS_PATH, P], (3, 4)),
        (OPENSEARCH, "?search_pipeline=p", {P: CUTS}, [P], (3, 4)),
        (OPENSEARCH, "?search_pipeline=p", {P: RENAMES}, [P], (0, 20)),
        (OPENSEARCH, "?search_pipeline=p", {}, [P], Reason.SEARCH_PIPELINE),
        (OPENSEARCH, "?search_pipeline=_none", {}, [], (0, 20)),
    ],
)
def test_search_pipelines(dialect: Dialect, query: str, engine: Any, paths: list[str], outcome: Any) -> None:
    """A pipeline that reranks leaves a search alone; one that counts hits leaves it its page; others nothing."""
    plan, asked_paths = asked(MATCH | {"from": 3, "size": 4}, engine, query, dialect=dialect)
    assert asked_paths == paths
    if isinstance(plan, PassThrough):
        assert plan.reason is outcome
    else:
        assert (sent(plan)["from"], sent(plan)["size"]) == outcome
        assert plan.start == 3 - outcome[0]


def test_a_renamed_field_is_read_under_its_new_name() -> None:
    """What a pipeline calls otherwise in hits is read there."""
    plan = planned(MATCH, {P: RENAMES}, "?search_pipeline=p", dialect=OPENSEARCH)
    assert names(plan) == ["title", "headline"]


def test_what_is_needed_is_asked_at_once() -> None:
    """Mapping and settings are asked for in one round, and a pipeline's name in the next."""
    request = Request("POST", "/i/_search", JSON, json.dumps(ANY).encode())
    first = plan_search(request, POLICY, ("i",), {}, OPENSEARCH)
    assert isinstance(first, Questions)
    assert [question.request.target for question in first.questions] == [SETTINGS_PATH, MAPPING_PATH]


def rrf(**members: Any) -> dict[str, Any]:
    return {"retriever": {"rrf": {"retrievers": [{"standard": MATCH}, {"standard": MATCH}], **members}}}


@pytest.mark.parametrize(
    ("body", "start", "fetched"),
    [
        ({"retriever": {"standard": MATCH}}, 0, (0, 20)),
        (rrf(rank_window_size=100), 0, (0, 20)),
        (rrf(rank_window_size=12), 0, (0, 12)),
        (rrf() | {"size": 5}, 0, (0, 5)),
        (rrf(rank_window_size=12) | {"from": 5}, 0, (5, 10)),
        (MATCH | {"knn": {"field": "v", "query_vector": [1], "k": 5}}, 0, (0, 20)),
        ({"query": {"hybrid": {"queries": [MATCH["query"]]}}, "from": 2, "size": 3}, 0, (2, 3)),
        ({"query": {"hybrid": {"queries": [MATCH["query"]], "pagination_depth": 50}}, "from": 2}, 2, (0, 20)),
        ({"query": {"semantic": {"field": "content", "query": "fox"}}, "from": 2}, 0, (2, 10)),
    ],
)
def test_no_search_finds_other_hits_for_being_widened(body: Any, start: int, fetched: tuple[int, int]) -> None:
    """The window as far as what is found does not depend on it; where it does, the client's own page."""
    plan = planned(body, {})
    assert (sent(plan)["from"], sent(plan)["size"]) == fetched
    assert plan.start == start
    assert plan.query_text == "fox"


def test_neighbours_stay_as_many() -> None:
    """Neighbours that were to be as many as hits are so in the widened search."""
    knn = {"field": "v", "query_vector": [1.0]}
    assert sent(planned(MATCH | {"knn": knn, "size": 3}, {}))["knn"] == knn | {"k": 3}
    in_query = {"query": {"bool": {"should": [MATCH["query"], {"knn": knn}]}}}
    assert sent(planned(in_query, {}, "?size=4"))["query"]["bool"]["should"][1]["knn"] == knn | {"k": 4}


RESCORE = {"rescore": {"window_size": 15, "query": {"rescore_query": MATCH["query"]}}}


@pytest.mark.parametrize(
    ("policy", "body", "outcome"),
    [
        ("skip", MATCH | RESCORE, Reason.RESCORE),
        ("rerank", MATCH | RESCORE, (0, 15)),
        ("rerank", MATCH | RESCORE | {"from": 8}, (8, 10)),
        ("skip", {"retriever": {"rescorer": {"retriever": {"standard": MATCH}, **RESCORE}}}, Reason.RESCORE),
        ("rerank", {"retriever": {"rescorer": {"retriever": {"standard": MATCH}, **RESCORE}}}, (0, 15)),
    ],
)
def test_rescored_searches(policy: RescorePolicy, body: Any, outcome: Any) -> None:
    """They are left alone, or reranked as far as the engine rescores, as the configuration wants it."""
    plan, _ = asked(body, {}, rescore=policy)
    if isinstance(plan, PassThrough):
        assert plan.reason is outcome
    else:
        assert (sent(plan)["from"], sent(plan)["size"]) == outcome
