"""What ``rerank-bridge replay`` does between the systems that it is given."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from bridge.errors import DataError
from bridge.evaluate.dataset import read_judgments
from bridge.replay.clicks import ClickedPages, read_clicks
from bridge.replay.formats import Log, ReadOptions, open_log
from bridge.replay.judged import JudgedPages
from bridge.replay.logged import Broken, LoggedSearch
from bridge.replay.pacing import AsLogged, AtRate, Schedule, closed_loop
from bridge.replay.records import Run, RunFolder, read_broken, read_records, read_run
from bridge.replay.report_html import write_html
from bridge.replay.report_text import lines, show
from bridge.replay.runner import Entry, Plan, Progress, Replay, System
from bridge.replay.saved import SavedRun
from bridge.replay.summary import Summary, SummaryOptions, summarise
from bridge.replay.verdict import Thresholds, Verdict, judge

_MAX_DISTINCT = 1_000_000
"""Distinct searches that ``--unique`` keeps in mind: a digest of 12 bytes each."""
_REFRESH_S = 0.2


@dataclass(frozen=True, slots=True)
class Job:
    """What to replay, and where the results go."""

    log: Path
    read: ReadOptions
    source: str = ""
    """What the log is called, where its file is a copy."""
    limit: int | None = None
    sample: float = 1.0
    """Share of the searches that is sent, the same ones each time."""
    unique: bool = False
    """Equal searches are sent once, with their number as weight."""
    since_s: float | None = None
    """Searches before this moment are passed over."""
    workers: int = 4
    rate: float | None = None
    speed: float | None = None
    run_dir: Path | None = None
    resume: bool = False
    json_file: Path | None = None
    html_file: Path | None = None
    runs: Path | None = None
    qrels: Path | None = None
    events: Path | None = None
    against: Path | None = None
    """The folder of a saved run, whose last system stands for the first."""
    object_field: str = ""
    depth: int = 10
    max_broken: int | None = 1_000
    thresholds: Thresholds = field(default_factory=Thresholds)

    @property
    def settings(self) -> dict[str, str]:
        """What decides which searches are sent."""
        chosen = {"limit": self.limit, "sample": self.sample, "unique": self.unique, "since_s": self.since_s}
        return {name: str(value) for name, value in chosen.items()} | {"index": self.read.index}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replay showed."""

    summary: Summary
    verdict: Verdict
    is_whole: bool
    """False where it was stopped before the end of the log."""


async def replay(job: Job, systems: tuple[System, ...], console: Console) -> Outcome:
    """Sends the searches, prints the report and writes the files. Raises ``DataError``."""
    with TemporaryDirectory() as temporary:
        folder = job.run_dir or Path(temporary)
        is_whole, log = await _send(job, folder, systems, console)
        summary = _summary(job, folder)
        verdict = judge(summary, job.thresholds)
        show(summary, verdict, console)
        lines(log.notes, console)
        _write(job, folder, summary, verdict)
    return Outcome(summary, verdict, is_whole)


async def _send(job: Job, folder: Path, systems: tuple[System, ...], console: Console) -> tuple[bool, Log]:
    log = open_log(job.log, job.read)
    names = tuple(system.name for system in systems)
    addresses = {f"system {system.name}": system.identity for system in systems}
    started = datetime.now(UTC).isoformat(timespec="seconds")
    run = Run((job.source or str(job.log),), names, job.settings | addresses, started)
    plan = Plan(systems, _schedule(job), job.workers, explains=_is_closed(job), object_field=job.object_field)
    with RunFolder(folder, run, resume=job.resume) as opened:
        replayed = Replay(plan, opened.add)
        chosen = _chosen(job, log)
        left = ((number, entry) for number, entry in chosen if number not in opened.done)
        with _stopping(replayed), _bar(console, log.format_name, replayed.progress, job.limit):
            await replayed.run(_bounded(left, job.max_broken))
    return not replayed.is_stopped, log


def _summary(job: Job, folder: Path) -> Summary:
    run, records = read_run(folder), read_records(folder)
    if job.against is not None:
        saved = SavedRun(job.against)
        run, records = saved.run_against(run), saved.joined(records)
    return summarise(run, records, read_broken(folder), _options(job))


def _is_closed(job: Job) -> bool:
    return job.rate is None and job.speed is None


