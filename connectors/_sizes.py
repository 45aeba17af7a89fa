"""How many hits may be fetched, so that the engine finds the same ones as for the client's own page.

Most searches find the same hits whatever their size. Others look for as many neighbours as there are hits wanted, or
fuse, rescore or normalise the first so many: they are fetched up to that many, or their page is taken as it is.
Sources: "Search API" (``knn``, ``rank``, ``rescore``), "Knn query", "Semantic query", "Retrievers", Elasticsearch 8.4
to 9.3, with the defaults of ``KnnSearchBuilder`` and ``KnnVectorQueryBuilder`` and the check of
``CompoundRetrieverBuilder``; "Paginating hybrid query results", OpenSearch 2.19 to 3.5.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors._raw_json import Edit, Span, edited, elements, members, with_members

DEFAULT_SIZE = 10
"""Of a page, and of the neighbours looked for where a body names no size."""
_DEFAULT_RESCORED = 10
_UNKNOWN = 0
"""No page is that small: the client's own is fetched."""
_WINDOW = "rank_window_size"
_WINDOWS = (_WINDOW, "window_size")

Path = tuple[str | int, ...]

_PLACES_OF_QUERIES: tuple[tuple[str, ...], ...] = (
    ("query",),
    ("retriever", "standard", "query"),
    ("retriever", "standard", "filter"),
    ("retriever", "knn", "filter"),
)
"""Where clauses stand that see the size of the page."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """What to ask for in the place of the client's page."""

    start: int
    size: int
    is_page: bool
    """Whether it is the client's own page, from its first hit on."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A size that the engine would take from the page's, written out where it is used."""

    path: Path
    k: int


def fetch_of(start: int, size: int, window: int, limit: int | None) -> Fetch:
    """The window and the page where they lie within the limit, or the page alone."""
    if limit is not None and limit < start + size:
        return Fetch(start, size, is_page=True)
    wide = max(window, start + size)
    return Fetch(0, wide if limit is None else min(wide, limit), is_page=False)


def limit_of(search: Mapping[str, object]) -> int | None:
    """The most hits for which a search finds what it finds for its own page; None: as many as one likes."""
    limits = [limit for key, read in _LIMITS.items() if key in search and (limit := read(search[key])) is not None]
    return min(limits, default=None)


def pins_of(search: Mapping[str, object], size: int) -> tuple[Pin, ...]:
    """What a page of this size has the engine look for, where the search itself does not say how many."""
    in_body = search.get("size")
    k = in_body if isinstance(in_body, int) else DEFAULT_SIZE  # read before the URL's
    above = (Pin(("knn", *path), k) for path, knn in _listed(search.get("knn")) if "k" not in knn)
    return (*above, *(pin for path in _PLACES_OF_QUERIES for pin in _query_pins(_at(search, path), path, size)))


def pinned(body: bytes, pins: Sequence[Pin]) -> bytes:
    """The search body with these sizes written out. Raises ``RawJsonError``."""
    inner: dict[str | int, list[Pin]] = {}
    for pin in pins:
        if pin.path:
            inner.setdefault(pin.path[0], []).append(Pin(pin.path[1:], pin.k))
    places = _places(body, inner)
    body = edited(body, [Edit(places[key], pinned(places[key].of(body), below)) for key, below in inner.items()])
    own = next((pin.k for pin in pins if not pin.path), None)
    return body if own is None else with_members(body, {"k": own})


def _places(buffer: bytes, keys: Collection[str | int]) -> Mapping[str | int, Span]:
    """Where the members of an object stand, or the elements of a list, if any of them is wanted."""
    if not keys:
        return {}
    if any(isinstance(key, int) for key in keys):
        return dict(enumerate(elements(buffer)))
    return {key: member.value for key, member in members(buffer).items()}


def _at(value: object, path: tuple[str, ...]) -> object:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _query_pins(query: object, above: Path, size: int) -> Iterator[Pin]:
    for path, kind, clause in _clauses(query):
        if kind == "knn" and isinstance(clause.get("field"), str) and "k" not in clause:
            candidates = clause.get("num_candidates")
            yield Pin((*above, *path), min(size, candidates) if isinstance(candidates, int) else size)


def _of_query(query: object) -> int | None:
    return _UNKNOWN if any(_depends(kind, clause) for _, kind, clause in _clauses(query)) else None


def _depends(kind: str, clause: Mapping[str, object]) -> bool:
    """Whether a clause finds other hits, or scores them otherwise, for another size."""
    if kind == "hybrid":
        return "queries" in clause and "pagination_depth" not in clause
    return kind == "semantic" and isinstance(clause.get("field"), str) and "query" in clause


def _of_retriever(retriever: object) -> int | None:
    """What the outermost retriever takes of those inside, which see nothing of the page."""
    for kind, body in retriever.items() if isinstance(retriever, dict) else ():
        if kind in {"standard", "knn"}:
            return _of_query(body)
        if kind == "rescorer" and isinstance(body, dict):
            return min(_rescored(body.get("rescore")), default=_UNKNOWN)
        return _window(body)
    return _UNKNOWN


def _of_rank(rank: object) -> int | None:
    return min((_window(body) for body in rank.values()), default=_UNKNOWN) if isinstance(rank, dict) else _UNKNOWN


def _of_rescore(rescore: object) -> int | None:
    return max(_rescored(rescore), default=_UNKNOWN)


def _window(body: object) -> int:
    named = [body[key] for key in _WINDOWS if key in body] if isinstance(body, dict) else []
    return next((value for value in named if isinstance(value, int)), _UNKNOWN)


def _rescored(rescore: object) -> list[int]:
    windows = (one.get("window_size", _DEFAULT_RESCORED) for _, one in _listed(rescore))
    return [window if isinstance(window, int) else _UNKNOWN for window in windows]


_LIMITS: Mapping[str, Callable[[object], int | None]] = {
    "query": _of_query,
    "retriever": _of_retriever,
    "rank": _of_rank,
    "rescore": _of_rescore,
}


def _listed(value: object) -> Iterator[tuple[Path, Mapping[str, object]]]:
    """The objects of a list with their places, or the one that stands alone."""
    if isinstance(value, dict):
        yield (), value
    for place, one in enumerate(value if isinstance(value, list) else ()):
        if isinstance(one, dict):
            yield (place,), one


def _clauses(query: object) -> Iterator[tuple[Path, str, Mapping[str, object]]]:
    """Every object below with its path and its key; documents to percolate are none of the query's."""
    pending: list[tuple[Path, object]] = [((), query)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, list):
            pending += [((*path, place), inner) for place, inner in enumerate(value)]
        elif isinstance(value, dict):
            for key, inner in value.items():
                if key == "percolate":
                    continue
                if isinstance(inner, dict):
                    yield (*path, key), key, inner
                pending.append(((*path, key), inner))
