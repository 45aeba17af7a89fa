"""Which fields of a hit are read: those configured, those that the query names, or those that the mapping has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from connectors._mapping import MappedText, holds_text, mapped_text
from connectors._questions import Asker, read
from connectors._wildcard import is_pattern
from connectors.base import Policy, Question, Reply, TextField

_REMEMBERED = 16
"""Mappings: those of the indices that are searched by names that the query does not give."""


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
    answer = asker.answer_of_indices("_mapping")
    if isinstance(answer, Question):
        return answer
    found = _mapped(answer, tuple(named))
    if found is None:
        return as_named
    return Texts(tuple(TextField(name) for name in found.names), is_mapped=True, stored=found.stored)


def are_texts(asker: Asker, named: Sequence[str]) -> bool | Question:
    """Whether the mapping says that one of these fields holds text; False where it can't be had."""
    answer = asker.answer_of_indices("_mapping")
    return answer if isinstance(answer, Question) else _holds(answer, tuple(named))


# Remembered, since they are functions of the answer alone: to read a mapping of 3,000 fields takes 18 ms, which each
# search of a minute would spend.
@lru_cache(maxsize=_REMEMBERED)
def _mapped(answer: Reply | None, named: tuple[str, ...]) -> MappedText | None:
    mapping = read(answer)
    return mapped_text(mapping, named) if mapping is not None else None


@lru_cache(maxsize=_REMEMBERED)
def _holds(answer: Reply | None, named: tuple[str, ...]) -> bool:
    mapping = read(answer)
    return mapping is not None and holds_text(mapping, named)


def renamed(texts: Texts, renames: Sequence[tuple[str, str]]) -> Texts:
    """The same where hits have other names for some fields than the index."""
    fields = list(texts.fields)
    for old, new in renames:
        fields += [replace(field, name=new) for field in fields if field.name == old]
    return replace(texts, fields=tuple(fields))
