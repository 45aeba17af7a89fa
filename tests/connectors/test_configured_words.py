"""Configured words: pointers, constants and templates over what is read of a search."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._dialect import Dialect
from connectors._search_body import plan_search
from connectors.base import PassThrough, Policy, Reason, Request, SearchPlan
from connectors.configured_words import configured, is_pointer, is_template, resolved
from connectors.query_text import QueryText

READ = QueryText("quick fox", ("title",))
NOTHING = Reason.NO_QUERY_TEXT
RFC_6901: dict[str, Any] = {
    "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8,
    "~1": 9,
}  # fmt: skip
BODY: dict[str, Any] = {
    "query": {
        "bool": {
            "must": [{"match": {"title": "quick fox"}}],
            "filter": [{"term": {"category": {"value": "shoes"}}}, {"terms": {"brand": ["Acme", "Rex"]}}],
            "must_not": [{"term": {"colour": "red"}}],
        }
    },
    "ext": {"asked": {"text": " what  a fox\neats ", "year": 1999, "parts": ["one", 2], "shown": True}},
}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", RFC_6901), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2), ("/e^f", 3),
        ("/g|h", 4), ("/i\\j", 5), ('/k"l', 6), ("/ ", 7), ("/m~0n", 8), ("/~01", 9),
        ("/foo/2", None), ("/foo/00", None), ("/foo/-", None), ("/foo/bar", None), ("/foo/0/0", None), ("/none", None),
    ],
)  # fmt: skip
def test_pointers(pointer: str, value: object) -> None:
    """The examples of RFC 6901, section 5, an escaped tilde before a digit, and pointers that lead nowhere."""
    assert resolved(RFC_6901, pointer) == value


@pytest.mark.parametrize(
    ("pointer", "template", "read", "expected"),
    [
        ("", "", READ, READ),
        ("", "", NOTHING, NOTHING),
        ("/ext/asked/text", "", READ, QueryText("what a fox eats", ("title",))),
        ("/ext/asked/text", "", NOTHING, QueryText("what a fox eats", ())),
        ("/ext/asked/year", "", NOTHING, QueryText("1999", ())),
        ("/ext/asked/parts", "", NOTHING, QueryText("one 2", ())),
        ("/ext/asked/shown", "", READ, READ),
        ("/ext/asked", "", READ, READ),
        ("/ext/none", "", READ, READ),
        ("/ext/none", "", NOTHING, NOTHING),
        ("/query/bool/must/0/match/title", "", NOTHING, QueryText("quick fox", ())),
        ("", "{q} in {category}", READ, QueryText("quick fox in shoes", ("title",))),
        ("", "{q} by {brand}", READ, QueryText("quick fox by Acme Rex", ("title",))),
        ("", "{q}, not {colour}", READ, READ),
        ("", "{q} of {none}", READ, READ),
        ("", "{q} in {category}", NOTHING, NOTHING),
        ("", "{q} of {/ext/asked/year}", READ, QueryText("quick fox of 1999", ("title",))),
        ("", "{/ext/asked/year}", NOTHING, QueryText("1999", ())),
        ("", "news about health", READ, QueryText("news about health", ("title",))),
        ("", "news about health", NOTHING, QueryText("news about health", ())),
        ("/ext/asked/text", "{q} in {category}", NOTHING, QueryText("what a fox eats in shoes", ())),
        ("/ext/none", "{q} in {category}", READ, QueryText("quick fox in shoes", ("title",))),
    ],
)  # fmt: skip
def test_words(pointer: str, template: str, read: QueryText | Reason, expected: QueryText | Reason) -> None:
    """Words at a pointer replace those read, a template is filled with both; what is missing leaves the words alone."""
    assert configured(read, BODY, Policy(query_pointer=pointer, query_text=template)) == expected


def test_words_that_look_like_a_template() -> None:
    """Braces in a user's words are never filled."""
    read = QueryText("{category} {q}", ())
    assert configured(read, BODY, Policy(query_text="{q}!")) == QueryText("{category} {q}!", ())


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("/a", True), ("/", True), ("/a~1b/~0", True), ("", False), ("a", False), ("/a~b", False), ("/a~", False)],
)
def test_what_is_a_pointer(text: str, *, is_one: bool) -> None:
    """A pointer to a part begins with a slash, and every tilde begins an escape."""
    assert is_pointer(text) is is_one


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("", True), ("news", True), ("{q}", True), ("{q} in {category} {/a/b}", True),
        ("{", False), ("{q", False), ("q}", False), ("{}", False), ("{ }", False), ("{{q}}", False), ("{/a~b}", False),
    ],
)  # fmt: skip
def test_what_is_a_template(text: str, *, is_one: bool) -> None:
    """Braces stand around names, and never alone."""
    assert is_template(text) is is_one


def test_a_search_is_scored_by_its_configured_words() -> None:
    """A search that names no words is planned with those of its pointer, and stays as it is without."""
    body = {"query": {"match_all": {}}, "ext": {"asked": "quick fox"}}
    request = Request("POST", "/i/_search", (("Content-Type", "application/json"),), json.dumps(body).encode())
    search = plan_search(request, Policy(query_pointer="/ext/asked"), (), {}, Dialect())
    assert isinstance(search, SearchPlan)
    assert search.query_text == "quick fox"
    assert plan_search(request, Policy(), (), {}, Dialect()) == PassThrough(NOTHING)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~q", max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(body=JSON_VALUES, pointer=st.text("/~01ab-", max_size=8), template=st.text("{}/q~ab", max_size=12))
def test_any_body(body: object, pointer: str, template: str) -> None:
    """Whatever is configured and sent, there are words or a reason, and never an empty text."""
    policy = Policy(query_pointer=pointer, query_text=template)
    for read in (READ, NOTHING):
        meant = configured(read, body, policy)
        assert meant is NOTHING or (isinstance(meant, QueryText) and meant.text)
