"""What a widened Solr search asks for beside the client's own wishes, and how its reply is made as if it had not.

All that is added are the parameters ``json.offset``, ``json.limit``, ``json.fields`` and ``json.sort`` of the URL,
which win over everything that a client or a handler says, and are shown as they are where a reply echoes its
parameters. So the client's own URL and body stay as they came. Source: "JSON Request API", merging of parameters, of
Solr's reference guide, 8.11 to 10.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from connectors._raw_json import Edit, Member, Span, decode, edited, elements, members, without_members
from connectors._solr_fields import FieldList, glob_matches
from connectors._solr_layout import rebuilt
from connectors._solr_parameters import Parameters

OFFSET, LIMIT, FIELDS, SORT = "json.offset", "json.limit", "json.fields", "json.sort"
ADDED = (OFFSET, LIMIT, FIELDS, SORT)
MARKER = "_rerank_bridge_elevated_"
"""The name under which Solr says whether a document was put on top."""

SHARD = "_rerank_bridge_shard_"
"""The name under which Solr says what shard a document comes from."""
NO_SHARD = "[not a shard request]"
"""What it says where a search was not spread over shards."""


@dataclass(frozen=True, slots=True)
class Restore:
    """What to read in the reply, and what to take out of it."""

    asked: FieldList
    added: tuple[str, ...]
    """Names and patterns of ``fl`` that were added."""
    added_list: str
    """All that was added to ``fl``, as it was written; empty where nothing was."""
    fetch_start: int
    fetch_size: int
    start: int
    """The client's own."""
    parameters: Parameters
    """The client's own, with what its handler makes of them."""
    names: tuple[str, ...]
    """Of the parameters that the client sent, in their order."""
    unique_key: str
    """What it is called in a document."""
    json_members: Mapping[str, object] | None = None
    """Of the client's own JSON; None where it sent none."""
    is_rescored: bool = False
    in_document_order: bool = False

    @property
    def score(self) -> str:
        """What the score is called in a document."""
        return min(self.asked.scores, default="score")

    def hides(self, name: str) -> bool:
        """Whether a member of a document is none that the client asked for."""
        if name in (MARKER, SHARD) or (name == "score" and not self.asked.scores):
            return True
        return not self.asked.shows(name) and any(glob_matches(glob, name) for glob in self.added)


def with_own_parameters(params: bytes, restore: Restore, empty: bytes) -> bytes:
    """The parameters that a reply echoes, without those that were added. Raises ``RawJsonError``."""
    places = members(params)
    edits = without_members([name for name in ADDED if name in places], places)
    if not edits:
        return params
    if set(places) <= set(ADDED):
        return empty
    if not _is_of_all(params, places, restore):
        return _in_own_order(edited(params, edits), restore)
    return _with_own_values(params, places, restore)


def _is_of_all(params: bytes, places: Mapping[str, Member], restore: Restore) -> bool:
    """Whether the echo has what the handler makes of the parameters (``echoParams=all``), so ours for the client's."""
    if restore.added_list:
        value = decode(places["fl"].value.of(params)) if "fl" in places else None
        return (value[-1] if isinstance(value, list) and value else value) == restore.added_list
    return "rows" in places and decode(places["rows"].value.of(params)) == str(restore.fetch_size)


def _with_own_values(params: bytes, places: Mapping[str, Member], restore: Restore) -> bytes:
    """The echo with the client's values in the place of ours."""
    unwanted = [name for name in ADDED if name in places]
    edits: list[Edit] = []
    for name in ("start", "rows", *(("sort",) if SORT in places else ())):
        values = restore.parameters.all(name)
        if values and name in places:
            edits.append(Edit(places[name].value, _written(values)))
        elif name in places:
            unwanted.append(name)
    if restore.added_list and "fl" in places:
        fields = _without_last(places["fl"].value.of(params))
        if fields:
            edits.append(Edit(places["fl"].value, fields))
        else:
            unwanted.append("fl")
    return edited(params, [*edits, *without_members(unwanted, places)])


