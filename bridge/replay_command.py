"""``rerank-bridge replay``: the options, and the systems that they mean."""

from __future__ import annotations

import ssl
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bridge.addresses import Address, check_address, parse_address
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
from bridge.composition import bridging
from bridge.config import Config
from bridge.errors import ConfigError
from bridge.upstream import own_authorization, tls_context

if TYPE_CHECKING:
    from bridge.replay.command import Job, Outcome
    from bridge.replay.runner import System


def replay(  # noqa: PLR0913 - one parameter for each option
    *,
    log: Annotated[
        str,
        typer.Argument(
            help="A log of searches; what it is is seen by its content. Or the URL of an index of ubi_queries, as in "
            "http://localhost:9200/ubi_queries."
        ),
    ],
    upstream: Upstream = None,
    bridge: Annotated[
        list[str] | None,
        typer.Option(
            help="URL of a running bridge; one is started here by default. Given twice: one against the other."
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(help="The --run-dir of an earlier replay: its last system is compared with, not the engine."),
    ] = None,
    index: Annotated[str, typer.Option(help="Index to search where the log names none.")] = "",
    body: Annotated[
        Path | None, typer.Option(help="JSON search body with {{query}} where the words go, for logs of words.")
    ] = None,
    strip: Annotated[
        list[str] | None, typer.Option(help="JSON pointer of what is taken out of each body. May come again.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Searches at most.")] = None,
    sample: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of the log, the same searches each time.")
    ] = 1.0,
    unique: Annotated[
        bool, typer.Option("--unique", help="Equal searches once, counted as often as they come.")
    ] = False,
    since: Annotated[datetime | None, typer.Option(help="Searches of the log from this moment on.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Searches at a time.")] = 4,
    rate: Annotated[float | None, typer.Option(min=0.001, help="Searches a second, whatever the systems do.")] = None,
    speed: Annotated[float | None, typer.Option(min=0.001, help="The log's own timing, so many times as fast.")] = None,
    run_dir: Annotated[Path | None, typer.Option(help="Folder that keeps what came of each search.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --run-dir.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report as JSON.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="Write the report as one HTML file.")] = None,
    runs: Annotated[Path | None, typer.Option(help="Folder for the runs in TREC format.")] = None,
    qrels: Annotated[
        Path | None, typer.Option(help="Judgments: a folder in BEIR format, or a file in that of TREC or BEIR.")
    ] = None,
    events: Annotated[
        str | None,
        typer.Option(help="ubi_events of the same searches, a file or the URL of an index: what users acted on."),
    ] = None,
    object_field: Annotated[str, typer.Option(help="Field that events know a document by; its _id by default.")] = "",
    depth: Annotated[int, typer.Option(min=1, help="Hits of a page that are compared.")] = 10,
    threshold: Annotated[
        list[str] | None, typer.Option(help="NAME=NUMBER of the verdict; see docs/replay.md. May come again.")
    ] = None,
    max_broken: Annotated[int, typer.Option(min=0, help="Places of the log that may be unreadable.")] = 1_000,
    engine: Engine = None,
    model: ModelName = None,
    device: Device = None,
    precision: Precision = None,
    window: Window = None,
    config: ConfigFile = None,
) -> None:
    """Send the searches of a log again, directly and through the bridge, and say what would change.

    Nothing is written to any index. Ends with 0 where the verdict is ready, 1 for look here first, 3 for do not switch.
    """
    with needs("models,evaluate"):
        from bridge.evaluate.template import read_template  # noqa: PLC0415 - slow to import, as is what follows
        from bridge.replay.command import Job  # noqa: PLC0415
        from bridge.replay.formats import ReadOptions  # noqa: PLC0415
        from bridge.replay.verdict import EXIT_STATUS, thresholds_of  # noqa: PLC0415

    with errors_told():
        flags = {"upstream": upstream, "engine": engine, "window": window, "listen": "127.0.0.1:0"}
        settings = settings_of({**flags, "model": model, "device": device, "precision": precision}, config)
        template = read_template(body) if body is not None else None
        job = Job(
            log=Path(log),
            source=log,
            read=ReadOptions(index, template, tuple(strip or ()), depth),
            limit=limit,
            sample=sample,
            unique=unique,
            since_s=since.timestamp() if since is not None else None,
            workers=workers,
            rate=rate,
            speed=speed,
            run_dir=run_dir,
            resume=resume,
            json_file=json_file,
            html_file=html_file,
            runs=runs,
            qrels=qrels,
            events=Path(events) if events is not None else None,
            against=against,
            object_field=object_field,
            depth=depth,
            max_broken=max_broken,
            thresholds=thresholds_of(tuple(threshold or ())),
        )
        _check(job, tuple(bridge or ()))
        outcome = run(_replay(settings, job, (log, events), tuple(bridge or ()), console_for_people()))
        raise typer.Exit(EXIT_STATUS[outcome.verdict.word])


def _check(job: Job, bridges: tuple[str, ...]) -> None:
    """Raises ``ConfigError`` with everything that does not go together."""
    mistakes = {
        "--resume needs the --run-dir of the run that it goes on with": job.resume and job.run_dir is None,
        "give --rate or --speed, not both": job.rate is not None and job.speed is not None,
        "--bridge can be given twice at most": len(bridges) > 2,  # noqa: PLR2004 - one against the other
        "--against stands for the first system: give --bridge once": job.against is not None and len(bridges) > 1,
    }
    problems = [problem for problem, is_made in mistakes.items() if is_made]
    if problems:
        raise ConfigError(problems)


async def _replay(
    settings: Config, job: Job, named: tuple[str, str | None], bridges: tuple[str, ...], console: Console
) -> Outcome:
    from bridge.replay.command import replay as send_again  # noqa: PLC0415 - as in replay

    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        log, events = [await _fetched(name, folder, settings, console) for name in named]
        job = replace(job, log=log or job.log, events=events or job.events)
        made_of = ""
        if not bridges:
            with console.status(f"loading {settings.model_text}"):
                started = await stack.enter_async_context(bridging(patient(settings)))
            bridges, made_of = (started.running.url,), _made_of(settings)
        names = ("bridged",) if len(bridges) == 1 else ("bridge A", "bridge B")
        bridged = [_system(name, url, settings, made_of) for name, url in zip(names, bridges, strict=True)]
        is_compared = len(bridges) > 1 or job.against is not None
        systems = bridged if is_compared else [_system("direct", settings.upstream[0], settings), *bridged]
        return await send_again(job, tuple(systems), console)


async def _fetched(name: str | None, folder: Path, settings: Config, console: Console) -> Path | None:
    """The file with what an index holds, where that is named instead of a file."""
    from bridge.replay.http_client import Connection  # noqa: PLC0415 - as in replay
    from bridge.replay.index_export import export  # noqa: PLC0415 - likewise

    if name is None or not name.startswith(("http://", "https://")):
        return None
    engine, _, index = name.rstrip("/").rpartition("/")
    if engine.endswith(("http:/", "https:/")):
        raise ConfigError([f"{index!r} names no index: as in http://localhost:9200/ubi_queries"])
    system = _system("log", engine, settings)
    connection = Connection(system.target, system.timeout_s)
    file = folder / f"{index}.ndjson.gz"
    with console.status(f"reading {index}") as status:
        try:
            await export(connection, index, file, lambda count: status.update(f"reading {index}: {count:,} documents"))
        finally:
            await connection.close()
    return file


def _made_of(settings: Config) -> str:
    """What a bridge that is started here is, in each run with the same settings."""
    digest = blake2b(settings.model_dump_json(exclude={"listen"}).encode(), digest_size=6).hexdigest()
    return f"started for the replay: {settings.model_text}, settings {digest}"


def _system(name: str, url: str, settings: Config, made_of: str = "") -> System:
    from bridge.replay.http_client import Target  # noqa: PLC0415 - as in replay
    from bridge.replay.runner import System  # noqa: PLC0415 - likewise

    check_address(url)
    address: Address = parse_address(url)
    authorization = address.authorization or own_authorization(settings)
    context = tls_context(settings.upstream_ca_file) if address.scheme == "https" else None
    tls = ssl.create_default_context() if context is True else context or None
    headers = {"Authorization": authorization} if authorization else {}
    return System(name, Target(address.host, address.port, tls, address.path_prefix, headers), made_of=made_of)
