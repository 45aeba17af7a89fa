"""The engine's own fragments of long texts: asked for where the client does not, read, and taken out again.

A fragment is what the engine's highlighter finds around the words of the query. Sources: "Highlighting", Elasticsearch
7.10 to 9 and OpenSearch 1.3 to 3 manuals. Settings of a field win over those of the whole block; with a ``*`` only
fields of text and keywords are highlighted.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from connectors._raw_json import elements, members, with_members
from connectors._wildcard import is_pattern, matches
from connectors.fields import Leaves, path_in

FRAGMENTS = 5
"""The engines' own default number."""
FRAGMENT_CHARS = 300
"""Three times the engines' default, which is made to be shown; five of these are about 400 tokens, what the models with
the shortest windows read."""
_BETWEEN = " … "
_SETTINGS: Mapping[str, object] = {
    "pre_tags": [""],
    "post_tags": [""],
    "number_of_fragments": FRAGMENTS,
    "fragment_size": FRAGMENT_CHARS,
    "order": "score",  # the best first, should a model not read all
}
_DEFAULT_TAGS = ("<em>", "</em>")


@dataclass(frozen=True, slots=True)
class Fragments:
    """How the fragments in a reply are read, and which of them the client asked for."""

    tags: tuple[str, ...] = ()
    """What marks words in the fragments that the client asked for."""
    is_html: bool = False
    """Whether fragments are written as HTML."""
    asked: tuple[str, ...] | None = None
    """Names and patterns of the client's own; None: all of them are."""


@dataclass(frozen=True, slots=True)
class Highlighting:
    """What to ask for."""

    block: msgspec.Raw | None
    """The ``highlight`` member to send; None: as it came."""
    fragments: Fragments


def highlighting(own: bytes | None, fields: Sequence[str]) -> Highlighting:
    """The client's ``highlight`` with the fields that are read beside its own. Raises ``RawJsonError``."""
    if own is None:
        wanted: dict[str, object] = {name: {} for name in fields or ("*",)}
        return Highlighting(msgspec.Raw(msgspec.json.encode({**_SETTINGS, "fields": wanted})), Fragments(asked=()))
    places = members(own)
    asked_fields = places["fields"].value.of(own) if "fields" in places else b"{}"
    asked = tuple(_names(asked_fields))
    settings = msgspec.json.decode(own)
    fragments = Fragments(tuple(_tags(settings)), settings.get("encoder") == "html")
    added = [name for name in fields if not any(_overlap(name, other) for other in asked)]
    if not added:
        return Highlighting(None, fragments)
    wider = with_members(own, {"fields": msgspec.Raw(_with_fields(asked_fields, added))})
    return Highlighting(msgspec.Raw(wider), Fragments(fragments.tags, fragments.is_html, asked))


def with_fragments(document: Leaves, highlight: object, fragments: Fragments) -> Leaves:
    """The document with its fragments in the place of the texts that they come from."""
    found = {
        path_in(document, name) or name: [_BETWEEN.join(texts)]
        for name, value in (highlight.items() if isinstance(highlight, dict) else ())
        if isinstance(value, list) and (texts := [_plain(text, fragments) for text in value if isinstance(text, str)])
    }
    return {**document, **found}


def _names(fields: bytes) -> Iterator[str]:
    for part in _objects(fields):
        yield from members(part)


def _objects(fields: bytes) -> Iterable[bytes]:
    """An object with all fields, or a list of objects in their order."""
    return [place.of(fields) for place in elements(fields)] if fields.startswith(b"[") else [fields]


def _with_fields(fields: bytes, added: Sequence[str]) -> bytes:
    if not fields.startswith(b"["):
        return with_members(fields, dict.fromkeys(added, _SETTINGS))
    ours = [msgspec.json.encode({name: _SETTINGS}) for name in added]
    return b"[%b]" % b",".join([*_objects(fields), *ours])


def _overlap(name: str, other: str) -> bool:
    return matches(name, other) or matches(other, name) or (is_pattern(name) and is_pattern(other))


def _tags(settings: object) -> Iterator[str]:
    """Every mark that any part of the block names, and those of an engine that is told none."""
    yield from _DEFAULT_TAGS
    pending = [settings]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            for key in ("pre_tags", "post_tags"):
                tags = value.get(key)
                yield from (tag for tag in (tags if isinstance(tags, list) else [tags]) if isinstance(tag, str) and tag)
            pending += [value[key] for key in value if key not in {"pre_tags", "post_tags", "highlight_query"}]
        elif isinstance(value, list):
            pending += value


def _plain(fragment: str, fragments: Fragments) -> str:
    for tag in fragments.tags:
        fragment = fragment.replace(tag, "")
    return html.unescape(fragment) if fragments.is_html else fragment
