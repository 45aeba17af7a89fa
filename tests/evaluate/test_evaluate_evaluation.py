from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from bridge.errors import ConfigError, DataError, UpstreamError
from bridge.evaluate.client import open_client
from bridge.evaluate.dataset import Dataset
from bridge.evaluate.evaluation import WARM_UP, Evaluation, Plan, evaluate
from bridge.evaluate.index import ensure_index

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
        return await evaluate(plan, direct=direct, bridged=bridged, on_progress=ignore)


async def test_bridge_that_reverses_is_measured(opensearch_url: str, serve: Serve, dataset: Dataset) -> None:
    """On a real engine, both runs, the loss of the reversed one, latencies and outcomes come out."""
    plan = Plan(dataset.queries, dataset.qrels, "evaluate-reverse", measures=("RR@10", "R@100"))
    async with open_client(opensearch_url) as client:
        await ensure_index(client, plan.index, dataset, ignore)
    evaluation = await run(plan, opensearch_url, await serve(reversing(opensearch_url)))
    assert evaluation.direct_run == {"q1": ("d1", "d2"), "q2": ("d2", "d1")}
    assert evaluation.bridged_run == {"q1": ("d2", "d1"), "q2": ("d1", "d2")}
    reciprocal_rank, recall = evaluation.comparisons
    assert (reciprocal_rank.measure, reciprocal_rank.direct_mean, reciprocal_rank.bridged_mean) == ("RR@10", 1.0, 0.5)
    assert (reciprocal_rank.wins, reciprocal_rank.ties, reciprocal_rank.losses) == (0, 0, 2)
    assert (recall.difference, recall.ties) == (0.0, 2)
    assert (evaluation.direct_latencies.count, evaluation.bridged_latencies.count) == (2, 2)
    assert evaluation.outcomes == {"q1": "applied", "q2": "applied"}
    assert evaluation.notes == ()


async def test_sides_take_turns(serve: Serve) -> None:
    """Each query goes to both sides, one after the other, and the side that is first changes from query to query."""
    seen: list[tuple[str, str]] = []

    def side(name: str) -> Answer:
        async def answer(request: web.Request) -> web.Response:
            body = json.loads(await request.read())
            assert (body["from"], body["size"]) == (0, 7)
            seen.append((name, body["query"]["multi_match"]["query"]))
            return web.json_response(page("d1"))

        return answer

    queries = {"1": "one", "2": "two", "3": "three"}
    plan = Plan(queries, {query_id: {"d1": 1} for query_id in queries}, "x", measures=("RR",), depth=7)
    await run(plan, await serve(side("direct")), await serve(side("bridged")))
    assert seen == [
        ("direct", "one"),
        ("bridged", "one"),
        ("bridged", "two"),
        ("direct", "two"),
        ("direct", "three"),
        ("bridged", "three"),
    ]


async def test_first_latencies_are_not_counted(serve: Serve) -> None:
    """Of many queries the first few warm up: their hits count, their latencies don't; progress counts all."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(page("d1"))

    queries = {str(number): "x" for number in range(60)}
    plan = Plan(queries, {query_id: {"d1": 1} for query_id in queries}, "x")
    seen: list[tuple[int, int]] = []
    async with open_client(await serve(answer)) as client:
        evaluation = await evaluate(
            plan, direct=client, bridged=client, on_progress=lambda *progress: seen.append(progress)
        )
    assert evaluation.direct_latencies.count == evaluation.bridged_latencies.count == 60 - WARM_UP
    assert len(evaluation.direct_run) == 60
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
    assert evaluation.outcomes == {"q1": "applied", "q2": "skipped: deadline"}
    assert evaluation.notes == (
        "1 of 2 bridged searches were not reranked in full",
        "2 of 2 direct searches went through a bridge, too: its address is not the engine's",
        "1 of 2 bridged searches found other hits than the direct ones",
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
