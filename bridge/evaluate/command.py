"""What ``rerank-bridge evaluate`` does between the clients that it is given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from bridge.evaluate.client import SearchClient
from bridge.evaluate.dataset import Dataset, read_dataset
from bridge.evaluate.evaluation import Evaluation, Plan, evaluate
from bridge.evaluate.index import Progress, ensure_index
from bridge.evaluate.measures import DEFAULT_MEASURES
from bridge.evaluate.report import show, write_json
from bridge.evaluate.runs import write_run
from bridge.evaluate.template import multi_match, read_template


@dataclass(frozen=True, slots=True)
class Job:
    """What to evaluate, and where the results go."""

    dataset: Path
    split: str
    index: str
    measures: tuple[str, ...] = ()
    """By ir-measures' names; empty: the usual ones."""
    body: Path | None = None
    depth: int = 100
    json_file: Path | None = None
    runs: Path | None = None


def prepare(job: Job) -> tuple[Dataset, Plan]:
    """The dataset and the plan. Raises ``DataError``, ``ConfigError``."""
    dataset = read_dataset(job.dataset, job.split)
    template = read_template(job.body) if job.body is not None else multi_match("title", "text")
    measures = job.measures or DEFAULT_MEASURES
    return dataset, Plan(dataset.queries, dataset.qrels, job.index, template, measures, job.depth)


async def load_index(client: SearchClient, dataset: Dataset, index: str, console: Console) -> None:
    """Loads the dataset where the index is missing, with a progress bar. Raises as ``ensure_index``."""
    for note in dataset.notes:
        console.print(f"note: {note}", style="yellow", markup=False)
    with progress_bar(console, f"loading {index}") as on_progress:
        await ensure_index(client, index, dataset, on_progress)


async def run(plan: Plan, direct: SearchClient, bridged: SearchClient, console: Console) -> Evaluation:
    """Searches every query on both sides and prints the report. Raises as ``evaluate``."""
    with progress_bar(console, "searching") as on_progress:
        evaluation = await evaluate(plan, direct=direct, bridged=bridged, on_progress=on_progress)
    show(evaluation, console)
    return evaluation


def write_files(job: Job, evaluation: Evaluation) -> None:
    """Writes the JSON report and the runs where they are wanted. Raises ``DataError``."""
    if job.json_file is not None:
        write_json(evaluation, job.json_file)
    if job.runs is not None:
        job.runs.mkdir(parents=True, exist_ok=True)
        write_run(job.runs / f"{job.index}.direct.run", evaluation.direct_run, "direct")
        write_run(job.runs / f"{job.index}.bridged.run", evaluation.bridged_run, "bridged")


@contextmanager
def progress_bar(console: Console, what: str) -> Iterator[Progress]:
    """A progress bar, as the callable that moves it; gone at the end of the block."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with ProgressBar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
