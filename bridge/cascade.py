"""Stages that score a window one after the other, each what stood best before it: cheap models first, the best last.

All stages share one deadline, and each has an order ready when it comes: what the last stage scored by then stands
first, and behind it the rest in the order of the stage before. The same holds where a stage fails or is overloaded.
One model alone is a cascade of one stage. Where long texts are scored by their passages, each stage splits them for its
own model.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from bridge.errors import DeadlineError, OverloadedError, ScoringError
from bridge.passages import Passages, best, split
from bridge.queue import MIN_SCORED
from bridge.ranking import Extent, Rule, StageScores, Window, preferred
from connectors.base import Reason

_log = structlog.get_logger(__name__)


class TextScorer(Protocol):
    """What a cascade needs of a scorer."""

    @property
    def model_name(self) -> str:
        """The name that replies tell."""
        ...

    async def readable_chars(self, query_text: str, texts: Sequence[str], *, instruction: str) -> list[int]:
        """Characters of each text that the model reads at once, about. Raises ``ScoringError``."""
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

    def __init__(
        self,
        stages: Sequence[Stage],
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        passages: Passages | None = None,
    ) -> None:
        """``timeout_s`` is for one window in all stages; ``clock`` is the one of the scorers.

        ``passages`` says what is scored of a text that is longer than a model reads at once; None: its beginning.
        """
        self._stages = stages
        self._timeout_s = timeout_s
        self._clock = clock
        self._passages = passages

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
        given: Sequence[_Given] = [_NOTHING] * len(texts)
        cut = None
        try:
            given = await self._scored(stage.scorer, window, texts, deadline)
            if any(text and score is None for text, (score, _) in zip(texts, given, strict=True)):
                cut = Reason.DEADLINE
        except ScoringError as error:
            cut = _reason(stage.scorer.model_name, error)
        scores: list[float | None] = [None] * len(window.texts)
        passages: list[Extent | None] = [None] * len(window.texts)
        for place, (score, passage) in zip(places, given, strict=True):
            scores[place], passages[place] = score, passage
        return StageScores(
            tuple(scores),
            stage.rule.keeping(window.first_stage_weight),
            stage.scorer.model_name,
            self._clock() - started,
            cut,
            tuple(passages) if any(passages) else (),
        )

    async def _scored(
        self, scorer: TextScorer, window: Window, texts: Sequence[str], deadline: float
    ) -> Sequence[_Given]:
        """The score of each text, and the passage that it is of. Raises ``ScoringError``."""
        extents = await self._extents(scorer, window, texts)
        parts = [
            text if extent is None else text[slice(*extent)]
            for text, own in zip(texts, extents, strict=True)
            for extent in own
        ]
        scores = iter(await scorer.score(window.query_text, parts, instruction=window.instruction, deadline=deadline))
        given = [_best([next(scores) for _ in own], own) for own in extents]
        left_out = any(text and score is None for text, (score, _) in zip(texts, given, strict=True))
        if left_out and sum(score is not None for score, _ in given) < MIN_SCORED:
            raise DeadlineError("the deadline passed before two texts had all their passages scored")
        return given

    async def _extents(
        self, scorer: TextScorer, window: Window, texts: Sequence[str]
    ) -> Sequence[Sequence[Extent | None]]:
        """The passages of each text; None alone where it is read whole."""
        if self._passages is None:
            return [_WHOLE] * len(texts)
        limits = await scorer.readable_chars(window.query_text, texts, instruction=window.instruction)
        # In a thread: a hundred long texts take some 100 ms, in which others' searches go on.
        return await asyncio.to_thread(_extents, texts, limits, self._passages.at_most)


class Cascades:
    """The ways to score that a configuration names."""

    def __init__(self, by_name: Mapping[str, Cascade]) -> None:
        self._by_name = by_name

    async def score(self, window: Window) -> tuple[StageScores, ...]:
        """What each stage of the window's way gave."""
        return await self._by_name[window.scoring].score(window)


_Given = tuple[float | None, Extent | None]
_NOTHING: _Given = (None, None)
_WHOLE: Sequence[Extent | None] = (None,)


def _extents(texts: Sequence[str], limits: Sequence[int], at_most: int) -> Sequence[Sequence[Extent | None]]:
    return [
        _WHOLE if len(text) <= limit else split(text, limit, at_most) or _WHOLE
        for text, limit in zip(texts, limits, strict=True)
    ]


def _best(scores: Sequence[float | None], extents: Sequence[Extent | None]) -> _Given:
    found = best(scores)
    return (found[0], extents[found[1]]) if found is not None else _NOTHING


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
