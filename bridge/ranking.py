"""Scores -> order. Pure: no model, no engine.

A window is scored in one stage or several, each of which scores what stood best before it. ``order`` ranks the window
by the last stage, then by the stage before it what that one left out, and so on; behind it stands what no stage scored,
in first-stage order, and then the tail. Each stage goes by its model, or by its model and the first stage together.
Ties keep first-stage order. The ``_score`` values written fall all the way down and depend on the window alone, never
on the page, so that pages agree with each other. ``bridge.guards`` says which hits are kept from falling, and a pinned
hit keeps the engine's score, which tells clients that it is one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from bridge.guards import UNGUARDED, Guards, guarded, organic
from connectors.base import RankedHit, Reason

Ranking = Literal["model", "blend", "rrf"]

RRF_RANK_CONSTANT = 60  # Cormack, Clarke and Buettcher, "Reciprocal Rank Fusion outperforms Condorcet", SIGIR 2009
_STEP = 2.0**-21  # of written scores: four times the spacing of 32-bit floats in [1, 2), which the clients read


class Rule(NamedTuple):
    """How a stage orders what it scored."""

    ranking: Ranking = "model"
    blend_weight: float = 1.0
    """Weight of the model in ``blend``, from 0 to 1; the first stage has the rest."""

    def keeping(self, first_stage_weight: float) -> Rule:
        """The rule with at least this weight, from 0 to 1, for the first stage; ``rrf`` is left, which has a half."""
        if self.ranking == "rrf" or not first_stage_weight:
            return self
        weight = self.blend_weight if self.ranking == "blend" else 1.0
        return Rule("blend", min(weight, 1.0 - first_stage_weight))


Extent = tuple[int, int]
"""Where a passage of a text begins and ends, in characters."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is to be scored: a search's words and the first-stage hits for them, in first-stage order."""

    query_text: str
    texts: tuple[str, ...]
    """What a model reads of each hit; empty where it has no text."""
    first_stage_scores: tuple[float, ...]
    """Of the same hits."""
    instruction: str = ""
    scoring: str = ""
    """Which of the configured ways to score is meant."""
    first_stage_weight: float = 0.0
    """What the first stage keeps of the order at least, from 0 to 1, in every stage."""


@dataclass(frozen=True, slots=True)
class StageScores:
    """What one stage gave a window."""

    scores: tuple[float | None, ...]
    """One for each of the window's texts, in first-stage order; None where this stage has none."""
    rule: Rule
    model_name: str = ""
    seconds: float = 0.0
    """From when the texts were handed to the stage until it was done."""
    cut: Reason | None = None
    """Why it scored less than it was given; None where it scored every text."""
    passages: tuple[Extent | None, ...] = ()
    """The passage of each text that its score is of, None where it is the whole text; empty: whole texts alone."""

    @property
    def scored(self) -> int:
        """How many texts have a score."""
        return len(self.scores) - self.scores.count(None)


def order(
    first_stage_scores: Sequence[float], stages: Sequence[StageScores], guards: Guards = UNGUARDED
) -> list[RankedHit]:
    """All hits, best first, with the scores to write: the window in (1, 2), the tail in (0, 1), pinned hits their own.

    ``first_stage_scores`` are those of window and tail; ``stages`` are one or more, in the order in which they scored.
    The result has one entry for each first-stage score.
    """
    size = len(stages[0].scores)
    by_model = _in_bands(_groups(organic(first_stage_scores, guards.pinned), stages))
    places = guarded([index for index, _ in by_model], guards)
    scores = _falling([score for _, score in by_model])
    return [
        *(
            RankedHit(index, first_stage_scores[index] if index in guards.pinned else score)
            for index, score in zip(places, scores, strict=True)
        ),
        *(RankedHit(index, _squeezed(first_stage_scores[index])) for index in range(size, len(first_stage_scores))),
    ]


def preferred(first_stage_scores: Sequence[float], stages: Sequence[StageScores]) -> list[int]:
    """The places of the window, best first: a permutation of ``range(len(stages[0].scores))``."""
    return [index for group in _groups(first_stage_scores, stages) for index, _ in group]


