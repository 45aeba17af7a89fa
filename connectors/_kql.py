"""The user's words in the Kibana Query Language, as the clause ``kql`` has it.

A field stands for all words up to the next operator, ``and``, ``or`` and ``not`` are operators in any case, and a field
in front of braces stands before the names inside. Sources: "KQL query", Elasticsearch 8.18 to 9 manual; the grammar
``KqlBase.g4`` there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from connectors._word_runs import WordRuns, Words

_TOKEN = re.compile(
    r"""
      (?P<quoted> "(?: \\. | [^"\\] )*"? )
    | (?P<compare> [<>]=? )
    | (?P<mark> [():{}] )
    | (?P<literal> (?: \\. | [^\\():<>"{}\ \t\n\r\u3000] )+ )
    | (?P<space> [\ \t\n\r\u3000]+ )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


_MAX_DEPTH = 20  # nested objects; the engines' own limit is 20 (index.mapping.depth.limit)


class _Scope(NamedTuple):
    is_left_out: bool = False
    field: str | None = None
    path: str = ""
    """Before the names of fields, with its dot."""


def kql(query: str) -> Words:
    """The words and fields of a KQL expression; what is negated or compared is left out."""
    return _Kql(query).read()


class _Kql:
    """One pass over the tokens, with a stack of the parentheses and braces that are open."""

    def __init__(self, query: str) -> None:
        tokens = [(match.lastgroup or "other", match.group()) for match in _TOKEN.finditer(query)]
        self._tokens = [token for token in tokens if token[0] != "space"]
        self._open = [_Scope()]
        self._now = self._open[0]
        self._runs = WordRuns()

    def read(self) -> Words:
        """The words of the tokens."""
        for index, (kind, text) in enumerate(self._tokens):
            if kind == "mark":
                self._mark(text)
            elif kind == "compare":
                self._now = self._now._replace(is_left_out=True)
            elif kind == "literal" and text.lower() in {"and", "or"}:
                self._now = self._open[-1]
            elif kind == "literal" and text.lower() == "not":
                self._now = self._open[-1]._replace(is_left_out=True)
            elif kind == "quoted":
                self._say(text.strip('"'), self._after(index), self._runs.add_phrase)
            elif kind == "literal":
                self._say(text, self._after(index), self._runs.add)
        return self._runs.words()

    def _after(self, index: int) -> str:
        return self._tokens[index + 1][1] if index + 1 < len(self._tokens) else ""

    def _mark(self, mark: str) -> None:
        self._runs.end()
        if mark in "({":
            self._now = self._now if mark == "(" else self._inside(self._now)
            self._open.append(self._now)
        elif mark in ")}":
            self._open = self._open[:-1] or [_Scope()]
            self._now = self._open[-1]

    def _inside(self, outer: _Scope) -> _Scope:
        path = f"{outer.field or ''}." if len(self._open) <= _MAX_DEPTH else outer.path
        return _Scope(outer.is_left_out, None, path)

    def _say(self, text: str, after: str, add: Callable[[str, str | None], None]) -> None:
        plain = _ESCAPE.sub(r"\1", text)
        if after == ":":
            self._now = self._now._replace(field=self._now.path + plain)
        elif after[:1] not in {"<", ">"} and not self._now.is_left_out:
            add(plain.replace("*", " "), self._now.field)
