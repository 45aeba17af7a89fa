"""What clicks and purchases say of two orders, from the events of OpenSearch's User Behavior Insights.

For each search of the log that has events: where its clicked (or bought) hits stand on both pages. Users click what
they see, and they saw the first system's page, so that plain figures favour it. The debiased ones weigh each click by
how rarely its place is looked at (inverse propensity, self-normalised: Swaminathan and Joachims, NeurIPS 2015), with
propensities from ``position_bias``. Source of the events: "UBI", OpenSearch 2.15 and later, schema 1.0 and 1.2.
"""

from __future__ import annotations

import gzip
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, TypeVar, cast

import msgspec

from bridge.errors import DataError
from bridge.replay.position_bias import Impression, examined
from bridge.replay.records import Record

_Line = TypeVar("_Line", bound=msgspec.Struct)
Kind = Literal["clicked", "bought"]
_KINDS: Mapping[str, Kind] = {
    "item_click": "clicked",
    "click": "clicked",
    "click_through": "clicked",
    "purchase": "bought",
    "buy": "bought",
}
"""``action_name`` -> what it says of a hit; other events say nothing of one."""
DEPTH = 10
CAVEAT = (
    "Users saw the first system's pages: what they did not see they could not click. The debiased figures correct for "
    "the place of a click, not for hits that were never shown."
)


class Clicked(NamedTuple):
    """One hit that a user acted on."""

    object_id: str
    kind: Kind
    rank: int | None
    """Where it stood when it was clicked, from 1; None where the log does not say."""


@dataclass(frozen=True, slots=True)
class Clicks:
    """The events of a log."""

    by_query: Mapping[str, Sequence[Clicked]]
    """Query id -> what was acted on."""
    looked_at: Mapping[int, float]
    """Rank -> how likely it is looked at; empty where the log does not say what was shown."""


class OrderMeasures(msgspec.Struct, frozen=True):
    """Both orders by what users acted on; means over the searches with such events."""

    kind: Kind
    searches: int
    found_first: float
    """Share of the hits acted on that the first system's page has."""
    found_second: float
    reciprocal_rank_first: float
    """Of the first such hit on the page, 0 where there is none."""
    reciprocal_rank_second: float
    ndcg_first: float
    """With gain 1 for each such hit, among the first ten."""
    ndcg_second: float
    debiased_first: float | None
    """The weighted mean of 1/log2(1 + rank), each hit weighed by how rarely its place is looked at; None: unknown."""
    debiased_second: float | None


class ClickMeasures(msgspec.Struct, frozen=True):
    """What events say of a replay."""

    measures: tuple[OrderMeasures, ...]
    looked_at: tuple[tuple[int, float], ...]
    """Rank and estimated propensity."""
    caveat: str = CAVEAT


class _Object(msgspec.Struct):
    object_id: str = ""


class _Position(msgspec.Struct):
    ordinal: int | None = None


class _Attributes(msgspec.Struct):
    object: _Object | None = None
    position: _Position | None = None


class _Event(msgspec.Struct):
    action_name: str = ""
    query_id: str = ""
    event_attributes: _Attributes | None = None


class _Query(msgspec.Struct):
    query_id: str = ""
    user_query: str = ""
    query_response_object_ids: list[str] = []


class _Exported(msgspec.Struct):
    """A search hit, as an export of an index has them."""

    source: msgspec.Raw = msgspec.field(name="_source", default=msgspec.Raw(b""))


_EXPORTED = msgspec.json.Decoder(_Exported)


def read_clicks(events: Path, queries: Path | None = None) -> Clicks:
    """The events of a file, and from the log of queries what was shown. Lines that can't be read are passed over.

    Raises ``DataError`` where a file can't be read, or no line of it can.
    """
    by_query: dict[str, list[Clicked]] = defaultdict(list)
    for event in _lines(events, _Event):
        clicked = _clicked(event)
        if clicked is not None:
            by_query[event.query_id].append(clicked)
    looked_at = examined(_impressions(queries, by_query)) if queries is not None else {}
    return Clicks(dict(by_query), looked_at)


def _clicked(event: _Event) -> Clicked | None:
    kind = _KINDS.get(event.action_name)
    attributes = event.event_attributes
    if kind is None or attributes is None or attributes.object is None or not attributes.object.object_id:
        return None
    return Clicked(attributes.object.object_id, kind, attributes.position.ordinal if attributes.position else None)


