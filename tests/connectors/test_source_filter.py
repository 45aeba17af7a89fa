"""Which fields a ``_source`` filter shows: where the text is in what the client fetches, nothing has to be added."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors._search_request import read
from connectors._source_filter import shows_all
from connectors.base import Policy, Request

JSON = (("Content-Type", "application/json"),)


def shown(body: Any, query: str, *names: str) -> bool:
    request = Request("POST", f"/index/_search{query}", JSON, json.dumps(body).encode())
    return shows_all(read(request, Policy()), names)


@pytest.mark.parametrize(
    ("source", "names", "expected"),
    [
        (["title", "n"], ["title"], True),
        (["title", "n"], ["title", "body"], False),
        ("title", ["title"], True),
        ("t*", ["title"], True),
        ([], ["title"], True),
        (["titles"], ["title"], False),
        (["title"], ["title.en"], True),
        (["title.en"], ["title.en"], False),
        (["a.b"], ["a.b"], False),
        (["a"], ["a.b"], True),
        (["*"], ["t*"], False),
        (["*"], [], True),
        ({"excludes": ["vector"]}, ["title"], True),
        ({"excludes": ["title"]}, ["title"], False),
        ({"excludes": ["title.x"]}, ["title"], False),
        ({"excludes": ["titles"]}, ["title"], True),
        ({"excludes": ["t*"]}, ["title"], False),
        ({"excludes": ["*.x"]}, ["title"], False),
        ({"excludes": ["a.b"]}, ["a.c"], False),
        ({"includes": ["title", "a"], "excludes": ["a"]}, ["title"], True),
        ({"includes": ["n"], "excludes": ["a"]}, ["title"], False),
        ({"includes": "title"}, ["title"], True),
        ({"include": ["title"]}, ["title"], False),
        ({"excludes": [1]}, ["title"], False),
        (True, ["title"], False),
        (None, ["title"], False),
    ],
)
def test_filter_in_the_body(source: Any, names: list[str], expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """Names, parents and wildcards show a field; one that is excluded, or may be in part, is not surely there."""
    assert shown({"_source": source}, "", *names) is expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?_source=title,n", True),
        ("?_source=n", False),
        ("?_source=false", False),
        ("?_source_includes=title", True),
        ("?_source_includes=n", False),
        ("?_source_excludes=n", True),
        ("?_source=true&_source_excludes=n", True),
        ("?_source_includes=t*&_source_excludes=title", False),
        ("?_source=title&_source_includes=n", False),
        ("?_source_include=title", False),
    ],
)
def test_filter_in_the_url(query: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """The URL's filter stands in place of the body's; where it is ambiguous, nothing is surely there."""
    assert shown({"_source": ["body"]}, query, "title") is expected
