"""The command line: ``rerank-bridge serve | off | on | check | evaluate | judge | replay | demo | rerank | explain``.

Exit codes: 0 done; 1 the engine, a model or a port is not as it should be; 2 the command line, the configuration or a
file is broken. Errors are told in one message, without a traceback.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import ExitStack
from functools import partial
from typing import Annotated, Literal

import typer

from bridge import logs
from bridge.addresses import parse_address, split_listen
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
    fail,
    needs,
    patient,
    run,
    settings_of,
)
from bridge.composition import described_scoring
from bridge.config import Config
from bridge.config_sources import load_with_origins
from bridge.evaluate_command import evaluate
from bridge.judge_command import judge
from bridge.live_config import Source
from bridge.operation import Operated, operating
from bridge.replay_command import replay
from bridge.server import serve as serve_until_stopped
from bridge.size_command import size
from bridge.switch_command import AdminListen, off, on
from bridge.version import __version__

DEMO_LISTEN = "127.0.0.1:9400"
_NO_ENGINE = "http://localhost"  # the setting is needed, and nobody is asked there

app = typer.Typer(
    name="rerank-bridge",
    help="A proxy that lets a model order what your search engine finds.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def serve(  # noqa: PLR0913 - one parameter for each option
    upstream: Upstream = None,
    engine: Engine = None,
    listen: Annotated[str | None, typer.Option(help="HOST:PORT that clients connect to.")] = None,
    model: ModelName = None,
    device: Device = None,
    precision: Precision = None,
    window: Window = None,
    mode: Annotated[
        str | None, typer.Option(help="on; off, which passes every search through; shadow, canary or interleave.")
    ] = None,
    admin_listen: AdminListen = None,
    capture: Annotated[
        str | None, typer.Option(metavar="DIR", help="Folder that searches are kept in, to be replayed.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Run the bridge until SIGTERM or Ctrl-C."""
    with errors_told():
        flags = {"upstream": upstream, "engine": engine, "listen": listen, "window": window, "mode": mode}
        flags |= {"capture": capture, "admin_listen": admin_listen}
        flags |= {"model": model, "device": device, "precision": precision}
        source = Source(config, partial(load_with_origins, flags, config, dict(os.environ)))
        loaded = source.read()
        logs.configure(loaded.config.log_level, loaded.config.log_format)
        told = partial(_ready_line, loaded.config)
        run(serve_until_stopped(operating(loaded, source), lambda operated: typer.echo(told(operated))))


@app.command()
def check(  # noqa: PLR0913 - one parameter for each option
    upstream: Upstream = None,
    engine: Engine = None,
    model: ModelName = None,
    device: Device = None,
    precision: Precision = None,
    window: Window = None,
    config: ConfigFile = None,
    index: Annotated[str, typer.Option(help="Index of the search to try; all of them by default.")] = "",
    query: Annotated[str, typer.Option(help="Words to search; some of a document's own by default.")] = "",
) -> None:
    """Say whether engine and model answer, and run one search through."""
    from bridge.check import Example  # noqa: PLC0415 - needed by this command alone
    from bridge.check import check as check_all  # noqa: PLC0415 - likewise

    with errors_told():
        flags = {"upstream": upstream, "engine": engine, "window": window}
        settings = settings_of({**flags, "model": model, "device": device, "precision": precision}, config)
        if not run(check_all(settings, Example(index, query), console_for_people())):
            raise typer.Exit(1)


