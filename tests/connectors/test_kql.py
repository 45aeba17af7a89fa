"""The words of the Kibana Query Language, case by case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._kql import kql
from connectors._word_runs import Words


@pytest.mark.parametrize(
    ("query", "text", "fields", "has_bare_words"),
    [
        ("quick fox", "quick fox", (), True),
        ("", "", (), False),
        ("quick AND fox or dog", "quick fox dog", (), True),
        ("not lazy", "", (), False),
        ("quick and not (lazy or dog) and fox", "quick fox", (), True),
        ("title: quick fox", "quick fox", ("title",), False),
        ("title: quick and fox", "quick fox", ("title",), True),
        ("title: (quick or fox) and body: dog", "quick fox dog", ("title", "body"), False),
        ('title : "quick fox"', "quick fox", ("title",), False),
        ('"title": fox', "fox", ("title",), False),
        ("not title: lazy and fox", "fox", (), True),
        ("title: not fox", "", (), False),
        ("age >= 10 and fox", "fox", (), True),
        ('age < "10" and fox', "fox", (), True),
        ("title: qui* and fox", "qui fox", ("title",), True),
        ("title: *", "", (), False),
        ("*", "", (), False),
        ("log*: fox", "fox", ("log*",), False),
        ("comments: { text: quick and not who: x } and fox", "quick fox", ("comments.text",), True),
        ("a: { b: { c: fox } }", "fox", ("a.b.c",), False),
        (r"quick \and fox\: \(dog\)", "quick and fox: (dog)", (), True),
        (r'"say \"hi\" now"', 'say "hi" now', (), True),
        ("((quick", "quick", (), True),
        ("quick)) } fox", "quick fox", (), True),
        ('"unclosed words', "unclosed words", (), True),
        ("title: quick fox or body: quick fox", "quick fox", ("title", "body"), False),
        ("android notes", "android notes", (), True),
    ],
)
def test_kql(query: str, text: str, fields: tuple[str, ...], has_bare_words: bool) -> None:  # noqa: FBT001 - a column of the table
    """A field holds for the words up to the next operator; what is negated or compared is left out."""
    assert kql(query) == Words(text, fields, has_bare_words)


@given(st.text(max_size=60) | st.text('ab"\\(){}:<>=* andortANDORT', max_size=60))
def test_any_text_has_words(query: str) -> None:
    """Whatever stands in an expression, there is an answer, and its words stand between single spaces."""
    words = kql(query).text
    assert words == " ".join(words.split())
    assert all(any(character.isalnum() for character in word) for word in words.split())


@pytest.mark.parametrize("unit", ["(", "{", '"', '\\"', "a:", "a:{", "not ", "<", "\\"])
def test_hostile_repetitions_take_linear_time(unit: str) -> None:
    """Many of any one construct are read in one pass: a search that took quadratic time would stall the suite."""
    kql(unit * (50_000 // len(unit)))
