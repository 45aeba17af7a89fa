"""Where the parts of a JSON text stand, so that it can be edited without being written anew.

msgspec finds and checks the values; this module adds their places. Bytes that are not edited survive as they
came: key order, number forms, integers of any size, white space, escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

import msgspec

_Content = TypeVar("_Content")

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_ANY = msgspec.json.Decoder()

_SPACE = rb"[ \t\r\n]*"
_OPEN_OR_COMMA = re.compile(_SPACE + rb"[,{\[]" + _SPACE)
_KEY = re.compile(rb'"(?:[^"\\]|\\.)*"' + _SPACE + rb":" + _SPACE, re.DOTALL)
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_CLOSE = re.compile(_SPACE + rb"[}\]]" + _SPACE)


class RawJsonError(ValueError):
    """Not JSON, not of the kind expected, or an object with a key twice."""


class Span(NamedTuple):
    """A half-open range of bytes."""

    start: int
    end: int

    def of(self, buffer: bytes) -> bytes:
        """The bytes of the range."""
        return buffer[self.start : self.end]


class Member(NamedTuple):
    """One member of an object: where its key begins (at the quote), where its value begins, and where both end."""

    start: int
    value_start: int
    end: int

    @property
    def whole(self) -> Span:
        """Key and value."""
        return Span(self.start, self.end)

    @property
    def value(self) -> Span:
        """The value alone."""
        return Span(self.value_start, self.end)


class Edit(NamedTuple):
    """What to put in the place of a range."""

    span: Span
    replacement: bytes


def decode(buffer: bytes) -> object:
    """The value of a JSON text. Raises ``RawJsonError``."""
    return _read(_ANY, buffer).content


def members(buffer: bytes) -> dict[str, Member]:
    """The members of an object, in their order. Raises ``RawJsonError``, also where a key stands twice."""
    found: dict[str, Member] = {}
    position = 0
    parts, buffer = _read(_OBJECT, buffer)
    for key, raw in parts.items():
        value, written = bytes(raw), f'"{key}":'.encode()
        key_start = position + 1  # as the engines write: one sign, the key, a colon, the value
        value_start = key_start + len(written)
        if not (buffer.startswith(written, key_start) and buffer.startswith(value, value_start)):
            key_start = _skip(_OPEN_OR_COMMA, buffer, position)
            value_start = _skip(_KEY, buffer, key_start)
            if not buffer.startswith(value, value_start):
                raise RawJsonError("a key stands twice")
        position = value_start + len(value)
        found[key] = Member(key_start, value_start, position)
    _expect_end(buffer, position, empty=not found)
    return found


def values_of(buffer: bytes) -> Mapping[str, bytes]:
    """The values of an object's members. Raises ``RawJsonError`` as ``members`` does, and takes a part of its time."""
    content, read = _read(_OBJECT, buffer)
    values = {key: bytes(raw) for key, raw in content.items()}
    # Written without a space or an escape, each member takes its key, its value and four signs. Shorter it can't be, so
    # that a text of this length has no key twice.
    is_exact = 1 + sum([len(key) + len(value) + 4 for key, value in values.items()]) == len(buffer)
    if is_exact and read is buffer:  # else halves of surrogate pairs were written otherwise, to be read at all
        return values
    return {key: member.value.of(buffer) for key, member in members(buffer).items()}


def elements(buffer: bytes) -> list[Span]:
    """The places of an array's elements. Raises ``RawJsonError``."""
    found: list[Span] = []
    position = 0
    content, buffer = _read(_ARRAY, buffer)
    for raw in content:
        value = bytes(raw)
        start = position + 1  # as the engines write: one sign, then the element
        if not buffer.startswith(value, start):
            start = _skip(_OPEN_OR_COMMA, buffer, position)
        position = start + len(value)
        found.append(Span(start, position))
    return found


def edited(buffer: bytes, edits: Iterable[Edit]) -> bytes:
    """The text with each edit made; edits must not overlap."""
    pieces: list[bytes] = []
    position = 0
    for edit in sorted(edits):
        pieces += (buffer[position : edit.span.start], edit.replacement)
        position = edit.span.end
    pieces.append(buffer[position:])
    return b"".join(pieces)


def with_members(buffer: bytes, wanted: Mapping[str, object]) -> bytes:
    """The object with these members set: in place where they stand, else at its end. Raises ``RawJsonError``."""
    present = members(buffer)
    encoded = {key: msgspec.json.encode(value) for key, value in wanted.items()}
    edits = [Edit(present[key].value, value) for key, value in encoded.items() if key in present]
    added = b",".join(msgspec.json.encode(key) + b":" + value for key, value in encoded.items() if key not in present)
    if added:
        end = buffer.rindex(b"}")
        edits.append(Edit(Span(end, end), (b"," if present else b"") + added))
    return edited(buffer, edits)


def without_members(unwanted: Iterable[str], present: Mapping[str, Member]) -> list[Edit]:
    """The edits that take members out of an object, each with one of its commas."""
    names = set(unwanted)
    places = list(present.items())
    if all(name in names for name in present):
        return [Edit(Span(places[0][1].whole.start, places[-1][1].whole.end), b"")] if places else []
    edits: list[Edit] = []
    kept_before = False
    for index, (name, member) in enumerate(places):
        if name not in names:
            kept_before = True
        elif kept_before:
            edits.append(Edit(Span(places[index - 1][1].whole.end, member.whole.end), b""))
        else:
            edits.append(Edit(Span(member.whole.start, places[index + 1][1].whole.start), b""))
    return edits


class _Text(NamedTuple, Generic[_Content]):
    """What a JSON text says, and the text as it was read."""

    content: _Content
    buffer: bytes


def _read(decoder: msgspec.json.Decoder[_Content], buffer: bytes) -> _Text[_Content]:
    try:
        return _Text(decoder.decode(buffer), buffer)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        mended = _mended(buffer)
        if mended == buffer:
            raise RawJsonError(str(error)) from error
    return _read(decoder, mended)


def _mended(buffer: bytes) -> bytes:
    """The text with U+FFFD for each half of a surrogate pair, every byte in its place: the engines keep such halves."""
    if b"\\ud" not in buffer and b"\\uD" not in buffer:
        return buffer
    return _ESCAPE.sub(lambda match: b"\\ufffd" if match.group("half") else match.group(), buffer)


def _skip(pattern: re.Pattern[bytes], buffer: bytes, position: int) -> int:
    match = pattern.match(buffer, position)
    if match is None:
        raise RawJsonError(f"unexpected text at byte {position}")
    return match.end()


def _expect_end(buffer: bytes, position: int, *, empty: bool) -> None:
    start = _skip(_OPEN_OR_COMMA, buffer, 0) if empty else position
    match = _CLOSE.match(buffer, start)
    if match is None or match.end() != len(buffer):
        raise RawJsonError("a key stands twice")
