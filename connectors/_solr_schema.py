"""A Solr schema -> its unique key, and the fields whose text a model reads.

A field that is not stored, such as one that all texts are copied into, is read where its text comes from. Sources:
"Schema API", "Copying Fields", "Dynamic Fields", "Field Type Definitions and Properties" (defaults of ``stored`` and
``docValues``) of Solr's reference guide, 8.11 to 10.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from connectors._questions import read
from connectors._solr_fields import glob_matches
from connectors.base import Reply

TEXT = frozenset({"TextField", "SortableTextField"})
"""Classes of fields that hold text that is meant to be read."""
LAST_RESORT = frozenset({"StrField"})
"""Those that are read where a schema has none of the others."""
MAX_FIELDS = 100
"""Fields that are read of a document."""
USUAL_KEY = "id"
"""Of the schemas that Solr comes with."""
_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    kind: str
    """The class of its type, without a package."""
    is_shown: bool


@dataclass(frozen=True, slots=True)
class Schema:
    """What is known of the fields of a collection."""

    unique_key: str
    fields: Mapping[str, _Field]
    dynamic: tuple[_Field, ...]
    """The longest pattern first, as Solr looks for them."""
    copies: Mapping[str, tuple[str, ...]]
    """What a field gets from others: names and patterns."""

    def field(self, name: str) -> _Field | None:
        """The field of this name, or the pattern that it fits; a pattern stands for itself."""
        return self.fields.get(name) or next((one for one in self.dynamic if glob_matches(one.name, name)), None)

    def has(self, name: str) -> bool:
        """Whether documents can have a field of this name."""
        return self.field(name) is not None

    def readable(self, names: Iterable[str]) -> tuple[str, ...]:
        """Where the texts of these fields stand in a document."""
        found = (one for name in names for one in (name if self._is_shown(name) else "", *self._sources(name)))
        return tuple(dict.fromkeys(name for name in found if name))

    def _is_shown(self, name: str) -> bool:
        known = self.field(name)
        return known is not None and known.is_shown

    def _sources(self, name: str) -> Iterable[str]:
        return () if self._is_shown(name) else filter(self._is_source, self.copies.get(name, ()))

    def _is_source(self, name: str) -> bool:
        return "*" in name or self._is_shown(name)

    def texts(self) -> tuple[str, ...]:
        """Names and patterns of all fields with text that documents show."""
        every = [*self.fields.values(), *self.dynamic]
        shown = [one for one in every if one.is_shown and not one.name.startswith("_") and one.name != self.unique_key]
        chosen = [one for one in shown if one.kind in TEXT] or [one for one in shown if one.kind in LAST_RESORT]
        return tuple(one.name for one in chosen[:MAX_FIELDS])


# A function of the answer alone, which holds for many searches.
@lru_cache(maxsize=_REMEMBERED)
def schema_of(answer: Reply | None) -> Schema | None:
    """The schema in the reply to ``GET .../schema``; None where it can't be had."""
    described = _object(_object(read(answer)).get("schema"))
    if not described:
        return None
    types = {str(one.get("name")): one for one in _listed(described.get("fieldTypes"))}
    version = described.get("version")
    has_values = isinstance(version, int | float) and version >= _SHOWS_DOC_VALUES
    dynamic = sorted(_listed(described.get("dynamicFields")), key=lambda one: -len(str(one.get("name"))))
    copies: dict[str, tuple[str, ...]] = {}
    for one in _listed(described.get("copyFields")):
        target = str(one.get("dest"))
        copies[target] = (*copies.get(target, ()), str(one.get("source")))
    fields = [_field(one, types, has_values=has_values) for one in _listed(described.get("fields"))]
    key = described.get("uniqueKey")
    return Schema(
        unique_key=key if isinstance(key, str) else USUAL_KEY,
        fields={one.name: one for one in fields},
        dynamic=tuple(_field(one, types, has_values=has_values) for one in dynamic),
        copies=copies,
    )


_SHOWS_DOC_VALUES = 1.6
"""The version of schemas from which doc values are shown in the place of what is not stored."""


def _field(described: Mapping[str, object], types: Mapping[str, Mapping[str, object]], *, has_values: bool) -> _Field:
    kind = types.get(str(described.get("type")), {})
    properties = {**kind, **described}
    values_shown = has_values and properties.get("useDocValuesAsStored", True) is not False
    return _Field(
        name=str(described.get("name")),
        kind=str(kind.get("class", "")).rpartition(".")[2],
        is_shown=properties.get("stored", True) is not False or (values_shown and properties.get("docValues") is True),
    )


def _listed(value: object) -> Sequence[Mapping[str, object]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
