"""The words in the two query string syntaxes, case by case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._lucene import Words, query_string, simple_query_string


@pytest.mark.parametrize(
    ("query", "text", "fields", "has_bare_words"),
    [
        ("quick fox", "quick fox", (), True),
        ("  quick \t\n fox ", "quick fox", (), True),
        ("", "", (), False),
        ("quick AND fox OR dog", "quick fox dog", (), True),
        ("quick && fox || dog", "quick fox dog", (), True),
        ("and or not", "and or not", (), True),
        ("+quick -lazy fox", "quick fox", (), True),
        ("quick NOT lazy fox", "quick fox", (), True),
        ("quick !lazy fox", "quick fox", (), True),
        ("NOT (lazy dog) fox", "fox", (), True),
        ("-(a (b c) d) e", "e", (), True),
        ("(quick OR brown) AND fox", "quick brown fox", (), True),
        ("((quick", "quick", (), True),
        ("quick)) fox", "quick fox", (), True),
        ("title:quick", "quick", ("title",), False),
        ("title:quick fox", "quick fox", ("title",), True),
        ("title:(quick fox) body:dog", "quick fox dog", ("title", "body"), False),
        ('title:"quick fox"~2^3 dog^0.5', "quick fox dog", ("title",), True),
        ("NOT title:lazy fox", "fox", (), True),
        ("title:(-lazy fox)", "fox", ("title",), False),
        ("book.*:quick", "quick", ("book.*",), False),
        (r"first\ name:alice", "alice", ("first name",), False),
        (r"\(1\+1\)\:2", "(1+1):2", (), True),
        (r"\*", "", (), False),
        ("fox~ fox~2 fox~0.8 fox^2", "fox fox fox fox", (), True),
        ("qu?ck bro*", "qu ck bro", (), True),
        ("*", "", (), False),
        ("date:[2012-01-01 TO 2012-12-31] fox", "fox", (), True),
        ("count:{1 TO 5] fox", "fox", (), True),
        ("[a TO b", "", (), False),
        ("age:>10 fox", "fox", (), True),
        ("age:<=10", "", (), False),
        ("name:/joh?n(ath[oa]n)/ fox", "fox", (), True),
        ("_exists_:title fox", "fox", (), True),
        ('"quick brown" "unclosed phrase', "quick brown unclosed phrase", (), True),
        (r'"say \"hi\" now"', 'say "hi" now', (), True),
        ("quick-brown e-mail AC/DC", "quick-brown e-mail AC/DC", (), True),
        ("- + ! / \\", "", (), False),
        ("-- fox", "", (), False),
        ("café 日本語 naïve", "café 日本語 naïve", (), True),
        ("http://example.org", "example.org", ("http",), False),
    ],
)
def test_query_string(query: str, text: str, fields: tuple[str, ...], has_bare_words: bool) -> None:  # noqa: FBT001 - a column of the table
    """Words and fields are read as the engines' parser reads them; what is negated is left out."""
    assert query_string(query) == Words(text, fields, has_bare_words)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("quick fox", "quick fox"),
        ('"fried eggs" +(eggplant | potato) -frittata', "fried eggs eggplant potato"),
        ("-(a b) c", "c"),
        ('fox~1 "a b"~2 pre*', "fox a b pre"),
        ("title:quick", "title:quick"),
        (r"\-quick \(fox\)", "-quick (fox)"),
        ("quick-brown", "quick-brown"),
        ("a - b", "a b"),
        ("", ""),
        ("- + | ~ * ( )", ""),
        ('"unclosed words', "unclosed words"),
        ("))) fox", "fox"),
    ],
)
def test_simple_query_string(query: str, text: str) -> None:
    """The simple syntax has no fields, and every character that means nothing is a space."""
    assert simple_query_string(query) == Words(text, (), bool(text))


@given(st.text(max_size=60) | st.text('ab"\\/[]{}()~^:+-!&|*? ANDORT', max_size=60))
def test_any_text_has_words(query: str) -> None:
    """Whatever stands in a query string, both syntaxes answer, and their words stand between single spaces."""
    for words in (query_string(query), simple_query_string(query)):
        assert words.text == " ".join(words.text.split())
        assert all(any(character.isalnum() for character in word) for word in words.text.split())


@pytest.mark.parametrize("unit", ["(", "/", "\\/", '"', '\\"', "[", "a:", "-", "a~", "!(", "/a\\/"])
def test_hostile_repetitions_take_linear_time(unit: str) -> None:
    """Many of any one construct are read in one pass: a search that took quadratic time would stall the suite."""
    query_string(unit * (50_000 // len(unit)))
    simple_query_string(unit * (50_000 // len(unit)))
