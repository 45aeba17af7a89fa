"""The first stage of the benchmark puts texts in a sensible order."""

from __future__ import annotations

from bridge.bench.comparison import fresh
from bridge.bench.first_stage import Bm25, words
from bridge.bench.pairs import Search

TEXTS = ["cancer", "statins and cancer", "bread", "bread and the statin in bread, a long text of many more words"]


def test_rare_words_in_short_texts_come_first() -> None:
    """A text with both words stands before one with one of them; texts with neither are not found."""
    assert Bm25(TEXTS).top("cancers statins", 10) == [1, 0, 3]


def test_no_more_texts_are_given_than_asked_for() -> None:
    """The best are kept."""
    assert Bm25(TEXTS).top("bread", 1) == [2]


def test_plurals_are_the_same_word() -> None:
    """An English plural is found by its singular, and short words are left alone."""
    assert words("Studies, studies: gas") == ["stud", "stud", "gas"]


def test_each_repetition_has_texts_of_its_own() -> None:
    """Nothing is known from the repetition before, to whichever system; all systems are given the same."""
    search = Search("q", ("a", "b"))
    assert fresh(search, 1) == Search("q 1", ("a 1", "b 1"))
    assert fresh(search, 2) != fresh(search, 1)
