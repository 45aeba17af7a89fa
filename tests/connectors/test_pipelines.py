"""Search pipelines: which one is meant, and whether its hits may be ordered anew.

Answers are written after "Retrieving search pipelines" and "Using a search pipeline", OpenSearch 3.5.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors._pipelines import Pipeline, pipeline_of
from connectors._questions import Asker
from connectors.base import Question, Reason, Reply, Request

SEARCH = Request("POST", "/i/_search", (("Authorization", "Basic x"),), b"{}")
SETTINGS = "/i/_settings/index.search.default_pipeline"
P = "/_search/pipeline/p"


Named = tuple[str | None, object, tuple[str, ...]]
"""What the URL and the body say, and the indices."""


def named(in_url: str | None = None, in_body: object = None, indices: tuple[str, ...] = ("i",)) -> Named:
    return in_url, in_body, indices


def default(*names: str | None) -> dict[str, Any]:
    return {
        f"i{place}": {"settings": {"index": {"search": {"default_pipeline": name}}} if name else {}}
        for place, name in enumerate(names)
    }


def asked(search: Named, engine: dict[str, Any]) -> tuple[Pipeline | Reason, list[str]]:
    """What comes out, and the paths that were asked for; ``engine`` maps paths to objects, or to a status."""
    answers: dict[Question, Reply | None] = {}
    paths: list[str] = []
    in_url, in_body, indices = search
    while isinstance(found := pipeline_of(Asker(SEARCH, indices, {}, answers), in_url, in_body), Question):
        assert found not in answers
        assert found.request.headers == SEARCH.headers
        paths.append(found.request.target)
        said = engine.get(found.request.target, 404)
        answers[found] = (
            Reply(said, "", (), b"{}") if isinstance(said, int) else Reply(200, "OK", (), json.dumps(said).encode())
        )
    return found, paths


def pipeline(request: Any = (), phase: Any = (), response: Any = ()) -> dict[str, Any]:
    keys = ("request_processors", "phase_results_processors", "response_processors")
    steps = zip(keys, (request, phase, response), strict=True)
    return {key: [step if isinstance(step, dict) else {step: {}} for step in value] for key, value in steps if value}


FILTER = pipeline(["filter_query"])
RERANK = pipeline([], [], ["rerank"])


@pytest.mark.parametrize(
    ("search", "engine", "paths", "expected"),
    [
        (named(), {}, [SETTINGS], Pipeline()),
        (named(), {SETTINGS: 403}, [SETTINGS], Pipeline()),
        (named(), {SETTINGS: {"i": 5}}, [SETTINGS], Pipeline()),
        (named(), {SETTINGS: default(None)}, [SETTINGS], Pipeline()),
        (named(), {SETTINGS: default("_none")}, [SETTINGS], Pipeline()),
        (named(), {SETTINGS: default("p"), P: {"p": FILTER}}, [SETTINGS, P], Pipeline()),
        (named(), {SETTINGS: default("p", None, "p"), P: {"p": RERANK}}, [SETTINGS, P], Reason.SEARCH_PIPELINE),
        (named(), {SETTINGS: default("p", "q"), P: {"p": RERANK}}, [SETTINGS], Pipeline()),
        (named(), {SETTINGS: default("p"), P: 403}, [SETTINGS, P], Reason.SEARCH_PIPELINE),
        (named(indices=()), {}, [], Pipeline()),
        (named("_none"), {}, [], Pipeline()),
        (named("p"), {P: {"p": FILTER}}, [P], Pipeline()),
        (named("p"), {P: {"p": RERANK}}, [P], Reason.SEARCH_PIPELINE),
        (named("p"), {P: 403}, [P], Reason.SEARCH_PIPELINE),
        (named("p"), {P: 404}, [P], Reason.SEARCH_PIPELINE),
        (named("p"), {P: {"q": FILTER}}, [P], Reason.SEARCH_PIPELINE),
        (named("p", "q"), {P: {"p": FILTER}}, [P], Pipeline()),
        (named(None, "p"), {P: {"p": FILTER}}, [P], Pipeline()),
        (named("a/b"), {"/_search/pipeline/a%2Fb": {"a/b": FILTER}}, ["/_search/pipeline/a%2Fb"], Pipeline()),
        (named(None, FILTER), {}, [], Pipeline()),
        (named(None, RERANK), {}, [], Reason.SEARCH_PIPELINE),
        (named("p", FILTER), {}, [], Reason.SEARCH_PIPELINE),
        (named(None, 5), {}, [], Reason.SEARCH_PIPELINE),
    ],
)  # fmt: skip
def test_which_pipeline_is_meant(search: Named, engine: Any, paths: list[str], expected: Pipeline | Reason) -> None:
    """The URL's, the body's, or the one that the indices agree on; nothing is asked that need not be."""
    assert asked(search, engine) == (expected, paths)


RENAME = {"rename_field": {"field": "title", "target_field": "headline"}}


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ({}, Pipeline()),
        (pipeline(["filter_query", "neural_query_enricher", "ml_inference"]), Pipeline()),
        (pipeline([], ["normalization-processor"]), Pipeline()),
        (pipeline([], ["score-ranker-processor"], ["hybrid_score_explanation"]), Pipeline()),
        (pipeline([], [], ["sort", "split"]), Pipeline()),
        (pipeline([], [], [RENAME]), Pipeline(renames=(("title", "headline"),))),
        (pipeline(["neural_sparse_two_phase_processor"]), Pipeline(counts_hits=True)),
        (pipeline(["oversample"], [], ["collapse", "truncate_hits"]), Pipeline(counts_hits=True)),
        (pipeline([], [], ["truncate_hits"]), Pipeline(counts_hits=True)),
        (pipeline([], [], ["ml_inference"]), Pipeline(counts_hits=True)),
        (pipeline([], [], ["retrieval_augmented_generation"]), Pipeline(counts_hits=True)),
        (pipeline(["oversample"]), Reason.SEARCH_PIPELINE),
        (pipeline(["oversample"], [], ["rerank", "truncate_hits"]), Reason.SEARCH_PIPELINE),
        (pipeline(["script"]), Reason.SEARCH_PIPELINE),
        (pipeline(["agentic_query_translator"]), Reason.SEARCH_PIPELINE),
        (pipeline([], [], ["personalize_search_ranking"]), Reason.SEARCH_PIPELINE),
        (pipeline([], [], ["filter_query"]), Reason.SEARCH_PIPELINE),
        (pipeline([], ["of_a_plugin"]), Reason.SEARCH_PIPELINE),
        ({"response_processors": {"rerank": {}}}, Reason.SEARCH_PIPELINE),
        ({"response_processors": [{"sort": {}, "rerank": {}}]}, Reason.SEARCH_PIPELINE),
        ({"response_processors": ["rerank"]}, Reason.SEARCH_PIPELINE),
        ({"response_processors": 5}, Reason.SEARCH_PIPELINE),
        ({"response_processors": [{"rename_field": 5}]}, Pipeline()),
    ],
)
def test_processors(described: Any, expected: Pipeline | Reason) -> None:
    """Those that order hits, and those that are not known, leave a search alone; some allow its page only."""
    assert asked(named(None, described), {})[0] == expected
