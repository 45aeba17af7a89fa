"""The embedded model: new documents against transformers' own class, known documents, and a page seen before."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from bridge.bench.comparison import Say, Setting
from bridge.bench.figures import max_difference
from bridge.bench.pairs import Workload
from bridge.bench.processes import OWN_PYTHON, SystemProcess
from bridge.bench.report import Simple
from bridge.models.embedded import packaged_folder

TOKENS = 200
_AROUND = 2  # [CLS] and [SEP]
_BATCHES = (32, 100)
"""The default of sentence-transformers, and a whole window at once."""
_COLUMNS = ("system", "new documents", "a third of them", "known documents", "scores differ by")


@dataclass(slots=True)
class _Times:
    """Of one system, in seconds, a repetition each."""

    is_ours: bool
    whole: list[float] = field(default_factory=list)
    third: list[float] = field(default_factory=list)
    known: list[float] = field(default_factory=list)
    difference: float = 0.0


def measure_embedded(workload: Workload, documents: int, setting: Setting, say: Say) -> Simple:
    """Times of ``documents`` texts of ``TOKENS`` tokens each, by system. Raises ``SystemFailedError``."""
    folder = packaged_folder()
    texts = cut_texts(folder, workload.vocabulary)
    warm_up, *rounds = (list(islice(texts, documents)) for _ in range(setting.repetitions + 1))
    query = workload.searches[0].query
    with ExitStack() as stack:
        say("embedded: loading")
        tasks = {f"bridge, {precision}": _ours(precision) for precision in _precisions(setting)}
        tasks |= {f"transformers, float32, padded batches of {size}": _theirs(folder, size) for size in _BATCHES}
        processes = [_start(stack, task, setting) for task in tasks.values()]
        times = {name: _Times(name.startswith("bridge")) for name in tasks}
        for process in processes:
            process.score(query, warm_up)
        for number, new in enumerate(rounds):
            say(f"embedded: repetition {number + 1} of {len(rounds)}")
            _measure_round(processes, list(times.values()), query, new)
        page_ms = processes[0].ask("page", query=query, texts=rounds[0])["ms"]
    return _table(documents, times, page_ms)


def cut_texts(folder: Path, texts: Sequence[str]) -> Iterator[str]:
    """Those of the texts that are long enough, cut where they have ``TOKENS`` tokens for this folder's model."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    for text in texts:
        offsets = tokenizer.encode(text, add_special_tokens=False).offsets
        if len(offsets) >= TOKENS:
            yield text[: offsets[TOKENS - _AROUND - 1][1]]


def _precisions(setting: Setting) -> tuple[str, ...]:
    return ("float32", "int8") if setting.device == "cpu" else ("float32",)


def _ours(precision: str) -> dict[str, Any]:
    return {"system": "bridge", "folder": "embedded", "precision": precision}


def _theirs(folder: Path, batch: int) -> dict[str, Any]:
    return {"system": "padded-bert", "folder": str(folder), "batch": batch}


def _start(stack: ExitStack, task: dict[str, Any], setting: Setting) -> SystemProcess:
    process = stack.enter_context(SystemProcess(OWN_PYTHON))
    process.load({**task, "device": setting.device, "threads": setting.threads})
    return process


def _measure_round(processes: Sequence[SystemProcess], times: Sequence[_Times], query: str, new: list[str]) -> None:
    """New documents for each system in turn; then known ones for ours, and a third for the others."""
    scores: list[list[float]] = []
    for process, own in zip(processes, times, strict=True):
        answer = process.score(query, new)
        own.whole.append(answer["wall_s"])
        scores.append(answer["scores"])
        own.difference = max(own.difference, max_difference(scores[0], scores[-1]))
    for process, own in zip(processes, times, strict=True):
        if own.is_ours:
            own.known.append(process.score(query, new)["wall_s"])
        else:
            own.third.append(process.score(query, new[: max(len(new) // 3, 1)])["wall_s"])


def _table(documents: int, times: Mapping[str, _Times], page_ms: float) -> Simple:
    rows = tuple(
        (name, _ms(own.whole), _ms(own.third), _ms(own.known), f"{own.difference:.1e}") for name, own in times.items()
    )
    page = f"A page that was scored before is answered from the bridge's cache of scores in {page_ms:.2f} ms."
    return Simple(f"all-MiniLM-L6-v2, {documents} documents of {TOKENS} tokens", _COLUMNS, rows, (page,))


def _ms(times_s: Sequence[float]) -> str:
    return f"{statistics.median(times_s) * 1000:.1f} ms" if times_s else ""
