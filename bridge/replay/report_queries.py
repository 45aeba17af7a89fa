"""The queries that change most, both pages side by side, as the page of a replay shows them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bridge.pages import charts
from bridge.pages.charts import shortened
from bridge.replay.answers import ShownHit
from bridge.replay.overlap import newcomers
from bridge.replay.report_view import UNKNOWN, drawn
from bridge.replay.summary import ChangedQuery, Summary

_PASSAGE_CHARS = 320
_QUERY_CHARS = 300
_Key = tuple[str, str]
"""Index and id of a hit."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One hit of a page of a changed query."""

    title: str
    id: str
    score: str
    kind: str
    moved: str
    passage: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """Both pages of a changed query."""

    number: int
    text: str
    place: str
    target: str
    weight: int
    change: float
    newcomers: int
    top_changed: bool
    slopes: Markup
    first: Sequence[Hit]
    second: Sequence[Hit]


def queries(summary: Summary) -> Sequence[Query]:
    """Most changed first."""
    return [_query(changed) for changed in summary.changed]


def _query(changed: ChangedQuery) -> Query:
    before, after = ([(hit.index, hit.id) for hit in page] for page in (changed.first, changed.second))
    was, now = _places(before), _places(after)
    names = _names([*before, *after])
    return Query(
        changed.number,
        shortened(changed.query_text, _QUERY_CHARS),
        changed.place,
        changed.target,
        changed.weight,
        1 - changed.rank_biased_overlap,
        len(newcomers(before, after)),
        before[:1] != after[:1],
        drawn(charts.slopes([(was.get(hit), now.get(hit)) for hit in names], max(len(before), len(after)))),
        [_hit(hit, names, _went(was[key], now.get(key))) for hit, key in zip(changed.first, before, strict=True)],
        [_hit(hit, names, _came(hit, was.get(key), now[key])) for hit, key in zip(changed.second, after, strict=True)],
    )


def _places(page: Sequence[_Key]) -> Mapping[_Key, int]:
    return {hit: place for place, hit in reversed(list(enumerate(page)))}


def _names(hits: Sequence[_Key]) -> Mapping[_Key, str]:
    """What each hit is called: its id, and where there are several indices its index before that."""
    many = len({index for index, _ in hits}) > 1
    return {(index, name): f"{index}/{name}" if many else name for index, name in hits}


def _hit(hit: ShownHit, names: Mapping[_Key, str], kind_and_move: tuple[str, str]) -> Hit:
    name = names[hit.index, hit.id]
    score = UNKNOWN if hit.score is None else f"{hit.score:.4g}"
    return Hit(hit.title or name, name, score, *kind_and_move, shortened(" ".join(hit.passage.split()), _PASSAGE_CHARS))


def _went(was: int, now: int | None) -> tuple[str, str]:
    """Of a hit of the first page: its kind of move, and where it goes."""
    if now is None:
        return "gone", "leaves the page"
    if was == now:
        return "same", "stays"
    return ("rose", f"up to {now + 1}") if now < was else ("fell", f"down to {now + 1}")


def _came(hit: ShownHit, was: int | None, now: int) -> tuple[str, str]:
    """Of a hit of the second page: its kind of move, and where it comes from."""
    if was is None:
        return "new", f"new, from rank {hit.first_stage_rank}" if hit.first_stage_rank else "new"
    if was == now:
        return "same", "stays"
    return ("rose", f"up {was - now}, from {was + 1}") if now < was else ("fell", f"down {now - was}, from {was + 1}")
