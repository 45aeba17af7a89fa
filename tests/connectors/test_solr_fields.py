"""Solr's field lists, and the fields of its schemas."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._solr_fields import FieldList, added_to, field_list
from connectors._solr_schema import schema_of
from tests.connectors.solr_replies import SCHEMA, answer

NAMES: list[tuple[list[str], set[str], set[str]]] = [
    ([], {"id", "title", "x.y"}, set()),
    ([""], {"id", "score"}, set()),
    (["*"], {"id", "title"}, set()),
    (["id,title"], {"id", "title"}, {"body", "score"}),
    (["id", "title n"], {"id", "title", "n"}, {"body"}),
    (["ti*,b?dy"], {"title", "body"}, {"id", "bdy"}),
    (["t:title"], {"t"}, {"title"}),
    (["sum(n, 1),x:div(n,2)"], {"sum(n, 1)", "x"}, {"n"}),
    (["id,[docid],v:[value v='a]b']"], {"id", "[docid]", "v"}, {"docid"}),
    (["query({!lucene v='a)'})"], {"query({!lucene v='a)'})"}, {"a"}),
    (["in-stock,a.b"], {"in-stock", "a.b"}, {"in"}),
]


@pytest.mark.parametrize(("values", "shown", "hidden"), NAMES)
def test_lists_say_what_is_shown(values: list[str], shown: set[str], hidden: set[str]) -> None:
    """Names, patterns, aliases, functions and transformers of a list are those of the document's members."""
    asked = field_list(values)
    assert asked is not None
    assert {name for name in shown | hidden if asked.shows(name)} == shown


@pytest.mark.parametrize("value", ["*,[child]", "id;title", "{!func}x", "f(a", '"odd name"', "a:b:c", "x:t*", " "])
def test_lists_that_could_not_be_undone_are_left_alone(value: str) -> None:
    """A list that is not understood, or that puts documents into documents, is not widened."""
    assert field_list([value]) is None


@pytest.mark.parametrize(
    ("value", "scores"),
    [("id,score", {"score"}), ("s:score", {"s"}), ("*,score s:score", {"score", "s"}), ("sc*", set())],
)
def test_scores_are_asked_for_by_name(value: str, scores: set[str]) -> None:
    """The score is one that the client sees where it is named, whatever a pattern matches."""
    asked = field_list([value])
    assert asked is not None
    assert asked.scores == scores


@pytest.mark.parametrize(
    ("value", "added"),
    [
        ("*", ()),
        ("id", ("title", "*_t")),
        ("title", ("id", "*_t")),
        ("t:title,id", ("*_t",)),
        ("t:title,title,id", ("*_t",)),
        ("*_t,id", ("title",)),
    ],
)
def test_only_what_is_missing_is_added(value: str, added: tuple[str, ...]) -> None:
    """A field that the client sees, under its own name or another, is not asked for again; odd names can't be."""
    asked = field_list([value])
    assert asked is not None
    assert added_to(asked, ["id", "title", "*_t", "odd name"]) == added


@given(st.lists(st.text(st.sampled_from("ab*?.:,[]()'\"\\{}! -_1")), max_size=3))
def test_any_list_is_read(values: list[str]) -> None:
    """No list raises anything."""
    assert isinstance(field_list(values), FieldList | None)


READABLE: list[tuple[list[str], tuple[str, ...]]] = [
    (["title", "body"], ("title", "body")),
    (["name_t"], ("name_t",)),
    (["_text_"], ("title", "*_t")),
    (["title", "_text_"], ("title", "*_t")),
    (["nowhere"], ()),
]


@pytest.mark.parametrize(("names", "readable"), READABLE)
def test_texts_are_read_where_they_stand(names: list[str], readable: tuple[str, ...]) -> None:
    """A field that documents don't show is read in those that it is a copy of."""
    schema = schema_of(answer({"schema": SCHEMA}))
    assert schema is not None
    assert schema.readable(names) == readable


def schema_with(*fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**SCHEMA, "dynamicFields": [], "fields": list(fields), **more}


@pytest.mark.parametrize(
    ("described", "texts"),
    [
        (SCHEMA, ("title", "body", "*_t")),
        (schema_with({"name": "id", "type": "string"}, {"name": "sku", "type": "string"}), ("sku",)),
        (schema_with({"name": "a", "type": "text", "stored": False}, {"name": "b", "type": "text"}), ("b",)),
        (schema_with({"name": "s", "type": "string", "stored": False}), ("s",)),
        (schema_with({"name": "s", "type": "string", "stored": False}, version=1.5), ()),
        (schema_with({"name": "s", "type": "string", "stored": False, "useDocValuesAsStored": False}), ()),
        (schema_with({"name": "_root_", "type": "text"}), ()),
        (schema_with({"name": "a", "type": "nothing"}), ()),
    ],
)
def test_schemas_say_which_fields_hold_text(described: dict[str, Any], texts: tuple[str, ...]) -> None:
    """Fields of text that documents show are read, dynamic ones by their patterns; strings where there are none."""
    schema = schema_of(answer({"schema": described}))
    assert schema is not None
    assert schema.texts() == texts


@pytest.mark.parametrize("content", [{}, {"schema": []}, {"error": {}}, []])
def test_other_answers_are_no_schema(content: object) -> None:
    """What is no schema is not read as one."""
    assert schema_of(answer(content)) is None
    assert schema_of(None) is None


def test_schemas_name_their_unique_key() -> None:
    """The unique key is the schema's, or the usual one where it names none."""
    keys = [schema_of(answer({"schema": {**SCHEMA, "uniqueKey": key}})) for key in ("sku", None)]
    assert [schema and schema.unique_key for schema in keys] == ["sku", "id"]
