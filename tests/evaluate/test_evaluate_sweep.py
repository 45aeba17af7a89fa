from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bridge import sweep_command
from bridge.assembly import Models, load_models, scoring
from bridge.composition import bridging
from bridge.config import Config
from bridge.errors import ConfigError, DataError, ScoringError, UpstreamError
from bridge.evaluate.client import open_client
from bridge.evaluate.evaluation import Plan
from bridge.evaluate.fetched import FirstStages
from bridge.evaluate.grid import Configuration, grid_of
from bridge.evaluate.index import ensure_index
from bridge.evaluate.measures import measure
from bridge.evaluate.sweep import Scorings, Sweep, SweepPlan, sweep
from bridge.evaluate.template import BodyTemplate, multi_match
from bridge.telemetry import Telemetry
from connectors.opensearch import OpenSearch
from tests.doubles.small_models import GivenModel, LengthModel
from tests.doubles.small_sender import SmallSender, json_reply
from tests.evaluate.bakery import BAKERY_QRELS, BAKERY_QUERIES, bakery

QUERIES = {"q1": "quick fox", "q2": "brown bear"}
QRELS = {"q1": {"4": 1}, "q2": {"0": 1}}


def ignore(done: int, total: int) -> None:
    assert done <= total


def plan_of(*sweeps: str, depth: int = 5, body: Mapping[str, Any] | None = None) -> SweepPlan:
    template = BodyTemplate(body) if body is not None else multi_match("title")
    searched = Plan(QUERIES, QRELS, "index", template, ("RR@5",), depth)
    return SweepPlan(searched, grid_of(sweeps, "small", 5))


@asynccontextmanager
async def scorings(**models: LengthModel) -> AsyncIterator[Scorings]:
    stages = [{"name": name, "keep": 2} for name in models]
    stages[-1].pop("keep")
    config = Config.model_validate({"upstream": "http://localhost", "model": stages})
    loaded: Models = {name: (model,) for name, model in models.items()}
    async with scoring(config, loaded, Telemetry()) as cascades:
        yield Scorings(cascades, config.policy(()).scoring)


async def swept(plan: SweepPlan, sender: SmallSender, model: LengthModel, **settings: Any) -> Sweep:
    config = Config.model_validate({"upstream": "http://localhost", **settings})
    first_stages = FirstStages(OpenSearch(None), sender, config.policy)
    async with scorings(small=model) as small:
        return await sweep(plan, first_stages, {"small": small}, ignore)


async def test_searches_and_scores_are_made_once() -> None:
    """Three windows and three blends take one search a query, at the widest window, and score each text once."""
    sender, model = SmallSender(hits=9), LengthModel()
    await swept(plan_of("window=2,4,8", "blend=0,0.5,1"), sender, model)
    assert sender.windows == [8, 8]
    texts = [pair for batch in model.batches for pair in batch]
    assert len(texts) == len(set(texts)) == 2 * 8


async def test_each_window_is_reranked_for_itself() -> None:
    """A model that likes long texts turns the window round; what is behind it stays in the engine's order."""
    found = await swept(plan_of("window=2,4", "blend=0,1"), SmallSender(hits=9), LengthModel())
    assert {(one.configuration.window, one.configuration.blend): one.run["q1"] for one in found.measured} == {
        (2, 0.0): ("0", "1", "2", "3", "4"),
        (2, 1.0): ("1", "0", "2", "3", "4"),
        (4, 0.0): ("0", "1", "2", "3", "4"),
        (4, 1.0): ("3", "2", "1", "0", "4"),
    }
    assert found.engine == {"q1": pytest.approx(1 / 5), "q2": 1.0}


async def test_wider_windows_cost_what_they_add() -> None:
    """The time of a window is that of the narrower one and of the texts that it adds."""
    found = await swept(plan_of("window=2,4,8"), SmallSender(hits=9), LengthModel())
    costs = [one.score_ms for one in found.measured]
    assert costs[0] > 0
    assert all(narrow < wide for narrow, wide in pairwise(costs))


