"""Pages of one search agree with each other, whatever the deadline did."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from bridge.errors import DeadlineError, OverloadedError, ScoringError
from bridge.window_scores import CUT_HOLDS_S, MAX_WINDOWS, WindowScores

TEXTS = ["a", "bb", ""]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class SmallScoring:
    """Answers what it is told to, in turn, once it is let go."""

    model_name = "small"

    def __init__(self, *answers: list[float | None] | Exception) -> None:
        self.answers = list(answers)
        self.calls = 0
        self.cancelled = 0
        self.free = asyncio.Event()
        self.free.set()

    async def score(self, query_text: str, texts: Sequence[str]) -> list[float | None]:
        assert query_text
        self.calls += 1
        try:
            await self.free.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        assert len(answer) == len(texts)
        return answer


async def test_a_window_that_was_cut_by_its_deadline_is_cut_the_same_on_its_next_page() -> None:
    """A hit that page one showed does not come again on page two because more was scored meanwhile."""
    scoring = SmallScoring([1.0, None, None], [1.0, 2.0, None])
    scores = WindowScores(scoring, Clock())
    assert await scores.score("q", TEXTS) == [1.0, None, None]
    assert await scores.score("q", TEXTS) == [1.0, None, None]


async def test_a_cut_is_forgotten_after_a_while() -> None:
    """A search that was cut is scored anew once nobody walks its pages any more."""
    clock = Clock()
    scores = WindowScores(SmallScoring([1.0, None, None], [1.0, 2.0, None]), clock)
    await scores.score("q", TEXTS)
    clock.now += CUT_HOLDS_S + 1
    assert await scores.score("q", TEXTS) == [1.0, 2.0, None]


async def test_whole_scores_are_kept_and_not_asked_for_again() -> None:
    """The next page of a scored window costs no model time, however late it comes."""
    clock = Clock()
    scoring = SmallScoring([1.0, 2.0, None])
    scores = WindowScores(scoring, clock)
    await scores.score("q", TEXTS)
    clock.now += 10 * CUT_HOLDS_S
    assert await scores.score("q", TEXTS) == [1.0, 2.0, None]
    assert scoring.calls == 1


@pytest.mark.parametrize("failure", [DeadlineError("late"), OverloadedError("full")])
async def test_a_first_page_without_any_order_is_followed_by_such_a_page(failure: ScoringError) -> None:
    """After a first page in first-stage order, page two is in first-stage order as well, for the same reason."""
    scores = WindowScores(SmallScoring(failure, [1.0, 2.0, None]), Clock())
    for _ in range(2):
        with pytest.raises(type(failure)):
            await scores.score("q", TEXTS)


async def test_a_failure_of_the_model_is_not_kept() -> None:
    """A search works again as soon as the model does."""
    scores = WindowScores(SmallScoring(ScoringError("broken"), [1.0, 2.0, None]), Clock())
    with pytest.raises(ScoringError):
        await scores.score("q", TEXTS)
    assert await scores.score("q", TEXTS) == [1.0, 2.0, None]


@pytest.mark.parametrize(("query_text", "texts"), [("q2", TEXTS), ("q", ["a", "bb", "c"]), ("q", ["ab", "b", ""])])
async def test_another_search_or_another_window_is_scored_for_itself(query_text: str, texts: list[str]) -> None:
    """Scores are never taken from a window that differs in any text or in where texts end."""
    scoring = SmallScoring([1.0, 2.0, None])
    scores = WindowScores(scoring, Clock())
    await scores.score("q", TEXTS)
    await scores.score(query_text, texts)
    assert scoring.calls == 2


async def test_pages_asked_for_at_once_are_scored_once() -> None:
    """Two clients that ask the same at the same time wait for the same scores."""
    scoring = SmallScoring([1.0, 2.0, None])
    scoring.free.clear()
    scores = WindowScores(scoring, Clock())
    pages = [asyncio.create_task(scores.score("q", TEXTS)) for _ in range(3)]
    await asyncio.sleep(0)
    scoring.free.set()
    assert await asyncio.gather(*pages) == [[1.0, 2.0, None]] * 3
    assert scoring.calls == 1


async def test_a_client_that_leaves_does_not_take_the_scores_from_the_other() -> None:
    """The scoring ends early only when everybody who waits for it has left."""
    scoring = SmallScoring([1.0, 2.0, None])
    scoring.free.clear()
    scores = WindowScores(scoring, Clock())
    first, second = (asyncio.create_task(scores.score("q", TEXTS)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    scoring.free.set()
    assert await second == [1.0, 2.0, None]


async def test_scoring_ends_when_everybody_has_left() -> None:
    """No model time is spent on a search that nobody waits for, and the next one is scored."""
    scoring = SmallScoring([1.0, 2.0, None])
    scoring.free.clear()
    scores = WindowScores(scoring, Clock())
    page = asyncio.create_task(scores.score("q", TEXTS))
    for _ in range(3):
        await asyncio.sleep(0)
    page.cancel()
    await asyncio.gather(page, return_exceptions=True)
    scoring.free.set()
    assert await scores.score("q", TEXTS) == [1.0, 2.0, None]
    assert scoring.cancelled == 1


async def test_a_client_that_leaves_at_once_harms_nobody() -> None:
    """A search that is given up before its scoring began does not end the next one."""
    scores = WindowScores(SmallScoring([1.0, 2.0, None]), Clock())
    page = asyncio.create_task(scores.score("q", TEXTS))
    await asyncio.sleep(0)
    page.cancel()
    await asyncio.gather(page, return_exceptions=True)
    assert await scores.score("q", TEXTS) == [1.0, 2.0, None]


async def test_the_memory_is_bounded() -> None:
    """The window that was asked for longest ago is forgotten first."""
    scoring = SmallScoring([1.0])
    scores = WindowScores(scoring, Clock())
    for number in range(MAX_WINDOWS + 1):
        await scores.score(f"q{number}", ["a"])
    await scores.score("q1", ["a"])
    assert scoring.calls == MAX_WINDOWS + 1
    await scores.score("q0", ["a"])
    assert scoring.calls == MAX_WINDOWS + 2
