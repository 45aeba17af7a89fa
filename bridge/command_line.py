"""What the commands share: options, the configuration, errors told in one message, an event loop."""

from __future__ import annotations

import asyncio
import math
import os
import sys
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
import uvloop
from rich.console import Console

from bridge import logs
from bridge.config import Config
from bridge.config_sources import load
from bridge.errors import BridgeError, ConfigError, DataError

_Result = TypeVar("_Result")
_FILE_WIDTH = 120

Upstream = Annotated[str | None, typer.Option(help="Address of the engine; several are separated by commas.")]
# As text: the configuration judges them, all mistakes at once.
Engine = Annotated[str | None, typer.Option(help="auto, opensearch, elasticsearch or solr.")]
ModelName = Annotated[
    str | None,
    typer.Option("--model", help="embedded, a hub id, or a local folder; several as in embedded:30,HUB_ID."),
]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Precision = Annotated[str | None, typer.Option(help="auto, float32, bfloat16 or int8.")]
Window = Annotated[str | None, typer.Option(metavar="INTEGER", help="First-stage hits that are scored.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML or TOML file with any of the settings.")]


def settings_of(flags: Mapping[str, object], config: Path | None) -> Config:
    """The configuration, its logging switched on. Raises ``ConfigError``."""
    settings = load(flags, config, os.environ)
    logs.configure(settings.log_level, settings.log_format)
    return settings


def patient(settings: Config) -> Config:
    """Without a deadline, unless one is configured: what is measured is the order, not this machine."""
    return rolled_out(settings).model_copy(update={"score_timeout_s": settings.score_timeout_s or math.inf})


def rolled_out(settings: Config) -> Config:
    """With all reranked that is in shadow, or for a share: what is tried or measured is what users would get."""
    indices = [
        entry if entry.mode in {None, "off"} else entry.model_copy(update={"mode": "on"}) for entry in settings.indices
    ]
    mode = "off" if settings.mode == "off" else "on"
    return settings.model_copy(update={"mode": mode, "indices": tuple(indices)})


def console_for_people() -> Console:
    """For a terminal as wide as it is; for a file or pipe wide enough for every table."""
    return Console() if sys.stdout.isatty() else Console(width=_FILE_WIDTH)


@contextmanager
def errors_told() -> Iterator[None]:
    """Ends the command with one message and its exit code where something fails in the block."""
    try:
        yield
    except (ConfigError, DataError) as error:
        fail(str(error), 2)
    except (BridgeError, OSError) as error:
        fail(str(error), 1)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@contextmanager
def needs(extras: str) -> Iterator[None]:
    """Tells what to install where an import in the block fails."""
    try:
        yield
    except ModuleNotFoundError as error:
        fail(f"no package {error.name}: pip install 'rerank-bridge[{extras}]'", 1)


def fail(problems: str, code: int) -> NoReturn:
    """Ends the command."""
    for problem in problems.splitlines():
        typer.echo(f"rerank-bridge: {problem}", err=True)
    raise typer.Exit(code)


def run(work: Coroutine[Any, Any, _Result]) -> _Result:
    """What the work gives, in an event loop of its own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
