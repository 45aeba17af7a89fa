"""A hit's fields block, cut down to what was asked for."""

from __future__ import annotations

import pytest

from connectors._fields_block import asked_part

BLOCK = b'{"title":["a"],"title.kw":["a"],"n":[1.0],"loc":[{"type":"Point"}]}'
NESTED = b'{"c":[{"who":["x"],"text":["nice"]},{"text":["bad"]}],"n":[1]}'
PRETTY = b"""{
  "c" : [
    {
      "who" : [ "x" ],
      "t" : [ ]
    },
    {
      "t" : [ 1 ]
    },
    {
      "who" : [ "y" ]
    }
  ]
}"""
PRETTY_WHO = b"""{
  "c" : [
    {
      "who" : [ "x" ]
    },
    {
      "who" : [ "y" ]
    }
  ]
}"""


@pytest.mark.parametrize(
    ("block", "asked", "expected"),
    [
        (BLOCK, ("*",), BLOCK),
        (BLOCK, ("title",), b'{"title":["a"]}'),
        (BLOCK, ("title.kw",), b'{"title.kw":["a"]}'),
        (BLOCK, ("t*", "n"), b'{"title":["a"],"title.kw":["a"],"n":[1.0]}'),
        (BLOCK, ("loc",), b'{"loc":[{"type":"Point"}]}'),
        (BLOCK, ("nosuch",), None),
        (b"{}", ("n",), None),
        (NESTED, ("c.who",), b'{"c":[{"who":["x"]}]}'),
        (NESTED, ("c.text", "n"), b'{"c":[{"text":["nice"]},{"text":["bad"]}],"n":[1]}'),
        (NESTED, ("c*",), b'{"c":[{"who":["x"],"text":["nice"]},{"text":["bad"]}]}'),
        (NESTED, ("c.nosuch",), None),
        (b'{"a":[{"b":[{"c":[1],"d":[2]}]}]}', ("a.b.c",), b'{"a":[{"b":[{"c":[1]}]}]}'),
        (b'{"c":[],"d":5,"e":[1,{}]}', ("c.x", "d.x", "e.x"), None),
        (PRETTY, ("c.who",), PRETTY_WHO),
    ],
)
def test_what_was_asked_for(block: bytes, asked: tuple[str, ...], expected: bytes | None) -> None:
    """Fields that match stay as they came, within nested objects too; a block without any is none."""
    assert asked_part(block, asked) == expected
