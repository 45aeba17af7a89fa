"""What each model of a bridge took for the searches that it reranked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from bridge.evaluate.client import StageCost


@dataclass(frozen=True, slots=True)
class ModelCost:
    """One model over all searches that reached its stage."""

    model: str
    searches: int
    mean_texts: float
    """Texts of a search that it scored."""
    mean_ms: float
    """In its stage, for one search."""


def costs(searches: Iterable[Sequence[StageCost]]) -> tuple[ModelCost, ...]:
    """The means by model, in the order in which the models come up; nothing where no search was reranked."""
    by_model: dict[str, list[StageCost]] = {}
    for stages in searches:
        for stage in stages:
            by_model.setdefault(stage.model, []).append(stage)
    return tuple(
        ModelCost(model, len(found), fmean(stage.texts for stage in found), fmean(stage.ms for stage in found))
        for model, found in by_model.items()
    )