async def test_guards_and_the_configured_ranking_hold() -> None:
    """What keeps hits from falling, and how models and engine share the order, is as configured where not swept."""
    plan = plan_of("window=4")
    guarded = await swept(plan, SmallSender(), LengthModel(), keep_top="1/2")
    assert guarded.measured[0].run["q1"] == ("3", "0", "2", "1", "4")


async def test_searches_that_raise_documents_keep_the_engines_share() -> None:
    """A swept blend leaves popularity what the configuration keeps for it, as the bridge does."""
    words = {"match": {"title": "{{query}}"}}
    body = {"query": {"function_score": {"query": words, "field_value_factor": {"field": "sold"}}}}
    found = await swept(plan_of("window=4", "blend=1", body=body), SmallSender(), LengthModel(), boost_weight=1.0)
    assert found.measured[0].run["q1"] == ("0", "1", "2", "3", "4")


async def test_search_that_a_bridge_leaves_alone_is_the_engines() -> None:
    """A sorted search keeps its order in every configuration, costs nothing, and is counted."""
    body = {"query": {"match": {"title": "{{query}}"}}, "sort": ["price"]}
    found = await swept(plan_of("window=2,4", body=body), SmallSender(), LengthModel())
    assert [(one.run["q1"], one.score_ms) for one in found.measured] == [(("0", "1", "2", "3", "4"), 0.0)] * 2
    assert found.left_alone == {2: 2, 4: 2}


async def test_promoted_search_is_measured_against_what_its_client_gets() -> None:
    """Where the bridge asks for another first stage, the engine alone is still the search as it came."""
    body = {"query": {"bool": {"filter": [{"match": {"title": "{{query}}"}}]}}}
    plain = [{"bool": {"filter": [{"match": {"title": text}}]}} for text in QUERIES.values()]
    sender = SmallSender()
    found = await swept(plan_of("window=4", body=body), sender, LengthModel(), promote=True)
    bodies = [json.loads(request.body)["query"] for request in sender.requests]
    assert bodies[1::2] == plain
    assert bodies[0] != bodies[1]
    assert found.measured[0].run["q1"] == ("3", "2", "1", "0", "4")


async def test_model_that_fails_ends_the_sweep() -> None:
    """What a model left unscored is not measured as its order."""
    with pytest.raises(ScoringError, match="small did not score all hits of 'quick fox': model-failed"):
        await swept(plan_of("window=4"), SmallSender(), GivenModel(answers=[RuntimeError("broken")]))


async def test_window_beyond_the_index_s_limit_is_told() -> None:
    """The widest window that the engine allows is named."""
    with pytest.raises(DataError, match="a window of 8: the engine gives 6 hits at most"):
        await swept(plan_of("window=8"), SmallSender(max_window=6), LengthModel())


async def test_search_that_fails_names_its_query() -> None:
    """An engine's error is told with the query that it is about."""
    sender = SmallSender(answers=[UpstreamError(502, "gone")])
    with pytest.raises(UpstreamError, match="query 'q1': gone"):
        await swept(plan_of("window=4"), sender, LengthModel())


async def test_hit_that_comes_twice_is_told() -> None:
    """Several indices may have the same id, which judgments can't tell apart."""
    twice = [{"_id": "1", "_score": 1.0, "_source": {"title": title}} for title in ("x", "y")]
    sender = SmallSender(answers=[json_reply({"hits": {"hits": twice}})])
    with pytest.raises(DataError, match="query 'q1': the reply shows a hit more than once"):
        await swept(plan_of("window=4"), sender, LengthModel())


async def test_search_bodies_of_queries_are_sent() -> None:
    """Where the judgments say how a query is searched, that is what is swept."""
    own = {"q2": {"query": {"match": {"name": "own words"}}}}
    searched = Plan(QUERIES, QRELS, "index", multi_match("title"), ("RR@5",), 5, own)
    sender = SmallSender()
    await swept(SweepPlan(searched, grid_of(["window=8"], "small", 5)), sender, LengthModel())
    assert json.loads(sender.requests[1].body)["query"] == own["q2"]["query"]
    assert sender.windows == [8, 8]


