"""The user's words in the query syntaxes of ``query_string`` and ``simple_query_string``.

Operators, field prefixes, boosts, fuzziness, wildcards, ranges, regular expressions and escapes are taken out the way
the engines read them; what is negated is left out. Source: "Query string query" and "Simple query string query",
Elasticsearch 8 and OpenSearch 2 manuals.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
      (?P<term> (?: \\. | [^\s"()\[\]{}:^~\\/!&|+-] ) (?: \\. | [^\s"()\[\]{}:^~\\] )* )
    | (?P<phrase> "(?: \\. | [^"\\] )*"? )
    | (?P<regex> /(?: \\. | [^/\\] )+/ )
    | (?P<range> [\[{] [^\]}]* [\]}]? )
    | (?P<boost> [\^~] [\d.]* )
    | (?P<operator> && | \|\| | [!+|&/\\-] )
    | (?P<open> \( )
    | (?P<close> \) )
    | (?P<colon> : [<>]?=? )
    | (?P<space> \s+ )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_WILDCARDS = re.compile(r"[*?]+")
_BINARY = frozenset({"AND", "OR", "&&", "||"})
_NEGATIONS = frozenset({"NOT", "!", "-"})

_SIMPLE_TOKEN = re.compile(
    r'(?P<phrase>"(?:\\.|[^"\\])*"?)|(?P<slop>~\d*)|(?P<operator>[+|()])|(?P<negation>-(?=[^\s]))'
    r"|(?P<space>\s+)|(?P<term>(?:\\.|[^\s\"+|()~\\])(?:\\.|[^\s\"|()~\\])*)|(?P<other>.)",
    re.DOTALL,
)


class Words(NamedTuple):
    """What a query string says."""

    text: str
    """The words in their order, separated by single spaces."""
    fields: tuple[str, ...]
    """Fields named in front of a word or group."""
    has_bare_words: bool
    """Whether a word has no field of its own, so that the query's default fields are meant."""


class _Group(NamedTuple):
    is_negated: bool
    field: str | None


class _Token(NamedTuple):
    kind: str
    text: str


def query_string(query: str) -> Words:
    """The words and fields of a ``query_string`` query, or of the URL parameter ``q``."""
    return _QueryString(query).read()


class _QueryString:
    """One pass over the tokens, with a stack of the groups that are open."""

    def __init__(self, query: str) -> None:
        self._tokens = [_Token(match.lastgroup or "other", match.group()) for match in _TOKEN.finditer(query)]
        self._words: list[str] = []
        self._fields: list[str | None] = []
        self._groups = [_Group(is_negated=False, field=None)]
        self._next = self._groups[0]

    def read(self) -> Words:
        """The words of the tokens."""
        index = 0
        while index < len(self._tokens):
            index = self._step(index)
        named = tuple(dict.fromkeys(field for field in self._fields if field is not None))
        return Words(" ".join(self._words), named, None in self._fields)

    def _step(self, index: int) -> int:
        token = self._tokens[index]
        if token.kind == "term" and self._kind(index + 1) == "colon":
            return self._open_field(index)
        if token.text in _NEGATIONS:
            self._next = self._next._replace(is_negated=True)
        elif token.kind == "open":
            self._groups.append(self._next)
        elif token.kind == "close":
            self._close_group()
        elif token.kind == "phrase":
            self._add(_unescaped(token.text.strip('"')))
        elif token.kind == "term" and token.text not in _BINARY:
            self._add(_WILDCARDS.sub(" ", _unescaped(token.text)))
        elif token.kind in {"regex", "range"}:
            self._next = self._groups[-1]
        return index + 1

    def _open_field(self, index: int) -> int:
        """Notes the field of what follows; a comparison or ``_exists_`` is no text, and is passed over."""
        name = _unescaped(self._tokens[index].text)
        if name == "_exists_" or self._tokens[index + 1].text != ":":
            self._next = self._groups[-1]
            return index + 3
        self._next = self._next._replace(field=name)
        return index + 2

    def _add(self, text: str) -> None:
        words = _words(text)
        if words and not self._next.is_negated:
            self._words += words
            self._fields.append(self._next.field)
        self._next = self._groups[-1]

    def _close_group(self) -> None:
        if len(self._groups) > 1:
            self._groups.pop()
        self._next = self._groups[-1]

    def _kind(self, index: int) -> str:
        return self._tokens[index].kind if index < len(self._tokens) else "end"


def simple_query_string(query: str) -> Words:
    """The words of a ``simple_query_string`` query; it has no field prefixes."""
    words: list[str] = []
    groups = [False]
    is_negated = False
    for match in _SIMPLE_TOKEN.finditer(query):
        kind, text = match.lastgroup, match.group()
        if kind == "negation":
            is_negated = True
        elif text == "(":
            groups.append(is_negated)
        elif text == ")":
            groups = groups[:-1] or [False]
            is_negated = groups[-1]
        elif kind in {"phrase", "term"}:
            if not is_negated:
                words += _words(_unescaped(text.strip('"') if kind == "phrase" else text.rstrip("*")))
            is_negated = groups[-1]
    return Words(" ".join(words), (), bool(words))


def _words(text: str) -> list[str]:
    """The parts between spaces that have a letter or digit."""
    return [word for word in text.split() if any(character.isalnum() for character in word)]


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(r"\1", text)
