from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import web

from bridge.errors import ConfigError, DataError, UpstreamError
from bridge.evaluate.client import open_client
from bridge.evaluate.dataset import Dataset
from bridge.evaluate.evaluation import WARM_UP, Evaluation, Plan, System, evaluate
from bridge.evaluate.index import ensure_index
from bridge.evaluate.template import multi_match

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Answer], Awaitable[str]]


def ignore(done: int, total: int) -> None:
    assert done <= total


def page(*ids: str) -> dict[str, object]:
    return {"hits": {"hits": [{"_id": name} for name in ids]}}


def reversing(engine_url: str) -> Answer:
    """Stands for a bridge: the engine's hits, last one first."""

    async def answer(request: web.Request) -> web.Response:
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method, f"{engine_url}{request.path}", data=await request.read(), headers=request.headers
            ) as reply,
        ):
            body = await reply.json()
        body["hits"]["hits"].reverse()
        return web.json_response(body, headers={"X-Rerank": "applied; window=100; model=reverse"})

    return answer


async def run(plan: Plan, direct_url: str, bridged_url: str) -> Evaluation:
    async with open_client(direct_url) as direct, open_client(bridged_url) as bridged:
        systems = (System("direct", direct, is_bridge=False), System("bridged", bridged))
        return await evaluate(plan, systems, ignore)


async def test_bridge_that_reverses_is_measured(opensearch_url: str, serve: Serve, dataset: Dataset) -> None:
    """On a real engine, both runs, the loss of the reversed one, latencies and outcomes come out."""
    plan = Plan(dataset.queries, dataset.qrels, "evaluate-reverse", measures=("RR@10", "R@100"))
    async with open_client(opensearch_url) as client:
        await ensure_index(client, plan.index, dataset, ignore)
    evaluation = await run(plan, opensearch_url, await serve(reversing(opensearch_url)))
    engine, bridge = evaluation.systems
    assert engine.run == {"q1": ("d1", "d2"), "q2": ("d2", "d1")}
    assert bridge.run == {"q1": ("d2", "d1"), "q2": ("d1", "d2")}
    assert (engine.mean("RR@10"), engine.values["RR@10"], bridge.judged) == (1.0, {"q1": 1.0, "q2": 1.0}, 0.75)
    reciprocal_rank, recall = evaluation.comparisons
    assert (reciprocal_rank.measure, reciprocal_rank.first, reciprocal_rank.second) == ("RR@10", "direct", "bridged")
    assert (reciprocal_rank.first_mean, reciprocal_rank.second_mean) == (1.0, 0.5)
    assert (reciprocal_rank.wins, reciprocal_rank.ties, reciprocal_rank.losses) == (0, 0, 2)
    assert (recall.difference, recall.ties) == (0.0, 2)
    assert (engine.latencies.count, bridge.latencies.count) == (2, 2)
    assert bridge.outcomes == {"q1": "applied", "q2": "applied"}
    assert evaluation.notes == ()


async def test_systems_take_turns(serve: Serve) -> None:
    """Each query goes to all systems, one after the other, and the one that is first changes from query to query."""
    seen: list[tuple[str, str]] = []

    def side(name: str) -> Answer:
        async def answer(request: web.Request) -> web.Response:
            body = json.loads(await request.read())
            assert (body["from"], body["size"]) == (0, 7)
            seen.append((name, body["query"]["multi_match"]["query"]))
            return web.json_response(page("d1"))

        return answer

    queries = {"1": "one", "2": "two", "3": "three", "4": "four"}
    plan = Plan(queries, {query_id: {"d1": 1} for query_id in queries}, "x", measures=("RR",), depth=7)
    async with AsyncExitStack() as stack:
        clients = {name: await stack.enter_async_context(open_client(await serve(side(name)))) for name in "ABC"}
        evaluation = await evaluate(plan, [System(name, client) for name, client in clients.items()], ignore)
    assert ["".join(name for name, words in seen if words == text) for text in queries.values()] == [
        "ABC",
        "BCA",
        "CAB",
        "ABC",
    ]
    assert [(one.first, one.second) for one in evaluation.comparisons] == [("A", "B"), ("A", "C"), ("B", "C")]


