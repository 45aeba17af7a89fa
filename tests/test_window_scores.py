"""Pages of one search agree with each other, whatever the deadline did."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bridge.ranking import Rule, StageScores, Window
from bridge.window_scores import CUT_HOLDS_S, MAX_WINDOWS, Answer, WindowScores
from connectors.base import Reason


def window(query_text: str = "q", texts: tuple[str, ...] = ("a", "bb", ""), instruction: str = "") -> Window:
    return Window(query_text, texts, (3.0, 2.0, 1.0)[: len(texts)], instruction)


def window_of(scoring: str = "", first_stage_weight: float = 0.0) -> Window:
    return replace(window(), scoring=scoring, first_stage_weight=first_stage_weight)


def stage(*scores: float | None, cut: Reason | None = None, seconds: float = 0.0) -> StageScores:
    return StageScores(scores, Rule(), "small", seconds, cut)


WHOLE: Answer = (stage(1.0, 2.0, None),)
CUT: Answer = (stage(1.0, None, None, cut=Reason.DEADLINE),)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class SmallScoring:
    """Answers what it is told to, in turn, once it is let go."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.calls = 0
        self.cancelled = 0
        self.free = asyncio.Event()
        self.free.set()

    async def score(self, window: Window) -> Answer:
        assert window.query_text
        self.calls += 1
        try:
            await self.free.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def test_a_window_that_was_cut_by_its_deadline_is_cut_the_same_on_its_next_page() -> None:
    """A hit that page one showed does not come again on page two because more was scored meanwhile."""
    scores = WindowScores(SmallScoring(CUT, WHOLE), Clock())
    assert await scores.score(window()) == CUT
    assert await scores.score(window()) == CUT


HALF_DONE = [
    (stage(1.0, 2.0, None), stage(None, 2.0, None, cut=Reason.DEADLINE)),
    (stage(1.0, 2.0, None), stage(None, None, None, cut=Reason.OVERLOADED)),
    (stage(1.0, 2.0, None), stage(None, None, None, cut=Reason.MODEL_FAILED)),
    (stage(None, None, None, cut=Reason.DEADLINE),),
    (stage(None, None, None, cut=Reason.OVERLOADED),),
]


@pytest.mark.parametrize("first_page", HALF_DONE)
async def test_whatever_a_first_page_was_ordered_by_orders_the_next(first_page: Answer) -> None:
    """After a page in the order of an earlier stage, or of the engine, page two is in that order as well."""
    scores = WindowScores(SmallScoring(first_page, WHOLE), Clock())
    for _ in range(2):
        assert await scores.score(window()) == first_page


async def test_a_page_that_costs_no_model_time_says_so() -> None:
    """The seconds of a stage are told once."""
    scores = WindowScores(SmallScoring((stage(1.0, None, None, cut=Reason.DEADLINE, seconds=3.0),)), Clock())
    assert [(await scores.score(window()))[0].seconds for _ in range(2)] == [3.0, 0.0]


async def test_a_cut_is_forgotten_after_a_while() -> None:
    """A search that was cut is scored anew once nobody walks its pages any more."""
    clock = Clock()
    scores = WindowScores(SmallScoring(CUT, WHOLE), clock)
    await scores.score(window())
    clock.now += CUT_HOLDS_S + 1
    assert await scores.score(window()) == WHOLE


async def test_a_failure_of_the_model_is_not_kept() -> None:
    """A search works again as soon as the model does."""
    failed: Answer = (stage(None, None, None, cut=Reason.MODEL_FAILED),)
    scores = WindowScores(SmallScoring(failed, WHOLE), Clock())
    assert await scores.score(window()) == failed
    assert await scores.score(window()) == WHOLE


@pytest.mark.parametrize(
    "other",
    [
        window("q2"),
        window(texts=("a", "bb", "c")),
        window(texts=("ab", "b", "")),
        window(instruction="i"),
        window_of(scoring="another"),
        window_of(first_stage_weight=0.3),
    ],
)
async def test_another_search_or_another_window_is_scored_for_itself(other: Window) -> None:
    """An answer is never taken from a window that differs in any text or in where texts end, or in what is asked."""
    scoring = SmallScoring(CUT)
    scores = WindowScores(scoring, Clock())
    await scores.score(window())
    await scores.score(other)
    assert scoring.calls == 2


async def test_pages_asked_for_at_once_are_scored_once() -> None:
    """Two clients that ask the same at the same time wait for the same scores."""
    scoring = SmallScoring(WHOLE)
    scoring.free.clear()
    scores = WindowScores(scoring, Clock())
    pages = [asyncio.create_task(scores.score(window())) for _ in range(3)]
    await asyncio.sleep(0)
    scoring.free.set()
    assert await asyncio.gather(*pages) == [WHOLE] * 3
    assert scoring.calls == 1


async def test_a_client_that_leaves_does_not_take_the_scores_from_the_other() -> None:
    """The scoring ends early only when everybody who waits for it has left."""
    scoring = SmallScoring(WHOLE)
    scoring.free.clear()
    scores = WindowScores(scoring, Clock())
    first, second = (asyncio.create_task(scores.score(window())) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    scoring.free.set()
    assert await second == WHOLE


@pytest.mark.parametrize("turns", [1, 3])
async def test_scoring_ends_when_everybody_has_left(turns: int) -> None:
    """No model time is spent on a search that nobody waits for, begun or not, and the next one is scored."""
    scoring = SmallScoring(WHOLE)
    scoring.free.clear()
    scores = WindowScores(scoring, Clock())
    page = asyncio.create_task(scores.score(window()))
    for _ in range(turns):
        await asyncio.sleep(0)
    page.cancel()
    await asyncio.gather(page, return_exceptions=True)
    scoring.free.set()
    assert await scores.score(window()) == WHOLE
    assert scoring.cancelled == scoring.calls - 1


async def test_the_memory_is_bounded() -> None:
    """The cut that was made longest ago is forgotten first."""
    scoring = SmallScoring(CUT)
    scores = WindowScores(scoring, Clock())
    for number in range(MAX_WINDOWS + 1):
        await scores.score(window(f"q{number}"))
    await scores.score(window("q1"))
    assert scoring.calls == MAX_WINDOWS + 1
    await scores.score(window("q0"))
    assert scoring.calls == MAX_WINDOWS + 2
