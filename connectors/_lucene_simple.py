"""The user's words in the syntax of ``simple_query_string``, which has no fields and never refuses anything.

Sources: "Simple query string query", Elasticsearch 7.17 to 9 and OpenSearch 1.3 to 3 manuals; ``SimpleQueryParser`` of
Lucene 8 to 10, whose rules stand beside the code: a quote or parenthesis that is never closed means nothing, spaces end
a negation, two negations cancel each other, and each operator can be switched off by a flag.
"""

from __future__ import annotations

import re
from enum import IntFlag
from functools import lru_cache
from typing import NamedTuple

from connectors._word_runs import WordRuns


class Flag(IntFlag):
    """The operators, by the names and numbers of the parameter ``flags``."""

    AND = 1 << 0
    NOT = 1 << 1
    OR = 1 << 2
    PREFIX = 1 << 3
    PHRASE = 1 << 4
    PRECEDENCE = 1 << 5
    ESCAPE = 1 << 6
    WHITESPACE = 1 << 7
    FUZZY = 1 << 8
    NEAR = 1 << 9
    SLOP = NEAR
    ALL = (1 << 10) - 1
    NONE = 0


_ENDS: tuple[tuple[Flag, str], ...] = (
    (Flag.PHRASE, '"'),
    (Flag.OR, "|"),
    (Flag.AND, "+"),
    (Flag.PRECEDENCE, "()"),
    (Flag.WHITESPACE, " \t\n\r"),
)
"""What ends a term, where it is an operator."""


def flags_of(value: object) -> Flag:
    """What the parameter ``flags`` switches on: names separated by ``|``, or their sum; everything where it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Flag(value & Flag.ALL)
    names = [name.upper() for name in value.split("|") if name] if isinstance(value, str) else []
    known = [Flag[name] for name in names if name in Flag.__members__]
    if not known or Flag.ALL in known:
        return Flag.ALL
    flags = Flag.NONE
    for flag in known:
        flags |= flag
    return Flag.NONE if Flag.NONE in known else flags


def simple_query_string(query: str, flags: Flag = Flag.ALL) -> str:
    """The words in their order, separated by single spaces."""
    return _Reader(query, flags).read()


class _Patterns(NamedTuple):
    ends: frozenset[str]
    term: re.Pattern[str]
    phrase: re.Pattern[str]
    slop: re.Pattern[str]
    parenthesis: re.Pattern[str]


@lru_cache(maxsize=32)
def _patterns(flags: Flag) -> _Patterns:
    ends = "".join(marks for flag, marks in _ENDS if flag & flags)
    end = re.escape(ends)
    escape, lone = (r"\\.|", r"\\") if Flag.ESCAPE & flags else ("", "")
    fuzzy = "~" if Flag.FUZZY & flags else ""
    some = f"[^{end}{lone}]" if end + lone else "."
    more = f"[^{end}{lone}{fuzzy}]" if end + lone + fuzzy else "."
    return _Patterns(
        frozenset(ends),
        re.compile(f"(?:{escape}{some})(?:{escape}{more})*", re.DOTALL),
        re.compile(rf'"((?:{escape}[^"{lone}])*)"', re.DOTALL),
        re.compile(f"~(?:[^{end}])*" if end else "~.*", re.DOTALL),
        re.compile(rf"{escape}[()]", re.DOTALL),
    )


class _Open(NamedTuple):
    """A stretch of the query that is read as one: all of it, or what stands between parentheses."""

    end: int
    is_negated: bool


class _Reader:
    """One pass over the characters, with a stack of the parentheses that are open."""

    def __init__(self, query: str, flags: Flag) -> None:
        self._query = query
        self._flags = flags
        self._patterns = _patterns(flags)
        self._closed_by = self._closing_places() if Flag.PRECEDENCE & flags else {}
        self._open = [_Open(len(query), is_negated=False)]
        self._negations = 0
        self._runs = WordRuns()

    def read(self) -> str:
        """The words."""
        place = 0
        while self._open:
            place = self._step(place) if place < self._open[-1].end else self._close()
        return self._runs.words().text

    def _step(self, place: int) -> int:
        """Reads what stands at a place, and answers the next."""
        mark = self._query[place]
        if mark == "-" and Flag.NOT & self._flags:
            self._negations += 1
            return place + 1
        is_negated = self._open[-1].is_negated or self._negations % 2 == 1
        self._negations = 0
        if mark not in self._patterns.ends:
            return self._term(place, is_negated=is_negated)
        if mark == '"':
            return self._phrase(place, is_negated=is_negated)
        if mark in "()":
            self._runs.end()
        if mark == "(" and place in self._closed_by:
            self._open.append(_Open(self._closed_by[place], is_negated))
        return place + 1

    def _close(self) -> int:
        self._negations = 0
        self._runs.end()
        return self._open.pop().end + 1

    def _term(self, place: int, *, is_negated: bool) -> int:
        match = self._patterns.term.match(self._query, place, self._open[-1].end)
        if match is None:  # an escape of nothing
            return place + 1
        text = match.group()
        prefix = text[:-1] if Flag.PREFIX & self._flags and _ENDS_IN_STAR.fullmatch(text) else text
        if not is_negated:
            self._runs.add(self._plain(prefix))
        return self._behind_slop(match.end(), Flag.FUZZY)

    def _phrase(self, place: int, *, is_negated: bool) -> int:
        match = self._patterns.phrase.match(self._query, place, self._open[-1].end)
        if match is None:  # never closed
            return place + 1
        if not is_negated:
            self._runs.add_phrase(self._plain(match[1]))
        behind = self._behind_slop(match.end(), Flag.NEAR)
        return behind if behind == match.end() else behind + 1  # what ends a number of places is skipped with it

    def _behind_slop(self, place: int, flag: Flag) -> int:
        match = self._patterns.slop.match(self._query, place, self._open[-1].end) if flag & self._flags else None
        return match.end() if match else place

    def _plain(self, text: str) -> str:
        return _ESCAPE.sub(r"\1", text) if Flag.ESCAPE & self._flags else text

    def _closing_places(self) -> dict[int, int]:
        """The place of each parenthesis that is closed -> where; quotes don't count, escapes do."""
        closed, waiting = {}, []
        for match in self._patterns.parenthesis.finditer(self._query):
            if match.group() == "(":
                waiting.append(match.start())
            elif match.group() == ")" and waiting:
                closed[waiting.pop()] = match.start()
        return closed


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ENDS_IN_STAR = re.compile(r"(?:\\.|[^\\])+\*", re.DOTALL)
