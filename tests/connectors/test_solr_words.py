"""The user's words in the parameters of a Solr search, parser by parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._solr_parameters import Parameters, gathered
from connectors._solr_words import PARSERS, read_words
from connectors.base import Reason
from connectors.query_text import QueryText

Pairs = dict[str, str]

READ: list[tuple[Pairs, str, tuple[str, ...]]] = [
    # lucene
    ({"q": "title:fox AND body:(quick jumps)"}, "fox quick jumps", ("title", "body")),
    ({"q": "quick fox", "df": "text"}, "quick fox", ("text",)),
    ({"q": "quick fox"}, "quick fox", ()),
    ({"q": 'title:"quick fox"^2 -body:dog fox*', "df": "text"}, "quick fox fox", ("title", "text")),
    ({"q": "fox filter(cat:animal things) dog", "df": "t"}, "fox dog", ("t",)),
    ({"q": 'title:"a filter(b) dog"'}, "a filter(b) dog", ("title",)),
    ({"q": '+_query_:"{!dismax qf=title v=$qq}" +inStock:true', "qq": "red shoes"}, "red shoes", ("title",)),
    ({"q": '_query_:"{!dismax qf=\\"title body\\"}red shoes"'}, "red shoes", ("title", "body")),
    ({"q": "+{!edismax qf=title v=$qq} -{!field f=x}unwanted", "qq": "red shoes"}, "red shoes", ("title",)),
    ({"q": "({!field f=title}shoes) NOT {!field f=body}longer_unwanted"}, "shoes", ("title",)),
    ({"q": '_val_:"log(popularity)" fox', "df": "t"}, "fox", ("t",)),
    # dismax and edismax
    ({"q": "quick fox", "defType": "edismax", "qf": "title^2 body~1^0.5"}, "quick fox", ("title", "body")),
    ({"q": "quick fox", "defType": "dismax", "df": "text"}, "quick fox", ("text",)),
    ({"q": "a (b) c:d -e +fox", "defType": "dismax", "qf": "t"}, "a (b) c:d fox", ("t",)),
    ({"q": "title:fox jumps", "defType": "edismax", "qf": "title body"}, "fox jumps", ("title", "body")),
    ({"q": "trek: the movie", "defType": "edismax", "qf": "title"}, "trek: the movie", ("title",)),
    ({"q": "star wars:hope", "defType": "edismax", "qf": "title"}, "star wars:hope", ("title",)),
    ({"q": "body:fox dog", "defType": "edismax", "qf": "title", "uf": "title"}, "body:fox dog", ("title",)),
    ({"q": "body:fox dog", "defType": "edismax", "qf": "title", "uf": "* -body"}, "body:fox dog", ("title",)),
    ({"q": "who:fox", "defType": "edismax", "qf": "title", "f.who.qf": "body"}, "fox", ("who",)),
    ({"q": "fox", "defType": "edismax", "qf": "all", "f.all.qf": "title^3 body"}, "fox", ("title", "body")),
    ({"q": "", "defType": "edismax", "qf": "title", "q.alt": "title:fox"}, "fox", ("title",)),
    ({"q.alt": "title:fox", "defType": "dismax"}, "fox", ("title",)),
    ({"q": "{!dismax qf=x}fox", "defType": "edismax", "qf": "title"}, "fox", ("title",)),
    # local parameters
    ({"q": "{!edismax qf=$f v=$qq}", "qq": "red shoes", "f": "name^3 cat"}, "red shoes", ("name", "cat")),
    ({"q": "{!edismax qf='name cat'}red shoes", "qf": "other"}, "red shoes", ("name", "cat")),
    ({"q": "{!type=dismax qf=name v='red shoes'}"}, "red shoes", ("name",)),
    ({"q": "{!q.op=AND df=title}red shoes"}, "red shoes", ("title",)),
    ({"q": "{!v=$qq}", "qq": "{!edismax qf=name v='red shoes'}"}, "red shoes", ("name",)),
    # other parsers
    ({"q": "{!field f=title}red shoes"}, "red shoes", ("title",)),
    ({"q": "red +shoes -boots", "defType": "simple", "qf": "name"}, "red shoes", ("name",)),
    ({"q": '{!complexphrase}title:"red sho*"'}, "red sho*", ("title",)),
    ({"q": "{!boost b=popularity}red shoes", "df": "name"}, "red shoes", ("name",)),
    ({"q": "{!boost b=popularity v=$qq}", "qq": "{!edismax qf=name}red shoes"}, "red shoes", ("name",)),
    (
        {
            "q": "{!bool must=$a should=$b must_not=$c}",
            "a": "{!edismax qf=x}hello world",
            "b": "t:foo",
            "c": "t:very long words",
        },
        "hello world",
        ("x",),
    ),
    ({"q": '{!parent which="kind:page" v="text:red shoes"}', "df": "text"}, "red shoes", ()),
    ({"q": "{!knn_text_to_vector model=m f=vector topK=10}red shoes"}, "red shoes", ()),
]

REFUSED: list[tuple[Pairs, Reason]] = [
    ({}, Reason.NO_QUERY_TEXT),
    ({"q": "*:*"}, Reason.NO_QUERY_TEXT),
    ({"q": "-title:fox"}, Reason.NO_QUERY_TEXT),
    ({"q": "price:[1 TO 10]"}, Reason.NO_QUERY_TEXT),
    ({"q": "{!func}log(popularity)"}, Reason.NO_QUERY_TEXT),
    ({"q": "{!term f=cat}shoes"}, Reason.NO_QUERY_TEXT),
    ({"q": "{!nobody knows=it}shoes"}, Reason.NO_QUERY_TEXT),
    ({"q": "{!knn f=vector topK=10}[1.0, 2.0]"}, Reason.VECTOR_SEARCH),
    ({"q": "{!mlt qf=title}doc1"}, Reason.MORE_LIKE_THIS),
    ({"q": "{!prefix f=title}sho"}, Reason.AUTOCOMPLETE),
    ({"q": "wireless h", "df": "name"}, Reason.AUTOCOMPLETE),
    ({"q": "", "defType": "edismax", "q.alt": "*:*"}, Reason.NO_QUERY_TEXT),
]

BOOSTED: list[tuple[Pairs, bool]] = [
    ({"q": "fox", "defType": "edismax"}, False),
    ({"q": "fox", "defType": "edismax", "bq": "new:true"}, True),
    ({"q": "fox", "defType": "edismax", "bf": "log(popularity)"}, True),
    ({"q": "fox", "defType": "edismax", "boost": "popularity"}, True),
    ({"q": "{!boost b=popularity}fox"}, True),
    ({"q": '_val_:"popularity" fox'}, True),
    ({"q": "{!edismax bq='new:true'}fox"}, True),
    ({"q": "fox", "boost": "popularity"}, False),
]


def is_field(name: str) -> bool:
    return name in {"title", "body", "name", "who"}


def meaning(pairs: Pairs) -> QueryText | Reason:
    return read_words(Parameters(gathered(pairs.items())), is_field, 2).words


@pytest.mark.parametrize(("pairs", "text", "fields"), READ)
def test_words_and_fields_are_read(pairs: Pairs, text: str, fields: tuple[str, ...]) -> None:
    """What the user typed is read as the parser reads it, with the fields that it is matched in."""
    assert meaning(pairs) == QueryText(text, fields)


@pytest.mark.parametrize(("pairs", "reason"), REFUSED)
def test_what_has_no_words_says_why(pairs: Pairs, reason: Reason) -> None:
    """A search without words of a user is told by its reason."""
    assert meaning(pairs) is reason


@pytest.mark.parametrize(("pairs", "has_boosts"), BOOSTED)
def test_boosts_are_seen(pairs: Pairs, has_boosts: bool) -> None:  # noqa: FBT001 - a column of the table
    """Whether documents are raised by more than words is known."""
    assert read_words(Parameters(gathered(pairs.items())), is_field).has_boosts is has_boosts


def test_names_in_front_of_colons_without_a_schema() -> None:
    """Where the schema is not known, a name with a space behind its colon is taken for a word."""
    pairs = {"q": "trek: the body:movie", "defType": "edismax", "qf": "title"}
    meant = read_words(Parameters(gathered(pairs.items())), None).words
    assert meant == QueryText("trek: the movie", ("body", "title"))


def test_a_query_that_names_itself_ends() -> None:
    """Queries that name each other many times over are read up to a limit."""
    pairs = {"q": "{!bool should=$q should=$q should=$r}", "r": "{!bool must=$q must=$q}" + "{!v=$r}" * 9}
    assert meaning(pairs) is Reason.NO_QUERY_TEXT


@given(
    st.dictionaries(
        st.sampled_from(["q", "qq", "qf", "df", "uf", "defType", "q.alt", "f.a.qf"]),
        st.lists(
            st.sampled_from(
                ["{!", "}", "v=$qq", "$q", '"', "'", "\\", " ", "(", ")", "_query_:", "a:b", "filter(", "-"]
            )
            | st.sampled_from(sorted(PARSERS))
            | st.text(max_size=5)
        ).map("".join),
    )
)
def test_any_parameters_are_read(pairs: Pairs) -> None:
    """No parameters raise anything, and what is read has a word in it."""
    words = read_words(Parameters(gathered(pairs.items())), is_field).words
    assert isinstance(words, Reason) or words.text.strip()
