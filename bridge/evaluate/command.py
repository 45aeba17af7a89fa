"""What ``rerank-bridge evaluate`` does between the clients that it is given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from bridge.errors import ConfigError, DataError
from bridge.evaluate.client import SearchClient
from bridge.evaluate.dataset import Dataset
from bridge.evaluate.evaluation import Evaluation, Plan, System, evaluate
from bridge.evaluate.formats.base import Judged
from bridge.evaluate.index import Progress, ensure_index
from bridge.evaluate.judged import read_judged, rendered
from bridge.evaluate.measures import DEFAULT_MEASURES, check_measures
from bridge.evaluate.report import show, write_json
from bridge.evaluate.report_html import write_html
from bridge.evaluate.runs import write_run
from bridge.evaluate.template import read_template

_UNSAFE = re.compile(r"[^\w.+-]+")
"""In names of files, and of runs, which white space would end."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to evaluate, and where the results go."""

    dataset: Path
    """A folder in BEIR format, a file of judged queries, or one of queries with ``qrels``."""
    split: str = "test"
    qrels: Path | None = None
    index: str = ""
    """Empty: as the judgments say, or named after the folder that is loaded."""
    measures: tuple[str, ...] = ()
    """By ir-measures' names; empty: those that the judgments ask for, or the usual ones."""
    body: Path | None = None
    depth: int = 100
    json_file: Path | None = None
    html_file: Path | None = None
    runs: Path | None = None


@dataclass(frozen=True, slots=True)
class Material:
    """What a job names, read and checked."""

    judged: Judged
    dataset: Dataset | None
    """The documents, where they are there to be loaded."""
    index: str
    measures: tuple[str, ...]


def read(job: Job) -> Material:
    """The judged queries. Raises ``DataError``, and ``ConfigError`` where index, measures or depth can't be used."""
    judged, dataset = read_judged(job.dataset, job.qrels, job.split)
    index = job.index or judged.index or (job.dataset.resolve().name.lower() if dataset is not None else "")
    mistakes = {
        f"{job.dataset} does not say which index was judged: give --index": not index,
        f"{job.dataset} has search bodies of its own: leave out --body": job.body is not None and _has_bodies(judged),
    }
    problems = [problem for problem, is_made in mistakes.items() if is_made]
    if problems:
        raise ConfigError(problems)
    measures = job.measures or judged.measures or DEFAULT_MEASURES
    check_measures(measures, job.depth)
    return Material(judged, dataset, index, measures)


async def prepare(job: Job, material: Material, direct: SearchClient, console: Console) -> Plan:
    """Loads the index where it is missing, with a progress bar, and gives the plan.

    Raises as ``ensure_index`` and ``rendered``; ``DataError`` where the body can't be used.
    """
    dialect = direct.dialect
    template = read_template(job.body, dialect.page) if job.body is not None else dialect.usual()
    if material.dataset is not None:
        await load_index(direct, material.dataset, material.index, console)
    elif material.judged.notes:
        _say(material.judged.notes, console)
    judged = await rendered(material.judged, direct)
    return Plan(judged.queries, judged.qrels, material.index, template, material.measures, job.depth, judged.bodies)


async def load_index(client: SearchClient, dataset: Dataset, index: str, console: Console) -> None:
    """Loads the dataset where the index is missing, with a progress bar. Raises as ``ensure_index``."""
    _say(dataset.notes, console)
    with progress_bar(console, f"loading {index}") as on_progress:
        await ensure_index(client, index, dataset, on_progress)


async def run(plan: Plan, systems: Sequence[System], console: Console) -> Evaluation:
    """Searches every query on every system and prints the report. Raises as ``evaluate``."""
    with progress_bar(console, "searching") as on_progress:
        evaluation = await evaluate(plan, systems, on_progress)
    show(evaluation, console)
    return evaluation


def write_files(job: Job, evaluation: Evaluation) -> None:
    """Writes the reports and the runs where they are wanted. Raises ``DataError``."""
    if job.json_file is not None:
        write_json(evaluation, job.json_file)
    if job.html_file is not None:
        write_html(evaluation, job.html_file)
    if job.runs is not None:
        try:
            job.runs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(str(job.runs), f"can't be made: {error}") from error
        for result in evaluation.systems:
            name = _UNSAFE.sub("_", result.name)
            write_run(job.runs / f"{_UNSAFE.sub('_', evaluation.plan.index)}.{name}.run", result.run, name)


@contextmanager
def progress_bar(console: Console, what: str) -> Iterator[Progress]:
    """A progress bar, as the callable that moves it; gone at the end of the block."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with ProgressBar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _has_bodies(judged: Judged) -> bool:
    return bool(judged.bodies or judged.renderings)


def _say(notes: Sequence[str], console: Console) -> None:
    for note in notes:
        console.print(f"note: {note}", style="yellow", markup=False)
