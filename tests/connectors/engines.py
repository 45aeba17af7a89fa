"""The engines of the comparisons, and what each of them can't do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest

from connectors.base import Connector
from connectors.elasticsearch import Elasticsearch
from connectors.opensearch import OpenSearch

ENGLISH = "the analyzer of English"
PAINLESS = "scripts in painless"
REFUSES_SOURCELESS = "an error where fields of documents without a source are asked for"
SOURCELESS = "fields of documents without a source, if none"
KEEPS_ORDER = "one order of a filtered source, whether fields are asked for beside it or not"
VENDOR = "content types of the clients' own"
REFUSES_VENDOR = "an error where a content type is the clients' own"
GREETING = "GET /"
TEMPLATES = "search templates"
DATA_STREAMS = "data streams"


class Kind(NamedTuple):
    connector: Connector
    lacks: frozenset[str]


ENGINES = {
    "opensearch": Kind(OpenSearch(), frozenset({SOURCELESS, VENDOR})),
    "elasticsearch9": Kind(
        Elasticsearch(),
        frozenset(
            {
                *{ENGLISH, PAINLESS, GREETING, TEMPLATES, DATA_STREAMS},
                *{REFUSES_SOURCELESS, KEEPS_ORDER, REFUSES_VENDOR},
            }
        ),
    ),
    "elasticsearch7": Kind(Elasticsearch(), frozenset({SOURCELESS, VENDOR, DATA_STREAMS})),
}


def on_those_with(*features: str) -> pytest.MarkDecorator:
    """The test, or a module's tests, on each engine that has all of these; its engine is ``each_engine``."""
    names = [name for name, kind in ENGINES.items() if kind.lacks.isdisjoint(features)]
    return pytest.mark.parametrize("each_engine", names, indirect=True)


class Needs(NamedTuple):
    """A row of a table that only some engines can answer."""

    what: str
    row: Sequence[Any]


def on_each(names: str, rows: Sequence[Sequence[Any]]) -> pytest.MarkDecorator:
    """The test with each row on each engine that has what the row needs; its engine is ``each_engine``."""
    return pytest.mark.parametrize(f"each_engine,{names}", list(_pairs(rows)), indirect=["each_engine"])


def _pairs(rows: Sequence[Sequence[Any]]) -> Iterator[Any]:
    for name, kind in ENGINES.items():
        for number, entry in enumerate(rows):
            needed, row = entry if isinstance(entry, Needs) else ("", entry)
            if needed not in kind.lacks:
                yield pytest.param(name, *row, id=f"{name}-{number}")
