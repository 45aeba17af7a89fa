"""Queries within a query of Solr's standard parser, taken out so that the rest reads as Lucene's syntax.

``_query_:"{!dismax qf=title v=$qq}"``, ``{!edismax v=$qq}`` and ``{!field f=title}fox`` as clauses, ``_val_:"..."`` for
functions, ``filter(...)`` for what selects and does not rank. Source: "Standard Query Parser" of Solr's reference
guide, 8.11 to 10; the grammar ``QueryParser.jj`` of Solr 9.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from connectors._solr_local_params import VALUE, local_params, unescaped
from connectors._solr_parameters import Parameters

_PART = re.compile(
    r"""(?P<negation> (?: [-!]\s* | \bNOT\s+ )? )
    (?: (?P<magic> _query_ | _val_ ) : \s* (?: "(?P<quoted>(?:\\.|[^"\\])*)" | (?P<embedded>\{!) )
    | (?P<local> \{! )
    | (?P<filter> (?<![\w.:\\]) filter(?=\() )
    | (?P<other> "(?:\\.|[^"\\])*" | \\. ) )""",
    re.VERBOSE | re.DOTALL,
)
_BEHIND = re.compile(r"[^)\s{^]*")


class Parted(NamedTuple):
    """A query and those within it."""

    text: str
    """What is left."""
    queries: tuple[str, ...]
    """Those that rank."""
    has_functions: bool


def parted(text: str, parameters: Parameters) -> Parted:
    """The query without those within it."""
    kept: list[str] = []
    queries: list[str] = []
    has_functions = False
    place = 0
    while (match := _PART.search(text, place)) is not None:
        kept.append(text[place : match.start()])
        place = match.end()
        if match["other"] is not None:
            kept.append(match[0])
        elif match["filter"] is not None:
            kept.append("-")  # whatever follows it is left out
        elif match["magic"] == "_val_":
            has_functions = True
        else:
            inner, place = _inner(text, match, parameters)
            if inner and not match["negation"]:
                queries.append(inner)
    return Parted("".join([*kept, text[place:]]), tuple(queries), has_functions)


def _inner(text: str, match: re.Match[str], parameters: Parameters) -> tuple[str, int]:
    """The query, and where it ends."""
    if match["quoted"] is not None:
        return unescaped(match["quoted"]), match.end()
    start = match.end() - 2
    local = local_params(text, parameters, start)
    if local is None:
        return "", match.end()
    behind = _BEHIND.match(text, local.end)
    end = behind.end() if behind is not None and VALUE not in local.values else local.end
    return text[start:end], end
