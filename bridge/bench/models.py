"""``scripts/bench models``: the bridge's models against the packages that people run them with.

Same machine, same run, same weights, same pairs; each system in a process of its own, all with the same cores; the
repetitions of all systems in turn; medians.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from huggingface_hub import snapshot_download
from rich.console import Console

from bridge.bench import ablation, pairs
from bridge.bench.comparison import CALIBRATION_PAIRS, Setting, compare, loaded
from bridge.bench.embedded_texts import measure_embedded
from bridge.bench.machine import this_machine, usable_cores
from bridge.bench.made_models import make_model
from bridge.bench.pairs import Workload
from bridge.bench.processes import SystemFailedError
from bridge.bench.report import Comparison, Report, Simple, as_json, markdown, terminal_table, write_page
from bridge.bench.shapes import SHAPES, Family, Shape
from bridge.bench.systems import REFERENCES, compared
from bridge.models.classifier_folder import read_object
from bridge.models.device import pick_device

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "bench"
PAGE = ROOT / "docs" / "performance.md"
EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; see its help."""

    models: tuple[str, ...]
    references: Mapping[Family, tuple[str, ...]]
    documents: int
    searches: int
    repetitions: int
    threads: int
    fewer_documents: Mapping[str, int]
    """Model -> as many instead on the CPU, where it is slow."""
    device: str = "auto"
    precision: str = "auto"
    nfcorpus: Path | None = None
    icecat: Path | None = None
    folders: Mapping[str, Path] = field(default_factory=dict)
    """Model -> the folder with its real weights."""
    with_ablation: bool = False


QUICK = Options(
    models=("xsmall-v1", "base-v2", EMBEDDED),
    references={"v1": ("cross-encoder", "cross-encoder-openvino-int8"), "v2": ("mxbai-rerank",)},
    documents=8,
    searches=1,
    repetitions=2,
    threads=usable_cores(),
    fewer_documents={"base-v2": 2, EMBEDDED: 50},
)
"""For everyday use: under three minutes on 2 slow cores once all is installed and made."""
FULL = Options(
    models=("xsmall-v1", "base-v1", "base-v2", EMBEDDED),
    references={"v1": tuple(REFERENCES), "v2": tuple(REFERENCES)},
    documents=100,
    searches=2,
    repetitions=3,
    threads=usable_cores(),
    fewer_documents={"base-v2": 32, "large-v2": 16, "large-v1": 32},
)


class _Run:
    """One run under way."""

    def __init__(self, options: Options, console: Console) -> None:
        self.options, self._console = options, console
        self.device = str(pick_device(options.device))
        self._is_cpu = self.device == "cpu"
        auto = "float32" if self._is_cpu else "bfloat16"
        precision = auto if options.precision == "auto" else options.precision
        self._setting = Setting(CACHE, self.device, precision, options.threads, options.repetitions)
        self.notes: list[str] = []

    def say(self, text: str) -> None:
        self._console.print(text, style="dim", highlight=False)

    def tables(self) -> Iterator[Comparison | Simple]:
        for name in self.options.models:
            documents = self._documents(name)
            workloads = list(self._workloads(documents))
            if name == EMBEDDED:
                yield measure_embedded(workloads[0], documents, self._setting, self.say)
                continue
            shape = SHAPES[name]
            folder = self._folder(name, shape, workloads)
            for comparison in self._compared(shape, folder, workloads):
                yield replace(comparison, title=f"{name}: {comparison.title}")
            if self.options.with_ablation and shape.family == "v2" and self._is_cpu:
                yield ablation.measure(name, folder, workloads[0].searches[0], self._setting, self.say)

    def _documents(self, name: str) -> int:
        return (self.options.fewer_documents if self._is_cpu else {}).get(name, self.options.documents)

    def _compared(self, shape: Shape, folder: Path, workloads: Sequence[Workload]) -> Iterator[Comparison]:
        config = read_object(folder / "config.json")
        systems = list(compared(shape.family, self.options.references[shape.family], is_cpu=self._is_cpu))
        task = {"folder": str(folder), "family": shape.family, "calibration": _calibration(workloads[0])}
        try:
            with loaded(systems, task, self._setting, self.say) as arena:
                for workload in workloads:
                    yield compare(workload, config, self._setting.repetitions, arena, self.say)
        except SystemFailedError as error:
            yield Comparison(workloads[0].name, (), {"bridge": str(error)})

    def _workloads(self, documents: int) -> Iterator[Workload]:
        """Long texts first, real ones where they are given; short ones only where they are."""
        searches = self.options.searches
        if self.options.nfcorpus:
            yield pairs.nfcorpus(self.options.nfcorpus, searches, documents)
        else:
            yield pairs.made(searches, documents)
        if self.options.icecat:
            yield pairs.icecat(self.options.icecat, searches, documents)

    def _folder(self, name: str, shape: Shape, workloads: Sequence[Workload]) -> Path:
        """The folder of a model: the real weights where they are on this machine. Notes where they are from."""
        if name in self.options.folders:
            self.notes.append(f"{name}: weights of the folder that was given.")
            return self.options.folders[name]
        try:
            folder = Path(snapshot_download(shape.hub_id, local_files_only=True))
        except (OSError, ValueError):
            self.say(f"{name}: making weights, unless they are there from before")
            self.notes.append(
                f"{name}: weights made at random in the true architecture of {shape.hub_id}, and a tokenizer trained "
                "on the texts of the benchmark."
            )
            return make_model(CACHE, name, shape, [text for one in workloads for text in one.vocabulary])
        self.notes.append(f"{name}: the published weights, from the hub's cache.")
        return folder


def run(options: Options, console: Console) -> Report:
    """Measure all, print each table when it is there, and give the whole. Raises ``SystemFailedError``."""
    under_way = _Run(options, console)
    tables: list[Comparison | Simple] = []
    for table in under_way.tables():
        tables.append(table)
        console.print(terminal_table(table))
    command = shlex.join(["scripts/bench", *(Path(word).name if "/" in word else word for word in sys.argv[1:])])
    return Report(this_machine(under_way.device), command, options.threads, tuple(under_way.notes), tuple(tables))


def deliver(report: Report, json_file: Path | None, *, write: bool) -> None:
    """Write what was asked for."""
    if json_file:
        json_file.write_text(as_json(report) + "\n")
    if write:
        write_page(PAGE, markdown(report))


def _calibration(workload: Workload) -> list[list[str]]:
    """Pairs to warm up with, and for int8 references to find their scales with."""
    every = [[search.query, text] for search in workload.searches for text in search.texts]
    return every[:CALIBRATION_PAIRS]
