"""A hit's ``fields`` block, cut down to what a client asked for.

OpenSearch writes every field under its dotted name; Elasticsearch, from 7.11, groups those of nested objects in lists
of objects under the object's name. Source: "Retrieve selected fields", Elasticsearch 8 and OpenSearch 2 manuals.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors._raw_json import Edit, edited, elements, members, without_members
from connectors._wildcard import matches


def asked_part(block: bytes, asked: Sequence[str], parents: str = "") -> bytes | None:
    """The object with the fields whose dotted names match a pattern, bytes as they came; None where none does."""
    present = members(block)
    edits: list[Edit] = []
    unwanted: list[str] = []
    for name, member in present.items():
        if any(matches(pattern, parents + name) for pattern in asked):
            continue
        kept = _asked_elements(member.value.of(block), asked, f"{parents}{name}.")
        if kept is None:
            unwanted.append(name)
        else:
            edits.append(Edit(member.value, kept))
    if len(unwanted) == len(present):
        return None
    return edited(block, [*edits, *without_members(unwanted, present)])


def _asked_elements(values: bytes, asked: Sequence[str], parents: str) -> bytes | None:
    """A list of nested objects, each cut down; None where nothing is left, or they are no objects."""
    places = elements(values) if values.startswith(b"[") else []
    if not places or not all(values.startswith(b"{", place.start) for place in places):
        return None
    objects = [asked_part(place.of(values), asked, parents) for place in places]
    kept = [part for part in objects if part is not None]
    if not kept:
        return None
    between = values[places[0].end : places[1].start] if len(places) > 1 else b","
    return values[: places[0].start] + between.join(kept) + values[places[-1].end :]
