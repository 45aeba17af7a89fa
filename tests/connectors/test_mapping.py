"""Mappings -> the fields whose text is read."""

from __future__ import annotations

from typing import Any

import pytest

from connectors._mapping import MAX_FIELDS, MappedText, mapped_text


def index(properties: Any, **members: Any) -> dict[str, Any]:
    return {"mappings": {"properties": properties, **members}}


def kinds(*names: str) -> dict[str, Any]:
    return {name: {"type": name} for name in names}


TEXTS = ("annotated_text", "match_only_text", "pattern_text", "search_as_you_type", "semantic", "text")
NEVER = (
    *("long", "float", "date", "boolean", "ip", "geo_point", "binary", "flattened", "rank_features", "completion"),
    *("dense_vector", "knn_vector", "sparse_vector", "percolator", "token_count", "constant_keyword"),
)


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        (kinds(*TEXTS), TEXTS),
        (kinds(*TEXTS, "keyword", "wildcard", *NEVER), TEXTS),
        (kinds("semantic_text"), ("semantic_text", "semantic_text.text")),
        (kinds("keyword", "wildcard", *NEVER), ("keyword", "wildcard")),
        (kinds(*NEVER), None),
        ({}, None),
        ({"a": {"type": "text", "fields": {"raw": {"type": "keyword"}}}}, ("a",)),
        ({"a": {"type": "keyword", "fields": {"words": {"type": "text"}}}}, ("a",)),
        ({"a": {"type": "alias", "path": "b"}, "b": {"type": "text"}}, ("b",)),
        ({"a": {"type": "nested", "properties": {"text": {"type": "text"}, "n": {"type": "long"}}}}, ("a.text",)),
        ({"a": {"properties": {"b": {"properties": {"c": {"type": "text"}}}}}, "d": {"type": "text"}}, ("d", "a.b.c")),
        ({"a": {"enabled": False, "properties": {"b": {"type": "text"}}}}, None),
        ({"type": {"type": "text"}, "properties": {"type": "text"}}, ("type", "properties")),
    ],
)
def test_fields_by_their_kind(properties: Any, expected: tuple[str, ...] | None) -> None:
    """Text by kind, keywords where there is no other; multi-fields and aliases are the field that a document has."""
    found = mapped_text({"i": index(properties)})
    assert (found.names if found else None) == expected


MANY = {
    "title": {"type": "text", "fields": {"en": {"type": "text"}}},
    "tags": {"type": "keyword"},
    "n": {"type": "long"},
    "other": {"type": "alias", "path": "body"},
    "body": {"type": "text"},
    "deep": {"properties": {"title": {"type": "text"}}},
}


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ((), ("title", "body", "deep.title")),
        (("t*",), ("title",)),
        (("*title",), ("title", "deep.title")),
        (("*.en",), ("title",)),
        (("oth*",), ("body",)),
        (("ta*",), ("tags",)),
        (("n*",), None),
        (("x*",), None),
        (("x*", "b*"), ("body",)),
    ],
)
def test_fields_by_pattern(patterns: tuple[str, ...], expected: tuple[str, ...] | None) -> None:
    """A pattern matches names of fields, multi-fields and aliases; keywords only where no text matches."""
    found = mapped_text({"i": index(MANY)}, patterns)
    assert (found.names if found else None) == expected


TWO = {"a": index(kinds("text")), "b": index({"text": {"type": "keyword"}, "body": {"type": "text"}}), "c": {}}


@pytest.mark.parametrize("names", ["abc", "cba"])
def test_several_indices_are_joined(names: str) -> None:
    """A field is read in all indices where it is text in one of them."""
    found = mapped_text({name: TWO[name] for name in names})
    assert found is not None
    assert set(found.names) == {"text", "body"}


@pytest.mark.parametrize("name", ["_doc", "tweet"])
def test_mappings_with_types(name: str) -> None:
    """Mappings of versions before 7 have the type between, as 7 shows them with include_type_name."""
    assert mapped_text({"i": {"mappings": {name: {"properties": kinds("text")}}}}) == MappedText(("text",))
    assert mapped_text({"i": {"mappings": {name: {}}}}) is None


STORED = {"title": {"type": "text", "store": True}, "body": {"type": "text"}}


@pytest.mark.parametrize(
    ("answer", "stored"),
    [
        ({"a": index(STORED, _source={"enabled": False})}, ("title",)),
        ({"a": index(kinds("text"), _source={"enabled": "false"})}, ()),
        ({"a": index(STORED, _source={"enabled": True})}, None),
        ({"a": index(STORED, _source={"excludes": ["x"]})}, None),
        ({"a": index(STORED), "b": index(STORED, _source={"enabled": False})}, None),
    ],
)
def test_documents_that_are_not_kept(answer: Any, stored: tuple[str, ...] | None) -> None:
    """Where no index keeps its documents, the fields that are stored apart are known."""
    found = mapped_text(answer)
    assert found is not None
    assert found.stored == stored


def test_the_number_of_fields_is_bounded() -> None:
    """Of thousands of fields the least nested are read."""
    leaves = {f"f{number}": {"type": "text"} for number in range(2_000)}
    found = mapped_text({"i": index({"deep": {"properties": leaves}, "title": {"type": "text"}})})
    assert found is not None
    assert (len(found.names), found.names[0]) == (MAX_FIELDS, "title")


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"root_cause": []}, "status": 403},
        {"i": None},
        {"i": {"mappings": []}},
        {"i": {"mappings": {"properties": {"a": None, "b": {"type": []}, "c": {"type": "text", "fields": 1}}}}},
    ],
)
def test_odd_answers(answer: Any) -> None:
    """What is no mapping has no fields, and a field with odd members is read as far as it can be."""
    found = mapped_text(answer)
    assert found is None or found.names == ("c",)


def test_mappings_may_nest_without_end() -> None:
    """A mapping that nests deeper than any engine allows is read to where they end."""
    deep: Any = {"type": "text"}
    for _ in range(500):
        deep = {"properties": {"a": deep}}
    assert mapped_text({"i": index({"a": deep, "b": {"type": "text"}})}) == MappedText(("b",))
