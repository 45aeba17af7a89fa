"""Objects and arrays of a reply rebuilt from some of their parts, laid out as the engine lays them out."""

from __future__ import annotations

from collections.abc import Sequence

from connectors._raw_json import Span


def rebuilt(raw: bytes, places: Sequence[Span], shown: Sequence[bytes], empty: bytes) -> bytes:
    """An object or array with these parts in the place of its own; ``empty`` where there are none."""
    if not places:
        return raw
    if not shown:
        return empty
    between = raw[places[0].end : places[1].start] if len(places) > 1 else b","
    return raw[: places[0].start] + between.join(shown) + raw[places[-1].end :]
