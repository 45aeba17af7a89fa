"""A hit -> the text that a model reads.

A hit's documents are flattened to dotted paths, as the engines name fields. Fields that are named are read in their
order, numbers and booleans included; where none is named, every string is read in document order. A sub-field of
the mapping (``title.english``) is not in the document: its parent is read. A missing field is left out, and so is
a text that was read before. Fields that a mapping names are read in the order of the document, which is its author's:
a mapping has none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from connectors._wildcard import is_pattern, matches
from connectors.base import TextField

Leaves = Mapping[str, Sequence[object]]
"""Dotted path -> the scalars that stand there, in document order."""

_LIST_SEPARATOR = ", "
_FIELD_SEPARATOR = "\n"


def leaves(documents: Iterable[object], tops: Collection[str] | None = None) -> Leaves:
    """The scalars of ``_source`` and ``fields`` blocks by path; with ``tops``, what matters to them at least."""
    found: dict[str, list[object]] = {}
    for document in documents:
        _gather(_pruned(document, tops) if tops is not None else document, found)
    return found


def tops_of(wanted: Sequence[TextField]) -> Collection[str] | None:
    """What the paths of these fields begin with, up to the first dot; None where it may be anything."""
    tops = {field.name.partition(".")[0] for field in wanted}
    return None if not tops or any(map(is_pattern, tops)) else tops


def text_of(document: Leaves, wanted: Sequence[TextField], max_chars: int, *, in_document_order: bool = False) -> str:
    """What a model reads of a document; empty where it has none of the fields wanted. At most ``max_chars`` long."""
    if in_document_order:
        wanted = _as_they_stand(document, wanted)
    parts = _named(document, wanted) if wanted else () if in_document_order else _every_string(document)
    return _FIELD_SEPARATOR.join(parts)[:max_chars].strip()


def path_in(document: Leaves, name: str) -> str | None:
    """Where the text of a field stands: under its name, or that of the field whose sub-field it is; None: nowhere."""
    while name and name not in document:
        name = name.rpartition(".")[0]
    return name or None


def _as_they_stand(document: Leaves, wanted: Sequence[TextField]) -> list[TextField]:
    named = {field.name: field for field in wanted}
    return [named[path] for path in document if path in named]


def _named(document: Leaves, wanted: Sequence[TextField]) -> Iterator[str]:
    seen: set[str] = set()
    for field in wanted:
        texts = [_as_text(value) for path in _paths(document, field.name) for value in document[path]]
        fresh = [text for text in dict.fromkeys(texts) if text and text not in seen]
        seen.update(fresh)
        text = _LIST_SEPARATOR.join(fresh)[: field.max_chars]
        if text:
            yield f"{field.label}: {text}" if field.label else text


def _every_string(document: Leaves) -> Iterator[str]:
    seen: set[str] = set()
    for values in document.values():
        texts = [value.strip() for value in values if isinstance(value, str)]
        fresh = [text for text in dict.fromkeys(texts) if text and text not in seen]
        seen.update(fresh)
        if fresh:
            yield _LIST_SEPARATOR.join(fresh)


def _paths(document: Leaves, name: str) -> Sequence[str]:
    if is_pattern(name):
        return [path for path in document if matches(name, path)]
    path = path_in(document, name)
    return [path] if path is not None else []


def _pruned(document: object, tops: Collection[str]) -> object:
    if not isinstance(document, dict):
        return document
    return {key: value for key, value in document.items() if key in tops or not key or key.partition(".")[0] in tops}


def _gather(document: object, found: dict[str, list[object]]) -> None:
    """Adds scalars under their paths; no recursion, since what is not indexed nests as deep as it likes."""
    pending: list[tuple[object, str]] = [(document, "")]
    while pending:
        value, path = pending.pop()
        if isinstance(value, dict):
            pending += [(inner, f"{path}.{key}" if path else key) for key, inner in reversed(value.items())]
        elif isinstance(value, list):
            pending += [(inner, path) for inner in reversed(value)]
        elif value is not None:
            found.setdefault(path, []).append(value)


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    return str(value).lower() if isinstance(value, bool) else str(value)
