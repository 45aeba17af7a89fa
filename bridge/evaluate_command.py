"""``rerank-bridge evaluate``: the options, and the systems that they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bridge.assembly import Models, load_models
from bridge.command_line import (
    ConfigFile,
    Device,
    Engine,
    ModelName,
    Precision,
    Upstream,
    Window,
    console_for_people,
    errors_told,
    needs,
    patient,
    run,
    settings_of,
)
from bridge.composition import bridging, open_at, open_direct
from bridge.config import Config
from bridge.errors import ConfigError
from bridge.evaluate.client import open_client
from bridge.evaluate.dialect import Dialect
from bridge.evaluate.systems import DIRECT, Configured, Running, Wanted, wanted_systems
from bridge.index_config import IndexConfig, StageConfig

if TYPE_CHECKING:
    from bridge.evaluate.command import Job
    from bridge.evaluate.evaluation import System

_FILE = "config"
_HARDWARE = ("device", "precision", "long_context", "model_cache_mib")
OWN_SETTINGS = (_FILE, *_HARDWARE, "max_text_chars", *(IndexConfig.model_fields.keys() & Config.model_fields.keys()))
"""What a system may have for itself: a file of settings, and what concerns scoring and nothing else."""


def evaluate(  # noqa: PLR0913 - one parameter for each option
    dataset: Annotated[
        Path,
        typer.Argument(
            help="Folder in BEIR format; or file: a table of judgments, Quepid's export, _rank_eval requests, or "
            "queries with --qrels. What it is is seen by its content."
        ),
    ],
    upstream: Upstream = None,
    index: Annotated[
        str | None, typer.Option(help="Index to search; named after the folder, or by the judgments, by default.")
    ] = None,
    system: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SETTING:VALUE,...",
            help="A bridge to start, as small=model:embedded,window:50. May come again: all are compared.",
        ),
    ] = None,
    bridge: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]URL",
            help="A running bridge; one is started here by default. May come again: all are compared.",
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="Judgments to use: the name of a file in qrels/.")] = "test",
    qrels: Annotated[
        Path | None, typer.Option(help="File of judgments for a file of queries: TREC's, BEIR's, or a table.")
    ] = None,
    measures: Annotated[
        list[str] | None, typer.Option(help="Measures, as ir-measures names them, separated by spaces.")
    ] = None,
    body: Annotated[Path | None, typer.Option(help="JSON search body with {{query}} where the words go.")] = None,
    depth: Annotated[int, typer.Option(help="Hits of each search.")] = 100,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report as JSON, too.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="Write the report as one HTML file, too.")] = None,
    runs: Annotated[Path | None, typer.Option(help="Folder for the runs in TREC format.")] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUES",
            help="Try many settings in place of a comparison, and say which to use: window=10,50,100, blend=0:1:0.1, "
            "model=embedded,HUB_ID. Several make a grid.",
        ),
    ] = None,
    engine: Engine = None,
    model: ModelName = None,
    device: Device = None,
    precision: Precision = None,
    window: Window = None,
    config: ConfigFile = None,
) -> None:
    """Search every judged query directly and through one or more bridges, and compare.

    A bridge that is started here waits for the model as long as it takes, unless score_timeout_s is configured.
    """
    with needs("models,evaluate"):
        from bridge.evaluate import command  # noqa: PLC0415 - needed by this command alone, and slow to import

    with errors_told():
        flags = {"upstream": upstream, "engine": engine, "window": window, "listen": "127.0.0.1:0"}
        flags |= {"model": model, "device": device, "precision": precision}
        settings = settings_of(flags, config)
        wanted = wanted_systems(system or (), bridge or (), OWN_SETTINGS)
        configs = {one.name: _config(one, flags, config) for one in wanted if isinstance(one, Configured)}
        job = command.Job(
            dataset=dataset,
            split=split,
            qrels=qrels,
            index=index or "",
            measures=tuple(name for value in measures or () for name in value.split()),
            body=body,
            depth=depth,
            json_file=json_file,
            html_file=html_file,
            runs=runs,
        )
        if sweep:
            _check_sweep(has_systems=bool(system or bridge), has_more=runs is not None or html_file is not None)
            run(_sweep(settings, job, sweep))
        else:
            run(_evaluate(settings, job, wanted, configs))


def _config(one: Configured, flags: Mapping[str, object], file: Path | None) -> Config:
    """The configuration of a bridge to start: what is its own wins, for every index. Raises ``ConfigError``."""
    own = {name: value for name, value in one.settings.items() if name != _FILE}
    try:
        settings = settings_of({**flags, **own}, Path(one.settings[_FILE]) if _FILE in one.settings else file)
    except ConfigError as error:
        raise ConfigError([f"--system {one.name}: {problem}" for problem in error.problems]) from error
    change = {name: getattr(settings, name) for name in own if name in IndexConfig.model_fields}
    return settings.model_copy(update={"indices": tuple(entry.model_copy(update=change) for entry in settings.indices)})


async def _evaluate(settings: Config, job: Job, wanted: Sequence[Wanted], configs: Mapping[str, Config]) -> None:
    from bridge.evaluate import command  # noqa: PLC0415 - as in evaluate
    from bridge.evaluate.evaluation import System  # noqa: PLC0415 - likewise

    console = console_for_people()
    material = command.read(job)
    async with AsyncExitStack() as stack:
        direct = await stack.enter_async_context(open_direct(settings))
        plan = await command.prepare(job, material, direct, console)
        models = await _loaded(configs, console)
        systems = [System(DIRECT, direct, is_bridge=False, settings={"url": direct.url})]
        for one in wanted:
            if isinstance(one, Running):
                systems.append(await _running(one, settings, direct.dialect, stack))
            else:
                systems.append(await _started(one, configs[one.name], models[one.name], direct.dialect, stack))
        command.write_files(job, await command.run(plan, systems, console))


def _check_sweep(*, has_systems: bool, has_more: bool) -> None:
    """Raises ``ConfigError`` with everything that a sweep has no use for."""
    mistakes = {
        "--sweep makes its own systems: leave out --system and --bridge": has_systems,
        "--sweep writes neither --runs nor --html: evaluate the configuration that it names": has_more,
    }
    problems = [problem for problem, is_made in mistakes.items() if is_made]
    if problems:
        raise ConfigError(problems)


async def _sweep(settings: Config, job: Job, sweeps: Sequence[str]) -> None:
    from bridge import sweep_command  # noqa: PLC0415 - as in evaluate
    from bridge.evaluate import command  # noqa: PLC0415 - likewise
    from bridge.evaluate.sweep import SweepPlan  # noqa: PLC0415 - likewise

    console = console_for_people()
    material = command.read(job)
    grid = sweep_command.grid_for(settings, material.index, sweeps)
    async with open_direct(settings) as direct:
        plan = await command.prepare(job, material, direct, console)
    await sweep_command.run(settings, SweepPlan(plan, grid, direct.dialect), console, job.json_file)


async def _loaded(configs: Mapping[str, Config], console: Console) -> dict[str, Models]:
    """The models of each system; those that have the same one on the same hardware share it."""
    groups: dict[tuple[object, ...], dict[str, Config]] = {}
    for name, config in configs.items():
        key = tuple(getattr(config, setting) for setting in _HARDWARE)
        groups.setdefault(key, {})[name] = config
    found: dict[str, Models] = {}
    for group in groups.values():
        names = {name: _model_names(config) for name, config in group.items()}
        needed = dict.fromkeys(model for models in names.values() for model in models)
        if not needed:
            found |= {name: {} for name in group}
            continue
        with console.status(f"loading {', '.join(needed)}"):
            stages = tuple(StageConfig(name=model, keep=None) for model in needed)
            together = next(iter(group.values())).model_copy(update={"model": stages, "indices": (), "mode": "on"})
            models = await load_models(together)
        found |= {name: {model: models[model] for model in own} for name, own in names.items()}
    return found


def _model_names(config: Config) -> list[str]:
    return list(dict.fromkeys(stage.name for scoring in config.scorings().values() for stage in scoring.model))


async def _started(one: Configured, config: Config, models: Models, dialect: Dialect, stack: AsyncExitStack) -> System:
    from bridge.evaluate.evaluation import System  # noqa: PLC0415 - as in evaluate

    bridge = await stack.enter_async_context(bridging(patient(config), models))
    client = await stack.enter_async_context(open_client(bridge.running.url, dialect))
    return System(one.name, client, settings={"model": config.model_text, "window": str(config.window), **one.settings})


async def _running(one: Running, settings: Config, dialect: Dialect, stack: AsyncExitStack) -> System:
    from bridge.evaluate.evaluation import System  # noqa: PLC0415 - as in evaluate

    client = await stack.enter_async_context(open_at(one.url, settings, dialect))
    return System(one.name, client, settings={"url": client.url})
