"""What the configuration says a search means, where that differs from what is read of its query.

``query_pointer`` names the place of the words in the search body; ``query_text`` is a constant, or a template such as
``{q} in {category}``. In a template, ``{q}`` are the words that were read; a name that begins with ``/`` is a JSON
pointer into the search body; any other is a field, and stands for the value that a ``term`` or ``terms`` clause of the
query asks of it. Where a pointer leads to nothing or a name has no value, the words stay what they were without it.
Source: RFC 6901, "JavaScript Object Notation (JSON) Pointer".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from connectors.base import Policy, Reason
from connectors.query_text import MAX_DEPTH, QueryText

QUERY_WORDS = "q"
"""The name in a template that stands for the words that were read."""

_NAME = re.compile(r"\{([^{}]*)\}")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_BROKEN_ESCAPE = re.compile(r"~(?![01])")


def is_pointer(text: str) -> bool:
    """Whether it is a JSON pointer to a part of a document."""
    return text.startswith("/") and not _BROKEN_ESCAPE.search(text)


def is_template(text: str) -> bool:
    """Whether its braces come in pairs around names, and its pointers can be followed."""
    names = _NAME.findall(text)
    well_named = all(name.strip() and (not name.startswith("/") or is_pointer(name)) for name in names)
    return well_named and not set("{}") & set(_NAME.sub("", text))


def configured(read: QueryText | Reason, body: object, policy: Policy) -> QueryText | Reason:
    """The words of a search after all that is configured for it; ``read`` is what its query says by itself."""
    pointed = _text(resolved(body, policy.query_pointer)) if policy.query_pointer else ""
    meant = _with_text(read, pointed)
    return _with_text(meant, _filled(policy.query_text, meant, body)) if policy.query_text else meant


def resolved(document: object, pointer: str) -> object:
    """What a JSON pointer leads to; None where it leads nowhere."""
    value = document
    for escaped in pointer.split("/")[1:]:
        token = escaped.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(token)
        elif isinstance(value, list) and _INDEX.fullmatch(token) and int(token) < len(value):
            value = value[int(token)]
        else:
            return None
    return value


def _with_text(meant: QueryText | Reason, text: str) -> QueryText | Reason:
    if not text:
        return meant
    return QueryText(text, meant.fields if isinstance(meant, QueryText) else ())


def _filled(template: str, meant: QueryText | Reason, body: object) -> str:
    values = {name: _value(name, meant, body) for name in _NAME.findall(template)}
    return _NAME.sub(lambda match: values[match[1]], template) if all(values.values()) else ""


def _value(name: str, meant: QueryText | Reason, body: object) -> str:
    if name == QUERY_WORDS:
        return meant.text if isinstance(meant, QueryText) else ""
    if name.startswith("/"):
        return _text(resolved(body, name))
    query = body.get("query") if isinstance(body, dict) else None
    return next((text for value in _terms(query, name, 0) if (text := _text(value))), "")


def _terms(query: object, field: str, depth: int) -> Iterator[object]:
    """What ``term`` and ``terms`` clauses ask of a field, outside of ``must_not``."""
    if depth > 2 * MAX_DEPTH:  # a clause is an object in an object
        return
    if isinstance(query, list):
        for part in query:
            yield from _terms(part, field, depth)
    elif isinstance(query, dict):
        for kind, body in query.items():
            if kind in ("term", "terms") and isinstance(body, dict) and field in body:
                asked = body[field]
                yield asked.get("value") if isinstance(asked, dict) else asked
            elif kind not in ("must_not", "negative"):
                yield from _terms(body, field, depth + 1)


def _text(value: object) -> str:
    """Strings and numbers as one line, those of a list side by side; nothing of anything else."""
    parts = value if isinstance(value, list) else [value]
    shown = [str(part) for part in parts if isinstance(part, str | int | float) and not isinstance(part, bool)]
    return " ".join(" ".join(shown).split())
