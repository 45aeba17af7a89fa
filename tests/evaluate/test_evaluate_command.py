"""``rerank-bridge evaluate`` as a user runs it, on a real OpenSearch with the real embedded model."""

from __future__ import annotations

import asyncio
import csv
import json
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from rich.console import Console

from bridge.config_sources import load
from bridge.errors import ConfigError
from bridge.evaluate.client import open_client
from bridge.evaluate.command import Job, prepare, read
from bridge.evaluate.evaluation import System, evaluate
from bridge.evaluate.index import ensure_index
from bridge.evaluate.judged import read_judged
from bridge.evaluate_command import _loaded
from tests.evaluate.conftest import Serve

INDEX = "evaluate-command"
FRUIT = {
    "1": ("Apple", "Apples are sweet, red or green, and grow on trees. Sweet sweet sweet."),
    "2": ("Cider", "A drink made by pressing apples and letting their juice ferment."),
    "3": ("Pear", "Pears are sweet, too."),
    "4": ("Lemon", "Lemons are sour and yellow; their juice makes a drink."),
    "5": ("Banana", "Bananas are yellow and bent."),
}
RATED = {
    "sweet fruit": {"1": 3, "3": 2, "5": 0},
    "what can I drink that is made of apples": {"2": 3, "4": 1},
    "yellow": {"4": 1, "5": 2},
}


@pytest.fixture(scope="module")
async def loaded(opensearch_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("fruit")
    lines = [json.dumps({"_id": key, "title": title, "text": text}) for key, (title, text) in FRUIT.items()]
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    (folder / "queries.jsonl").write_text('{"_id": "q", "text": "x"}')
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text("q\t1\t1\n")
    _, dataset = read_judged(folder)
    assert dataset is not None
    async with open_client(opensearch_url) as client:
        await ensure_index(client, INDEX, dataset, lambda *_: None)
    return opensearch_url


async def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bridge", *arguments]
    return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=300, check=False)


def match(words: str) -> dict[str, object]:
    return {"query": {"multi_match": {"query": words, "fields": ["title", "text"]}}}


def requests(metric: dict[str, object]) -> dict[str, object]:
    """A body of ``_rank_eval``, half of it by a template."""
    template = {"query": {"multi_match": {"query": "{{words}}", "fields": ["title", "text"]}}}
    rated = [
        {
            "id": f"r{number}",
            **({"request": match(words)} if number % 2 else {"template_id": "t", "params": {"words": words}}),
            "ratings": [{"_index": INDEX, "_id": key, "rating": grade} for key, grade in grades.items()],
        }
        for number, (words, grades) in enumerate(RATED.items())
    ]
    return {"templates": [{"id": "t", "template": {"source": template}}], "requests": rated, "metric": metric}


async def test_several_systems_are_compared(loaded: str, tmp_path: Path) -> None:
    """Engine and two bridges on a table of judgments: the terminal, the JSON, the page and each system's run agree."""
    judged = tmp_path / "ratings.csv"
    with judged.open("w", newline="") as file:
        rows = [(query, key, grade) for query, grades in RATED.items() for key, grade in grades.items()]
        csv.writer(file).writerows([("query", "docid", "rating"), *rows])
    result = await run(
        *("evaluate", str(judged), "--upstream", loaded, "--index", INDEX, "--measures", "nDCG@10 RR"),
        *("--system", "blended=model:embedded,blend_weight:0.5"),
        *("--system", "two=model:embedded,window:2,ranking:model"),
        *("--json", str(tmp_path / "report.json"), "--html", str(tmp_path / "report.html"), "--runs", str(tmp_path)),
    )
    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    systems = {system["name"]: system for system in report["systems"]}
    assert list(systems) == ["direct", "blended", "two"]
    assert systems["two"]["outcomes"] == {"applied": 3}, result.stderr
    assert systems["two"]["settings"] == {"model": "embedded", "window": "2", "ranking": "model"}
    assert [round(cost["mean_texts"]) for cost in systems["two"]["costs"]] == [2]
    assert len(report["comparisons"]) == 6
    assert f"{systems['blended']['measures']['nDCG@10']['mean']:.4f}" in result.stdout
    assert "every pair of systems" in result.stdout
    page = (tmp_path / "report.html").read_text()
    assert f"{systems['two']['measures']['nDCG@10']['mean']:.4f}" in page
    runs = {name: (tmp_path / f"{INDEX}.{name}.run").read_text().splitlines() for name in systems}
    assert {line.split()[2] for line in runs["direct"]} == {line.split()[2] for line in runs["blended"]}
    assert runs["direct"][0].split()[:2] == ["1", "Q0"]


