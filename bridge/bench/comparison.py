"""One model on one kind of searches: all systems loaded once, then timed in turn, so that all see the same machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.bench.arithmetic import Sizes, useful_flops
from bridge.bench.environments import python_of
from bridge.bench.figures import Measured, Round, Work, figures
from bridge.bench.pairs import Search, Workload
from bridge.bench.processes import OWN_PYTHON, SystemFailedError, SystemProcess
from bridge.bench.report import Comparison
from bridge.bench.systems import System

Say = Callable[[str], None]
_WARM_UP_TEXTS, _WARM_UP_CHARS = 2, 200
CALIBRATION_PAIRS = 32
"""For the scales of the int8 reference. With the usual 300 that takes a quarter of an hour on 2 cores, and what scores
are depends on it, but not how fast they come."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What holds for all systems of a run."""

    cache: Path
    device: str
    precision: str
    """Of torch: ``float32`` or ``bfloat16``."""
    threads: int
    repetitions: int


@dataclass(slots=True)
class _Contestant:
    system: System
    process: SystemProcess
    load_s: float
    precision: str


@dataclass(slots=True)
class Arena:
    """The systems that could be loaded, and why others could not."""

    contestants: list[_Contestant] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)


@contextmanager
def loaded(systems: Sequence[System], task: Mapping[str, Any], setting: Setting, say: Say) -> Iterator[Arena]:
    """Each system in a process of its own, warm. What fails is noted, and the rest goes on."""
    arena = Arena()
    with ExitStack() as stack:
        for system in systems:
            say(f"loading {system.name}")
            try:
                python = python_of(system.environment, setting.cache) if system.environment else OWN_PYTHON
                process = stack.enter_context(SystemProcess(python))
                precision = system.precision_on(setting.device, setting.precision)
                own = {"system": system.worker, "precision": precision, "device": setting.device}
                answer = process.load({**task, **own, "threads": setting.threads})
                process.score(task["calibration"][0][0], _warm_up(task["calibration"]))
            except (SystemFailedError, RuntimeError) as error:
                arena.failures[system.name] = str(error)
            else:
                arena.contestants.append(_Contestant(system, process, answer["load_s"], precision))
        yield arena


def compare(workload: Workload, config: Mapping[str, Any], repetitions: int, arena: Arena, say: Say) -> Comparison:
    """Every system scores every search in turn, ``repetitions`` times. The bridge has to be loaded."""
    results = {one.system.name: _empty(one) for one in arena.contestants}
    work = _Work(arena, config)
    for repetition in range(repetitions):
        work.measure_peak()  # in each repetition, so that what else the machine does hits both alike
        for number, search in enumerate(workload.searches):
            say(f"{workload.name}: repetition {repetition + 1} of {repetitions}, search {number + 1}")
            new = fresh(search, repetition)
            work.count(number, new)
            for one in list(arena.contestants):
                _score(one, number, new, results[one.system.name], arena)
    done = [results[one.system.name] for one in arena.contestants]
    rows = [figures(measured, done[0], work.done()) for measured in done]
    size = f"{len(workload.searches)} searches with {len(workload.searches[0].texts)} documents each"
    return Comparison(f"{size} ({workload.name})", tuple(rows), dict(arena.failures))


def fresh(search: Search, repetition: int) -> Search:
    """The search with a number behind each text, so that nothing of it is known from the repetition before."""
    mark = f" {repetition}"
    return Search(search.query + mark, tuple(text + mark for text in search.texts))


def _warm_up(pairs: Sequence[Sequence[str]]) -> list[str]:
    return [text[:_WARM_UP_CHARS] for _, text in pairs[:_WARM_UP_TEXTS]]


def _empty(one: _Contestant) -> Measured:
    return Measured(one.system.name, one.precision, one.load_s)


def _score(one: _Contestant, number: int, search: Search, result: Measured, arena: Arena) -> None:
    try:
        answer = one.process.score(search.query, search.texts)
    except SystemFailedError as error:
        arena.failures[one.system.name] = str(error)
        arena.contestants.remove(one)
        return
    result.rounds.append(Round(number, answer["wall_s"], answer["cpu_s"], answer["scores"]))
    result.peak_bytes = max(result.peak_bytes, answer["peak_bytes"])
    result.device_bytes = max(result.device_bytes, answer["device_bytes"])


class _Work:
    """Counts what the searches consist of, and measures what the device can do, in the bridge's own processes."""

    def __init__(self, arena: Arena, config: Mapping[str, Any]) -> None:
        self._ours = [one for one in arena.contestants if one.system.is_ours]
        if not self._ours:
            raise SystemFailedError(f"the bridge could not be loaded: {arena.failures}")
        self._config = config
        self._pairs: dict[int, int] = {}
        self._tokens: dict[int, int] = {}
        self._flops: dict[int, int] = {}
        self._peaks: dict[str, float] = {}

    def measure_peak(self) -> None:
        for one in self._ours:
            found = one.process.ask("peak")["flops"]
            self._peaks[one.precision] = max(found, self._peaks.get(one.precision, 0.0))

    def count(self, number: int, search: Search) -> None:
        if number in self._pairs:
            return
        read = self._ours[0].process.ask("sizes", query=search.query, texts=search.texts)["sizes"]
        sizes = [Sizes(shared, own) for shared, own in read]
        self._pairs[number] = len(sizes)
        self._tokens[number] = sum(size.shared + size.own for size in sizes)
        self._flops[number] = useful_flops(self._config, sizes)

    def done(self) -> Work:
        return Work(self._pairs, self._tokens, self._flops, self._peaks)
