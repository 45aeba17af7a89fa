"""What ``filter_path`` leaves of a reply, done here where the engine can't do it: what it filters out the bridge needs.

Values keep their bytes; objects and lists of which something was left out and nothing remains are left out too. Source:
"Response filtering" in the common options of the REST API (Elasticsearch 8, OpenSearch 2), and what the engines do.
Elasticsearch from 8.16 on keeps what was empty before where only an exclusion reaches into it (its pull request
112250); here it is left out, as by all others.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors._filter_path import FilterPath
from connectors._raw_json import Edit, Span, edited, elements, members, without_members


def filtered(body: bytes, shown: FilterPath) -> bytes:
    """The object with what the filter shows of it. Raises ``RawJsonError``."""
    return _value(body, (), shown) or b"{}"


def _value(raw: bytes, path: tuple[str, ...], shown: FilterPath) -> bytes | None:
    """What is left of a value that is shown whole or in part; None: nothing."""
    if path and shown.shows_whole(*path):
        return raw
    if raw.startswith(b"{"):
        return _object(raw, path, shown)
    if raw.startswith(b"["):
        return _array(raw, path, shown)
    return raw if shown.shows_scalar(*path) else None


def _object(raw: bytes, path: tuple[str, ...], shown: FilterPath) -> bytes | None:
    present = members(raw)
    edits: list[Edit] = []
    unwanted: list[str] = []
    for name, member in present.items():
        whole = member.value.of(raw)
        kept = _value(whole, (*path, name), shown) if shown.shows(*path, name) else None
        if kept is None:
            unwanted.append(name)
        elif kept != whole:
            edits.append(Edit(member.value, kept))
    if len(unwanted) == len(present):
        return None
    return edited(raw, [*edits, *without_members(unwanted, present)])


def _array(raw: bytes, path: tuple[str, ...], shown: FilterPath) -> bytes | None:
    places = elements(raw)
    kept = list(_kept(raw, places, path, shown))
    if not kept:
        return None
    between = raw[places[0].end : places[1].start] if len(places) > 1 else b","
    return raw[: places[0].start] + between.join(kept) + raw[places[-1].end :]


def _kept(raw: bytes, places: list[Span], path: tuple[str, ...], shown: FilterPath) -> Iterator[bytes]:
    for place in places:
        kept = _value(place.of(raw), path, shown)
        if kept is not None:
            yield kept
