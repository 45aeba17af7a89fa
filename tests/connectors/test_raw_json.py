"""The places of a JSON text's parts, against the values that the standard library reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._raw_json import (
    Edit,
    RawJsonError,
    Span,
    decode,
    edited,
    elements,
    members,
    values_of,
    with_members,
    without_members,
)

WRITABLE = st.characters(codec="utf-8")
SCALARS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(WRITABLE, max_size=8)
)
KEYS = st.text(WRITABLE, max_size=4)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=5)
SPACES = st.text(" \t\r\n", max_size=3)


@st.composite
def written(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> tuple[Any, bytes]:
    """A value and one of the many ways to write it."""
    value = draw(values)
    space, is_ascii = draw(SPACES), draw(st.booleans())
    separators = (draw(SPACES) + "," + draw(SPACES), draw(SPACES) + ":" + draw(SPACES))
    text = json.dumps(value, ensure_ascii=is_ascii, separators=separators, indent=draw(st.none() | st.just(2)))
    return value, (space + text + draw(SPACES)).encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"{}", {}),
        (b" { } \n", {}),
        (b'{"a":1}', {"a": b"1"}),
        (b'{\n  "a" : [1, {"b": 2}],\r\n\t"c":{"d":{}}\n}', {"a": b'[1, {"b": 2}]', "c": b'{"d":{}}'}),
        (rb'{"\u0061":1,"\"}":"\\\"{,"}', {"a": b"1", '"}': rb'"\\\"{,"'}),
        (
            b'{"big":12345678901234567890123,"f":1e-7,"g":1.0}',
            {"big": b"12345678901234567890123", "f": b"1e-7", "g": b"1.0"},
        ),
        ('{"é":"日本"}'.encode(), {"é": '"日本"'.encode()}),
    ],
)
def test_members_are_found_where_they_stand(text: bytes, expected: dict[str, bytes]) -> None:
    """Each member's value is the bytes between its colon and what follows, whatever the white space."""
    found = members(text)
    assert {key: member.value.of(text) for key, member in found.items()} == expected
    assert all(member.whole.of(text).startswith(b'"') for member in found.values())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"1",
        b"{",
        b'{"a":1} x',
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"a":12,"a":1}',
        b'{"a":1,"b":2,"a":1}',
        b'{"a":1,"b":2,"b":2}',
        b'{"a":1,"a":1,"b":1}',
        rb'{"a":1,"\u0061":1}',
        b"{'a':1}",
        b'{"a":NaN}',
        b"\xff",
        b'{"\xff":1}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_object_with_single_keys_is_refused(text: bytes) -> None:
    """Anything but one JSON object whose keys stand once each raises the one error."""
    for reads in (members, values_of):
        with pytest.raises(RawJsonError):
            reads(text)


@pytest.mark.parametrize("text", [b"", b"{", b"[1,]", b"\xff", b"[" * 100_000, b"1" * 5_000, b"1e999"])
def test_what_can_not_be_decoded_is_refused(text: bytes) -> None:
    """Broken, too deep and out-of-range texts raise the one error."""
    with pytest.raises(RawJsonError):
        decode(text)


@pytest.mark.parametrize("text", [b"{}", b"[1", b"1", b"[1]]"])
def test_what_is_no_array_has_no_elements(text: bytes) -> None:
    """Anything but an array raises the one error."""
    with pytest.raises(RawJsonError):
        elements(text)


@given(written(OBJECTS))
def test_members_agree_with_the_standard_library(case: tuple[dict[str, Any], bytes]) -> None:
    """Keys, their order and the decoded values are those that json reads."""
    value, text = case
    found = members(text)
    assert list(found) == list(value)
    assert {key: json.loads(member.value.of(text)) for key, member in found.items()} == value
    assert {key: member.value.of(text) for key, member in found.items()} == values_of(text)


@pytest.mark.parametrize("value", [rb'"\ud83d"', rb'["\ude00 x",1]', rb'{"\ud83d":1}'])
def test_halves_of_surrogate_pairs_are_kept(value: bytes) -> None:
    """What JSON readers refuse and engines keep is read, and its bytes are those that came."""
    text = b'{"a":%s}' % value
    assert values_of(text) == {"a": value} == {"a": members(text)["a"].value.of(text)}
    assert elements(b"[%s]" % value)[0].of(b"[%s]" % value) == value


@given(written(st.lists(VALUES, max_size=5)))
def test_elements_agree_with_the_standard_library(case: tuple[list[Any], bytes]) -> None:
    """The places of an array's elements hold exactly its values, in order."""
    value, text = case
    assert [json.loads(span.of(text)) for span in elements(text)] == value


@given(written(OBJECTS))
def test_no_edits_change_no_byte(case: tuple[dict[str, Any], bytes]) -> None:
    """A text without edits, or with each value put in its own place, is the text."""
    _, text = case
    own = [Edit(member.value, member.value.of(text)) for member in members(text).values()]
    assert edited(text, []) == text
    assert edited(text, own) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb'{"a":"\ud83d"}', {"a": "\ufffd"}),
        (rb'{"a":"\uDE00 end"}', {"a": "\ufffd end"}),
        (rb'{"\udc00":"\ud83d\ude00\ud83d"}', {"\ufffd": "\U0001f600\ufffd"}),
        (rb'{"a":"\ud83d\ud83d\ude00","b":"\\ud83d"}', {"a": "\ufffd\U0001f600", "b": "\\ud83d"}),
    ],
)
def test_halves_of_surrogate_pairs(text: bytes, value: dict[str, str]) -> None:
    """What engines keep of cut characters is read as the replacement character, and its bytes stay."""
    found = members(text)
    assert decode(text) == value
    assert list(found) == list(value)
    assert edited(text, [Edit(member.value, member.value.of(text)) for member in found.values()]) == text


@pytest.mark.parametrize("text", [rb'"\ud8"', rb'"\ud8zz"', rb'"\ud83d'])
def test_broken_escapes_are_refused(text: bytes) -> None:
    """An escape that is none stays an error."""
    with pytest.raises(RawJsonError):
        decode(text)


def test_edits_are_made_wherever_they_stand() -> None:
    """Edits may be given in any order, may be empty, and may insert."""
    edits = [Edit(Span(4, 4), b"+"), Edit(Span(0, 1), b""), Edit(Span(2, 4), b"xyz")]
    assert edited(b"abcdef", edits) == b"bxyz+ef"


@given(written(OBJECTS), st.dictionaries(KEYS, VALUES, max_size=3))
def test_setting_members_sets_exactly_these(case: tuple[dict[str, Any], bytes], wanted: dict[str, Any]) -> None:
    """Members that stand are replaced in place, others are added at the end, the rest keeps its bytes."""
    value, text = case
    result = with_members(text, wanted)
    after = members(result)
    assert json.loads(result) == value | wanted
    assert list(after) == list(value | wanted)
    before = members(text)
    untouched = set(value) - set(wanted)
    assert all(after[key].whole.of(result) == before[key].whole.of(text) for key in untouched)


@given(written(OBJECTS), st.data())
def test_taking_members_out_leaves_the_others(case: tuple[dict[str, Any], bytes], data: st.DataObject) -> None:
    """What is left is valid JSON, equal to the object without the members, each other member's bytes as they were."""
    value, text = case
    unwanted = data.draw(st.sets(st.sampled_from(sorted(value)))) if value else set()
    result = edited(text, without_members(unwanted, members(text)))
    assert json.loads(result) == {key: inner for key, inner in value.items() if key not in unwanted}
    before, after = members(text), members(result)
    assert all(after[key].whole.of(result) == before[key].whole.of(text) for key in after)
