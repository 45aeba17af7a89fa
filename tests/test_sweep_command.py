"""``rerank-bridge evaluate --sweep`` as a user runs it: a real process, a real OpenSearch, the embedded model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bridge.config import Config
from tests.evaluate.bakery import bakery


def evaluate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bridge", "evaluate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_sweep_names_the_configuration_to_use(opensearch_url: str, tmp_path: Path) -> None:
    """The index is loaded, tables and plot are shown, and the last word is a configuration that the bridge takes."""
    bakery(tmp_path)
    sweeps = ("--sweep", "window=4,12", "--sweep", "blend=0:1:0.5", "--json", tmp_path / "sweep.json")
    arguments = ("--upstream", opensearch_url, "--index", "sweep-command", "--measures", "nDCG@5 RR@5")
    result = evaluate(tmp_path, *arguments, *sweeps)
    assert (result.returncode, result.stderr) == (0, "")
    assert "nDCG@5 of embedded" in result.stdout
    assert "E the engine alone" in result.stdout
    content = json.loads((tmp_path / "sweep.json").read_text())
    assert len(content["configurations"]) == 1 + 2 * 3
    used = yaml.safe_load(result.stdout.partition("\nuse\n")[2].partition("\nchosen:")[0])
    assert used == content["use"]
    assert Config.model_validate({"upstream": opensearch_url, **used}).upstream


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--sweep", "window=1"), "a window is a whole number from 2 to 10,000"),
        (("--sweep", "window=9", "--bridge", "http://127.0.0.1:9"), "--sweep makes its own systems"),
        (("--sweep", "window=9", "--runs", "runs"), "--sweep writes neither --runs nor --html"),
        (("--sweep", "window=9", "--html", "page.html"), "--sweep writes neither --runs nor --html"),
    ],
)
def test_what_a_sweep_has_no_use_for_is_told(tmp_path: Path, arguments: tuple[str, ...], problem: str) -> None:
    """Before anything is loaded or searched."""
    bakery(tmp_path)
    result = evaluate(tmp_path, "--upstream", "http://127.0.0.1:9", *arguments)
    assert (result.returncode, problem in result.stderr) == (2, True), result.stderr
