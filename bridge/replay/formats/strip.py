"""Search bodies without parts that no engine accepts back. Source: RFC 6901, "JSON Pointer"."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


def without(body: bytes, pointers: Sequence[str]) -> bytes:
    """The body without the members that the pointers name; those that are not there are passed over.

    Untouched where nothing is taken out. Raises ``msgspec.DecodeError`` where it is no JSON.
    """
    if not pointers:
        return body
    content = msgspec.json.decode(body)
    found = sum(_take_out(content, pointer) for pointer in pointers)
    return msgspec.json.encode(content) if found else body


def _take_out(content: object, pointer: str) -> bool:
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.lstrip("/").split("/")]
    for name in parents:
        if isinstance(content, list) and name.isdecimal() and int(name) < len(content):
            content = content[int(name)]
        elif isinstance(content, dict) and name in content:
            content = content[name]
        else:
            return False
    if not isinstance(content, dict) or last not in content:
        return False
    del content[last]
    return True
