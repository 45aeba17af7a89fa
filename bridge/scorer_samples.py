"""What can be told at any time of a model at work: what waits for it, the memory that it takes, its caches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bridge import metrics_table as table
from bridge.metrics_table import Sample
from bridge.models.base import Model, Observable
from bridge.queue import Queue


@dataclass(frozen=True, slots=True)
class Scoring:
    """A model's replicas and what waits for them."""

    models: Sequence[Model]
    queue: Queue
    queue_limit_pairs: int
    batch_tokens: int


def samples(scoring: Scoring) -> Iterator[Sample]:
    """Queue and batch budget, and of each replica memory and caches."""
    own = (scoring.models[0].name,)
    yield Sample(table.WAITING_PAIRS, own, scoring.queue.pairs)
    yield Sample(table.WAITING_TOKENS, own, scoring.queue.tokens)
    yield Sample(table.QUEUE_LIMIT, own, scoring.queue_limit_pairs)
    yield Sample(table.BATCH_BUDGET, own, scoring.batch_tokens)
    for model in scoring.models:
        yield from _of_replica(model)
        yield from _of_device(model.device)


def _of_replica(model: Model) -> Iterator[Sample]:
    footprint = model.footprint
    parts = {"weights": footprint.weights, "activations": footprint.activations, "cache": footprint.cache}
    for part, size in parts.items():
        yield Sample(table.MODEL_MEMORY, (model.name, model.device, part), size)
    if isinstance(model, Observable):
        usage = model.usage
        yield Sample(table.HALVINGS, (model.name,), usage.halvings)
        for cache, use in usage.caches.items():
            yield from use.samples(cache, model.name)


def _of_device(device: str) -> Iterator[Sample]:
    """The memory of a CUDA device; nothing of one that can't be asked, as after it was lost."""
    if device.startswith("cuda"):
        from bridge.models.device import memory_bytes  # noqa: PLC0415 - imports torch, which a model there has

        for kind, size in memory_bytes(device).items():
            yield Sample(table.DEVICE_MEMORY, (device, kind), size)
