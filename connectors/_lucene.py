"""The user's words in the query syntax of ``query_string`` and the URL parameter ``q``.

Operators, field prefixes, boosts, fuzziness, wildcards, ranges, regular expressions and escapes are taken out the way
the engines read them; what is negated is left out. What the engines refuse (unbalanced quotes and parentheses) is read
as far as it goes: their error goes back to the client. Sources: "Query string query", Elasticsearch 7.17 to 9 and
OpenSearch 1.3 to 3 manuals; the grammar ``QueryParser.jj`` of Lucene 8 to 10; ``QueryStringQueryParser`` of
Elasticsearch 7 for ``_exists_`` and comparisons.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from connectors._word_runs import WordRuns, Words

_SPACES = " \\t\\n\\r\\u3000"
_MARKS = r"!():^\[\]\"{}~\\/"
_INNER = rf"(?: \\. | [^{_SPACES}{_MARKS}] )"  # of a term, wildcards with it
_PLAIN = rf"(?: \\. | [^{_SPACES}{_MARKS}*?] )"

_TOKEN = re.compile(
    rf"""
      (?P<term> (?: \\. | [^{_SPACES}{_MARKS}+-] ) {_INNER}* )
    | (?P<phrase> "(?: \\. | [^"\\] )*"? )
    | (?P<regex> /(?: \\/ | [^/] )*/ )
    | (?P<range> [\[{{] (?> "(?: \\" | [^"] )*" | [^\]}}"] )* [\]}}]? )
    | (?P<boost> \^ (?: \d+ (?: \. \d+ )? )? | ~ {_PLAIN}* )
    | (?P<bare> [+!-] [{_SPACES}] )
    | (?P<operator> [+!-] )
    | (?P<open> \( )
    | (?P<close> \) )
    | (?P<colon> : )
    | (?P<space> [{_SPACES}]+ )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
"""In the order of the grammar's choice: ``a-b``, ``a&b`` and ``a&&b`` are terms, ``- b`` is a lone minus and a term."""
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_WILDCARDS = re.compile(r"[*?]+")
_SPECIAL = re.compile(r"[\\+\-!():^\[\]\"{}~*?|&/]")
_BINARY = frozenset({"AND", "OR", "&&", "||"})
_NEGATIONS = frozenset({"NOT", "!", "-"})


class _Group(NamedTuple):
    is_left_out: bool
    field: str | None


class _Token(NamedTuple):
    kind: str
    text: str


def query_string(query: str) -> Words:
    """The words and fields of a ``query_string`` query, or of the URL parameter ``q``."""
    return _QueryString(query).read()


def escaped(query: str) -> str:
    """The query with every mark of the syntax taken literally, as the parameter ``escape`` of ``query_string`` asks."""
    return _SPECIAL.sub(r"\\\g<0>", query)


class _QueryString:
    """One pass over the tokens, with a stack of the groups that are open."""

    def __init__(self, query: str) -> None:
        tokens = (_Token(match.lastgroup or "other", match.group()) for match in _TOKEN.finditer(query))
        self._tokens = [token for token in tokens if token.kind != "space"]
        self._runs = WordRuns()
        self._groups = [_Group(is_left_out=False, field=None)]
        self._next = self._groups[0]

    def read(self) -> Words:
        """The words of the tokens."""
        index = 0
        while index < len(self._tokens):
            index = self._step(index)
        return self._runs.words()

    def _step(self, index: int) -> int:
        token = self._tokens[index]
        if token.text in _NEGATIONS:
            self._next = self._next._replace(is_left_out=True)
        elif token.kind == "term" and self._kind(index + 1) == "colon":
            self._open_field(_unescaped(token.text))
            return index + 2
        elif token.kind == "open":
            self._runs.end()
            self._groups.append(self._next)
        elif token.kind == "close":
            self._close_group()
        elif token.kind == "phrase":
            self._add(_unescaped(token.text.strip('"')), self._runs.add_phrase)
        elif token.kind == "term" and token.text not in _BINARY:
            self._add(_without_wildcards(token.text), self._runs.add)
        elif token.kind in {"regex", "range", "bare"}:
            self._next = self._groups[-1]
        return index + 1

    def _open_field(self, name: str) -> None:
        """Notes the field of what follows; ``_exists_`` is followed by the name of a field."""
        left_out = self._next.is_left_out or name == "_exists_"
        self._next = _Group(is_left_out=left_out, field=name)

    def _add(self, text: str, add: Callable[[str, str | None], None]) -> None:
        is_comparison = self._next.field is not None and text[:1] in {"<", ">"}
        if not is_comparison and not self._next.is_left_out:
            add(text, self._next.field)
        self._next = self._groups[-1]

    def _close_group(self) -> None:
        self._runs.end()
        if len(self._groups) > 1:
            self._groups.pop()
        self._next = self._groups[-1]

    def _kind(self, index: int) -> str:
        return self._tokens[index].kind if index < len(self._tokens) else "end"


def _without_wildcards(term: str) -> str:
    """A term's text without the wildcards that are not escaped: what they stand for is a part of the word."""
    parts = re.split(r"(\\.)", term, flags=re.DOTALL)
    return _unescaped("".join(part if part[:1] == "\\" else _WILDCARDS.sub("", part) for part in parts))


def _unescaped(text: str) -> str:
    plain = _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else match[2], text)
    # Two escapes may be the halves of one character; a half alone is none.
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if r"\u" in text else plain
