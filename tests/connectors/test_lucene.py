"""The words in the two query string syntaxes, case by case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._lucene import escaped, query_string
from connectors._lucene_simple import flags_of, simple_query_string
from connectors._word_runs import Words


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
        ("qu?ck bro*", "quck bro", (), True),
        ("*", "", (), False),
        ("date:[2012-01-01 TO 2012-12-31] fox", "fox", (), True),
        ("count:{1 TO 5] fox", "fox", (), True),
        ("[a TO b", "", (), False),
        ("age:>10 fox", "fox", (), True),
        ('(title:"quick fox" OR body:"Quick fox"^2 OR fox)', "quick fox fox", ("title", "body"), True),
        ("(title:quick body:quick) (title:fox body:fox)", "quick fox", ("title", "body"), False),
        ('"quick fox"~5^2 OR (quick AND fox) OR quick', "quick fox quick", (), True),
        ("title:quick title:fox body:quick", "quick fox quick", ("title", "body"), False),
        ("quick quick fox", "quick quick fox", (), True),
        ("title:(quick AND fox) dog", "quick fox dog", ("title",), True),
        ("*:fox", "fox", ("*",), False),
        ("age:<=10", "", (), False),
        ("name:/joh?n(ath[oa]n)/ fox", "fox", (), True),
        ("_exists_:title fox", "fox", (), True),
        ('"quick brown" "unclosed phrase', "quick brown unclosed phrase", (), True),
        (r'"say \"hi\" now"', 'say "hi" now', (), True),
        ("quick-brown e-mail", "quick-brown e-mail", (), True),
        ("- + ! / \\", "", (), False),
        ("-- fox", "fox", (), True),
        ("café 日本語 naïve", "café 日本語 naïve", (), True),
        ("http://example.org", "example.org", (), True),
    ],
)
def test_query_string(query: str, text: str, fields: tuple[str, ...], has_bare_words: bool) -> None:  # noqa: FBT001 - a column of the table
    """Words and fields are read as the engines' parser reads them; what is negated is left out."""
    assert query_string(query) == Words(text, fields, has_bare_words)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (r"a\*b c\?", "a*b c?"),
        (r"\u0041bc caf\u00e9", "Abc café"),
        (r"\ud83d\ude00fox", "😀fox"),
        (r"\ud83dfox", "\ufffdfox"),
        ("quick\u3000fox", "quick fox"),
        ("R&D a&&b AT|T", "R&D a&&b AT|T"),
        ("ANDY ORder", "ANDY ORder"),
        ("quick - lazy", "quick lazy"),
        ("quick ! lazy", "quick lazy"),
        ("quick -(lazy -dog)", "quick"),
        ("-title:(lazy dog) fox", "fox"),
        ("+(quick -lazy)^2 fox", "quick fox"),
        ("fox~abc dog", "fox dog"),
        ("fox^2~1 dog~0.8^3", "fox dog"),
        ("fox~1?dog", "fox dog"),
        ("title : fox", "fox"),
        ("age:(>=10 AND <20) fox", "fox"),
        ('age:">= 10" fox', "fox"),
        ("fox >10", "fox >10"),
        ("_exists_:(a b) fox", "fox"),
        ('date:["a ] b" TO "c"] fox', "fox"),
        ("count:{* TO 5} fox", "fox"),
        ("either/or/both", "either both"),
        ("NOT /jo.*/ fox", "fox"),
        (r"/a\/b/ fox", "fox"),
        ("a!b", "a"),
    ],
)
def test_query_string_to_the_letter(query: str, text: str) -> None:
    """Escapes, negations, ranges and comparisons end where Lucene's grammar ends them."""
    assert query_string(query).text == text


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("quick fox", "quick fox"),
        ('"fried eggs" +(eggplant | potato) -frittata', "fried eggs eggplant potato"),
        ("-(a b) c", "c"),
        ('fox~1 "a b"~2 pre*', "fox a b pre"),
        ("title:quick", "title:quick"),
        (r"\-quick \(fox\)", "-quick (fox)"),
        (r"pre\* te*m", "pre* te*m"),
        ("quick-brown", "quick-brown"),
        ("a - b", "a b"),
        ('"quick fox" | (quick + fox)', "quick fox"),
        ("--fox ---dog", "fox"),
        ("(a -)b", "a b"),
        ("-(a -b) c", "c"),
        ("-(a (b c) d) e", "e"),
        ("-() fox", "fox"),
        ('-"" fox', "fox"),
        ("fox~abc dog ~cat", "fox dog ~cat"),
        ('"a b"~2(c d)', "a b c d"),
        ('"a b"~2"-c"', "a b"),
        (r'"say \"hi\" now"', 'say "hi" now'),
        ("quick\\", "quick"),
        ("\\", ""),
        ("", ""),
        ("*", ""),
        ("- + | ~ * ( )", ""),
        ('"unclosed words', "unclosed words"),
        ('-"unclosed words', "unclosed words"),
        ("-(unclosed words", "unclosed words"),
        ("))) fox", "fox"),
        ("café 日本語 naïve", "café 日本語 naïve"),
    ],
)
def test_simple_query_string(query: str, text: str) -> None:
    """The simple syntax has no fields, refuses nothing, and a mark that ends nothing or is never closed is a space."""
    assert simple_query_string(query) == text


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (None, "a lazy pre b c d"),
        ("", "a lazy pre b c d"),
        ("ALL", "a lazy pre b c d"),
        (-1, "a lazy pre b c d"),
        ("none", '"a lazy" -dog pre* (b|c~1) \\d'),
        (0, '"a lazy" -dog pre* (b|c~1) \\d'),
        ("NOT|whitespace|PHRASE", "a lazy pre* (b|c~1) \\d"),
        ("WHITESPACE|SLOP|PRECEDENCE|ESCAPE", '"a lazy" -dog pre* b|c~1 d'),
        (2 + 128, '"a lazy" pre* (b|c~1) \\d'),
        (["ALL"], "a lazy pre b c d"),
        (True, "a lazy pre b c d"),
        ("nosuch", "a lazy pre b c d"),
    ],
)
def test_simple_query_string_flags(flags: object, text: str) -> None:
    """An operator that is switched off is a character like any other."""
    query = '"a lazy" -dog pre* (b|c~1) \\d'
    assert simple_query_string(query, flags_of(flags)) == text


@given(st.text(max_size=60) | st.text('ab"\\/[]{}()~^:+-!&|*? ANDORT', max_size=60))
def test_any_text_has_words(query: str) -> None:
    """Whatever stands in a query string, both syntaxes answer, and their words stand between single spaces."""
    for text in (query_string(query).text, query_string(escaped(query)).text, simple_query_string(query)):
        assert text == " ".join(text.split())
        assert all(any(character.isalnum() for character in word) for word in text.split())


@pytest.mark.parametrize(
    "unit", ["(", "/", "\\/", '"', '\\"', "[", "a:", "-", "a~", "!(", "/a\\/", "()", "(a) ", '["', '("', '"\\(', "~\\("]
)
def test_hostile_repetitions_take_linear_time(unit: str) -> None:
    """Many of any one construct are read in one pass: a search that took quadratic time would stall the suite."""
    for query in (unit * (50_000 // len(unit)), unit * (50_000 // len(unit)) + '"' + ")" * 50_000):
        query_string(query)
        simple_query_string(query)
