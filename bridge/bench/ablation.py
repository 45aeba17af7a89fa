"""What each optimisation of the v2 models is worth: added one by one, and left out alone."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from bridge.bench.comparison import Say, Setting, fresh
from bridge.bench.figures import max_difference
from bridge.bench.pairs import Search
from bridge.bench.processes import OWN_PYTHON, SystemFailedError, SystemProcess
from bridge.bench.report import Simple

_COLUMNS = ("", "optimisation", "s a search", "times as fast as the first", "scores differ by")


def measure(name: str, folder: Path, search: Search, setting: Setting, say: Say) -> Simple:
    """A table of one search, in float32 on the CPU."""
    title = f"{name}: one search with {len(search.texts)} documents, each optimisation added, and all but one"
    with SystemProcess(OWN_PYTHON) as process:
        say("ablation: loading")
        try:
            process.load({"system": "ablation", "folder": str(folder), "threads": setting.threads})
            steps = process.ask("steps")["steps"]
            return Simple(title, _COLUMNS, _rows(process, steps, search, setting, say))
        except SystemFailedError as error:
            return Simple(title, _COLUMNS, (("", f"not run: {error}", "", "", ""),))


def _rows(
    process: SystemProcess, steps: Sequence[Sequence[str]], search: Search, setting: Setting, say: Say
) -> tuple[tuple[str, ...], ...]:
    times_s: list[list[float]] = [[] for _ in steps]
    differences = [0.0 for _ in steps]
    for repetition in range(setting.repetitions):
        new = fresh(search, repetition)
        first: list[float] = []
        for place, (kind, name) in enumerate(steps):
            say(f"ablation: repetition {repetition + 1} of {setting.repetitions}, {kind} {name}")
            answer = process.ask("step", kind=kind, name=name, query=new.query, texts=new.texts)
            first = first or answer["scores"]
            times_s[place].append(answer["wall_s"])
            differences[place] = max(differences[place], max_difference(first, answer["scores"]))
    medians = [statistics.median(own) for own in times_s]
    return tuple(
        (kind, name, f"{median:.2f}", f"{medians[0] / median:.2f}", f"{difference:.1e}")
        for (kind, name), median, difference in zip(steps, medians, differences, strict=True)
    )
