"""``rerank-bridge size``: how many searches a second the models of a configuration score on this machine.

Loads them as a bridge does and gives them windows of made texts, through the same queue and batches, as many at a time
as keep the model at work. Once with texts that it never saw, and once with texts that it knows under other words: what
a real load has lies between, the nearer to the second the more its searches find the same documents.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

import typer
from rich.console import Console
from rich.table import Table

from bridge.assembly import Models, load_models, scoring
from bridge.command_line import (
    ConfigFile,
    Device,
    ModelName,
    Precision,
    Window,
    console_for_people,
    errors_told,
    run,
    settings_of,
)
from bridge.composition import described
from bridge.config import Config
from bridge.errors import ConfigError
from bridge.ranking import StageScores
from bridge.ranking import Window as Texts
from bridge.telemetry import Telemetry

_NO_ENGINE = "http://localhost"  # the setting is needed, and nobody is asked there
_AT_ONCE = 4
"""Searches under way: one is scored, others are read, and there is always one that waits."""
_NO_LIMIT = 10_000_000
_ALONE = 3
"""Searches that are timed one by one."""
_LOAD = 0.7
"""Share of what can be done that a machine should be planned for: beyond it waiting grows fast (Little's law, and the
mean wait in an M/M/1 queue, which is load / (1 - load) services: 2.3 at 0.7, 9 at 0.9)."""

_READ_ON = (
    f"To plan for is {_LOAD:.0%} of what was measured; engine and clients need cores of their own.\n"
    "Searches beyond it are not lost: they keep the engine's order, and the metrics say how many."
)


class Scoring(Protocol):
    """What scores a window."""

    async def score(self, window: Texts) -> Sequence[StageScores]:
        """What each stage gave."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be measured."""

    window: int
    text_chars: int
    seconds: float
    """For each measurement, about; three searches at least."""
    scoring: str
    """Which of the configured ways to score."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured with texts of one kind."""

    texts: str
    searches_per_s: float
    alone_s: float
    """What scoring adds to one search where nothing else runs."""


async def measured(scores: Scoring, wanted: Wanted, corpus: str, clock: Callable[[], float]) -> list[Speed]:
    """The speed with texts never seen, and with texts that are known: those of the measurement before."""
    made = windows(corpus, wanted)
    await scores.score(next(made))  # what is made at the first search is not measured
    seen: list[Texts] = []

    def unseen() -> Iterator[Texts]:
        for window in made:
            seen.append(window)
            yield window

    first = await _speed("never seen", scores, unseen(), wanted, clock)
    again = (_with_words(window, number) for number, window in enumerate(itertools.cycle(tuple(seen))))
    return [first, await _speed("seen before", scores, again, wanted, clock)]


async def _speed(
    name: str, scores: Scoring, supply: Iterator[Texts], wanted: Wanted, clock: Callable[[], float]
) -> Speed:
    alone = [await _timed(scores, next(supply), clock) for _ in range(_ALONE)]
    started = clock()
    counts = await asyncio.gather(
        *(_until(scores, supply, lambda: clock() - started < wanted.seconds) for _ in range(_AT_ONCE))
    )
    return Speed(name, sum(counts) / (clock() - started), statistics.median(alone))


async def _timed(scores: Scoring, window: Texts, clock: Callable[[], float]) -> float:
    started = clock()
    await scores.score(window)
    return clock() - started


async def _until(scores: Scoring, supply: Iterator[Texts], goes_on: Callable[[], bool]) -> int:
    count = 0
    while goes_on() or not count:
        await scores.score(next(supply))
        count += 1
    return count


def windows(corpus: str, wanted: Wanted) -> Iterator[Texts]:
    """Windows of texts, no two of which are alike as long as the corpus has another place to begin at."""
    starts = (number * 7_919 % max(len(corpus) - wanted.text_chars, 1) for number in itertools.count())  # a prime
    first_stage = tuple(float(wanted.window - place) for place in range(wanted.window))
    for number in itertools.count():
        texts = tuple(corpus[start : start + wanted.text_chars] for start in itertools.islice(starts, wanted.window))
        yield Texts(_words(corpus, number), texts, first_stage, scoring=wanted.scoring)