@app.command()
def demo(
    *,
    engine: Annotated[
        Literal["opensearch", "solr"], typer.Option(help="What is started, where no --upstream is given.")
    ] = "opensearch",
    upstream: Annotated[str | None, typer.Option(help="An engine to use; one is started here by default.")] = None,
    listen: Annotated[
        str, typer.Option(help="HOST:PORT of the bridge; another port where this is taken.")
    ] = DEMO_LISTEN,
    model: ModelName = None,
    once: Annotated[bool, typer.Option("--once", help="End after the table.")] = False,
) -> None:
    """Start an engine and a bridge, and show searches before and after."""
    with needs("models,demo,evaluate"):
        from bridge.demo.engine import RUNNING  # noqa: PLC0415 - needed by this command alone
        from bridge.demonstration import demonstrate, make_corpus, told_step_by_step  # noqa: PLC0415 - likewise

    console = console_for_people()
    with errors_told(), ExitStack() as stack:
        corpus, questions = make_corpus(console)
        if upstream is None:
            with told_step_by_step(console) as report:
                upstream = stack.enter_context(RUNNING[engine](report=report)).url
        flags = {"upstream": upstream, "listen": _free_address(listen), "model": model}
        settings = settings_of(flags, None)
        run(demonstrate(patient(settings), corpus, questions, once=once, console=console))


@app.command()
def rerank(  # noqa: PLR0913 - one parameter for each option
    query: Annotated[str, typer.Option(help="What is searched for.")],
    model: Annotated[str, typer.Option(help="embedded, a hub id, or a local folder.")] = "embedded",
    top_k: Annotated[int | None, typer.Option(min=1, help="Best texts to write; all of them by default.")] = None,
    instruction: Annotated[str, typer.Option(help="What relevance means, for models that know instructions.")] = "",
    field: Annotated[str, typer.Option(help="Where an object has its text.")] = "text",
    device: Device = None,
    precision: Precision = None,
) -> None:
    """Order lines of JSON from standard input, strings or objects, by a model, best first."""
    from bridge import rerank_command  # noqa: PLC0415 - needed by this command alone

    with errors_told():
        logs.configure("warning", "text")
        job = rerank_command.Job(query, model, top_k, instruction, field, device or "auto", precision or "auto")
        for line in rerank_command.rerank(sys.stdin.buffer, "stdin", job):
            typer.echo(line)


@app.command()
def explain(  # noqa: PLR0913 - one parameter for each option
    *,
    file: Annotated[
        str | None, typer.Argument(help="A search body, or lines of an _msearch; - is standard input.")
    ] = None,
    index: Annotated[str, typer.Option(help="Index that is searched; all of them by default.")] = "",
    path: Annotated[
        str | None, typer.Option(help="Path and parameters in the place of --index, as in '/shop/_search?q=fox'.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
    engine: Engine = None,
    window: Window = None,
    config: ConfigFile = None,
) -> None:
    """Say what would be made of a search, and why, without running it."""
    from bridge import explain_command  # noqa: PLC0415 - needed by this command alone

    if file is None and path is None:
        fail("explain: give a FILE, - for standard input, or --path with the words in it", 2)
    with errors_told():
        settings = settings_of({"upstream": _NO_ENGINE, "engine": engine, "window": window}, config)
        job = explain_command.Job(explain_command.request_of(file, index, path, settings.engine), settings.engine)
        found = explain_command.planned(job, settings.policy)
        lines = [explain_command.as_json(found)] if as_json else explain_command.as_text(found)
        for line in lines:
            typer.echo(line)


def _free_address(listen: str) -> str:
    """The address, or another port of its host where it is taken."""
    try:
        host, port = split_listen(listen)
        socket.create_server((host, port)).close()
    except OSError:
        return f"{host}:0"
    except ValueError:
        return listen  # the configuration says what is wrong with it
    return listen


def _ready_line(settings: Config, operated: Operated) -> str:
    bridge = operated.bridge
    addresses = ", ".join(str(parse_address(address)) for address in settings.upstream)
    admin = f"administered at {operated.admin.url}" if operated.admin is not None else "not administered"
    return (
        f"rerank-bridge {__version__} is ready: {bridge.running.url} -> {bridge.engine} at {addresses}; "
        f"{described_scoring(settings, bridge.models)}; {admin}"
    )


app.command()(evaluate)
app.command()(replay)
app.command()(judge)
app.command()(size)
app.command()(off)
app.command()(on)


def main() -> None:
    """Run the command line."""
    app()
