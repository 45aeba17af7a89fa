"""Names with ``*``, as the engines match them: any run of characters, dots included."""

from __future__ import annotations


def is_pattern(name: str) -> bool:
    """Whether the name is to be matched rather than looked up."""
    return "*" in name


def matches(pattern: str, name: str) -> bool:
    """Whether the whole name matches.

    Both may be a client's. A regular expression would go back to each star again and again where nothing matches, for
    hours where there are twenty; here each part is taken where it is first found, behind which all others still fit.
    """
    first, *parts = pattern.split("*")
    if not parts:
        return name == first
    *middle, last = parts
    place, end = len(first), len(name) - len(last)
    if place > end or not name.startswith(first) or not name.endswith(last):
        return False
    for part in middle:
        found = name.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True