def _with_words(window: Texts, number: int) -> Texts:
    """The same texts for other words, so that no score is known."""
    return Texts(f"{window.query_text} {number}", window.texts, window.first_stage_scores, scoring=window.scoring)


def _words(corpus: str, number: int) -> str:
    """Five words or so, as people search for."""
    start = number * 104_729 % max(len(corpus) - 60, 1)  # another prime
    return f"{' '.join(corpus[start : start + 60].split()[1:6])} {number}"


def bridges(speed: Speed, rate: float) -> int:
    """How many bridges like this one a rate of searches a second needs."""
    return math.ceil(rate / (speed.searches_per_s * _LOAD))


def table(speeds: Sequence[Speed], wanted: Wanted, rate: float | None) -> Table:
    """The speeds, and what they mean for a rate."""
    shown = Table(title=f"windows of {wanted.window} texts of {wanted.text_chars:,} characters")
    columns = ["texts", "searches a second", "to plan for", "texts a second", "one search alone"]
    for column in [*columns, *([f"bridges for {rate:g}/s"] if rate is not None else [])]:
        shown.add_column(column, justify="left" if column == "texts" else "right")
    for speed in speeds:
        cells = [
            speed.texts,
            f"{speed.searches_per_s:.3g}",
            f"{speed.searches_per_s * _LOAD:.3g}",
            f"{speed.searches_per_s * wanted.window:,.0f}",
            f"{speed.alone_s * 1000:,.0f} ms",
        ]
        shown.add_row(*cells, *([str(bridges(speed, rate))] if rate is not None else []))
    return shown


def size(  # noqa: PLR0913 - one parameter for each option
    model: ModelName = None,
    device: Device = None,
    precision: Precision = None,
    window: Window = None,
    text_chars: Annotated[
        int, typer.Option(min=1, max=100_000, help="Characters of a hit's text; a token is some four of them.")
    ] = 1_000,
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="Searches a second that there are: how many bridges do they need?")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Time for each of the two measurements.")] = 10.0,
    index: Annotated[str, typer.Option(help="Index whose settings are measured; those of all by default.")] = "",
    config: ConfigFile = None,
) -> None:
    """Measure how many searches a second this machine can rerank, and say how many bridges a load needs."""
    with errors_told():
        flags = {"upstream": _NO_ENGINE, "window": window, "model": model, "device": device, "precision": precision}
        settings = alone(settings_of(flags, config), index)
        policy = settings.policy(())
        run(_size(settings, Wanted(policy.window, text_chars, seconds, policy.scoring), rate, console_for_people()))


def alone(settings: Config, index: str) -> Config:
    """What holds for one index, for every index: no deadline, and no limit to what waits. Raises ``ConfigError``."""
    policy = settings.policy((index,) if index else ())
    if not policy.is_on:
        raise ConfigError([f"mode is off for {index or 'all indices'}: there is nothing to measure"])
    own = settings.reached()[policy.pattern]
    return own.model_copy(update={"indices": (), "score_timeout_s": math.inf, "queue_limit_pairs": _NO_LIMIT})


async def _size(settings: Config, wanted: Wanted, rate: float | None, console: Console) -> None:
    from bridge.demo.corpus import build_corpus  # noqa: PLC0415 - needed by this command alone

    with console.status("loading the models"):
        models = await load_models(settings)
    with console.status("making texts from the documentation of Python"):
        corpus = " ".join(document.text for document in await asyncio.to_thread(build_corpus))
    for replicas in models.values():
        console.print(described(replicas), markup=False)
    with console.status("measuring"):
        speeds = await _measured(settings, models, wanted, corpus)
    console.print(table(speeds, wanted, rate))
    console.print(_READ_ON, markup=False)


async def _measured(settings: Config, models: Models, wanted: Wanted, corpus: str) -> list[Speed]:
    async with scoring(settings, models, Telemetry()) as scores:
        return await measured(scores, wanted, corpus, time.perf_counter)
