"""Long texts in passages: where they end, what they share, and which one counts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.passages import best, split


def passages(text: str, max_chars: int, at_most: int = 100) -> list[str]:
    return [text[start:end] for start, end in split(text, max_chars, at_most)]


@pytest.mark.parametrize(
    ("text", "max_chars", "expected"),
    [
        ("One. Two.", 100, ["One. Two."]),
        ("One aa. Two bb. Three.", 16, ["One aa. Two bb.", "Two bb. Three."]),
        ("One aa! Two bb? Three.", 16, ["One aa! Two bb?", "Two bb? Three."]),
        ("It is 3.5 m. It is so.", 12, ["It is 3.5 m.", "It is so."]),
        ('He said "no." She left.', 16, ['He said "no."', "She left."]),
        ("Title\nOne line\nMore", 14, ["Title\nOne line", "One line\nMore"]),
        ("第一句话。第二句话。第三句话。", 10, ["第一句话。第二句话。", "第二句话。第三句话。"]),
        ("「そうです。」次の文。終わり", 12, ["「そうです。」次の文。", "次の文。終わり"]),
        ("यह है। वह था। अंत", 14, ["यह है। वह था।", "वह था। अंत"]),
        ("One two three. Four five six. Seven.", 15, ["One two three.", "Four five six.", "Seven."]),
        ("aaaa bbbb cccc dddd", 10, ["aaaa bbbb", "bbbb cccc", "cccc dddd"]),
        ("abcdefghij", 4, ["abcd", "cdef", "efgh", "ghij"]),
        ("", 10, []),
        (" \n ", 10, []),
        ("  One.  ", 10, ["One."]),
    ],
)
def test_where_passages_end(text: str, max_chars: int, expected: list[str]) -> None:
    """At the ends of sentences in many scripts, overlapping by the last sentence; within long ones between words."""
    assert passages(text, max_chars) == expected


def test_no_more_passages_than_wanted() -> None:
    """What stands behind the last one is not read."""
    assert passages("One. Two. Three. Four.", 6, at_most=2) == ["One.", "Two."]
    assert passages("One. Two. Three. Four.", 6, at_most=1) == ["One."]


TEXTS = st.text(st.sampled_from("ab .!?\n。「」é"), max_size=120)


@given(TEXTS, st.integers(2, 40))
def test_passages_cover_the_text(text: str, max_chars: int) -> None:
    """Each has no more than a model reads, they go forward, and no word of the text stands in none of them."""
    extents = split(text, max_chars, 1_000)
    assert all(0 < end - start <= max_chars for start, end in extents)
    assert all(one[0] < other[0] and one[1] < other[1] for one, other in pairwise(extents))
    covered = {place for start, end in extents for place in range(start, end)}
    assert {place for place, sign in enumerate(text) if not sign.isspace()} <= covered
    assert all(text[start:end] == text[start:end].strip() for start, end in extents)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([0.1, 0.9, 0.3], (0.9, 1)), ([0.5, 0.5], (0.5, 0)), ([-3.0], (-3.0, 0)), ([0.1, None], None), ([], None)],
)
def test_the_best_passage_counts(scores: list[float | None], expected: tuple[float, int] | None) -> None:
    """The first of equal ones; a text is scored once all its passages are."""
    assert best(scores) == expected
