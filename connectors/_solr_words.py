"""The parameters of a Solr search -> the user's words, and the fields they were matched in.

Each query is read by its parser, as named by ``defType`` or in local parameters; what a parser is told stands in the
local parameters, else in those of the request. Of several texts the longest is taken, as for the other engines.
Sources: "Standard Query Parser", "DisMax Query Parser", "Extended DisMax (eDisMax) Query Parser" and "Other Parsers" of
Solr's reference guide, 8.11 to 10; ``ExtendedDismaxQParser`` of Solr 9 for what is a field's name and what is a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from connectors import _lucene
from connectors._clause_words import Found, Standing
from connectors._lucene_simple import simple_query_string
from connectors._solr_embedded import parted
from connectors._solr_fields import glob_matches
from connectors._solr_local_params import VALUE, local_params
from connectors._solr_parameters import Parameters
from connectors._word_runs import Words
from connectors.base import Reason
from connectors.query_text import QueryText, is_being_typed

MAX_DEPTH = 50  # of queries within queries
LUCENE = "lucene"
_WITH_LOCAL_PARAMS = frozenset({LUCENE, "func"})
"""Parsers named by ``defType`` that read local parameters in front of a query. Source: ``QParser.getParser``, Solr 7.2
and later."""
_MAX_CHARS = 1 << 20
_USER_FIELDS = "* -_query_"
"""The default of ``uf``."""
_BOOSTS = ("bq", "bf", "boost")

Knows = Callable[[str], bool]
"""Whether a name is that of a field; what a schema says, where it can be had."""


class _Query(NamedTuple):
    """A query as its parser gets it."""

    text: str
    parameters: Parameters
    """The local ones over those of the request."""
    depth: int


@dataclass(slots=True)
class _Reading:
    """What was found so far."""

    request: Parameters
    is_field: Knows | None
    left: int = _MAX_CHARS
    """Characters that are read yet: a query may be named by several others, and by itself."""
    found: list[Found] = field(default_factory=list)
    reasons: set[Reason] = field(default_factory=set)
    has_boosts: bool = False

    def query(self, text: str, parser: str, depth: int) -> None:
        """Reads a query that may begin with local parameters."""
        self.left -= len(text) + 1
        if depth > MAX_DEPTH or self.left < 0:
            return
        local = local_params(text, self.request) if parser in _WITH_LOCAL_PARAMS else None
        if local is None:
            self._parse(parser, _Query(text, self.request, depth))
        else:
            inner = next(iter(local.values.get(VALUE, ())), text[local.end :])
            self._parse(local.kind or parser, _Query(inner, Parameters(local.values).over(self.request.values), depth))

    def _parse(self, parser: str, query: _Query) -> None:
        read = PARSERS.get(parser)
        if read is not None:
            read(self, query)

    def lucene(self, query: _Query) -> None:
        parts = parted(query.text, self.request)
        self.has_boosts |= parts.has_functions
        for inner in parts.queries:
            self.query(inner, LUCENE, query.depth + 1)
        self._add(_lucene.query_string(parts.text), _default_fields(query.parameters))

    def extended_dismax(self, query: _Query) -> None:
        """Names in front of a colon are fields where the schema and ``uf`` say so, else words."""
        if not self._reads_alternative(query):
            fields = _query_fields(query.parameters)
            names = _Names(query.parameters, fields, self.is_field)
            literal = _COLON.sub(lambda match: match[0] if names.are_meant_by(match) else _as_word(match), query.text)
            self._add(_lucene.query_string(literal), fields)

    def dismax(self, query: _Query) -> None:
        if not self._reads_alternative(query):
            literal = _DISMAX_LITERAL.sub(r"\\\g<0>", query.text)
            self._add(_lucene.query_string(literal), _query_fields(query.parameters))

    def _reads_alternative(self, query: _Query) -> bool:
        self.has_boosts |= query.parameters.has(*_BOOSTS)
        if query.text.strip():
            return False
        self.query(query.parameters.first("q.alt") or "", LUCENE, query.depth + 1)
        return True

    def simple(self, query: _Query) -> None:
        self._text(simple_query_string(query.text), _query_fields(query.parameters))

    def whole(self, query: _Query) -> None:
        """A text without a syntax, for the field ``f``."""
        self._text(query.text, query.parameters.all("f")[:1])

    def vector(self, query: _Query) -> None:
        """A text that a model makes a vector of."""
        self._text(query.text, None)

    def prefix(self, query: _Query) -> None:
        self.found.append(Found(_one_line(query.text), query.parameters.all("f")[:1], Standing.COMPLETION))

    def nested(self, query: _Query) -> None:
        self.query(query.text, LUCENE, query.depth + 1)

    def boosted(self, query: _Query) -> None:
        self.has_boosts = True
        self.nested(query)

    def of_others(self, query: _Query) -> None:
        """Words that are matched in other documents, whose fields say nothing of what to read."""
        known = len(self.found)
        self.nested(query)
        self.found[known:] = [found._replace(fields=None) for found in self.found[known:]]

    def boolean(self, query: _Query) -> None:
        for inner in (*query.parameters.all("must"), *query.parameters.all("should")):
            self.query(inner, LUCENE, query.depth + 1)

    def _add(self, words: Words, defaults: Sequence[str]) -> None:
        fields = words.fields
        if words.has_bare_words:
            fields = (*fields, *defaults) if defaults else ()
        self._text(words.text, fields)

    def _text(self, text: str, fields: Sequence[str] | None) -> None:
        self.found.append(Found(_one_line(text), None if fields is None else tuple(fields)))


class _Names:
    """Which names in front of a colon are fields, for ``edismax``."""

    def __init__(self, parameters: Parameters, fields: Sequence[str], is_field: Knows | None) -> None:
        allowed = (parameters.first("uf") or _USER_FIELDS).split()
        self._parameters = parameters
        self._fields = fields
        self._is_field = is_field
        self._refused = [name[1:] for name in allowed if name.startswith("-")]
        self._allowed = [name.partition("^")[0] for name in allowed if not name.startswith("-")] or ["*"]

    def are_meant_by(self, match: re.Match[str]) -> bool:
        """Whether a match of ``_COLON`` stays as it is."""
        name = match["name"]
        return name is None or (self._is_allowed(name) and self._exists(name, is_spaced=match["space"] is not None))

    def _is_allowed(self, name: str) -> bool:
        return any(glob_matches(glob, name) for glob in self._allowed) and not any(
            glob_matches(glob, name) for glob in self._refused
        )

    def _exists(self, name: str, *, is_spaced: bool) -> bool:
        if name in self._fields or self._parameters.has(f"f.{name}.qf"):
            return True
        return self._is_field(name) if self._is_field is not None else not is_spaced


_COLON = re.compile(r"""\\.|"(?:\\.|[^"\\])*"|(?<![\w.])(?P<name>[^\W\d][\w.-]{0,200}):(?=(?P<space>\s)?)""", re.DOTALL)
_DISMAX_LITERAL = re.compile(r"[\\!():^\[\]/{}~*?]")
_SPACES = re.compile(r"\s+")


