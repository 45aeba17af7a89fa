"""Which fields of a hit are read: those configured, those that the query names, or those that the mapping has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from connectors._mapping import holds_text, mapped_text
from connectors._questions import Asker
from connectors._wildcard import is_pattern
from connectors.base import Policy, Question, TextField


@dataclass(frozen=True, slots=True)
class Texts:
    """What is read of a hit."""

    fields: tuple[TextField, ...]
    """Empty: every text field that the reply shows."""
    is_mapped: bool = False
    """Whether they are read in the order of the document, since they come from a mapping, which has none."""
    stored: tuple[str, ...] | None = None
    """Those that are stored apart, where no document is kept; else None."""


def texts_of(asker: Asker, policy: Policy, named: Sequence[str]) -> Texts | Question:
    """What to read, or the mapping that has to be known first. ``named`` are the fields that the query names.

    The mapping is asked for where the query leaves the choice to it. Where it can't be had, as by clients without the
    right, every text of a hit is read.
    """
    if policy.text_fields:
        return Texts(policy.text_fields)
    as_named = Texts(tuple(TextField(name) for name in named))
    if not all(map(is_pattern, named)):
        return as_named
    mapping = asker.ask_indices("_mapping")
    if isinstance(mapping, Question):
        return mapping
    found = mapped_text(mapping, named) if mapping is not None else None
    if found is None:
        return as_named
    return Texts(tuple(TextField(name) for name in found.names), is_mapped=True, stored=found.stored)


def are_texts(asker: Asker, named: Sequence[str]) -> bool | Question:
    """Whether the mapping says that one of these fields holds text; False where it can't be had."""
    mapping = asker.ask_indices("_mapping")
    return mapping if isinstance(mapping, Question) else mapping is not None and holds_text(mapping, named)


def renamed(texts: Texts, renames: Sequence[tuple[str, str]]) -> Texts:
    """The same where hits have other names for some fields than the index."""
    fields = list(texts.fields)
    for old, new in renames:
        fields += [replace(field, name=new) for field in fields if field.name == old]
    return replace(texts, fields=tuple(fields))