def _impressions(queries: Path, by_query: Mapping[str, Sequence[Clicked]]) -> Iterator[Impression]:
    """What was shown. A hit stands where the page had it: what an event says of its place need not be the rank."""
    for query in _lines(queries, _Query):
        clicked = {one.object_id for one in by_query.get(query.query_id, ())}
        for rank, object_id in enumerate(query.query_response_object_ids, start=1):
            yield Impression(query.user_query, object_id, rank, object_id in clicked)


def _lines(file: Path, kind: type[_Line]) -> Iterator[_Line]:
    decoder = msgspec.json.Decoder(kind)
    read = broken = 0
    try:
        with cast("BinaryIO", gzip.open(file)) if file.suffix == ".gz" else file.open("rb") as lines:
            for line in lines:
                try:
                    source = _EXPORTED.decode(line).source
                    entry = decoder.decode(bytes(source) or line)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    broken += 1
                    continue
                read += 1
                yield entry
    except (OSError, EOFError) as error:
        raise DataError(str(file), f"can't be read: {error}") from error
    if broken and not read:
        raise DataError(str(file), "holds no line of User Behavior Insights")


@dataclass(slots=True)
class _Sums:
    """One kind of event, so far."""

    searches: int = 0
    plain: list[float] = field(default_factory=lambda: [0.0] * 6)
    debiased: list[float] = field(default_factory=lambda: [0.0, 0.0])
    weights: float = 0.0


class ClickedPages:
    """Measures both pages of the searches that have events."""

    def __init__(self, clicks: Clicks) -> None:
        self._clicks = clicks
        self._sums: dict[Kind, _Sums] = {"clicked": _Sums(), "bought": _Sums()}

    def add(self, record: Record) -> None:
        """Counts a search."""
        events = self._clicks.by_query.get(record.query_id, ()) if record.query_id else ()
        if not events or not all(answer.is_answered for answer in record.answers):
            return
        pages = [[hit.known_as for hit in record.answers[system].hits] for system in (0, -1)]
        for kind, sums in self._sums.items():
            wanted = {one.object_id: one for one in events if one.kind == kind}
            if wanted:
                self._count(sums, wanted, pages)

    def _count(self, sums: _Sums, wanted: Mapping[str, Clicked], pages: Sequence[Sequence[str]]) -> None:
        sums.searches += 1
        ranks = [{hit: rank for rank, hit in enumerate(page, start=1) if hit in wanted} for page in pages]
        values = [value for found in ranks for value in _values(found, len(wanted))]
        sums.plain = [before + value for before, value in zip(sums.plain, values, strict=True)]
        for object_id in wanted:
            # The first system's page is the one that the user saw, as far as the log tells.
            weight = self._weight(ranks[0].get(object_id))
            sums.weights += weight
            for system, found in enumerate(ranks):
                rank = found.get(object_id)
                sums.debiased[system] += weight * (_discount(rank) if rank is not None else 0.0)

    def _weight(self, rank: int | None) -> float:
        looked_at = self._clicks.looked_at
        if rank is None or not looked_at:
            return 0.0
        return 1.0 / looked_at.get(rank, min(looked_at.values()))

    def measures(self) -> ClickMeasures:
        """The figures so far."""
        measured = tuple(_measures(kind, sums) for kind, sums in self._sums.items() if sums.searches)
        return ClickMeasures(measured, tuple((rank, round(value, 4)) for rank, value in self._clicks.looked_at.items()))


def _values(ranks: Mapping[str, int], wanted: int) -> tuple[float, float, float]:
    """Share found, reciprocal rank and nDCG of one page."""
    gains = sum(_discount(rank) for rank in ranks.values() if rank <= DEPTH)
    best = sum(_discount(rank) for rank in range(1, min(wanted, DEPTH) + 1))
    return len(ranks) / wanted, 1.0 / min(ranks.values()) if ranks else 0.0, gains / best


def _discount(rank: int) -> float:
    return 1.0 / math.log2(1 + rank)


def _measures(kind: Kind, sums: _Sums) -> OrderMeasures:
    found_first, rr_first, ndcg_first, found_second, rr_second, ndcg_second = (
        round(value / sums.searches, 9) for value in sums.plain
    )
    first, second = (round(value / sums.weights, 9) if sums.weights else None for value in sums.debiased)
    return OrderMeasures(
        kind,
        sums.searches,
        found_first,
        found_second,
        rr_first,
        rr_second,
        ndcg_first,
        ndcg_second,
        first,
        second,
    )
