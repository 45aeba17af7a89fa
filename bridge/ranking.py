"""Scores -> order. Pure: no model, no engine.

``order`` ranks the rerank window by the model, or by model and first stage together, and appends the tail. Ties keep
first-stage order. Hits that were not scored (no text, or the deadline came first) stand behind the scored ones, in
first-stage order. The ``_score`` values written fall all the way down and depend on the window alone, never on
the page, so that pages agree with each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from connectors.base import RankedHit

Ranking = Literal["model", "blend", "rrf"]

RRF_RANK_CONSTANT = 60  # Cormack, Clarke and Buettcher, "Reciprocal Rank Fusion outperforms Condorcet", SIGIR 2009
_STEP = 2.0**-21  # of written scores: four times the spacing of 32-bit floats in [1, 2), which the clients read


class Rule(NamedTuple):
    """How the window is ordered."""

    ranking: Ranking = "model"
    blend_weight: float = 1.0
    """Weight of the model in ``blend``, from 0 to 1; the first stage has the rest."""


def order(first_stage_scores: Sequence[float], model_scores: Sequence[float | None], rule: Rule) -> list[RankedHit]:
    """All hits, best first, with the scores to write: the window in (1, 2), the tail in (0, 1).

    ``model_scores`` are the window's, in first-stage order, None where there is none;
    ``len(model_scores) <= len(first_stage_scores)``; the result has one entry for each first-stage score.
    """
    scored = [index for index, score in enumerate(model_scores) if score is not None]
    unscored = [index for index, score in enumerate(model_scores) if score is None]
    model = [score for score in model_scores if score is not None]
    final = _FUSIONS[rule.ranking](model, [first_stage_scores[index] for index in scored], rule.blend_weight)
    ranked = sorted(zip(scored, final, strict=True), key=lambda entry: -entry[1])
    relevances = _scaled([score for _, score in ranked])
    # Scored hits that come before unscored ones keep to the upper half, so that scores fall across the border.
    floor = 1.5 if unscored else 1.0
    window = [
        *((index, floor + (2.0 - floor) * value) for (index, _), value in zip(ranked, relevances, strict=True)),
        *((index, 1.0 + 0.5 * _squeezed(first_stage_scores[index])) for index in unscored),
    ]
    tail = [
        RankedHit(index, _squeezed(first_stage_scores[index]))
        for index in range(len(model_scores), len(first_stage_scores))
    ]
    return [*_falling(window), *tail]


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


def _falling(window: Sequence[tuple[int, float]]) -> list[RankedHit]:
    """The window with scores strictly inside (1, 2), each a step or more below the one before it."""
    room = len(window)
    hits: list[RankedHit] = []
    ceiling = 2.0
    for place, (index, score) in enumerate(window):
        lowest = 1.0 + (room - place) * _STEP  # leaves a step for each hit that follows
        ceiling = max(min(score, ceiling - _STEP), lowest)
        hits.append(RankedHit(index, ceiling))
    return hits
