"""Names with ``*``: what matches, and that it is found out soon."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._wildcard import is_pattern, matches


@pytest.mark.parametrize(
    ("pattern", "name", "is_match"),
    [
        ("title", "title", True),
        ("title", "titles", False),
        ("title*", "title.english", True),
        ("*.english", "title.english", True),
        ("ab*ba", "aba", False),
        ("ab*ba", "abba", True),
        ("a*b*c", "abbc", True),
        ("a*b*c", "acb", False),
        ("a.b", "axb", False),
        ("*", "", True),
        ("", "", True),
    ],
)
def test_a_star_stands_for_any_run_of_characters(pattern: str, name: str, *, is_match: bool) -> None:
    """The whole name has to match, and no other character means anything but itself."""
    assert matches(pattern, name) is is_match
    assert is_pattern(pattern) is ("*" in pattern)


@given(st.text("ab*\n"), st.text("ab\n"))
def test_it_agrees_with_regular_expressions(pattern: str, name: str) -> None:
    """Where these come to an end."""
    expression = ".*".join(map(re.escape, pattern.split("*")))
    assert matches(pattern, name) is (re.fullmatch(expression, name, re.DOTALL) is not None)


def test_no_pattern_takes_long() -> None:
    """Anybody who may search can send one that a regular expression would try in more ways than there is time."""
    assert not matches("*a" * 50 + "b", "a" * 10_000)
