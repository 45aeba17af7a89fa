"""``rerank-bridge evaluate``: the options, and the systems that they mean."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
from bridge.composition import bridging, open_direct
from bridge.config import Config
from bridge.evaluate.client import open_client

if TYPE_CHECKING:
    from bridge.evaluate.command import Job


def evaluate(  # noqa: PLR0913 - one parameter for each option
    dataset: Annotated[Path, typer.Argument(help="Folder in BEIR format: corpus, queries and qrels.")],
    upstream: Upstream = None,
    index: Annotated[str | None, typer.Option(help="Index to search; named after the folder by default.")] = None,
    bridge: Annotated[str | None, typer.Option(help="URL of a running bridge; one is started here by default.")] = None,
    split: Annotated[str, typer.Option(help="Judgments to use: the name of a file in qrels/.")] = "test",
    measures: Annotated[
        list[str] | None, typer.Option(help="Measures, as ir-measures names them, separated by spaces.")
    ] = None,
    body: Annotated[Path | None, typer.Option(help="JSON search body with {{query}} where the words go.")] = None,
    depth: Annotated[int, typer.Option(help="Hits of each search.")] = 100,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report as JSON, too.")] = None,
    runs: Annotated[Path | None, typer.Option(help="Folder for both runs in TREC format.")] = None,
    engine: Engine = None,
    model: ModelName = None,
    device: Device = None,
    precision: Precision = None,
    window: Window = None,
    config: ConfigFile = None,
) -> None:
    """Search every judged query directly and through the bridge, and compare.

    The bridge that is started here waits for the model as long as it takes, unless score_timeout_s is configured.
    """
    with needs("models,evaluate"):
        from bridge.evaluate import command  # noqa: PLC0415 - needed by this command alone, and slow to import

    with errors_told():
        flags = {"upstream": upstream, "engine": engine, "window": window, "listen": "127.0.0.1:0"}
        settings = settings_of({**flags, "model": model, "device": device, "precision": precision}, config)
        job = command.Job(
            dataset=dataset,
            split=split,
            index=index or dataset.resolve().name.lower(),
            measures=tuple(name for value in measures or () for name in value.split()),
            body=body,
            depth=depth,
            json_file=json_file,
            runs=runs,
        )
        run(_evaluate(settings, job, bridge))


async def _evaluate(settings: Config, job: Job, bridge_url: str | None) -> None:
    from bridge.evaluate import command  # noqa: PLC0415 - as in evaluate

    console = console_for_people()
    dataset, plan = command.prepare(job)
    async with AsyncExitStack() as stack:
        direct = await stack.enter_async_context(open_direct(settings))
        await command.load_index(direct, dataset, job.index, console)
        if bridge_url is None:
            with console.status(f"loading {settings.model_text}"):
                bridge = await stack.enter_async_context(bridging(patient(settings)))
            bridge_url = bridge.running.url
        bridged = await stack.enter_async_context(open_client(bridge_url))
        command.write_files(job, await command.run(plan, direct, bridged, console))
