from __future__ import annotations

import pytest

from bridge.evaluate.comparison import compare_all
from bridge.evaluate.measures import measure
from bridge.evaluate.qrels import Qrels
from bridge.evaluate.runs import Run
from bridge.evaluate.unjudged import judged_share, warnings

QRELS: Qrels = {
    "q1": {"a": 1, "b": 0, "c": 0, "d": 1},
    "q2": {"a": 0, "b": 1, "c": 1, "d": 0},
}


def warned(name: str, **runs: Run) -> tuple[str, ...]:
    values = {system: measure([name], QRELS, run)[name] for system, run in runs.items()}
    shares = {system: judged_share(QRELS, run, 100) for system, run in runs.items()}
    return warnings(compare_all(name, values), shares, runs, QRELS)


def test_share_is_that_of_the_first_ten() -> None:
    """What is judged among the first ten hits counts, and of fewer hits all of them."""
    late = tuple(f"x{number}" for number in range(9))
    assert judged_share(QRELS, {"q1": ("a", *late, "b", "c"), "q2": ("x", "b")}, 100) == pytest.approx((0.1 + 0.5) / 2)
    assert judged_share(QRELS, {"q1": ("a", "x", "b"), "q2": ("b", "x", "y")}, 1) == 1.0


def test_system_that_finds_what_nobody_judged_is_warned_of() -> None:
    """A system that is behind as its first hits have no judgment, and ahead on judged hits, is told with figures."""
    old = {"q1": ("b", "a", "d"), "q2": ("a", "b", "c")}
    new = {"q1": ("x", "y", "a", "d", "b"), "q2": ("x", "z", "b", "c", "a")}
    assert warned("RR@10", direct=old, new=new) == (
        (
            "RR@10: new is 0.1667 behind direct, but of its first 10 hits 60% are judged, against 100%; on judged hits "
            "alone it is 0.5000 ahead: judge more of what it finds before you decide"
        ),
    )


def test_difference_that_stays_on_judged_hits_is_none_of_their_doing() -> None:
    """Where most of a difference is left on judged hits alone, nothing is said, however much is unjudged."""
    old = {"q1": ("a", "d", "b"), "q2": ("b", "c", "a")}
    new = {"q1": ("b", "x", "c", "a"), "q2": ("a", "x", "d", "b")}
    assert warned("RR@10", direct=old, new=new) == ()


def test_equal_shares_explain_no_difference() -> None:
    """Where both have as many judged hits, or the better one has fewer, there is no warning."""
    old = {"q1": ("x", "a"), "q2": ("x", "b")}
    assert warned("RR@10", direct=old, new={"q1": ("a", "x"), "q2": ("b", "x")}) == ()
    assert warned("RR@10", direct={"q1": ("b", "a"), "q2": ("a", "b")}, new={"q1": ("a", "x"), "q2": ("b", "x")}) == ()
