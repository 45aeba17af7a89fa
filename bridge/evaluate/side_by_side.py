"""One search twice, directly and through a bridge, and both orders next to each other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from bridge.evaluate.client import SearchClient
from bridge.evaluate.dialect import Hit

LABEL_CHARS = 60


@dataclass(frozen=True, slots=True)
class SideBySide:
    """The same page of one search, before and after."""

    direct: tuple[str, ...]
    """Hit ids, best first."""
    bridged: tuple[str, ...]
    rerank: str | None
    """What the bridge said that it did."""
    labels: dict[str, str]
    """Hit id -> a few words by which a person knows the hit."""


async def search(client: SearchClient, index: str, body: bytes) -> tuple[Sequence[Hit], str | None]:
    """The hits with their documents, and what the bridge said. An empty ``index`` searches them all.

    Raises ``UpstreamError``.
    """
    answer = await client.send("POST", client.dialect.search_path(index), body)
    return client.hits(answer, "the search"), answer.rerank


async def search_both(direct: SearchClient, bridged: SearchClient, index: str, body: bytes) -> SideBySide:
    """Both pages. An empty ``index`` searches them all. Raises ``UpstreamError``."""
    direct_hits, _ = await search(direct, index, body)
    bridged_hits, rerank = await search(bridged, index, body)
    labels = {hit.id: _label(hit) for hit in (*direct_hits, *bridged_hits)}
    return SideBySide(tuple(hit.id for hit in direct_hits), tuple(hit.id for hit in bridged_hits), rerank, labels)


def table(pages: SideBySide, title: str, marked: Collection[str] = ()) -> Table:
    """Both pages as a table for the terminal; ``marked`` hits stand out."""
    shown = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD, expand=True)
    shown.add_column("", justify="right", no_wrap=True)
    shown.add_column("direct", ratio=1, no_wrap=True)  # both share what is left of the width
    shown.add_column("bridged", ratio=1, no_wrap=True)
    shown.add_column("was", justify="right", no_wrap=True)
    places = {hit_id: place for place, hit_id in enumerate(pages.direct, start=1)}
    rows = max(len(pages.direct), len(pages.bridged))
    for place in range(1, rows + 1):
        before, after = _at(pages.direct, place), _at(pages.bridged, place)
        was = str(places.get(after, f">{rows}")) if after else ""
        shown.add_row(str(place), _cell(pages, before, marked), _cell(pages, after, marked), was)
    return shown


def _at(ids: tuple[str, ...], place: int) -> str:
    return ids[place - 1] if place <= len(ids) else ""


def _cell(pages: SideBySide, hit_id: str, marked: Collection[str]) -> str:
    label = escape(pages.labels.get(hit_id, ""))
    return f"[bold green]* {label}[/]" if hit_id in marked else f"  {label}"


def _label(hit: Hit) -> str:
    texts = (text for text in hit.source.values() if isinstance(text, str) and text.strip())
    first = " ".join(next(texts, "").split())
    label = first if first.startswith(hit.id) else f"{hit.id}  {first}"
    return label if len(label) <= LABEL_CHARS else label[: LABEL_CHARS - 1] + "…"
