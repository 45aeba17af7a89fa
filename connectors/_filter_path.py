"""The ``filter_path`` parameter: what it leaves of a hit, and how to widen it for the fetch.

A path's segments are names or patterns; ``*`` matches within one name, ``**`` any number of names; a leading ``-``
excludes. Source: "Response filtering" in the common options of the REST API (Elasticsearch 8, OpenSearch 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from connectors._wildcard import matches

_HIT = ("hits", "hits")
_NOTHING = "-_"
_TWICE = ("**", "**")
_REMEMBERED = 4_096
"""Answers, so that what is left of a path is not followed again in each way that leads to it."""
SHARD_FAILURES = ("_shards", "failures")
_EXCLUDED_INSTEAD = {
    "-_shards": tuple(f"-_shards.{name}" for name in ("total", "successful", "skipped", "failed")),
}
"""Without failures nothing is left of ``_shards``, and the engine leaves it out."""


@dataclass(frozen=True, slots=True)
class FilterPath:
    """A parsed ``filter_path``."""

    includes: tuple[tuple[str, ...], ...]
    excludes: tuple[tuple[str, ...], ...]

    def shows(self, *path: str) -> bool:
        """Whether a value at this path is in the reply, whole or in part."""
        if any(_covers(pattern, path) for pattern in self.excludes):
            return False
        return not self.includes or any(_covers(p, path) or _reaches_into(p, path) for p in self.includes)

    def shows_whole(self, *path: str) -> bool:
        """Whether a value at this path is in the reply with all that it holds."""
        touched = any(_covers(p, path) or _reaches_into(p, path) for p in self.excludes)
        return not touched and (not self.includes or any(_covers(p, path) for p in self.includes))

    def shows_scalar(self, *path: str) -> bool:
        """Whether a value that holds no others is in the reply: what reaches below it does not show it."""
        excluded = any(_covers(pattern, path) for pattern in self.excludes)
        return not excluded and (not self.includes or any(_covers(pattern, path) for pattern in self.includes))

    def shows_part_of(self, *path: str) -> bool:
        """Whether a value at this path is in the reply, but not whole."""
        return self.shows(*path) and not self.shows_whole(*path)


def parse(value: str) -> FilterPath:
    """The filter that a parameter's value means."""
    paths = _split(value)
    return FilterPath(
        includes=tuple(_segments(path) for path in paths if not path.startswith("-")),
        excludes=tuple(_segments(path[1:]) for path in paths if path.startswith("-")),
    )


def widened(value: str, keys: tuple[str, ...]) -> str | None:
    """The parameter so that every hit has these keys whole, and failures show; None where a pattern excludes them."""
    paths = [SHARD_FAILURES, *((*_HIT, key) for key in keys)]
    exclusions = {"-" + ".".join(path) for path in paths}
    parts = (part for given in _split(value) for part in _EXCLUDED_INSTEAD.get(given, (given,)))
    kept = [part for part in parts if part not in exclusions]
    current = parse(",".join(kept))
    if any(_covers(p, path) or _reaches_into(p, path) for p in current.excludes for path in paths):
        return None
    missing = [".".join(path) for path in (*paths[1:], paths[0]) if not current.shows_whole(*path)]
    # Any filter at all makes the engine write _source anew, so one that does nothing stands in for those dropped.
    return ",".join([*kept, *missing] if current.includes else kept or ([_NOTHING] if value else []))


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _segments(path: str) -> tuple[str, ...]:
    """The names and patterns of a path; ``**`` beside itself says no more, and would be tried in each possible way."""
    names = path.split(".")
    return tuple(name for name, next_one in zip(names, [*names[1:], ""], strict=True) if (name, next_one) != _TWICE)


@lru_cache(maxsize=_REMEMBERED)
def _covers(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    """Whether the pattern matches the path or one of its parents."""
    if not pattern:
        return True
    if not path:
        return all(segment == "**" for segment in pattern)
    if pattern[0] == "**":
        return _covers(pattern[1:], path) or _covers(pattern, path[1:])
    return matches(pattern[0], path[0]) and _covers(pattern[1:], path[1:])


@lru_cache(maxsize=_REMEMBERED)
def _reaches_into(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    """Whether the pattern can match something below the path."""
    if not path:
        return bool(pattern)
    if not pattern:
        return False
    if pattern[0] == "**":
        return True
    return matches(pattern[0], path[0]) and _reaches_into(pattern[1:], path[1:])