METRICS: dict[str, dict[str, object]] = {
    "precision": {"precision": {"k": 2, "relevant_rating_threshold": 2}},
    "recall": {"recall": {"k": 2}},
    "mean reciprocal rank": {"mean_reciprocal_rank": {"k": 5, "relevant_rating_threshold": 3}},
    "normalised gain": {"dcg": {"k": 2, "normalize": True}},
}


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
async def test_rank_eval_says_what_the_engine_says(loaded: str, tmp_path: Path, metric: dict[str, object]) -> None:
    """The engine's own ``_rank_eval`` of the same body gives the value that is measured here of its searches."""
    body = requests(metric)
    async with aiohttp.ClientSession() as session, session.post(f"{loaded}/{INDEX}/_rank_eval", json=body) as reply:
        said = await reply.json()
    file = tmp_path / "requests.json"
    file.write_text(json.dumps(body, indent=1))
    job = Job(dataset=file, depth=10)
    material = read(job)
    assert material.index == INDEX
    async with open_client(loaded) as client:
        plan = await prepare(job, material, client, Console(quiet=True))
        evaluation = await evaluate(plan, [System("direct", client, is_bridge=False)], lambda *_: None)
    (name,) = plan.measures
    (result,) = evaluation.systems
    assert result.mean(name) == pytest.approx(said["metric_score"], abs=1e-9)
    assert 0 < result.mean(name) < 1
    for query_id, detail in said["details"].items():
        assert result.values[name][query_id] == pytest.approx(detail["metric_score"], abs=1e-9)


async def test_what_does_not_go_together_is_told(serve: Serve, tmp_path: Path) -> None:
    """Judgments that name no index need one, bodies that are there need none, and measures have to be measures."""
    table = tmp_path / "ratings.csv"
    table.write_text("query,docid,rating\na,d1,1\n")
    with pytest.raises(ConfigError, match="does not say which index was judged: give --index"):
        read(Job(dataset=table))
    with pytest.raises(ConfigError, match="'nDGC@10' is no measure"):
        read(Job(dataset=table, index="x", measures=("nDGC@10",)))
    file = tmp_path / "requests.json"
    file.write_text(json.dumps(requests({"recall": {}})))
    with pytest.raises(ConfigError, match="has search bodies of its own: leave out --body"):
        read(Job(dataset=file, body=table))
    assert read(Job(dataset=file)).measures == ("R@10",)
    assert read(Job(dataset=file, measures=("AP",), index="other")).measures == ("AP",)

    async def answer(_: web.Request) -> web.Response:
        raise AssertionError("nothing is searched before")

    async with open_client(await serve(answer)) as client:
        plan = await prepare(Job(dataset=table), read(Job(dataset=table, index="x")), client, Console(quiet=True))
    assert (plan.index, plan.queries) == ("x", {"1": "a"})


async def test_systems_share_their_models() -> None:
    """Bridges with one model on the same hardware load it once; another precision is another model; off loads none."""
    own: dict[str, dict[str, object]] = {
        "plain": {},
        "narrow": {"window": 10, "ranking": "model"},
        "exact": {"precision": "float32"},
        "off": {"mode": "off"},
    }
    shared: dict[str, object] = {"upstream": "http://127.0.0.1:9", "device": "cpu"}
    models = await _loaded({name: load(shared | one, None, {}) for name, one in own.items()}, Console(quiet=True))
    assert models["plain"]["embedded"][0] is models["narrow"]["embedded"][0]
    assert models["plain"]["embedded"][0] is not models["exact"]["embedded"][0]
    assert models["exact"]["embedded"][0].precision == "float32"
    assert models["off"] == {}