async def test_query_with_a_body_of_its_own_is_searched_by_it(serve: Serve) -> None:
    """A judged search that brings its body is sent as it is, but for the page; others get the template's."""
    seen: list[object] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(await request.json())
        return web.json_response(page("d1"))

    bodies = {"a": {"query": {"term": {"id": 7}}, "size": 3, "min_score": 1}}
    plan = Plan(
        {"a": "a", "b": "bread"}, {"a": {"d1": 1}, "b": {"d1": 1}}, "x", multi_match("title"), ("RR",), 9, bodies
    )
    async with open_client(await serve(answer)) as client:
        await evaluate(plan, [System("direct", client, is_bridge=False)], ignore)
    assert seen[0] == {"query": {"term": {"id": 7}}, "size": 9, "from": 0, "min_score": 1}
    assert isinstance(seen[1], dict)
    assert seen[1]["query"]["multi_match"]["query"] == "bread"


async def test_first_latencies_are_not_counted(serve: Serve) -> None:
    """Of many queries the first few warm up: their hits count, their latencies don't; progress counts all."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(page("d1"))

    queries = {str(number): "x" for number in range(60)}
    plan = Plan(queries, {query_id: {"d1": 1} for query_id in queries}, "x")
    seen: list[tuple[int, int]] = []
    async with open_client(await serve(answer)) as client:
        systems = (System("direct", client), System("bridged", client))
        evaluation = await evaluate(plan, systems, lambda *progress: seen.append(progress))
    assert [result.latencies.count for result in evaluation.systems] == [60 - WARM_UP, 60 - WARM_UP]
    assert len(evaluation.systems[0].run) == 60
    assert seen == [(number, 60) for number in range(61)]


async def test_what_speaks_against_the_figures_is_noted(serve: Serve) -> None:
    """Searches not reranked in full, a direct address that is a bridge, and hits that differ are all said."""

    async def direct(_: web.Request) -> web.Response:
        return web.json_response(page("d1", "d2"), headers={"X-Rerank": "skipped; reason=off"})

    async def bridged(request: web.Request) -> web.Response:
        if b"one" in await request.read():
            return web.json_response(page("d2", "d1"), headers={"X-Rerank": "applied; window=2; model=m"})
        return web.json_response(page("d1", "d3"), headers={"X-Rerank": "skipped; reason=deadline"})

    plan = Plan({"q1": "one", "q2": "two"}, {"q1": {"d1": 1}, "q2": {"d1": 1}}, "x")
    evaluation = await run(plan, await serve(direct), await serve(bridged))
    assert evaluation.systems[1].outcomes == {"q1": "applied", "q2": "skipped: deadline"}
    assert evaluation.notes == (
        "2 of 2 searches of direct went through a bridge: no engine is there",
        "1 of 2 searches of bridged were not reranked in full",
        "1 of 2 searches of bridged found other hits than those of direct",
    )


async def test_failed_search_names_its_query(serve: Serve) -> None:
    """A search that fails ends the evaluation with the query, the address, the status and the engine's reason."""

    async def direct(_: web.Request) -> web.Response:
        return web.json_response(page("d1"))

    async def bridged(_: web.Request) -> web.Response:
        return web.json_response({"error": {"type": "parsing_exception", "reason": "no [quary]"}}, status=400)

    bridged_url = await serve(bridged)
    with pytest.raises(UpstreamError) as raised:
        await run(Plan({"q1": "one"}, {"q1": {"d1": 1}}, "x"), await serve(direct), bridged_url)
    assert str(raised.value) == (
        f"query 'q1': the search on 'x' at {bridged_url} was answered 400: parsing_exception: no [quary]"
    )


async def test_hit_shown_twice_is_an_error(serve: Serve) -> None:
    """A reply with one hit in two places is not measured."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(page("d1", "d2", "d1"))

    url = await serve(answer)
    with pytest.raises(DataError, match=f"query 'q1': the reply from {url} shows 'd1' more than once"):
        await run(Plan({"q1": "one"}, {"q1": {"d1": 1}}, "x"), url, url)


def test_plan_checks_measures_and_depth() -> None:
    """A plan with measures or a depth that can't be used is refused before anything is loaded or searched."""
    with pytest.raises(ConfigError, match="looks at 100 hits, but searches ask for 50"):
        Plan({"q1": "one"}, {"q1": {"d1": 1}}, "x", depth=50)
    with pytest.raises(ConfigError, match="depth of 0"):
        Plan({"q1": "one"}, {"q1": {"d1": 1}}, "x", measures=("AP",), depth=0)