def _schedule(job: Job) -> Schedule:
    if job.rate is not None:
        return AtRate(job.rate)
    return AsLogged(job.speed) if job.speed is not None else closed_loop


def _chosen(job: Job, log: Log) -> Iterator[tuple[int, Entry]]:
    """The entries to send, with their numbers in the log, which are the same in every run."""
    entries: Iterator[tuple[int, Entry]] = enumerate(log.entries)
    if job.since_s is not None:
        entries = (pair for pair in entries if not _is_before(pair[1], job.since_s))
    if job.sample < 1.0:
        entries = (pair for pair in entries if random.Random(pair[0]).random() < job.sample)  # noqa: S311 - no secret
    if job.unique:
        entries = _unique(entries)
    return islice(entries, job.limit) if job.limit is not None else entries


def _is_before(entry: Entry, since_s: float) -> bool:
    return isinstance(entry, LoggedSearch) and entry.at_s is not None and entry.at_s < since_s


def _unique(entries: Iterator[tuple[int, Entry]]) -> Iterator[tuple[int, Entry]]:
    """Each search once, at its first place, with the number of equal ones as weight. Reads the log to its end first."""
    kept: OrderedDict[str, tuple[int, LoggedSearch]] = OrderedDict()
    weights: dict[str, int] = {}
    for number, entry in entries:
        if isinstance(entry, Broken):
            yield number, entry
            continue
        if entry.key not in kept:
            if len(kept) >= _MAX_DISTINCT:
                raise DataError(entry.place, f"more than {_MAX_DISTINCT:,} different searches: leave out --unique")
            kept[entry.key] = (number, entry)
        weights[entry.key] = weights.get(entry.key, 0) + entry.weight
    for key, (number, entry) in kept.items():
        yield number, replace(entry, weight=weights[key])


def _bounded(entries: Iterator[tuple[int, Entry]], limit: int | None) -> Iterator[tuple[int, Entry]]:
    """Raises ``DataError`` once more than ``limit`` places could not be read: the log is of another form, or broken."""
    broken = 0
    for number, entry in entries:
        if isinstance(entry, Broken):
            broken += 1
            if limit is not None and broken > limit:
                raise DataError(entry.place, f"{entry.problem}; more than {limit:,} such places (see --max-broken)")
        yield number, entry


def _options(job: Job) -> SummaryOptions:
    judged = None
    if job.qrels is not None:
        qrels, texts = read_judgments(job.qrels)
        judged = JudgedPages(qrels, texts)
    clicked = ClickedPages(read_clicks(job.events, job.log)) if job.events is not None else None
    return SummaryOptions(depth=job.depth, judged=judged, clicked=clicked)


def _write(job: Job, folder: Path, summary: Summary, verdict: Verdict) -> None:
    report = {"summary": summary, "verdict": verdict}
    if job.json_file is not None:
        _write_bytes(job.json_file, msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    if job.html_file is not None:
        write_html(summary, verdict, job.html_file)
    if job.runs is not None:
        write_trec_runs(job.runs, folder, summary)


def write_trec_runs(target: Path, folder: Path, summary: Summary) -> None:
    """A run in TREC format for each system, with the queries' ids, or where there are none their numbers."""
    target.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(summary.run.systems):
        with (target / f"{name}.run").open("w", encoding="utf-8") as out:
            for record in read_records(folder):
                query = record.query_id or str(record.number)
                hits = record.answers[place].hits
                for rank, hit in enumerate(hits, start=1):
                    out.write(f"{query} Q0 {hit.id} {rank} {len(hits) - rank + 1} {name}\n")


def _write_bytes(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise DataError(str(file), f"can't be written: {error}") from error


@contextmanager
def _stopping(replayed: Replay) -> Iterator[None]:
    """Ctrl-C ends the replay after the searches under way; a second one ends the process."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        replayed.stop()
        loop.remove_signal_handler(signal.SIGINT)

    with suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGINT, stop)
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)


@contextmanager
def _bar(console: Console, what: str, progress: Progress, limit: int | None) -> Iterator[None]:
    """A progress bar with rate and, where the number of searches is known, the time left; gone at the end."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with ProgressBar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=limit, rate="-")

        async def follow() -> None:
            while True:
                await asyncio.sleep(_REFRESH_S)
                bar.update(task, completed=progress.sent, rate=f"{progress.rate:,.0f}")

        following = asyncio.create_task(follow())
        try:
            yield
        finally:
            following.cancel()
