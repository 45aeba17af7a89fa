"""Stages one after the other: what each is given, and what order stands when one of them is late or fails."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bridge.cascade import Cascade, Stage
from bridge.errors import DeadlineError, OverloadedError, ScoringError
from bridge.ranking import Rule, StageScores, Window, preferred
from connectors.base import Reason

TEXTS = ("d 4", "b 2", "", "c 3", "a 1", "e 5")
WINDOW = Window("q", TEXTS, (6.0, 5.0, 4.0, 3.0, 2.0, 1.0), "an instruction")


@dataclass
class SmallScorer:
    """Scores a text by its number, or by its letter backwards; so many at most, or fails."""

    model_name: str = "numbers"
    by_letter: bool = False
    at_most: int | None = None
    error: ScoringError | None = None
    asked: list[tuple[str, list[str], str, float]] = field(default_factory=list)

    async def score(
        self, query_text: str, texts: Sequence[str], *, instruction: str, deadline: float
    ) -> list[float | None]:
        self.asked.append((query_text, list(texts), instruction, deadline))
        if self.error is not None:
            raise self.error
        scores: list[float | None] = [self._score(text) if text else None for text in texts]
        left_out = (
            [place for place, text in enumerate(texts) if text][self.at_most :] if self.at_most is not None else ()
        )
        return [None if place in left_out else score for place, score in enumerate(scores)]

    def _score(self, text: str) -> float:
        return -float(ord(text[0])) if self.by_letter else float(text.split()[1])


def cascade(*stages: tuple[SmallScorer, int | None]) -> Cascade:
    return Cascade([Stage(scorer, Rule(), keep) for scorer, keep in stages], 5.0, lambda: 100.0)


def shown(done: Sequence[StageScores], window: Window = WINDOW) -> list[str]:
    return [window.texts[place] for place in preferred(window.first_stage_scores, done)]


async def test_one_model_is_a_cascade_of_one_stage() -> None:
    """It gets the window as it is, with the instruction and the deadline, and its scores come in their places."""
    scorer = SmallScorer()
    (done,) = await cascade((scorer, None)).score(WINDOW)
    assert scorer.asked == [("q", list(TEXTS), "an instruction", 105.0)]
    assert done == StageScores((4.0, 2.0, None, 3.0, 1.0, 5.0), Rule(), "numbers")
    assert done.scored == 5


async def test_each_stage_scores_what_the_one_before_it_likes_best() -> None:
    """In the order of the stage before, so that what a deadline leaves is the best of it; the deadline is the same."""
    second, third = SmallScorer("letters", by_letter=True), SmallScorer("last")
    done = await cascade((SmallScorer(), 4), (second, 2), (third, None)).score(WINDOW)
    assert second.asked == [("q", ["e 5", "d 4", "c 3", "b 2"], "an instruction", 105.0)]
    assert third.asked == [("q", ["b 2", "c 3"], "an instruction", 105.0)]
    assert [stage.scored for stage in done] == [5, 4, 2]
    assert done[1].scores == (-100.0, -98.0, None, -99.0, None, -101.0)
    assert shown(done) == ["c 3", "b 2", "d 4", "e 5", "a 1", ""]


async def test_a_stage_that_keeps_more_than_there_is_keeps_all() -> None:
    """A short window goes through whole, with its empty text at the end, which has no score anywhere."""
    second = SmallScorer("letters", by_letter=True)
    done = await cascade((SmallScorer(), 30), (second, None)).score(WINDOW)
    assert second.asked[0][1] == ["e 5", "d 4", "c 3", "b 2", "a 1", ""]
    assert [stage.cut for stage in done] == [None, None]


async def test_a_deadline_in_a_later_stage() -> None:
    """What it scored in time stands first, in its order; then the rest in the order of the stage before."""
    late = SmallScorer("letters", by_letter=True, at_most=2)
    last = SmallScorer("last")
    done = await cascade((SmallScorer(), 4), (late, 2), (last, None)).score(WINDOW)
    assert (done[-1].cut, last.asked) == (Reason.DEADLINE, [])
    assert shown(done) == ["d 4", "e 5", "c 3", "b 2", "a 1", ""]


async def test_a_deadline_in_the_first_stage() -> None:
    """No later stage begins; what was scored stands first, and the rest in first-stage order."""
    second = SmallScorer("letters")
    done = await cascade((SmallScorer(at_most=3), 4), (second, None)).score(WINDOW)
    assert ([stage.cut for stage in done], second.asked) == ([Reason.DEADLINE], [])
    assert shown(done) == ["d 4", "c 3", "b 2", "", "a 1", "e 5"]


FAILURES = [
    (DeadlineError("late"), Reason.DEADLINE),
    (OverloadedError("full"), Reason.OVERLOADED),
    (ScoringError("broken"), Reason.MODEL_FAILED),
]


@pytest.mark.parametrize(("error", "reason"), FAILURES)
async def test_a_later_stage_that_gives_nothing_leaves_the_order_of_the_one_before(
    error: ScoringError, reason: Reason
) -> None:
    """Whatever keeps it from scoring, the order that is there stands, and the stage says why."""
    done = await cascade((SmallScorer(), 4), (SmallScorer("broken", error=error), None)).score(WINDOW)
    assert [(stage.scored, stage.cut) for stage in done] == [(5, None), (0, reason)]
    assert shown(done) == ["e 5", "d 4", "c 3", "b 2", "a 1", ""]


@pytest.mark.parametrize(("error", "reason"), FAILURES)
async def test_a_first_stage_that_gives_nothing(error: ScoringError, reason: Reason) -> None:
    """It says why, and no other begins: an order of a few of the engine's hits would be no better than its own."""
    second = SmallScorer("letters")
    done = await cascade((SmallScorer(error=error), 4), (second, None)).score(WINDOW)
    assert ([(stage.scored, stage.cut) for stage in done], second.asked) == ([(0, reason)], [])


