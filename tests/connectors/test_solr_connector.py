"""Solr's ways in, its envelope of errors, and how it is known."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest

import connectors
from connectors.base import ExchangePlan, Policy, Request
from connectors.solr import Solr
from tests.connectors.solr_replies import decided, planned, request, search_of

WAYS: list[tuple[str, str, bool]] = [
    ("GET", "/solr/c/select", True),
    ("POST", "/solr/c/query", True),
    ("GET", "/solr/a,b/select", True),
    ("GET", "/c/select", True),
    ("GET", "/api/collections/c/select", True),
    ("POST", "/api/collections/c/query", True),
    ("GET", "/api/c/c/select", True),
    ("GET", "/api/cores/c/select", True),
    ("GET", "/solr/c/browse", True),
    ("GET", "/solr/c/shop/search", True),
    ("PUT", "/solr/c/select", False),
    ("HEAD", "/solr/c/select", False),
    ("GET", "/solr/c/select/", True),
    ("GET", "/solr/c/unselect", False),
    ("GET", "/solr/c/get", False),
    ("POST", "/solr/c/update", False),
    ("POST", "/solr/c/update/json/docs", False),
    ("GET", "/solr/c/export", False),
    ("POST", "/solr/c/stream", False),
    ("POST", "/solr/c/sql", False),
    ("GET", "/solr/c/mlt", False),
    ("GET", "/solr/c/schema/fields", False),
    ("GET", "/solr/admin/collections", False),
    ("GET", "/solr/select", False),
    ("GET", "/api/select", False),
    ("GET", "/select", False),
    ("GET", "/", False),
]


@pytest.mark.parametrize(("method", "path", "is_search"), WAYS)
def test_ways_in(method: str, path: str, is_search: bool) -> None:  # noqa: FBT001 - a column of the table
    """The request handlers that search are searches, those that are configured as well; all else is passed on."""
    assert Solr(["/browse", "/shop/search"]).is_search(method, path) is is_search


def test_further_handlers_are_asked_about_by_their_name() -> None:
    """A configured handler is planned like those that come with Solr."""
    plan = decided(request(path="/solr/c/browse"), connector=Solr(["/browse"]))
    assert isinstance(plan, ExchangePlan)
    assert plan.request.target.startswith("/solr/c/browse?")


@pytest.mark.parametrize(
    ("path", "indices"), [("/solr/a,b/select", ("a", "b")), ("/api/c/a%2Cb/query", ("a", "b")), ("/x/select", ("x",))]
)
def test_collections_of_a_path(path: str, indices: tuple[str, ...]) -> None:
    """The names in a path are those that a policy is chosen by."""
    assert search_of(planned(request(path=path))).indices == indices


def test_errors_look_like_solrs() -> None:
    """An error of the bridge's own stands where clients of Solr look for one."""
    answered = Solr().error(502, "no answer")
    content = json.loads(answered.body)
    assert (answered.status, answered.reason) == (502, "Bad Gateway")
    assert content["error"]["msg"] == "rerank bridge: no answer"
    assert (content["error"]["code"], content["responseHeader"]["status"]) == (502, 502)


@pytest.mark.parametrize(
    ("info", "version"),
    [
        ({"lucene": {"solr-spec-version": "9.10.1"}}, "9.10.1"),
        ({"lucene": {"lucene-spec-version": "9.12.3"}}, None),
        ({"version": {"number": "8.0.0", "lucene_version": "9"}}, None),
        ({}, None),
    ],
)
def test_solr_is_known_by_its_version(info: dict[str, object], version: str | None) -> None:
    """The reply of Solr's system information names its version; those of other engines don't."""
    assert Solr().identify(info) == version


def test_an_exchange_is_one_search() -> None:
    """A search that failed is asked anew as a whole, and nothing else is passed on."""
    plan, asked = planned(request()), Request("GET", "/x", ())
    assert Solr().repeat(plan, [0]) is None
    assert Solr().forwarded(asked) is asked
    again = Solr().error(502, "x")
    assert Solr().merged(plan, Solr().error(504, "y"), [0], again) is again


def test_other_paths_are_not_planned() -> None:
    """A path that is no search is passed on, whatever asks for a plan of it."""
    assert not isinstance(Solr().plan(Request("GET", "/solr/c/get", ()), lambda _: Policy(), {}), ExchangePlan)


def test_the_connector_knows_itself_alone() -> None:
    """Nothing of Solr's connector comes from outside the connectors but the standard library and msgspec."""
    folder = Path(next(iter(connectors.__path__)))
    sources = [*folder.glob("_solr_*.py"), folder / "solr.py"]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source.read_text()))]
    imported = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    assert {name.partition(".")[0] for name in imported} <= {"connectors", "msgspec", *sys.stdlib_module_names}
    assert "asyncio" not in imported
