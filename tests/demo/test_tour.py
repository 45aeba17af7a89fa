"""The lines that the demo prints to be tried."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from bridge.demo.corpus import Document
from bridge.demo.tour import INDEX, dataset, show_how_to_try
from bridge.evaluate.client import open_client
from bridge.evaluate.dialect import SEARCH_API, Dialect, SolrSelect
from bridge.evaluate.index import ensure_index

CORPUS = [Document("shutil.copytree", "shutil.copytree(src, dst)", "Copy a folder with everything that is in it.")]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the lines are for curl")
@pytest.mark.parametrize(("url", "dialect"), [("opensearch_url", SEARCH_API), ("solr_url", SolrSelect())])
async def test_the_lines_to_try_find_something(
    url: str, dialect: Dialect, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Pasted into a shell, they ask the engine in its own words, and show what it has by its id."""
    shown = io.StringIO()
    async with open_client(request.getfixturevalue(url), dialect) as direct:
        await ensure_index(direct, INDEX, dataset(tmp_path, CORPUS), lambda *_: None)
        show_how_to_try(direct, direct.url, Console(file=shown, width=400))
    commands = [line for line in shown.getvalue().splitlines() if "curl" in line]
    assert len(commands) == 2
    assert "shutil.copytree" in json.dumps(
        json.loads(await asyncio.to_thread(output, commands[0].replace("-si", "-s")))
    )


def output(command: str) -> bytes:
    return subprocess.run(command, shell=True, check=True, capture_output=True).stdout
