"""Documents -> the text that a model reads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.base import TextField
from connectors.fields import leaves, text_of, tops_of

DOCUMENT = {
    "title": "Quick fox",
    "body": "jumps",
    "tags": ["a", "b", "a"],
    "n": 7,
    "price": 1.5,
    "on": True,
    "none": None,
    "empty": "",
    "same": "jumps",
    "deep": {"x.y": {"z": ["one", ["two", {"w": "three"}]]}},
    "comments": [{"text": "nice", "who": "x"}, {"text": "bad"}],
}


def read(*wanted: str | TextField, document: Any = DOCUMENT, max_chars: int = 1_000) -> str:
    fields = [field if isinstance(field, TextField) else TextField(field) for field in wanted]
    text = text_of(leaves([document]), fields, max_chars)
    assert text_of(leaves([document], tops_of(fields)), fields, max_chars) == text
    return text


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (("title",), "Quick fox"),
        (("body", "title"), "jumps\nQuick fox"),
        (("title", "nosuch", "body"), "Quick fox\njumps"),
        (("nosuch",), ""),
        (("none", "empty"), ""),
        (("tags",), "a, b"),
        (("n", "price", "on"), "7\n1.5\ntrue"),
        (("title.english",), "Quick fox"),
        (("title.english", "title"), "Quick fox"),
        (("title", "title"), "Quick fox"),
        (("body", "same"), "jumps"),
        (("comments.text",), "nice, bad"),
        (("comments.*",), "nice, bad, x"),
        (("deep.x.y.z",), "one, two"),
        (("deep.x.y.z.w",), "three"),
        (("deep*",), "one, two, three"),
        (("t*",), "Quick fox, a, b"),
        ((TextField("title", "Title"), TextField("tags", "Tags")), "Title: Quick fox\nTags: a, b"),
        ((TextField("nosuch", "Title"), TextField("body")), "jumps"),
        ((TextField("title", "Title", 5), TextField("body", max_chars=2)), "Title: Quick\nju"),
    ],
)
def test_named_fields(wanted: tuple[str | TextField, ...], expected: str) -> None:
    """Fields in their order, lists joined, labels in front, what is missing or was read before left out."""
    assert read(*wanted) == expected


def test_every_string_where_no_field_is_named() -> None:
    """Without names all strings are read in document order, each once; numbers and flags are not."""
    assert read() == "Quick fox\njumps\na, b\none, two\nthree\nnice, bad\nx"


@pytest.mark.parametrize(("max_chars", "expected"), [(5, "Quick"), (6, "Quick"), (11, "Quick fox\nj")])
def test_a_text_is_cut(max_chars: int, expected: str) -> None:
    """A text is never longer than what is kept of it, and has no space at its end."""
    assert read("title", "body", max_chars=max_chars) == expected


@pytest.mark.parametrize("document", [None, [], {}, {"a": {}}, {"a": [[], None]}, 5, "words"])
def test_odd_documents_have_no_fields(document: Any) -> None:
    """What is no object, or an empty one, is read as one without fields."""
    assert read("a", document=document) == ""


def test_documents_may_nest_without_end() -> None:
    """A document that nests deeper than the stack is read like any other."""
    document: Any = "deep"
    for _ in range(3_000):
        document = {"a": [document]}
    assert read(document=document) == "deep"


def test_source_and_fields_are_read_together() -> None:
    """What stands both in the source and in the fields block is read once."""
    both = leaves([{"title": "Quick fox"}, {"title": ["Quick fox"], "body": ["jumps"]}])
    assert text_of(both, [TextField("title"), TextField("body")], 100) == "Quick fox\njumps"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (("body", "title", "nosuch"), "Quick fox\njumps"),
        (("comments.text", "title"), "Quick fox\nnice, bad"),
        (("nosuch",), ""),
        ((), ""),
    ],
)
def test_fields_of_a_mapping_are_read_as_they_stand(wanted: tuple[str, ...], expected: str) -> None:
    """A mapping has no order that means anything: what comes first in a document is read first."""
    fields = [TextField(name) for name in wanted]
    assert text_of(leaves([DOCUMENT]), fields, 1_000, in_document_order=True) == expected


def test_what_does_not_matter_is_passed_over() -> None:
    """Of a document with many fields, those that can't hold the texts wanted are not walked; patterns may mean any."""
    assert set(leaves([DOCUMENT], tops_of([TextField("title"), TextField("deep.x.*")]))) == {
        "title",
        "deep.x.y.z",
        "deep.x.y.z.w",
    }
    assert leaves([DOCUMENT], tops_of([TextField("title"), TextField("t*")])) == leaves([DOCUMENT])


NAMES = st.text("ab.*", max_size=5)
DOCUMENTS = st.recursive(
    st.sampled_from(["x", "y", None, 1]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab.", max_size=3), inner, max_size=3),
)


@example({"": {"a": "x"}}, ["a"])
@given(st.dictionaries(st.text("ab.", max_size=3), DOCUMENTS, max_size=4), st.lists(NAMES, max_size=3))
def test_nothing_that_matters_is_passed_over(document: dict[str, Any], names: list[str]) -> None:
    """Whatever the keys and the names, the text is that of the whole document."""
    read(*names, document=document)
