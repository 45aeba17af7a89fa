"""The mappings of the indices that are searched -> the fields whose text a model reads.

A field is known by where it stands in a document: a multi-field by its source, an alias by what it stands for, an
object nested or not by its dotted path. Sources: "Get mapping", "Field data types", "Alias", "fields", "copy_to" and
"_source field", Elasticsearch 7.10 to 9 and OpenSearch 1.3 to 3 manuals; mapping types, "Removal of mapping types".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors._wildcard import matches

TEXT = frozenset(
    {
        *("text", "match_only_text", "pattern_text", "search_as_you_type", "annotated_text"),
        *("semantic_text", "semantic"),  # Elasticsearch's, OpenSearch's
    }
)
"""Kinds of fields that hold text that is meant to be read."""

LAST_RESORT = frozenset({"keyword", "wildcard"})
"""Kinds that are read where an index has none of the others: what its users search is all here."""

MAX_FIELDS = 100
"""Fields that are read of a document, the least nested first; dynamic mappings may have thousands."""
_MAX_DEPTH = 50  # the engines' own limit is 20 (index.mapping.depth.limit)
_KEPT_BELOW = {"semantic_text": ("text",)}
"""Where a text stands below its field: before Elasticsearch 8.18, beside its embeddings."""


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of a mapping."""

    path: str
    """Where it stands in a document."""
    kinds: frozenset[str]
    """Its own, and those of its multi-fields."""
    names: tuple[str, ...]
    """What searches call it: its path, its multi-fields, aliases of either."""
    is_stored: bool


@dataclass(frozen=True, slots=True)
class MappedText:
    """What is known of the texts of some indices."""

    names: tuple[str, ...]
    """Dotted paths of the fields that are read."""
    stored: tuple[str, ...] | None = None
    """Those of them that are stored apart, where no document is kept (``_source.enabled: false``); else None."""


def mapped_text(answer: Mapping[str, object], patterns: Sequence[str] = ()) -> MappedText | None:
    """The fields with text in the reply to ``GET /{index}/_mapping``, those that match; None where there are none.

    Several indices are joined. ``patterns`` are names with ``*``; none means every field.
    """
    mappings = [mapping for index in answer.values() for mapping in _mappings(index)]
    fields = _joined(field for mapping in mappings for field in _fields(mapping))
    wanted = [field for field in fields if not patterns or any(matches(p, n) for p in patterns for n in field.names)]
    chosen = [field for field in wanted if field.kinds & TEXT] or [f for f in wanted if f.kinds & LAST_RESORT]
    nearest = sorted(chosen, key=lambda field: field.path.count("."))[:MAX_FIELDS]
    if not nearest:
        return None
    is_kept = not mappings or any(map(_keeps_documents, mappings))
    stored = None if is_kept else tuple(field.path for field in nearest if field.is_stored)
    return MappedText(tuple(path for field in nearest for path in _paths(field)), stored)


def holds_text(answer: Mapping[str, object], names: Sequence[str]) -> bool:
    """Whether any of these fields is one of text in any of the indices, by the reply to ``GET /{index}/_mapping``."""
    fields = (field for index in answer.values() for mapping in _mappings(index) for field in _fields(mapping))
    return any(field.kinds & TEXT and not set(names).isdisjoint(field.names) for field in fields)


def _paths(field: _Field) -> Iterator[str]:
    yield field.path
    for kind in sorted(field.kinds):
        yield from (f"{field.path}.{below}" for below in _KEPT_BELOW.get(kind, ()))


def _mappings(index: object) -> Iterator[Mapping[str, object]]:
    """The mapping of an index: one, or one for each of its types where they have names."""
    mapping = _object(_object(index).get("mappings"))
    if not mapping or "properties" in mapping or "_source" in mapping:
        yield mapping
        return
    typed = [_object(inner) for inner in mapping.values() if "properties" in _object(inner)]
    yield from typed or [mapping]


def _keeps_documents(mapping: Mapping[str, object]) -> bool:
    source = _object(mapping.get("_source"))
    return source.get("enabled", True) not in (False, "false")


def _fields(mapping: Mapping[str, object]) -> Iterator[_Field]:
    described = dict(_properties(mapping, "", 0))
    aliases: dict[str, list[str]] = {}
    for path, field in described.items():
        if field.get("type") == "alias":
            aliases.setdefault(str(field.get("path")), []).append(path)
    for path, field in described.items():
        if field.get("type") != "alias":
            yield _field(path, field, aliases)


def _field(path: str, field: Mapping[str, object], aliases: Mapping[str, Sequence[str]]) -> _Field:
    multi = _object(field.get("fields"))
    own = (path, *(f"{path}.{name}" for name in multi))
    kinds = [field.get("type"), *(_object(inner).get("type") for inner in multi.values())]
    return _Field(
        path=path,
        kinds=frozenset(kind for kind in kinds if isinstance(kind, str)),
        names=(*own, *(alias for name in own for alias in aliases.get(name, ()))),
        is_stored=field.get("store") in (True, "true"),
    )


def _properties(parent: Mapping[str, object], prefix: str, depth: int) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Every field below, by its dotted path; what is not parsed (``enabled: false``) has none."""
    if depth > _MAX_DEPTH or parent.get("enabled", True) in (False, "false"):
        return
    for name, field in _object(parent.get("properties")).items():
        described = _object(field)
        if "properties" in described:
            yield from _properties(described, f"{prefix}{name}.", depth + 1)
        else:
            yield f"{prefix}{name}", described


def _joined(fields: Iterator[_Field]) -> list[_Field]:
    """Each path once, with all that it is in any of the indices."""
    by_path: dict[str, _Field] = {}
    for field in fields:
        known = by_path.get(field.path, field)
        names = tuple(dict.fromkeys((*known.names, *field.names)))
        is_stored = known.is_stored and field.is_stored
        by_path[field.path] = _Field(field.path, known.kinds | field.kinds, names, is_stored)
    return list(by_path.values())


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
