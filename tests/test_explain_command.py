"""``rerank-bridge explain`` as a user runs it: a real process, a body, no engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BODY = {"query": {"multi_match": {"query": "quick fox", "fields": ["title^2", "text"]}}, "size": 5}
LINES = (
    '{"index":"a"}\n{"query":{"match":{"t":"quick fox"}}}\n{"index":"b"}\n{"query":{"match":{"t":"x y"}},"sort":"t"}\n'
)


def explain(*arguments: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bridge", "explain", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        input=given,
        env={**os.environ, **environment},
    )


def explained(*arguments: str, given: str = "") -> dict[str, Any]:
    result = explain("--json", *arguments, given=given)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_body_from_standard_input() -> None:
    """A person reads the words, the fields, the page and the window, and the body that would be sent."""
    result = explain("-", "--index", "shop", "--window", "50", given=json.dumps(BODY))
    assert result.returncode == 0, result.stderr
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    for line in (
        "POST /shop/_search, as opensearch reads it",
        "words quick fox",
        "fields title, text",
        "indices shop",
        "page from 0, size 5",
        "window 50 hits",
        '"size": 50,',
    ):
        assert line in lines
    assert not any(line.startswith("skipped") for line in lines)


def test_a_body_from_a_file_as_json(tmp_path: Path) -> None:
    """A program reads the same, in the words of the member that a running bridge adds to a reply."""
    file = tmp_path / "body.json"
    file.write_text(json.dumps(BODY, indent=2))
    found = explained(str(file), "--index", "shop", "--engine", "elasticsearch")
    assert (found["engine"], found["request"], found["is_search"]) == ("elasticsearch", "POST /shop/_search", True)
    (search,) = found["searches"]
    assert {key: search[key] for key in ("outcome", "query_text", "fields", "from", "size", "window")} == {
        "outcome": "planned",
        "query_text": "quick fox",
        "fields": ["title", "text"],
        "from": 0,
        "size": 5,
        "window": 100,
    }
    assert found["sends"]["target"] == "/shop/_search"
    assert found["sends"]["body"] == {**BODY, "from": 0, "size": 100}


def test_the_searches_of_an_msearch() -> None:
    """Lines are taken for an ``_msearch``, each of whose searches is explained, in their order."""
    found = explained("-", given=LINES)
    assert found["request"] == "POST /_msearch"
    assert [(search["outcome"], search.get("reason")) for search in found["searches"]] == [
        ("planned", None),
        ("skipped", "sorted"),
    ]
    assert '"size":100' in found["sends"]["body"]
    text = explain("-", given=LINES).stdout
    assert text.index("search 1") < text.index("quick fox") < text.index("search 2") < text.index("skipped")


@pytest.mark.parametrize(
    ("path", "reason"), [("/shop/_search?q=fox&sort=date", "sorted"), ("shop/_search?q=fox&size=0", "size-zero")]
)
def test_words_in_the_path(path: str, reason: str) -> None:
    """A search without a body needs no file, and the reason has its sentence."""
    (search,) = explained("--path", path)["searches"]
    assert (search["outcome"], search["reason"]) == ("skipped", reason)
    assert search["because"].endswith(".")


def test_a_body_that_is_broken() -> None:
    """What the engine would refuse is no error of the command: it is said that the bridge leaves it alone."""
    (search,) = explained("-", given='{"query":')["searches"]
    assert search["reason"] == "not-json"


def test_what_is_no_search() -> None:
    """A path that the bridge does not look at is said to pass through."""
    assert explained("--path", "/_cat/indices") == {
        "engine": "opensearch",
        "request": "GET /_cat/indices",
        "is_search": False,
    }
    assert "passed through untouched" in explain("--path", "/_cat/indices").stdout


def test_a_template_is_not_rendered_here() -> None:
    """What a bridge would ask the engine first is named; a search that depends on it is said to pass through."""
    found = explained("-", "--path", "/shop/_search/template", given='{"id":"t","params":{"q":"fox"}}')
    assert any("_render/template" in question for question in found["unknown"])
    text = explain("-", "--path", "/shop/_search/template", given='{"id":"t","params":{"q":"fox"}}').stdout
    assert "not asked here, though a bridge would ask the engine:" in text


def test_the_configuration_counts(tmp_path: Path) -> None:
    """Window and fields are those that the bridge would run with."""
    file = tmp_path / "bridge.yaml"
    file.write_text("window: 30\nindices:\n  - pattern: shop*\n    text_fields: [{name: body}]\n")
    (search,) = explained("-", "--index", "shop", "--config", str(file), given=json.dumps(BODY))["searches"]
    assert (search["window"], search["fields"]) == (30, ["body"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-file.json"], "no-such-file.json: No such file"),
        ([], "give a FILE"),
        (["-", "--config", "no-such-file.yaml"], "no-such-file.yaml: No such file"),
    ],
)
def test_what_is_broken_is_told_in_one_message(arguments: list[str], message: str) -> None:
    """A user reads what is wrong, and no traceback."""
    result = explain(*arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_body_of_solr() -> None:
    """With ``--engine solr``, a body is one of its JSON Request API, sent to the core or collection of the index."""
    body = {"query": "title:(quick fox)", "fields": "id", "limit": 3}
    result = explain("-", "--engine", "solr", "--index", "shop", given=json.dumps(body))
    assert result.returncode == 0, result.stderr
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    for line in ("POST /solr/shop/select, as solr reads it", "words quick fox", "fields title", "page from 0, size 3"):
        assert line in lines
