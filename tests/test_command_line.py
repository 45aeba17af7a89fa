"""The commands as a user runs them: real processes, a real OpenSearch, the real embedded model."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

DOCUMENTS = {
    "1": ("Bread", "A bread baked from wheat flour, water and yeast. Bread bread bread."),
    "2": ("Loaf", "How to bake a loaf of bread at home, step by step, for people who never baked before."),
    "3": ("Bakery", "A shop that sells bread."),
    "4": ("Toast", "Bread browned by heat."),
}
QUESTION = "instructions to bake bread yourself"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bridge", *arguments]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A bridge in a process of its own, and its ready line."""
    process = subprocess.Popen(
        command("serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


def url_in(line: str) -> str:
    return next(word for word in line.split() if word.startswith("http://"))


def ask(url: str, body: object | None = None, method: str | None = None) -> tuple[dict[str, str], dict[str, object]]:
    request = urllib.request.Request(
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request) as reply:
        return dict(reply.headers), json.loads(reply.read())


@pytest.fixture(scope="module")
def index(opensearch_url: str) -> str:
    name = "command-line"
    properties = {field: {"type": "text", "analyzer": "english"} for field in ("title", "text")}
    settings = {"number_of_shards": 1, "number_of_replicas": 0}
    ask(f"{opensearch_url}/{name}", {"settings": settings, "mappings": {"properties": properties}}, "PUT")
    for document_id, (title, text) in DOCUMENTS.items():
        ask(f"{opensearch_url}/{name}/_doc/{document_id}?refresh=true", {"title": title, "text": text}, "PUT")
    return name


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bakery")
    corpus = [{"_id": key, "title": title, "text": text} for key, (title, text) in DOCUMENTS.items()]
    write_lines(folder / "corpus.jsonl", corpus)
    write_lines(folder / "queries.jsonl", [{"_id": "q1", "text": QUESTION}, {"_id": "q2", "text": "buy bread"}])
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\t2\t1\nq2\t3\t1\n")
    return folder


def write_lines(file: Path, lines: Sequence[object]) -> None:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_serve_reranks_and_ends_on_sigterm(opensearch_url: str, index: str) -> None:
    """One line says that the bridge is ready and what it found; a search is reranked; SIGTERM ends it with 0."""
    with serving("--upstream", opensearch_url) as (process, line):
        assert "opensearch 3." in line
        assert opensearch_url in line
        assert "embedded on " in line
        for words in ("weights", "cache up to", "a batch up to", "scores kept in up to 64 MiB"):
            assert words in line
        body = {"query": {"multi_match": {"query": QUESTION, "fields": ["title", "text"]}}}
        headers, page = ask(f"{url_in(line)}/{index}/_search", body)
        _, direct = ask(f"{opensearch_url}/{index}/_search", body)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    assert headers["X-Rerank"] == "applied; window=4; model=embedded"
    assert {"upstream", "score", "bridge"} <= {
        part.split(";")[0].strip() for part in headers["Server-Timing"].split(",")
    }
    assert ids(page)[0] == "2"
    assert sorted(ids(page)) == sorted(ids(direct))


def ids(page: dict[str, object]) -> list[str]:
    hits = page["hits"]
    assert isinstance(hits, dict)
    return [hit["_id"] for hit in hits["hits"]]


def test_mode_off_passes_through_and_loads_no_model(opensearch_url: str, index: str) -> None:
    """A bridge that is switched off starts even where its model is not there, and says so on every search."""
    with serving("--upstream", opensearch_url, "--mode", "off", "--model", "no-such-model") as (_, line):
        headers, page = ask(f"{url_in(line)}/{index}/_search?q=bread")
    assert headers["X-Rerank"] == "skipped; reason=mode-off"
    assert len(ids(page)) == 4


def test_all_mistakes_of_a_configuration_are_told_at_once(tmp_path: Path) -> None:
    """Flags, environment and file are checked together: one run, every problem with its place, exit 2."""
    file = tmp_path / "bridge.yaml"
    file.write_text("window: many\nno_such: 1\n")
    result = run("serve", "--config", str(file), "--listen", "nowhere", "--engine", "solar", RERANK_BRIDGE_MODE="maybe")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    for problem in (
        "upstream is missing",
        f"{file}: window",
        f"{file}: no_such",
        "--listen",
        "--engine",
        "RERANK_BRIDGE_MODE",
    ):
        assert problem in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["serve", "--upstream", "http://127.0.0.1:9"], 1, "http://127.0.0.1:9: the engine refused the connection"),
        (
            ["serve", "--upstream", "http://127.0.0.1:9", "--engine", "opensearch", "--model", "nope"],
            1,
            "unknown model",
        ),
        (["serve", "--upstream", "ftp://127.0.0.1"], 2, "is not an http:// or https:// address"),
        (["serve", "--config", "no-such-file.yaml"], 2, "no-such-file.yaml: No such file"),
        (["evaluate", "no-such-folder", "--upstream", "http://127.0.0.1:9"], 2, "no-such-folder"),
        (["serve", "--no-such-option"], 2, "No such option"),
    ],
)
def test_what_is_broken_is_told_in_one_message(arguments: list[str], code: int, message: str) -> None:
    """A user reads what is wrong, and no traceback; the exit code tells whose mistake it is."""
    result = run(*arguments)
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_is_told(opensearch_url: str) -> None:
    """A bridge that can't listen says so, with the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", "--upstream", opensearch_url, "--mode", "off", "--listen", f"127.0.0.1:{port}")
    assert result.returncode == 1
    assert str(port) in result.stderr
    assert "Traceback" not in result.stderr


def test_check_says_what_would_work(opensearch_url: str, index: str) -> None:
    """An operator reads which engine answers, where the model runs, and both orders of one search."""
    result = run("check", "--upstream", opensearch_url, "--index", index, "--query", QUESTION)
    assert result.returncode == 0, result.stderr
    for words in (
        "answers: opensearch 3.",
        "embedded on ",
        "a bi-encoder",
        "weights",
        "64 MiB",
        "X-Rerank: applied",
        "Loaf",
    ):
        assert words in result.stdout


def test_check_asks_each_address(opensearch_url: str, index: str) -> None:
    """A node that is down is named and makes the exit code 1; the search is tried at the others, as a bridge does."""
    addresses = f"http://127.0.0.1:9,{opensearch_url}"
    result = run("check", "--upstream", addresses, "--index", index, "--query", QUESTION)
    assert result.returncode == 1
    for words in ("http://127.0.0.1:9: the engine refused", f"{opensearch_url} answers", "X-Rerank: applied", "Loaf"):
        assert words in result.stdout


def test_check_names_every_problem() -> None:
    """A dead engine does not hide a wrong model; the exit code says that something is not as it should be."""
    result = run("check", "--upstream", "http://127.0.0.1:9", "--model", "nope")
    assert result.returncode == 1
    assert "refused the connection" in result.stdout
    assert "unknown model" in result.stdout


def test_evaluate_loads_searches_and_reports(opensearch_url: str, dataset: Path, tmp_path: Path) -> None:
    """The table and the JSON say what the bridge gains on judged queries; the index is made where it is missing."""
    report, runs = tmp_path / "report.json", tmp_path / "runs"
    arguments = ("evaluate", str(dataset), "--upstream", opensearch_url, "--measures", "RR@10 nDCG@3")
    result = run(*arguments, "--json", str(report), "--runs", str(runs))
    assert result.returncode == 0, result.stderr
    assert "RR@10" in result.stdout
    assert "nDCG@3" in result.stdout
    content = json.loads(report.read_text())
    direct, bridged = content["systems"]
    assert (direct["name"], bridged["name"], bridged["outcomes"]) == ("direct", "bridged", {"applied": 2})
    (cost,) = bridged["costs"]
    assert (cost["model"], cost["searches"]) == ("embedded", 2)
    assert cost["mean_texts"] > 1
    assert content["per_query"]["q1"]["measures"]["RR@10"] == {"direct": 0.5, "bridged": 1.0}
    assert sorted(file.name for file in runs.iterdir()) == [
        f"{dataset.name}.bridged.run",
        f"{dataset.name}.direct.run",
    ]


@pytest.mark.parametrize("arguments", [["evaluate", "folder", "--upstream", "http://127.0.0.1:9"], ["demo", "--once"]])
def test_a_command_whose_packages_are_missing_says_what_to_install(arguments: list[str]) -> None:
    """Who installed the bridge without the packages to measure with reads their name, and no traceback."""
    script = f"import sys; sys.modules['scipy'] = None; from bridge.cli import app; app({arguments})"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert "no package scipy: pip install 'rerank-bridge[" in result.stderr
    assert "Traceback" not in result.stderr


def test_help_needs_no_torch() -> None:
    """Where the model runs elsewhere, the command line starts without the packages of the model."""
    script = (
        "import sys; from bridge.cli import app; app(['--help'], standalone_mode=False); "
        "assert 'torch' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
