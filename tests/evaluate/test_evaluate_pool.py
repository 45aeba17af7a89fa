from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import DataError
from bridge.evaluate.pool import pooled, read_run
from bridge.evaluate.runs import write_run

FIRST = {"q1": ("a", "b", "c", "d"), "q2": ("e", "f")}
SECOND = {"q1": ("d", "b", "x", "y"), "q3": ("z",)}


def test_pool_is_what_any_system_has_on_top() -> None:
    """The best two of each, each document once, for every query that any of them answers."""
    pool = pooled([FIRST, SECOND], 2, seed=0)
    assert {query_id: sorted(ids) for query_id, ids in pool.items()} == {
        "q1": ["a", "b", "d"],
        "q2": ["e", "f"],
        "q3": ["z"],
    }


def test_order_tells_nothing_of_the_systems() -> None:
    """The order is the same whichever system comes first, another one for another query, and for another seed."""
    ids = tuple(map(str, range(12)))
    pool = pooled([{"q1": ids, "q2": ids}], 12, seed=0)
    assert pool == pooled([{"q1": ids[::-1], "q2": ids[::-1]}], 12, seed=0)
    assert len({pool["q1"], pool["q2"], pooled([{"q1": ids}], 12, seed=1)["q1"], ids}) == 4


def test_query_without_hits_is_left_out() -> None:
    """There is nothing to judge of it."""
    assert pooled([{"q1": ()}], 10, seed=0) == {}


def test_run_is_read_as_it_is_written(tmp_path: Path) -> None:
    """What evaluate writes comes back."""
    write_run(tmp_path / "a.run", FIRST, "first")
    assert read_run(tmp_path / "a.run") == FIRST


def test_run_is_ordered_by_score(tmp_path: Path) -> None:
    """Lines may come in any order; the score counts, equal ones keep the file's order, and repeats count once."""
    file = tmp_path / "a.run"
    file.write_text("q1 Q0 a 1 0.5 x\nq1 Q0 b 2 1e1 x\nq1\tQ0\tc\t3\t0.5\tx\nq1 Q0 a 4 0.1 x\n")
    assert read_run(file) == {"q1": ("b", "a", "c")}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("q1 Q0 a 1 0.5 x\nq1 0 a 1\n", r"a\.run:2: a run has 6 columns, this line has 4"),
        ("q1 Q0 a 1 best x\n", r"a\.run:1: the score 'best' is not a number"),
        ("\n", "holds no run"),
    ],
)
def test_what_is_no_run_is_told_with_its_line(tmp_path: Path, content: str, problem: str) -> None:
    """A judge does not begin with half a pool."""
    file = tmp_path / "a.run"
    file.write_text(content)
    with pytest.raises(DataError, match=problem):
        read_run(file)