def _declined(reason: Reason) -> Callable[[_Reading, _Query], None]:
    def read(reading: _Reading, query: _Query) -> None:
        del query
        reading.reasons.add(reason)

    return read


def _function(reading: _Reading, query: _Query) -> None:
    del query
    reading.has_boosts = True


PARSERS: Mapping[str, Callable[[_Reading, _Query], None]] = {
    "lucene": _Reading.lucene,
    "complexphrase": _Reading.lucene,
    "maxscore": _Reading.lucene,
    "edismax": _Reading.extended_dismax,
    "dismax": _Reading.dismax,
    "simple": _Reading.simple,
    "field": _Reading.whole,
    "payload_score": _Reading.whole,
    "query": _Reading.nested,
    "boost": _Reading.boosted,
    "bool": _Reading.boolean,
    "parent": _Reading.of_others,
    "child": _Reading.of_others,
    "prefix": _Reading.prefix,
    "func": _function,
    "frange": _function,
    "knn_text_to_vector": _Reading.vector,
    "knn": _declined(Reason.VECTOR_SEARCH),
    "vectorSimilarity": _declined(Reason.VECTOR_SEARCH),
    "mlt": _declined(Reason.MORE_LIKE_THIS),
    "mlt_content": _declined(Reason.MORE_LIKE_THIS),
}
"""Parsers by name. The others find documents by codes, places, joins or graphs, or have a syntax of their own."""


class Meaning(NamedTuple):
    """What a search means."""

    words: QueryText | Reason
    has_boosts: bool
    """Whether it raises documents by more than words."""


def read_words(parameters: Parameters, is_field: Knows | None, min_last_word_letters: int = 0) -> Meaning:
    """The user's words and their fields, or why there are none to rerank by."""
    reading = _Reading(parameters, is_field)
    reading.query(parameters.first("q") or "", parameters.first("defType") or LUCENE, 0)
    found = [one for one in reading.found if one.text]
    return Meaning(_best(found, reading.reasons, min_last_word_letters), reading.has_boosts)


def _best(found: Sequence[Found], reasons: set[Reason], min_last_word_letters: int) -> QueryText | Reason:
    words = [one for one in found if one.standing is Standing.WORDS]
    if not words:
        telling = (Reason.MORE_LIKE_THIS, Reason.VECTOR_SEARCH)
        return Reason.AUTOCOMPLETE if found else next((one for one in telling if one in reasons), Reason.NO_QUERY_TEXT)
    best = max(words, key=lambda one: len(one.text))
    if is_being_typed(best.text, min_last_word_letters):
        return Reason.AUTOCOMPLETE
    named = [one.fields for one in words if one.fields is not None and one.text.casefold() == best.text.casefold()]
    fields = tuple(dict.fromkeys(name for names in named for name in names))
    return QueryText(best.text, () if "*" in fields or not all(named) else fields)


def _default_fields(parameters: Parameters) -> Sequence[str]:
    """The field of words without one."""
    return [name for name in parameters.all("df")[:1] if name]


def _query_fields(parameters: Parameters) -> Sequence[str]:
    """The fields of ``qf`` without boosts, those that are names for others replaced by these."""
    names = [name for value in parameters.all("qf") for name in _plain(value)]
    aliased = [inner for name in names for inner in _plain(parameters.first(f"f.{name}.qf") or name)]
    return list(dict.fromkeys(aliased)) or _default_fields(parameters)


def _plain(value: str) -> Iterator[str]:
    """``title^2 body~1^0.5`` -> the names."""
    return (name for part in value.replace(",", " ").split() if (name := re.split(r"[\^~]", part)[0]))


def _as_word(match: re.Match[str]) -> str:
    return match[0][:-1] + "\\:"


def _one_line(text: str) -> str:
    return _SPACES.sub(" ", text).strip()