async def test_stages_are_swept_as_one_model() -> None:
    """What the first model keeps the second one scores; the rest follows in the first one's order."""
    plan = plan_of("model=long:2,other", "window=4")
    first_stages = FirstStages(
        OpenSearch(None), SmallSender(), Config.model_validate({"upstream": "http://localhost"}).policy
    )
    other = GivenModel(name="other", revision="2", answers=[[1.0, 2.0], [1.0, 2.0]])
    async with scorings(long=LengthModel(), other=other) as stages:
        found = await sweep(plan, first_stages, {"long:2,other": stages}, ignore)
    assert [len(batch) for batch in other.texts] == [2, 2]
    assert found.measured[0].configuration == Configuration("long:2,other", 4, None)
    assert sorted(found.measured[0].run["q1"][:2]) == ["2", "3"]
    assert found.measured[0].run["q1"][2:] == ("1", "0", "4")


SHOP = {"pattern": "shop", "window": 30, "model": "./one", "score_timeout_s": 0.1}
CONFIGURED = Config.model_validate({"upstream": "http://localhost", "indices": [SHOP]})


def test_index_s_own_settings_are_swept_from() -> None:
    """What an index has for itself is where a sweep starts, and what it replaces."""
    grid = sweep_command.grid_for(CONFIGURED, "shop", ["blend=0,1"])
    assert (grid.models, grid.windows) == (("./one",), (30,))
    own = sweep_command.with_model(CONFIGURED, "./two")
    assert own.scorings()[own.policy(("shop",)).scoring].model_text == "./two"
    assert own.policy(("shop",)).window == 30


@pytest.mark.parametrize(
    ("settings", "sweep_text", "problem"),
    [
        ({"mode": "off"}, "window=10", "mode is off for 'shop'"),
        ({}, "model=a:2,a", "--sweep model=a:2,a: Value error, each stage must have another model"),
    ],
)
def test_what_can_not_be_configured_is_told(settings: dict[str, Any], sweep_text: str, problem: str) -> None:
    """A sweep of what is off, or of stages that make no sense, ends before anything is searched."""
    config = Config.model_validate({"upstream": "http://localhost", **settings})
    with pytest.raises(ConfigError, match=problem):
        sweep_command.grid_for(config, "shop", [sweep_text])


async def test_swept_configurations_are_what_their_bridges_give(opensearch_url: str, tmp_path: Path) -> None:
    """On a real engine, with the real model: the same run, and so the same measure, as through a real bridge."""
    dataset = bakery(tmp_path)
    async with open_client(opensearch_url) as client:
        await ensure_index(client, "sweep", dataset, ignore)
    base = {"upstream": opensearch_url, "listen": "127.0.0.1:0", "score_timeout_s": 60}
    config = Config.model_validate(base)
    plan = Plan(BAKERY_QUERIES, BAKERY_QRELS, "sweep", measures=("nDCG@5",), depth=6)
    sweeps = ["window=2,5,12", "blend=0,0.4,1"]
    grid = sweep_command.grid_for(config, "sweep", sweeps)
    found = await sweep_command.run(config, SweepPlan(plan, grid), Console(quiet=True))
    models = await load_models(config)
    assert len({one.run["q1"] for one in found.measured}) > 3
    for one in found.measured:
        _, window, blend = one.configuration
        given = {**base, "window": window, "ranking": "blend", "blend_weight": blend}
        async with (
            bridging(Config.model_validate(given), models) as bridge,
            open_client(bridge.running.url) as bridged,
        ):
            replies = {name: await bridged.search("sweep", plan.body(name)) for name in BAKERY_QUERIES}
        run = {name: reply.ids for name, reply in replies.items()}
        assert {reply.outcome for reply in replies.values()} == {"applied"}
        assert (one.configuration, one.run) == (one.configuration, run)
        assert one.values == measure(plan.measures, BAKERY_QRELS, run)["nDCG@5"]
