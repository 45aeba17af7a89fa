"""A real Solr, standalone and as SolrCloud: it finds what it was given, keeps it, and says why it can't start."""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from bridge.demo import solr_home
from bridge.demo.engine import Engine, SolrMode, running_solr, start
from bridge.demo.ports import HOST, reserve_port
from bridge.demo.recipes import SOLR
from bridge.errors import EngineStartError

GONE_TIMEOUT_S = 20.0


def ask(url: str, body: object = None, **parameters: object) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}?{urlencode(parameters)}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


def make(engine_url: str, name: str, mode: SolrMode) -> str:
    """The address of a new core or collection."""
    if mode == "cloud":
        ask(f"{engine_url}/solr/admin/collections", action="CREATE", name=name, numShards=2)
    else:
        ask(f"{engine_url}/solr/admin/cores", action="CREATE", name=name, configSet=solr_home.CONFIGSET)
    return f"{engine_url}/solr/{name}"


def ids(reply: Any) -> list[str]:
    return [document["id"] for document in reply["response"]["docs"]]


@pytest.mark.parametrize(("url", "mode"), [("solr_url", "standalone"), ("solr_cloud_url", "cloud")])
def test_solr_finds_what_it_was_given(url: str, mode: SolrMode, request: pytest.FixtureRequest) -> None:
    """In both modes it has its version, is in the allowed range of ports, and finds english words by their stems."""
    url = request.getfixturevalue(url)
    system = ask(f"{url}/solr/admin/info/system")
    assert system["lucene"]["solr-spec-version"] == "9.10.1"
    assert system["mode"] == {"standalone": "std", "cloud": "solrcloud"}[mode]
    assert int(url.rpartition(":")[2]) in range(9202, 9300)
    core = make(url, "node-test", mode)
    texts = ["a dog that runs", "the running of the dogs", "a cat"]
    ask(f"{core}/update", [{"id": str(n), "text_txt_en": text} for n, text in enumerate(texts)], commit="true")
    found = ask(f"{core}/select", q="the dog", defType="edismax", qf="text_txt_en", **{"q.op": "AND"})
    assert sorted(ids(found)) == ["0", "1"]


def test_scores_are_those_of_bm25(solr_url: str) -> None:
    """Each word of a match is explained with BM25's saturation and length, not with another similarity's."""
    core = make(solr_url, "bm25-test", "standalone")
    ask(f"{core}/update", [{"id": "1", "text_txt_en": "a dog"}], commit="true")
    explained = ask(f"{core}/select", q="text_txt_en:dogs", debugQuery="true")["debug"]["explain"]["1"]
    assert "1.2 = k1, term saturation parameter" in explained
    assert "0.75 = b, length normalization parameter" in explained


@pytest.mark.parametrize("mode", ["standalone", "cloud"])
def test_data_in_a_given_directory_outlives_the_node(mode: SolrMode, tmp_path: Path) -> None:
    """Cores, collections and fields of a given directory are there again with the next node, at its first search."""
    with running_solr(mode, data=tmp_path) as engine:
        core = make(engine.url, "kept", mode)
        ask(f"{core}/schema", {"add-field": {"name": "title", "type": "text_en"}})
        ask(f"{core}/update", [{"id": "1", "title": "still here"}], commit="true")
    with running_solr(mode, data=tmp_path) as engine:
        assert ids(ask(f"{engine.url}/solr/kept/select", q="title:here")) == ["1"]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are watched through pidfd")
def test_node_ends_with_its_block() -> None:
    """Process and temporary data are gone, and the port is free again."""
    with running_solr() as engine:
        pidfd = os.pidfd_open(engine.pid)
        assert (engine.data / "solr.xml").is_file()
    try:
        assert select.select([pidfd], [], [], GONE_TIMEOUT_S)[0]
    finally:
        os.close(pidfd)
    assert not engine.data.exists()
    reserve_port([int(engine.url.rpartition(":")[2])]).release()


@pytest.mark.parametrize("shift", [0, 1000], ids=["its own", "ZooKeeper's"])
def test_port_taken_at_the_last_moment_is_left_for_another(shift: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a stranger was faster on the node's port or on its ZooKeeper's, the next one is tried."""
    taken: list[int] = []
    with ExitStack() as stack:

        def taken_meanwhile(self: Engine, *arguments: Any) -> None:
            if not taken:
                taken.append(arguments[2].number)
                stack.enter_context(socket.create_server((HOST, taken[0] + shift)))
            real(self, *arguments)

        real = Engine.__init__
        monkeypatch.setattr(Engine, "__init__", taken_meanwhile)
        with running_solr("cloud") as engine:
            assert int(engine.url.rpartition(":")[2]) > taken[0]


def test_node_that_can_not_start_says_why(tmp_path: Path) -> None:
    """A home that Solr refuses is an error with its words, though its web server would go on for ever."""
    (tmp_path / "security.json").write_text('{"authentication": {"class": "nosuch.Handler"}}')
    with pytest.raises(EngineStartError, match=r"Solr 9\.10\.1 can't start: .*nosuch\.Handler"):
        start(SOLR["standalone"], tmp_path, lambda _: None, {})


def test_unusable_data_directory_is_an_error(tmp_path: Path) -> None:
    """A data directory that can't be made is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineStartError, match=r"file can't be used"):
        start(SOLR["standalone"], tmp_path / "file", lambda _: None, {})
