"""``rerank-bridge evaluate --sweep``: the parts of a bridge for each configuration that is swept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from bridge.assembly import load_models, scoring
from bridge.composition import identify
from bridge.config import Config
from bridge.errors import ConfigError
from bridge.evaluate.command import progress_bar
from bridge.evaluate.fetched import FirstStages
from bridge.evaluate.grid import Grid, grid_of
from bridge.evaluate.sweep import Scorings, Sweep, SweepPlan, sweep
from bridge.evaluate.sweep_report import show, write_json
from bridge.index_config import StageConfig, Stages
from bridge.telemetry import Telemetry
from bridge.upstream import Upstream

_QUEUE_PAIRS = 10_000_000  # one search is scored at a time: nothing waits, and the widest window has to fit
_STAGES: TypeAdapter[tuple[StageConfig, ...]] = TypeAdapter(Stages)


def grid_for(settings: Config, index: str, sweeps: Sequence[str]) -> Grid:
    """What ``--sweep`` asks for, where an index has its own settings from those on. Raises ``ConfigError``."""
    policy = settings.policy((index,))
    if not policy.is_on:
        raise ConfigError([f"mode is off for {index!r}: there is nothing to sweep"])
    grid = grid_of(sweeps, settings.scorings()[policy.scoring].model_text, policy.window)
    for model in grid.models:
        _stages(model)
    return grid


async def run(settings: Config, plan: SweepPlan, console: Console, json_file: Path | None = None) -> Sweep:
    """Sweeps an index that is loaded, prints the report, and writes it where that is wanted.

    All the models of the grid are loaded together. Raises as ``bridge.composition`` does, and as ``sweep``.
    """
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(Upstream(settings))
        engine = await identify(settings, upstream)
        scorings = await _scorings(settings, plan, console, stack)
        first_stages = FirstStages(engine.connector, upstream, settings.policy)
        with progress_bar(console, "searching") as on_progress:
            swept = await sweep(plan, first_stages, scorings, on_progress)
    show(swept, console)
    if json_file is not None:
        write_json(swept, json_file)
    return swept


async def _scorings(
    settings: Config, plan: SweepPlan, console: Console, stack: AsyncExitStack
) -> Mapping[str, Scorings]:
    """Each model's ways to score; a score that one keeps is not known to another, so that each is timed by itself."""
    found: dict[str, Scorings] = {}
    for model in plan.grid.models:
        own = with_model(settings, model)
        with console.status(f"loading {model}"):
            models = await load_models(own)
        cascades = await stack.enter_async_context(scoring(own, models, Telemetry()))
        found[model] = Scorings(cascades, own.policy((plan.index,)).scoring)
    return found


def with_model(settings: Config, model: str) -> Config:
    """The configuration with this model for every index, without a deadline, and no other change to the order."""
    change = {"model": _stages(model), "score_timeout_s": math.inf}
    indices = tuple(entry.model_copy(update=change) for entry in settings.indices)
    return settings.model_copy(update={**change, "indices": indices, "queue_limit_pairs": _QUEUE_PAIRS})


def _stages(model: str) -> tuple[StageConfig, ...]:
    try:
        return _STAGES.validate_python(model)
    except ValidationError as error:
        raise ConfigError([f"--sweep model={model}: {detail['msg']}" for detail in error.errors()]) from error