async def test_failures_are_logged_and_crowds_are_not() -> None:
    """An operator hears of a model that fails, by its name; late and overloaded searches are counted instead."""
    for (error, _), level in zip(FAILURES, ("debug", "debug", "warning"), strict=True):
        with structlog.testing.capture_logs() as logs:
            await cascade((SmallScorer("name", error=error), None)).score(WINDOW)
        (entry,) = logs
        assert (entry["log_level"], entry["model"], entry["problem"]) == (level, "name", str(error))


def scorers() -> st.SearchStrategy[SmallScorer]:
    failures = st.none() | st.sampled_from([error for error, _ in FAILURES])
    return st.builds(
        SmallScorer, st.just("m"), by_letter=st.booleans(), at_most=st.none() | st.integers(2, 6), error=failures
    )


TEXT = st.just("") | st.builds("{} {}".format, st.sampled_from("abc"), st.integers(0, 9))


@given(
    st.lists(TEXT, min_size=2, max_size=10), st.lists(st.tuples(scorers(), st.integers(2, 8)), min_size=1, max_size=3)
)
def test_whatever_happens_to_the_stages_each_hit_has_one_place(
    texts: list[str], stages: list[tuple[SmallScorer, int]]
) -> None:
    """Pages cut from the order partition the window; only the last stage is cut; each scores a part of the last."""
    window = Window("q", tuple(texts), tuple(map(float, range(len(texts), 0, -1))))
    with structlog.testing.capture_logs():
        done = asyncio.run(cascade(*stages).score(window))
    places = preferred(window.first_stage_scores, done)
    pages = [places[start : start + 3] for start in range(0, len(places), 3)]
    assert sorted(place for page in pages for place in page) == list(range(len(texts)))
    assert all(stage.cut is None for stage in done[:-1])
    scored = [{place for place, score in enumerate(stage.scores) if score is not None} for stage in done]
    assert all(later <= earlier for earlier, later in pairwise(scored))
    if not done[0].scored:
        assert places == list(range(len(texts)))
    assert math.isclose(sum(stage.seconds for stage in done), 0.0)
