"""How an engine is searched and what it answers, as far as one who measures needs to know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol
from urllib.parse import quote

import msgspec

from bridge.evaluate.template import FROM_AND_SIZE, OFFSET_AND_LIMIT, BodyTemplate, PageNames, edismax, multi_match


class Hit(NamedTuple):
    """A hit and its document."""

    id: str
    source: dict[str, object]


class Dialect(Protocol):
    """What differs from engine to engine."""

    @property
    def page(self) -> PageNames:
        """What a body calls the page that it wants."""
        ...

    @property
    def fields(self) -> dict[str, str]:
        """The fields of an index that is made here: of a document's member, the name."""
        ...

    @property
    def brief(self) -> str:
        """A query string with which a reply shows little more than ids and scores."""
        ...

    @property
    def everywhere(self) -> str:
        """An index that stands for all of them but the engine's own; empty where there is none."""
        ...

    def search_path(self, index: str) -> str:
        """Where a body is posted to, without the slash that begins it."""
        ...

    def some(self, size: int) -> bytes:
        """The body of a search that finds any documents."""
        ...

    def about(self, words: str, field: str) -> bytes:
        """The body of a search for words, in all fields where the engine knows how, else in this one."""
        ...

    def usual(self) -> BodyTemplate:
        """A template that searches the query in the titles and texts of an index that is made here."""
        ...

    def hits(self, body: bytes) -> Sequence[Hit]:
        """The hits of a reply, best first. Raises ``msgspec.DecodeError``, ``UnicodeDecodeError``."""
        ...


def quote_index(index: str) -> str:
    """The name of an index, or several with commas and patterns, as it stands in a path."""
    return quote(index, safe=",*")


class _Hit(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    source: dict[str, object] = msgspec.field(name="_source", default_factory=dict)


class _Hits(msgspec.Struct):
    hits: list[_Hit]


class _Page(msgspec.Struct):
    hits: _Hits


class SearchApi:
    """``_search`` of Elasticsearch and OpenSearch. An empty index stands for all of them."""

    page = FROM_AND_SIZE
    fields = {"title": "title", "text": "text"}  # noqa: RUF012 - never written
    brief = "pretty&filter_path=hits.hits._id,hits.hits._score"
    everywhere = "*,-.*"  # names with a leading dot are the engine's own by convention

    def search_path(self, index: str) -> str:
        """As ``Dialect`` has it."""
        return f"{quote_index(index)}/_search" if index else "_search"

    def some(self, size: int) -> bytes:
        """As ``Dialect`` has it."""
        return msgspec.json.encode({"size": size})

    def about(self, words: str, field: str) -> bytes:
        """As ``Dialect`` has it."""
        del field
        return msgspec.json.encode({"query": {"simple_query_string": {"query": words}}})

    def usual(self) -> BodyTemplate:
        """As ``Dialect`` has it."""
        return multi_match(*self.fields.values())

    def hits(self, body: bytes) -> Sequence[Hit]:
        """As ``Dialect`` has it."""
        return [Hit(hit.id, hit.source) for hit in msgspec.json.decode(body, type=_Page).hits.hits]


class _Docs(msgspec.Struct):
    docs: list[dict[str, object]]


class _SolrPage(msgspec.Struct):
    response: _Docs


class SolrSelect:
    """``select`` of Solr, with bodies of its JSON Request API.

    An index that is made here has dynamic fields of Solr's own ``_default`` configset, which goes through english
    analysis; a unique key of another name than ``id`` is not known.

    Source: "JSON Request API", https://solr.apache.org/guide/solr/latest/query-guide/json-request-api.html.
    """

    page = OFFSET_AND_LIMIT
    fields = {"title": "title_txt_en", "text": "text_txt_en"}  # noqa: RUF012 - never written
    brief = "fl=id,score&omitHeader=true"
    everywhere = ""

    def search_path(self, index: str) -> str:
        """As ``Dialect`` has it."""
        return f"solr/{quote_index(index)}/select"

    def some(self, size: int) -> bytes:
        """As ``Dialect`` has it."""
        return msgspec.json.encode({"query": "*:*", "limit": size})

    def about(self, words: str, field: str) -> bytes:
        """As ``Dialect`` has it."""
        return edismax(field).fill(words, 10)

    def usual(self) -> BodyTemplate:
        """As ``Dialect`` has it."""
        return edismax(*self.fields.values())

    def hits(self, body: bytes) -> Sequence[Hit]:
        """As ``Dialect`` has it."""
        documents = msgspec.json.decode(body, type=_SolrPage).response.docs
        return [Hit(str(document["id"]), _without_own(document)) for document in documents if "id" in document]


def _without_own(document: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in document.items() if name not in {"id", "_version_", "score"}}


SEARCH_API: Dialect = SearchApi()
DIALECTS: dict[str, Dialect] = {"solr": SolrSelect()}
"""By the name of the connector; ``SEARCH_API`` is that of all others."""
