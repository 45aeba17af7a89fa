"""``rerank-bridge judge``: the options, and where what is judged comes from."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console

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
from bridge.errors import ConfigError
from bridge.evaluate.client import SearchClient, open_client

if TYPE_CHECKING:
    from bridge.evaluate.judge import Material, Shown
    from bridge.evaluate.runs import Run
    from bridge.evaluate.template import BodyTemplate
    from bridge.replay.records import Record


@dataclass(frozen=True, slots=True)
class Job:
    """What to judge."""

    qrels: Path
    runs: tuple[Path, ...] = ()
    run_dir: Path | None = None
    queries: Path | None = None
    index: str = ""
    bridges: tuple[str, ...] = ()
    body: Path | None = None
    depth: int = 10
    seed: int = 0


def judge(  # noqa: PLR0913 - one parameter for each option
    *,
    runs: Annotated[
        list[Path] | None,
        typer.Argument(help="Runs in TREC format; without them and --run-dir, engine and bridge are searched."),
    ] = None,
    qrels: Annotated[Path, typer.Option(help="File that the judgments go to; one that is there is gone on with.")],
    run_dir: Annotated[Path | None, typer.Option(help="The --run-dir of a replay: its pages are judged.")] = None,
    queries: Annotated[
        Path | None, typer.Option(help="The queries' words: topics, a folder in BEIR format, CSV or TSV.")
    ] = None,
    upstream: Upstream = None,
    index: Annotated[str, typer.Option(help="Index of the documents; all of them by default.")] = "",
    bridge: Annotated[
        list[str] | None,
        typer.Option(help="URL of a running bridge to search; may come again. One is started here by default."),
    ] = None,
    body: Annotated[Path | None, typer.Option(help="JSON search body with {{query}} where the words go.")] = None,
    depth: Annotated[int, typer.Option(min=1, help="Best hits of each system that are judged.")] = 10,
    seed: Annotated[int, typer.Option(help="Another number, another order of the documents of a query.")] = 0,
    engine: Engine = None,
    model: ModelName = None,
    device: Device = None,
    precision: Precision = None,
    window: Window = None,
    config: ConfigFile = None,
) -> None:
    """Judge the best hits of several systems, one by one, without seeing whose they are.

    Each answer is written at once, and what is judged is not asked again: end with q and go on another time.
    """
    with needs("models,evaluate"):
        from bridge.evaluate.judge import JudgmentFile, Session  # noqa: PLC0415 - slow to import

    with errors_told():
        job = Job(qrels, tuple(runs or ()), run_dir, queries, index, tuple(bridge or ()), body, depth=depth, seed=seed)
        _check(job)
        flags = {"upstream": upstream, "engine": engine, "window": window, "listen": "127.0.0.1:0"}
        flags |= {"model": model, "device": device, "precision": precision}
        console = console_for_people()
        material = _material(job, flags, config, console)
        with JudgmentFile(job.qrels) as judgments:
            Session(material, judgments, console, lambda prompt: _asked(console, prompt)).run()


def _check(job: Job) -> None:
    """Raises ``ConfigError`` with everything that does not go together."""
    is_live = not job.runs and job.run_dir is None
    mistakes = {
        "give runs or --run-dir, not both": bool(job.runs) and job.run_dir is not None,
        "without runs and --run-dir, give the --queries to search": is_live and job.queries is None,
        "--bridge and --body are for searching, which runs and --run-dir have done": not is_live
        and bool(job.bridges or job.body),
    }
    problems = [problem for problem, is_made in mistakes.items() if is_made]
    if problems:
        raise ConfigError(problems)


def _asked(console: Console, prompt: str) -> str | None:
    console.print(prompt, end="", markup=False, highlight=False)
    return sys.stdin.readline() or None


def _material(job: Job, flags: Mapping[str, object], config: Path | None, console: Console) -> Material:
    """What is judged. Raises ``DataError``, ``ConfigError``, ``UpstreamError``."""
    from bridge.evaluate.judge import Material  # noqa: PLC0415 - as in judge
    from bridge.evaluate.pool import pooled, read_run  # noqa: PLC0415

    if job.run_dir is not None:
        kept = _of_replay(job, job.run_dir)
        if flags["upstream"] is None and config is None:
            return kept
        return replace(kept, documents=_from_engine(settings_of(flags, config), job.index))
    settings = settings_of(flags, config)
    queries = _queries(job)
    runs = [read_run(file) for file in job.runs] or run(_searched(settings, job, queries, console))
    return Material(pooled(runs, job.depth, job.seed), queries, _from_engine(settings, job.index))


def _queries(job: Job) -> dict[str, str]:
    from bridge.evaluate.judged import read_queries  # noqa: PLC0415 - as in judge
    from bridge.evaluate.lines import read_head  # noqa: PLC0415

    return read_queries(job.queries, read_head(job.queries))[1] if job.queries is not None else {}


def _from_engine(settings: Config, index: str) -> Callable[[str, Sequence[str]], dict[str, Shown]]:
    return lambda _, ids: run(_documents(settings, index, ids))


async def _documents(settings: Config, index: str, ids: Sequence[str]) -> dict[str, Shown]:
    """The documents by their ids, from the engine itself. Raises ``UpstreamError``."""
    from bridge.evaluate.judge import shown  # noqa: PLC0415 - as in judge
    from bridge.evaluate.side_by_side import search  # noqa: PLC0415

    body = msgspec.json.encode({"query": {"ids": {"values": list(ids)}}, "size": len(ids)})
    async with open_direct(settings) as direct:
        hits, _ = await search(direct, index, body)
    return {hit.id: shown(hit.source) for hit in hits}


async def _searched(settings: Config, job: Job, queries: Mapping[str, str], console: Console) -> list[Run]:
    """What the engine and each bridge have for the queries."""
    from bridge.evaluate.command import progress_bar  # noqa: PLC0415 - as in judge
    from bridge.evaluate.template import multi_match, read_template  # noqa: PLC0415

    template = read_template(job.body) if job.body is not None else multi_match("title", "text")
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(open_direct(settings))]
        urls = job.bridges
        if not urls:
            with console.status(f"loading {settings.model_text}"):
                started = await stack.enter_async_context(bridging(patient(settings)))
            urls = (started.running.url,)
        clients += [await stack.enter_async_context(open_client(url)) for url in urls]
        runs: list[Run] = []
        with progress_bar(console, "searching") as on_progress:
            for number, client in enumerate(clients):
                on_progress(number, len(clients))
                runs.append(await _run_of(client, job, queries, template))
        return runs


async def _run_of(client: SearchClient, job: Job, queries: Mapping[str, str], template: BodyTemplate) -> Run:
    from bridge.evaluate.side_by_side import search  # noqa: PLC0415 - as in judge

    found: dict[str, tuple[str, ...]] = {}
    for query_id, text in queries.items():
        hits, _ = await search(client, job.index, template.fill(text, job.depth))
        found[query_id] = tuple(hit.id for hit in hits)
    return found


@dataclass(slots=True)
class _Pages:
    """What a replay's records hold, by query."""

    queries: dict[str, str] = field(default_factory=dict)
    runs: dict[int, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    documents: dict[str, dict[str, Shown]] = field(default_factory=dict)


def _of_replay(job: Job, folder: Path) -> Material:
    """The pages of a replay, with the titles and passages that it kept. Equal searches are judged once.

    A search without an id is known by its key, which ``rerank-bridge replay --qrels`` knows as well.
    """
    from bridge.evaluate.judge import Material  # noqa: PLC0415 - as in judge
    from bridge.evaluate.pool import pooled  # noqa: PLC0415
    from bridge.replay.records import read_records  # noqa: PLC0415
    from bridge.replay.records import read_run as read_replay  # noqa: PLC0415

    read_replay(folder)  # says it where there is none
    pages = _Pages()
    seen: set[str] = set()
    for record in read_records(folder):
        query_id = record.query_id if len(record.query_id.split()) == 1 else record.key
        if not seen & {record.key, query_id}:
            seen |= {record.key, query_id}
            _add(pages, query_id, record)
    pages.queries |= _queries(job)
    return Material(
        pooled(pages.runs.values(), job.depth, job.seed), pages.queries, lambda query_id, _: pages.documents[query_id]
    )


def _add(pages: _Pages, query_id: str, record: Record) -> None:
    from bridge.evaluate.judge import Shown  # noqa: PLC0415 - as in judge

    if record.query_text:
        pages.queries[query_id] = record.query_text
    documents = pages.documents.setdefault(query_id, {})
    for number, answer in enumerate(record.answers):
        pages.runs.setdefault(number, {})[query_id] = tuple(hit.id for hit in answer.hits)
        for hit in answer.hits:
            if hit.id not in documents or not documents[hit.id].text:
                documents[hit.id] = Shown(hit.title, hit.passage)
