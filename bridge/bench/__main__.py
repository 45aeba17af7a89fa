"""``scripts/bench NAME``."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bridge.bench import overhead as _overhead

if TYPE_CHECKING:
    from bridge.bench.models import Options
    from bridge.bench.shapes import Family

_WIDTH = 160  # of the tables where the output is no terminal

app = typer.Typer(help="Measures.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def overhead() -> None:
    """What reading and writing cost, what the bridge adds where it does nothing, and the memory of a bulk upload."""
    asyncio.run(_overhead.run(Console() if Console().is_terminal else Console(width=_WIDTH)))


@app.command()
def models(  # noqa: PLR0913 - the options of a command line
    *,
    models: Annotated[  # the option's name
        str | None, typer.Option(help="base-v2, large-v2, xsmall-v1, base-v1, large-v1, embedded; with commas.")
    ] = None,
    references: Annotated[str | None, typer.Option(help="See bridge/bench/systems.py; with commas, or none.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Little of everything, in under three minutes.")] = False,
    documents: Annotated[int | None, typer.Option(min=2, help="Of each search.")] = None,
    searches: Annotated[int | None, typer.Option(min=1, help="Of each kind.")] = None,
    repetitions: Annotated[int | None, typer.Option(min=1, help="Of each search.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores that each system may use.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    nfcorpus: Annotated[Path | None, typer.Option(help="Folder of NFCorpus in BEIR format.")] = None,
    icecat: Annotated[Path | None, typer.Option(help="Folder with products.jsonl and queries.jsonl.")] = None,
    folder: Annotated[list[str] | None, typer.Option(help="MODEL=PATH: real weights. May come again.")] = None,
    ablation: Annotated[bool, typer.Option("--ablation", help="What each optimisation is worth, for v2.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures here.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write the tables into docs/performance.md.")] = False,
) -> None:
    """The bridge's models against the packages that people run them with: speed, memory, and whether scores agree."""
    from bridge.bench.models import FULL, QUICK, deliver, run  # noqa: PLC0415  # imports torch

    options = QUICK if quick else FULL
    given = {"documents": documents, "searches": searches, "repetitions": repetitions, "threads": threads}
    options = _with_counts(options, {name: value for name, value in given.items() if value is not None})
    options = replace(
        options,
        models=_names(models, options.models),
        references=_references(references, options),
        device=device,
        precision=precision,
        nfcorpus=nfcorpus,
        icecat=icecat,
        folders=_folders(folder or []),
        with_ablation=ablation,
    )
    report = run(options, Console() if Console().is_terminal else Console(width=_WIDTH))
    deliver(report, json_file, write=write)


def _with_counts(options: Options, counts: dict[str, int]) -> Options:
    """What is asked for in so many words holds for slow models as well."""
    fewer = {} if "documents" in counts else options.fewer_documents
    return replace(
        options,
        documents=counts.get("documents", options.documents),
        searches=counts.get("searches", options.searches),
        repetitions=counts.get("repetitions", options.repetitions),
        threads=counts.get("threads", options.threads),
        fewer_documents=fewer,
    )


def _names(given: str | None, default: tuple[str, ...]) -> tuple[str, ...]:
    if given is None:
        return default
    return tuple(name for name in given.split(",") if name and name != "none")


def _references(given: str | None, options: Options) -> dict[Family, tuple[str, ...]]:
    return {family: _names(given, default) for family, default in options.references.items()}


def _folders(given: list[str]) -> dict[str, Path]:
    pairs = (text.partition("=") for text in given)
    return {name: Path(path) for name, _, path in pairs}


if __name__ == "__main__":
    app()