_Group = list[tuple[int, float]]
"""Hits of the window with a relevance in [0, 1], best first."""


def _groups(first_stage_scores: Sequence[float], stages: Sequence[StageScores]) -> list[_Group]:
    """The window in groups, best first: what each stage scored last, the last stage's first; then the unscored."""
    groups: list[_Group] = []
    placed: set[int] = set()
    for stage in reversed(stages):
        left = [entry for entry in _ranked(first_stage_scores, stage) if entry[0] not in placed]
        groups.append(list(zip([index for index, _ in left], _scaled([score for _, score in left]), strict=True)))
        placed |= {index for index, _ in left}
    unscored = [index for index in range(len(stages[0].scores)) if index not in placed]
    groups.append([(index, _squeezed(first_stage_scores[index])) for index in unscored])
    return [group for group in groups if group]


def _ranked(first_stage_scores: Sequence[float], stage: StageScores) -> _Group:
    """What a stage scored, with the scores that it is ordered by, best first."""
    scored = [(index, score) for index, score in enumerate(stage.scores) if score is not None]
    final = _FUSIONS[stage.rule.ranking](
        [score for _, score in scored], [first_stage_scores[index] for index, _ in scored], stage.rule.blend_weight
    )
    places = [index for index, _ in scored]
    return sorted(zip(places, final, strict=True), key=lambda entry: -entry[1])


def _in_bands(groups: Sequence[_Group]) -> _Group:
    """The groups with scores in (1, 2): each but the last in the upper half of what is left, so that scores fall."""
    window: _Group = []
    ceiling = 2.0
    for number, group in enumerate(groups, start=1):
        floor = 1.0 if number == len(groups) else (1.0 + ceiling) / 2
        window += [(index, floor + (ceiling - floor) * value) for index, value in group]
        ceiling = floor
    return window


def _by_model(model: Sequence[float], _first_stage: Sequence[float], _weight: float) -> Sequence[float]:
    return model


def _by_blend(model: Sequence[float], first_stage: Sequence[float], weight: float) -> Sequence[float]:
    pairs = zip(_scaled(model), _scaled(first_stage), strict=True)
    return [weight * from_model + (1.0 - weight) * from_first_stage for from_model, from_first_stage in pairs]


def _by_rrf(model: Sequence[float], first_stage: Sequence[float], _weight: float) -> Sequence[float]:
    ranks = sorted(range(len(model)), key=lambda index: -model[index])
    fused = [1.0 / (RRF_RANK_CONSTANT + rank) for rank in range(1, len(first_stage) + 1)]
    for rank, index in enumerate(ranks, start=1):
        fused[index] += 1.0 / (RRF_RANK_CONSTANT + rank)
    return fused


_FUSIONS: dict[Ranking, Callable[[Sequence[float], Sequence[float], float], Sequence[float]]] = {
    "model": _by_model,
    "blend": _by_blend,
    "rrf": _by_rrf,
}


def _scaled(values: Sequence[float]) -> list[float]:
    """Min-max scaled to [0, 1]; 0 for all where all are equal."""
    if not values:
        return []
    low, high = min(values), max(values)
    if math.isinf(high - low):  # finite scores of both signs, near the limit of floats
        return _scaled([value / 2 for value in values])
    return [(value - low) / (high - low) for value in values] if high > low else [0.0 for _ in values]


def _squeezed(score: float) -> float:
    """A first-stage score of 0 or more, into [0.5, 1), in its order and the same on every page."""
    return min((1.0 + max(score, 0.0)) / (2.0 + max(score, 0.0)), 1.0 - _STEP)


def _falling(window: Sequence[float]) -> list[float]:
    """The window's scores strictly inside (1, 2), each a step or more below the one before it."""
    room = len(window)
    falling: list[float] = []
    ceiling = 2.0
    for place, score in enumerate(window):
        lowest = 1.0 + (room - place) * _STEP  # leaves a step for each hit that follows
        ceiling = max(min(score, ceiling - _STEP), lowest)
        falling.append(ceiling)
    return falling
