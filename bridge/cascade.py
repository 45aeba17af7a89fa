"""Stages that score a window one after the other, each what stood best before it: cheap models first, the best last.

All stages share one deadline, and each has an order ready when it comes: what the last stage scored by then stands
first, and behind it the rest in the order of the stage before. The same holds where a stage fails or is overloaded.
One model alone is a cascade of one stage.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from bridge.errors import DeadlineError, OverloadedError, ScoringError
from bridge.ranking import Rule, StageScores, Window, preferred
from connectors.base import Reason

_log = structlog.get_logger(__name__)


class TextScorer(Protocol):
    """What a cascade needs of a scorer."""

    @property
    def model_name(self) -> str:
        """The name that replies tell."""
        ...

    async def score(
        self, query_text: str, texts: Sequence[str], *, instruction: str, deadline: float
    ) -> list[float | None]:
        """One score per text, None where there is none; of those not empty, a prefix. Raises ``ScoringError``."""
        ...


@dataclass(frozen=True, slots=True)
class Stage:
    """A model's part in a cascade."""

    scorer: TextScorer
    rule: Rule
    keep: int | None = None
    """Texts that the next stage scores; None where this is the last."""


class Cascade:
    """Scores windows in one stage or more."""

    def __init__(self, stages: Sequence[Stage], timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """``timeout_s`` is for one window in all stages; ``clock`` is the one of the scorers."""
        self._stages = stages
        self._timeout_s = timeout_s
        self._clock = clock

    async def score(self, window: Window) -> tuple[StageScores, ...]:
        """What each stage gave, in their order; only the last may be cut, and the stages behind it did not begin."""
        deadline = self._clock() + self._timeout_s
        places = list(range(len(window.texts)))
        done: list[StageScores] = []
        for stage in self._stages:
            done.append(await self._score(stage, window, places, deadline))
            if done[-1].cut is not None:
                break
            kept = len(places) if stage.keep is None else min(stage.keep, len(places))
            places = preferred(window.first_stage_scores, done)[:kept]
        return tuple(done)

    async def _score(self, stage: Stage, window: Window, places: Sequence[int], deadline: float) -> StageScores:
        started = self._clock()
        texts = [window.texts[place] for place in places]
        given: Sequence[float | None] = [None] * len(texts)
        cut = None
        try:
            given = await stage.scorer.score(
                window.query_text, texts, instruction=window.instruction, deadline=deadline
            )
            if any(text and score is None for text, score in zip(texts, given, strict=True)):
                cut = Reason.DEADLINE
        except ScoringError as error:
            cut = _reason(stage.scorer.model_name, error)
        scores: list[float | None] = [None] * len(window.texts)
        for place, score in zip(places, given, strict=True):
            scores[place] = score
        return StageScores(tuple(scores), stage.rule, stage.scorer.model_name, self._clock() - started, cut)


_REASONS: tuple[tuple[type[ScoringError], Reason], ...] = (
    (DeadlineError, Reason.DEADLINE),
    (OverloadedError, Reason.OVERLOADED),
    (ScoringError, Reason.MODEL_FAILED),
)


def _reason(model_name: str, error: ScoringError) -> Reason:
    # Late and overloaded searches come in crowds, and the metrics count them.
    tell = _log.debug if isinstance(error, DeadlineError | OverloadedError) else _log.warning
    tell("not scored", model=model_name, error=type(error).__name__, problem=str(error))
    return next(reason for kind, reason in _REASONS if isinstance(error, kind))