def with_own_json(debug: bytes, restore: Restore, empty: bytes) -> Iterator[Edit]:
    """The edits of a ``debug`` section that take what was added out of the JSON that it shows. Raises ``RawJsonError``.

    It shows what all JSON of a request comes to.
    """
    shown = members(debug)
    own = restore.json_members
    if "json" not in shown:
        return
    if own is None:
        yield from _without_json(debug, shown, empty)
        return
    raw, offset = shown["json"].value.of(debug), shown["json"].value_start
    places = members(raw)
    names = [name.removeprefix("json.") for name in ADDED]
    unwanted = [name for name in names if name in places and name not in own]
    if len(unwanted) == len(places) and not own:
        yield Edit(shown["json"].value, empty)
        return
    if len(unwanted) == len(places):
        yield from _without_json(debug, shown, empty)
        return
    yield from _shifted(without_members(unwanted, places), offset)
    kept = [name for name in names if name in places and name in own]
    yield from _shifted(
        [
            Edit(places[name].value, _own_json_value(places[name].value.of(raw), own[name], is_list=name == "fields"))
            for name in kept
            if name != "fields" or restore.added_list
        ],
        offset,
    )


def _without_json(debug: bytes, shown: Mapping[str, Member], empty: bytes) -> Iterator[Edit]:
    if len(shown) == 1:
        yield Edit(Span(0, len(debug)), empty)
    else:
        yield from without_members(["json"], shown)


def _own_json_value(value: bytes, own: object, *, is_list: bool) -> bytes:
    if not is_list:
        return msgspec.json.encode(own)
    places = elements(value)
    parts = [place.of(value) for place in places[:-1]]
    return rebuilt(value, places, parts, b"[]") if isinstance(own, list) or not parts else parts[0]


def _shifted(edits: Iterable[Edit], offset: int) -> Iterator[Edit]:
    return (Edit(Span(edit.span.start + offset, edit.span.end + offset), edit.replacement) for edit in edits)


def _written(values: Sequence[str]) -> bytes:
    return msgspec.json.encode(values[0] if len(values) == 1 else values)


def _without_last(value: bytes) -> bytes:
    """The values of a parameter without the last; empty where there was one."""
    if not value.startswith(b"["):
        return b""
    places = elements(value)
    own = [place.of(value) for place in places[:-1]]
    return own[0] if len(own) == 1 else rebuilt(value, places, own, b"")


_FIRST_CAPACITY = 16
_LOAD = 0.75


def _in_own_order(params: bytes, restore: Restore) -> bytes:
    """The echo in the order of Java's hash tables, which are larger, and so ordered otherwise, for our parameters."""
    places = members(params)
    if _capacity(len(places)) == _capacity(len(places) + len(ADDED)):
        return params
    known = {name: place for place, name in enumerate(restore.names)}
    capacity = _capacity(len(places))
    order = sorted(places, key=lambda name: (_hash(name) & (capacity - 1), known.get(name, len(known))))
    return rebuilt(
        params, [member.whole for member in places.values()], [places[name].whole.of(params) for name in order], params
    )


def _capacity(count: int) -> int:
    """Of a ``HashMap`` that has grown to so many entries."""
    capacity = _FIRST_CAPACITY
    while count > capacity * _LOAD:
        capacity *= 2
    return capacity


_UNIT = re.compile(rb"..", re.DOTALL)


def _hash(name: str) -> int:
    """Of a ``String`` as a ``HashMap`` spreads it: "Java SE API", ``String.hashCode``."""
    code = 0
    for unit in _UNIT.findall(name.encode("utf-16-be", "surrogatepass")):
        code = (31 * code + int.from_bytes(unit, "big")) & 0xFFFFFFFF
    return code ^ (code >> 16)
