"""The search body that every query is put into."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from bridge.errors import DataError

PLACEHOLDER = "{{query}}"


class PageNames(NamedTuple):
    """What a body calls the page that it wants."""

    start: str
    size: str


FROM_AND_SIZE = PageNames("from", "size")
OFFSET_AND_LIMIT = PageNames("offset", "limit")
"""In Solr's JSON Request API."""


@dataclass(frozen=True, slots=True)
class BodyTemplate:
    """A search body in whose strings ``{{query}}`` stands for the user's words."""

    body: Mapping[str, object]
    page: PageNames = FROM_AND_SIZE

    def fill(self, query_text: str, size: int, start: int = 0) -> bytes:
        """The body of one search for ``size`` hits from ``start`` on, whatever page the template names."""
        filled = {name: _replace(value, query_text) for name, value in self.body.items()}
        return msgspec.json.encode(filled | {self.page.start: start, self.page.size: size})


def multi_match(*fields: str) -> BodyTemplate:
    """A template that searches the query in some fields and scores by the best of them."""
    query = {"query": PLACEHOLDER, "fields": list(fields), "type": "best_fields"}
    return BodyTemplate({"query": {"multi_match": query}})


def edismax(*fields: str) -> BodyTemplate:
    """A template of Solr's that searches the query in some fields and scores by the best of them."""
    parser = {"defType": "edismax", "qf": " ".join(fields)}
    return BodyTemplate({"query": PLACEHOLDER, "params": parser}, OFFSET_AND_LIMIT)


def read_template(file: Path, page: PageNames = FROM_AND_SIZE) -> BodyTemplate:
    """The template in a JSON file. Raises ``DataError`` where it is none, or has no place for the query."""
    try:
        body = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"{file}:{error.lineno}", error.msg) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(str(file), f"can't be read: {error}") from error
    if not isinstance(body, dict):
        raise DataError(str(file), "a search body is a JSON object")
    if _replace(body, "") == body:
        raise DataError(str(file), f"no string holds {PLACEHOLDER}, so that every query would search the same")
    return BodyTemplate(body, page)


def _replace(value: object, query_text: str) -> object:
    if isinstance(value, str):
        return value.replace(PLACEHOLDER, query_text)
    if isinstance(value, list):
        return [_replace(item, query_text) for item in value]
    if isinstance(value, dict):
        return {name: _replace(item, query_text) for name, item in value.items()}
    return value
