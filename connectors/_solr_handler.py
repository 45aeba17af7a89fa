"""What a Solr request handler adds to requests: asked of its configuration, or of the handler itself.

The config API says it exactly; where the client may not read that, a search that finds nothing, with
``echoParams=all``, says what it works with. Sources: "Config API", "Request Parameters API", "InitParams in
solrconfig.xml" and "echoParams" of Solr's reference guide, 8.11 to 10; ``SolrPluginUtils.setDefaults`` of Solr 9 for
what wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote

from connectors._questions import Asker, read
from connectors._solr_parameters import Additions, Values, gathered, strings_of
from connectors.base import Question, Reply

_REMEMBERED = 64
_PARTS = ("defaults", "appends", "invariants")
_NOT_INHERITED = frozenset({"echoParams", "fq", "rid", "useParams"})
"""Of what a handler says that it works with: asked by the question itself, or of one request alone."""


@dataclass(frozen=True, slots=True)
class Handler:
    """A request handler."""

    additions: Additions = field(default_factory=Additions)
    is_known: bool = True
    """False: what it adds to a request can't be had."""
    may_elevate: bool = True
    """Whether a component of it may put documents on top."""


def handler_of(asker: Asker, base: str, name: str, sets: str) -> Handler | tuple[Question, ...]:
    """The handler of this name (with its slash), or what has to be asked first.

    ``base`` is the path of the core or collection; ``sets`` are the names of the request's own ``useParams``.
    """
    chosen = f"&useParams={quote(sets)}" if sets else ""
    configured = asker.answer_of(f"{base}/config/requestHandler?componentName={quote(name)}&expandParams=true{chosen}")
    initial = asker.answer_of(f"{base}/config/initParams")
    unknown = tuple(answer for answer in (configured, initial) if isinstance(answer, Question))
    if unknown or isinstance(configured, Question) or isinstance(initial, Question):
        return unknown
    found = _from_configuration(configured, initial, name, sets)
    if found is not None:
        return found
    echoed = asker.answer_of(f"{base}{quote(name)}?echoParams=all&fq=-*:*{chosen}")
    return (echoed,) if isinstance(echoed, Question) else _from_echo(echoed)


# Functions of the answers alone, which hold for many searches.
@lru_cache(maxsize=_REMEMBERED)
def _from_configuration(configured: Reply | None, initial: Reply | None, name: str, sets: str) -> Handler | None:
    described = _object(_object(_object(read(configured)).get("config")).get("requestHandler")).get(name)
    init_params = _object(_object(read(initial)).get("config")).get("initParams")
    if not isinstance(described, dict) or not isinstance(init_params, list | None):
        return None
    own = {part: _values(described.get(part)) for part in _PARTS}
    for one in init_params or ():
        if _is_for(_object(one), name, str(described.get("initParams", ""))):
            for part in _PARTS:
                own[part] = {**_values(_object(one).get(part)), **own[part]}
    own["defaults"] = {**own["defaults"], **dict(_of_sets(described, "", sets))}
    own["appends"] = _joined(own["appends"], dict(_of_sets(described, "_appends_", sets)))
    own["invariants"] = _joined(own["invariants"], dict(_of_sets(described, "_invariants_", sets)))
    components = ("components", "first-components", "last-components")
    return Handler(Additions(**own), may_elevate=any(key in described for key in components))


@lru_cache(maxsize=_REMEMBERED)
def _from_echo(echoed: Reply | None) -> Handler:
    header = _object(_object(read(echoed)).get("responseHeader"))
    if not isinstance(header.get("params"), dict):
        return Handler(is_known=False)
    values = _values(header["params"])
    return Handler(Additions({name: values[name] for name in values if name not in _NOT_INHERITED}))


def _values(described: object) -> Values:
    return {name: strings_of(value) for name, value in _object(described).items()}


def _of_sets(described: Mapping[str, object], part: str, sets: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The values of parameter sets, those that win last: the handler's over the request's, later over earlier."""
    expanded = _object(described.get("_useParamsExpanded_"))
    for name in (*sets.split(","), *str(described.get("useParams", "")).split(",")):
        chosen = _object(expanded.get(name.strip()))
        values = _object(chosen.get(part)) if part else {k: v for k, v in chosen.items() if k and k[0] != "_"}
        yield from _values(values).items()


def _joined(values: Values, others: Values) -> Values:
    pairs = [(name, value) for part in (others, values) for name, texts in part.items() for value in texts]
    return gathered(pairs)


def _is_for(init_params: Mapping[str, object], name: str, wanted: str) -> bool:
    """Whether these parameters are meant for a handler: by its path, or by the name that it asks for."""
    if str(init_params.get("name", "")) in wanted.split(",") and wanted:
        return True
    paths = str(init_params.get("path", "")).split(",")
    return any(_pattern(path.strip()).fullmatch(name) for path in paths if path.strip())


def _pattern(path: str) -> re.Pattern[str]:
    """``*`` is one part of a path, ``**`` any number of them."""
    parts = (re.escape(part) for part in path.split("**"))
    return re.compile(".*".join(part.replace(r"\*", "[^/]+") for part in parts))


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
