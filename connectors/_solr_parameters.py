"""The parameters of a Solr request: what the client sends, and what the handler makes of them.

Sources: "Common Query Parameters", "Request Handlers and Search Components" (defaults, appends, invariants), "JSON
Request API" and "Macro Expansion" of Solr's reference guide, 8.11 to 10; ``RequestUtil`` and ``SolrRequestParsers`` of
Solr 9 for what wins over what.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

Values = Mapping[str, tuple[str, ...]]
"""Names to their values, in the order of the request."""

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MACRO = re.compile(r"\$\{([^{}:]*)(?::([^{}]*))?\}")
_MAX_ROUNDS = 10
"""Of macros within macros: each round may double a text."""
_MAX_EXPANDED_CHARS = 1 << 20
_MAX_DIGITS = 10  # of a 32-bit number
_MAX_INT = 2**31 - 1
_TRUE = ("true", "on", "yes")
_FALSE = ("false", "off", "no")


class ParameterError(ValueError):
    """Parameters that Solr refuses, or may read otherwise than they are read here."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters by name; of one that has several values, Solr reads the first where it wants one."""

    values: Values = field(default_factory=dict)

    def first(self, name: str) -> str | None:
        """The value, or None where there is none."""
        return next(iter(self.values.get(name, ())), None)

    def all(self, name: str) -> tuple[str, ...]:
        """All values."""
        return self.values.get(name, ())

    def has(self, *names: str) -> bool:
        """Whether any of these has a value that is not blank."""
        return any(text.strip() for name in names for text in self.all(name))

    def is_on(self, name: str) -> bool:
        """Whether something is asked for: anything but absence and a plain no, as what Solr refuses is left to it."""
        text = self.first(name)
        return bool(text) and not str(text).startswith(_FALSE)

    def count(self, name: str, default: int) -> int:
        """A number that is not negative. Raises ``ParameterError``."""
        text = self.first(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS and int(text) <= _MAX_INT):
            raise ParameterError(name)
        return int(text)

    def over(self, others: Values) -> Parameters:
        """These, and the others where these have none of the name."""
        return Parameters({**others, **self.values})


@dataclass(frozen=True, slots=True)
class Additions:
    """What a request handler adds to every request."""

    defaults: Values = field(default_factory=dict)
    appends: Values = field(default_factory=dict)
    invariants: Values = field(default_factory=dict)


def is_true(text: str) -> bool:
    """As Solr reads a boolean."""
    return text.startswith(_TRUE)


def decoded(encoded: str) -> list[tuple[str, str]]:
    """The pairs of a query string or form, as they stand. Raises ``ParameterError`` where Solr would refuse them."""
    if _BROKEN_ESCAPE.search(encoded):
        raise ParameterError("a broken escape")
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise ParameterError(str(error)) from error
    return [(name.strip(), value) for name, value in pairs]


def gathered(pairs: Iterable[tuple[str, str]]) -> Values:
    """The values of each name."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        found[name] = (*found.get(name, ()), value)
    return found


def strings_of(value: object) -> tuple[str, ...]:
    """The values that a member of JSON's ``params``, or of a handler's configuration, stands for."""
    parts = value if isinstance(value, list) else [value]
    return tuple(_as_java_writes(part) for part in parts if part is not None)


def effective(own: Values, json_params: Sequence[Mapping[str, object]], additions: Additions) -> Values:
    """What a handler works with: its own additions around those of the request, macros expanded.

    ``json_params`` are the ``params`` of JSON texts, which fill in what the URL and the form leave out.
    """
    found = dict(own)
    for members in json_params:
        for name, value in members.items():
            found.setdefault(name, strings_of(value))
    for name, values in additions.defaults.items():
        found.setdefault(name, values)
    for name, values in additions.appends.items():
        found[name] = (*found.get(name, ()), *values)
    found.update(additions.invariants)
    return expanded(found)


def expanded(values: Values) -> Values:
    """With each ``${name}`` and ``${name:default}`` replaced, but with ``expandMacros=false``."""
    if "true" not in values.get("expandMacros", ("true",))[:1]:
        return values
    return {
        name: tuple(with_macros(text, values) for text in texts) if any("${" in text for text in texts) else texts
        for name, texts in values.items()
    }


def with_macros(text: str, values: Values) -> str:
    """A text with its macros replaced. Raises ``ParameterError`` where they never end."""
    for _ in range(_MAX_ROUNDS):
        replaced = _once(text, values)
        if replaced == text:
            return text
        text = replaced
    raise ParameterError("macros")


def _once(text: str, values: Values) -> str:
    parts: list[str] = []
    place = length = 0
    for match in _MACRO.finditer(text):
        parts += (text[place : match.start()], next(iter(values.get(match[1], ())), match[2] or ""))
        place = match.end()
        length += len(parts[-1])
        if length > _MAX_EXPANDED_CHARS:
            raise ParameterError("macros")
    return "".join([*parts, text[place:]])


def _as_java_writes(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)
