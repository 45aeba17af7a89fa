"""Solr's field list ``fl``: what a client gets of a document, and what has to be asked for beside.

Source: "Field List (fl) Parameter" and "Document Transformers" of Solr's reference guide, 8.11 to 10;
``SolrReturnFields`` of Solr 9 for how a list is parted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

SCORE = "score"
EVERYTHING = "*"

_NAME = r"[^\W\d][\w.-]*"
_SEPARATORS = re.compile(r"[,\s]*")
_ITEM = re.compile(
    rf"""(?: (?P<key>{_NAME}) : \s* )?
    (?: (?P<transformer>\[ \s* (?P<kind>[\w.-]+) (?: "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | [^\]"'] )* \])
    | (?P<function>(?= {_NAME} \( ))
    | (?P<name>{_NAME}) (?= [,\s] | $ )
    | (?P<glob>[\w.*?-]+) (?= [,\s] | $ ) )""",
    re.VERBOSE | re.DOTALL,
)
_FUNCTION_PART = re.compile(r"""[^()"']+|(?P<open>\()|(?P<close>\))|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'""", re.DOTALL)
_WITH_DOCUMENTS = frozenset({"child"})
"""Transformers that put documents into documents, whose members are those of the same list."""
_MAX_CHARS = 1 << 16


@dataclass(frozen=True, slots=True)
class FieldList:
    """What a client asked for."""

    is_everything: bool = False
    names: frozenset[str] = frozenset()
    """What members of a document are called: fields, aliases, functions, transformers."""
    globs: tuple[str, ...] = ()
    scores: frozenset[str] = frozenset()
    """What the score is called, where it is asked for."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Fields that are shown under another name alone -> that name."""

    def shows(self, name: str) -> bool:
        """Whether a field of this name is shown, should the document have it."""
        return self.is_everything or name in self.names or any(glob_matches(glob, name) for glob in self.globs)


def field_list(values: Sequence[str]) -> FieldList | None:
    """What these values of ``fl`` ask for; None where they can't be told from what is asked for beside."""
    if not values or list(values) == [""]:
        return FieldList(is_everything=True)
    items = [item for value in values for item in _items(value)]
    if not items or any(item is None or item["kind"] in _WITH_DOCUMENTS for item in items):
        return None
    known = [item for item in items if item is not None]
    globs = [item["glob"] for item in known if item["glob"]]
    shown = [
        item["key"] or item["name"] or item["function"] or f"[{item['kind']}]" for item in known if not item["glob"]
    ]
    plain = {item["name"] for item in known if item["name"] and not item["key"]}
    return FieldList(
        is_everything=EVERYTHING in globs,
        names=frozenset(shown),
        globs=tuple(glob for glob in globs if glob != EVERYTHING),
        scores=frozenset(item["key"] or SCORE for item in known if item["name"] == SCORE),
        renames={
            item["name"]: item["key"]
            for item in known
            if item["name"] and item["key"] and item["name"] not in {*plain, SCORE}
        },
    )


_Item = Mapping[str, str]


def _shown_as(item: _Item) -> str:
    return item["key"] or item["name"] or item["function"] or f"[{item['kind']}]"


def _items(value: str) -> Iterator[_Item | None]:
    """The parts of a list; None for one that is not understood, and then no more."""
    place = _end(_SEPARATORS, value, 0)
    while place < len(value):
        match = _ITEM.match(value, place) if len(value) <= _MAX_CHARS else None
        parts = {name: text or "" for name, text in match.groupdict().items()} if match is not None else {}
        end = match.end() if match is not None else place
        if match is not None and match["function"] is not None:
            start, end = end, _end_of_function(value, end)
            parts["function"] = value[start:end]
        behind = _end(_SEPARATORS, value, end)
        if end == place or (behind == end and end < len(value)) or (parts["glob"] and parts["key"]):
            yield None
            return
        yield parts
        place = behind


def _end(pattern: re.Pattern[str], value: str, place: int) -> int:
    match = pattern.match(value, place)
    return match.end() if match is not None else place


def _end_of_function(value: str, place: int) -> int:
    """Behind the parenthesis that closes the first one; the place itself where none does."""
    depth = 0
    for match in _FUNCTION_PART.finditer(value, place):
        depth += bool(match["open"]) - bool(match["close"])
        if match["close"] and depth <= 0:
            return match.end() if depth == 0 else place
    return place


def glob_matches(glob: str, name: str) -> bool:
    """Whether a name fits ``*`` (any characters) and ``?`` (one)."""
    return _compiled(glob).fullmatch(name) is not None


@lru_cache(maxsize=1024)
def _compiled(glob: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in glob), re.DOTALL)


_ASKABLE = re.compile(r"[\w*?][\w.*?-]*")


def added_to(asked: FieldList, wanted: Sequence[str]) -> tuple[str, ...]:
    """The names and patterns to ask for, so that what is wanted is shown; those that a list can't have are left out."""
    if asked.is_everything:
        return ()
    missing = (name for name in dict.fromkeys(wanted) if not asked.shows(name) and name not in asked.renames)
    return tuple(name for name in missing if _ASKABLE.fullmatch(name))
