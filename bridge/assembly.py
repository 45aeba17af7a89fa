"""Models, loaded and put together to the ways to score that a configuration names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from bridge.cascade import Cascade, Cascades, Stage
from bridge.config import MIB, Config
from bridge.index_config import ScoringConfig
from bridge.models import catalog
from bridge.models.base import Model, ModelKind
from bridge.passages import Passages
from bridge.ranking import Rule
from bridge.score_cache import ScoreCache
from bridge.scorer import Limits, Scorer
from bridge.telemetry import Telemetry

_TIMEOUT_S = {"cpu": 3.0, "cuda": 1.0}
_RULES: dict[ModelKind, Rule] = {"bi-encoder": Rule("blend", 0.7), "cross-encoder": Rule("model", 1.0)}

Models = Mapping[str, tuple[Model, ...]]
"""The replicas of each model, one at least, by the name that the configuration has for it."""


async def load_models(config: Config) -> Models:
    """The models that searches may need, each once, on every device that is wanted. Raises ``ModelLoadError``."""
    return {name: await asyncio.to_thread(replicas_of, config, name) for name in model_names(config)}


def replicas_of(config: Config, name: str) -> tuple[Model, ...]:
    """A model on every device that is wanted. Raises ``ModelLoadError``."""
    first = _load(config, name, config.device)  # says it where there is no torch at all
    from bridge.models.device import devices  # noqa: PLC0415 - imports torch

    return (first, *(_load(config, name, device) for device in devices(config.device)[1:]))


def _load(config: Config, name: str, device: str) -> Model:
    return catalog.load(
        name,
        device=device,
        precision=config.precision,
        cache_bytes=config.model_cache_mib * MIB,
        long_context=config.long_context,
    )


def model_names(config: Config) -> Sequence[str]:
    """The models that searches may need, each once."""
    return list(dict.fromkeys(stage.name for scoring in config.scorings().values() for stage in scoring.model))


def model_key(config: Config, name: str) -> Hashable:
    """What a loaded model depends on."""
    return (name, config.device, config.precision, config.model_cache_mib, config.long_context)


@asynccontextmanager
async def scoring(config: Config, models: Models, telemetry: Telemetry) -> AsyncIterator[Cascades]:
    """Every way to score that the configuration names, over the same models, queues and scores that are kept."""
    cache = ScoreCache(config.score_cache_mib * MIB)
    limits = Limits(config.queue_limit_pairs, config.batch_tokens)
    async with AsyncExitStack() as stack:
        scorers = {
            name: await stack.enter_async_context(Scorer(replicas, limits, cache, telemetry))
            for name, replicas in models.items()
        }
        yield cascades_of(config, models, scorers)


def cascades_of(config: Config, models: Models, scorers: Mapping[str, Scorer]) -> Cascades:
    """Every way to score that the configuration names, by these scorers of its models."""
    return Cascades({name: _cascade(scoring, models, scorers) for name, scoring in config.scorings().items()})


def _cascade(wanted: ScoringConfig, models: Models, scorers: Mapping[str, Scorer]) -> Cascade:
    stages = [
        Stage(
            scorers[stage.name],
            _rule(wanted, models[stage.name][0].kind, is_last=stage is wanted.model[-1]),
            stage.keep,
        )
        for stage in wanted.model
    ]
    usual_s = max(_TIMEOUT_S[_kind(models[stage.name][0])] for stage in wanted.model)
    passages = Passages(wanted.passages) if wanted.passages is not None else None
    return Cascade(stages, wanted.timeout_s or usual_s, passages=passages)


def _kind(model: Model) -> str:
    return model.device.partition(":")[0]


def _rule(wanted: ScoringConfig, kind: ModelKind, *, is_last: bool) -> Rule:
    usual = _RULES[kind]
    if not is_last:
        return usual
    ranking = usual.ranking if wanted.ranking == "auto" else wanted.ranking
    weight = usual.blend_weight if wanted.blend_weight is None else wanted.blend_weight
    return Rule(ranking, weight)
