"""Stages one after the other: what each is given, and what order stands when one of them is late or fails."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bridge.cascade import Cascade, Cascades, Stage
from bridge.errors import DeadlineError, OverloadedError, ScoringError
from bridge.passages import Passages
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
    readable: int = 1_000
    asked: list[tuple[str, list[str], str, float]] = field(default_factory=list)

    async def readable_chars(self, query_text: str, texts: Sequence[str], *, instruction: str) -> list[int]:
        assert query_text
        assert instruction
        return [self.readable] * len(texts)

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


class SentenceScorer(SmallScorer):
    """Scores a text by the number of its first sentence."""

    def _score(self, text: str) -> float:
        return float(text.split()[1].rstrip("."))


class UnsizedScorer(SmallScorer):
    """Fails to say what it reads at once."""

    async def readable_chars(self, query_text: str, texts: Sequence[str], *, instruction: str) -> list[int]:
        del query_text, texts, instruction
        raise ScoringError("broken")


def cascade(*stages: tuple[SmallScorer, int | None], passages: Passages | None = None) -> Cascade:
    return Cascade([Stage(scorer, Rule(), keep) for scorer, keep in stages], 5.0, lambda: 100.0, passages)


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


LONG = Window("q", ("a 5. b 9. c 1.", "d 8.", "", "e 7. f 2."), (4.0, 3.0, 2.0, 1.0), "i")


async def test_a_long_text_has_the_score_of_its_best_passage() -> None:
    """Its passages stand in its place, those of later texts behind them; what decided is told by where it stands."""
    scorer = SentenceScorer(readable=5)
    (done,) = await cascade((scorer, None), passages=Passages(10)).score(LONG)
    assert scorer.asked[0][1] == ["a 5.", "b 9.", "c 1.", "d 8.", "", "e 7.", "f 2."]
    assert done.scores == (9.0, 8.0, None, 7.0)
    assert done.passages == ((5, 9), None, None, (0, 4))
    assert done.cut is None


async def test_a_text_has_no_more_passages_than_configured() -> None:
    """What stands behind the first ones does not count."""
    (done,) = await cascade((SentenceScorer(readable=5), None), passages=Passages(1)).score(LONG)
    assert done.scores == (5.0, 8.0, None, 7.0)


async def test_without_passages_a_text_is_handed_on_whole() -> None:
    """The model cuts it to what it reads."""
    scorer = SentenceScorer(readable=5)
    (done,) = await cascade((scorer, None)).score(LONG)
    assert (scorer.asked[0][1], done.passages) == (list(LONG.texts), ())


async def test_each_stage_splits_for_its_own_model() -> None:
    """A model that reads more gets whole texts from one that reads them in passages."""
    first, second = SentenceScorer(readable=5), SentenceScorer("second", readable=100)
    done = await cascade((first, 2), (second, None), passages=Passages(10)).score(LONG)
    assert second.asked[0][1] == ["a 5. b 9. c 1.", "d 8."]
    assert done[1].passages == ()


@pytest.mark.parametrize(
    ("at_most", "scores"),
    [(6, (9.0, 8.0, None, None)), (5, (9.0, 8.0, None, None)), (4, (9.0, 8.0, None, None)), (3, None), (2, None)],
)
async def test_a_text_counts_once_all_its_passages_are_scored(
    at_most: int, scores: tuple[float | None, ...] | None
) -> None:
    """A deadline leaves whole texts, two at least; a text that is scored in part would stand too low."""
    window = Window("q", (*LONG.texts[:3], "e 1. f 2. g 9."), LONG.first_stage_scores, "i")
    scorer = SentenceScorer(readable=5, at_most=at_most)
    (done,) = await cascade((scorer, None), passages=Passages(10)).score(window)
    assert (done.scores, done.cut) == (scores or (None,) * 4, Reason.DEADLINE)


async def test_a_model_that_can_not_be_asked_what_it_reads() -> None:
    """A failure in sizing passages is one of the stage."""
    scorer = UnsizedScorer()
    with structlog.testing.capture_logs():
        (done,) = await cascade((scorer, None), passages=Passages(10)).score(LONG)
    assert (done.scored, done.cut) == (0, Reason.MODEL_FAILED)


async def test_a_search_that_boosts_documents_keeps_the_share_of_the_first_stage() -> None:
    """In every stage, so that what is boosted is not dropped on the way to the last."""
    boosted = replace(WINDOW, first_stage_weight=1.0)
    second = SmallScorer("letters", by_letter=True)
    done = await cascade((SmallScorer(), 2), (second, None)).score(boosted)
    assert second.asked[0][1] == ["d 4", "b 2"]
    assert [stage.rule for stage in done] == [Rule("blend", 0.0)] * 2


async def test_a_window_is_scored_in_its_own_way() -> None:
    """Two ways to score stand side by side; a window names the one that its index is configured for."""
    numbers, letters = SmallScorer(), SmallScorer("letters", by_letter=True)
    cascades = Cascades({"": cascade((numbers, None)), "shop": cascade((letters, None))})
    for scoring, name in (("", "numbers"), ("shop", "letters")):
        (done,) = await cascades.score(replace(WINDOW, scoring=scoring))
        assert done.model_name == name


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
