"""``{!edismax qf=title v=$words}``: which parser reads a query of Solr's, and what it is told.

Source: "Local Params", Solr's reference guide, 8.11 to 10; ``QueryParsing.parseLocalParams`` of Solr 9.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from connectors._solr_parameters import Parameters, Values

TYPE = "type"
VALUE = "v"

_ID = r"[^\W\d][\w.$-]*"
_PAIR = re.compile(
    rf"""\s* (?: (?P<name>{_ID}) \s* (?P<equals>=) | (?P<bare>{_ID}) (?=[\s}}]) )
    \s* (?(equals) (?: "(?P<double>(?:\\.|[^"\\])*)" | '(?P<single>(?:\\.|[^'\\])*)'
    | \$(?P<reference>[\w.$-]+) | (?P<plain>[^\s}}"'$][^\s}}]*)? ) )""",
    re.VERBOSE | re.DOTALL,
)
_END = re.compile(r"\s*\}")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


@dataclass(frozen=True, slots=True)
class LocalParams:
    """What stands between ``{!`` and ``}``, its references followed."""

    kind: str | None
    """The parser; None where none is named."""
    values: Values
    end: int
    """Where the text behind it begins."""


def local_params(text: str, parameters: Parameters, start: int = 0) -> LocalParams | None:
    """The local parameters at a place of a text; None where there are none, or broken ones."""
    if not text.startswith("{!", start):
        return None
    place = start + 2
    found: dict[str, tuple[str, ...]] = {}
    while (end := _END.match(text, place)) is None:
        match = _PAIR.match(text, place)
        if match is None or match.end() == place:
            return None
        name, values = _pair(match, parameters)
        found[name] = (*found.get(name, ()), *values)
        place = match.end()
    return LocalParams(next(iter(found.get(TYPE, ())), None), found, end.end())


def _pair(match: re.Match[str], parameters: Parameters) -> tuple[str, tuple[str, ...]]:
    if match["bare"] is not None:
        return TYPE, (match["bare"],)
    if match["reference"] is not None:
        return match["name"], parameters.all(match["reference"])
    quoted = match["double"] if match["double"] is not None else match["single"]
    return match["name"], (unescaped(quoted) if quoted is not None else match["plain"] or "",)


def unescaped(quoted: str) -> str:
    """What stands between quotes."""
    plain = _ESCAPE.sub(_escaped, quoted)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if r"\u" in quoted else plain


def _escaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else _CONTROLS.get(match[2], match[2])


def of_json(query: object, named: dict[str, tuple[str, ...]]) -> str | None:
    """A query of the JSON DSL as local parameters; its texts are put beside under names of their own.

    None where Solr would refuse it. Source: "JSON Query DSL", Solr's reference guide; ``JsonQueryConverter`` of Solr 9.
    """
    return query if isinstance(query, str) else _parser(query, named, 0)


_MAX_DEPTH = 50


def _parser(query: object, named: dict[str, tuple[str, ...]], depth: int) -> str | None:
    if not isinstance(query, dict) or len(query) != 1 or depth > _MAX_DEPTH:
        return None
    (kind, body), *_ = query.items()
    if kind.startswith("#"):
        return of_json(body, named)
    if kind == "param":
        return f"{{!v=${body}}}"
    if not isinstance(body, dict):
        return None
    if list(body) == ["param"]:
        return f"{{!{kind} v=${body['param']}}}"
    parts = [_argument(name, value, named, depth) for name, value in _arguments(body)]
    return f"{{!{' '.join([kind, *(part for part in parts if part is not None)])}}}" if None not in parts else None


def _arguments(body: Mapping[str, object]) -> list[tuple[str, object]]:
    return [
        (VALUE if name == "query" else name, one)
        for name, value in body.items()
        for one in (value if isinstance(value, list) else [value])
    ]


def _argument(name: str, value: object, named: dict[str, tuple[str, ...]], depth: int) -> str | None:
    if isinstance(value, int | float):
        return f"{name}={str(value).lower()}"
    if isinstance(value, dict) and list(value) == ["param"]:
        return f"{name}=${value['param']}"
    text = value if isinstance(value, str) else _parser(value, named, depth + 1)
    if text is None:
        return None
    reference = f"_tt{len(named)}"
    named[reference] = (text,)
    return f"{name}=${reference}"
