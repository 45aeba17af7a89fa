"""What filter_path leaves of a hit, and how it is widened."""

from __future__ import annotations

import pytest

from connectors._filter_path import parse, widened


@pytest.mark.parametrize(
    ("value", "path", "shows", "shows_whole"),
    [
        ("", "hits.hits._source", True, True),
        ("took", "hits.hits", False, False),
        ("hits", "hits.hits._source", True, True),
        ("*", "hits.hits._source", True, True),
        ("**", "hits.hits._source", True, True),
        ("hits.hits", "hits.hits._source", True, True),
        ("hits.hits._source", "hits.hits", True, False),
        ("hits.hits._source", "hits.hits._source", True, True),
        ("hits.hits._source.title", "hits.hits._source", True, False),
        ("hits.hits._*", "hits.hits._score", True, True),
        ("hits.*._id", "hits.hits._score", False, False),
        ("h*.h*._s*", "hits.hits._source", True, True),
        ("**._id", "hits.hits._id", True, True),
        ("**._id", "hits.hits._source", True, False),
        ("hits.**.title", "hits.hits._source", True, False),
        ("hits.**.**.title", "hits.hits._source", True, False),
        ("**.**.hits.**", "hits.hits._source", True, True),
        ("-took", "hits.hits", True, True),
        ("-hits.hits._source", "hits.hits._source", False, False),
        ("-hits.hits._source", "hits.hits", True, False),
        ("-hits.hits._source.body", "hits.hits._source", True, False),
        ("-hits", "hits.hits._score", False, False),
        ("-**.title", "hits.hits._source", True, False),
        ("hits,-hits.hits._score", "hits.hits._source", True, True),
        (" took , hits ", "hits.hits", True, True),
    ],
)
def test_what_is_shown(value: str, path: str, shows: bool, shows_whole: bool) -> None:  # noqa: FBT001 - columns of the table
    """A path is shown whole, in part or not at all, by names, both wildcards and exclusions."""
    shown = parse(value)
    parts = tuple(path.split("."))
    assert (shown.shows(*parts), shown.shows_whole(*parts)) == (shows, shows_whole)
    assert shown.shows_part_of(*parts) is (shows and not shows_whole)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", True),
        ("hits", True),
        ("**", True),
        ("**._score", True),
        ("hits.hits._*", True),
        ("**._id", False),
        ("hits.hits._score.x", False),
        ("hits.hits._id", False),
        ("-hits.hits._score", False),
        ("-hits.hits._score.x", True),
        ("-**.x", True),
    ],
)
def test_what_is_shown_of_a_score(value: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """A pattern that reaches below a number neither shows nor hides it."""
    assert parse(value).shows_scalar("hits", "hits", "_score") is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ""),
        ("hits", "hits,_shards.failures"),
        ("took,hits.hits._id", "took,hits.hits._id,hits.hits._score,hits.hits._source,_shards.failures"),
        ("hits.hits._source", "hits.hits._source,hits.hits._score,_shards.failures"),
        ("hits.hits._source.title", "hits.hits._source.title,hits.hits._score,hits.hits._source,_shards.failures"),
        ("-took", "-took"),
        ("-hits.hits._source", "-_"),
        ("-hits.hits._source,-took", "-took"),
        ("-hits.hits._source,-hits.hits._score", "-_"),
        ("hits.hits._id,-hits.hits._score", "hits.hits._id,hits.hits._score,hits.hits._source,_shards.failures"),
        ("hits,_shards", "hits,_shards"),
        ("-_shards", "-_shards.total,-_shards.successful,-_shards.skipped,-_shards.failed"),
        ("-_shards.failures", "-_"),
        ("-_shards.*", None),
        ("-hits.hits._source.body", None),
        ("-hits.hits._s*", None),
        ("-**._source", None),
        ("hits.hits,-hits", None),
    ],
)
def test_widening(value: str, expected: str | None) -> None:
    """Score, source and failures are added where they lack; what excludes more than one of them can't be widened."""
    assert widened(value, ("_score", "_source")) == expected


@pytest.mark.parametrize("segments", [["**"] * 900, ["**", "a"] * 30, ["**", "*"] * 30])
def test_no_filter_takes_long(segments: list[str]) -> None:
    """Each ``**`` may stand for any names: there are more ways to read some paths than there is time."""
    shown = parse(".".join([*segments, "x"]))
    assert not shown.shows_whole(*"a" * 60, "y")
