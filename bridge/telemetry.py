"""What the bridge counts and times, in the form that Prometheus reads; ``bridge.metrics_table`` declares it.

What happens in a search is counted as it happens, a few microseconds for each search. What can be read at any time
(queues, caches, memory) is read when somebody asks: whoever has it lets it be watched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client import Metric as Family
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from bridge import metrics_table as table
from bridge.metrics_table import Metric, Sample
from bridge.ranking import StageScores
from bridge.version import __version__
from connectors.base import Headers, Order, Reason

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PARTS = ("upstream", "scoring", "splice")
_STAGES = (*_PARTS, "bridge", "total")
_STEPS = ("queue", "tokenise", "score")
_NOT_SCORED = frozenset({Reason.DEADLINE, Reason.OVERLOADED, Reason.MODEL_FAILED})
"""Reasons to skip a search whose window was to be scored."""
_TOO_MANY = 429


class Interval(NamedTuple):
    """A part of a request's time, by the clock that it is timed with."""

    name: str
    started: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.ended - self.started


class Spent(NamedTuple):
    """The time of one request with its searches."""

    whole: Interval
    parts: tuple[Interval, ...]
    """``upstream`` and its kind, one after the other; ``upstream`` may come again."""

    def seconds(self, name: str) -> float:
        """Of all parts of this name."""
        return sum(part.seconds for part in self.parts if part.name == name)

    @property
    def bridge_s(self) -> float:
        """What is neither the engine's nor the models'."""
        return max(self.whole.seconds - self.seconds("upstream") - self.seconds("scoring"), 0.0)


class Tracer(Protocol):
    """Where spans go."""

    def trace(self, headers: Headers, whole: Interval, parts: Sequence[Interval]) -> None:
        """Makes the span of a request with these header fields, and those of its parts; never raises."""
        ...


class Steps(NamedTuple):
    """Seconds of one search in a model's queue, reader and batches."""

    queue_s: float
    tokenise_s: float
    score_s: float


Source = Callable[[], Iterable[Sample]]
"""Gives what can be read at any time; must not raise."""


class Telemetry:
    """Counters and histograms of one bridge, in a registry of their own."""

    def __init__(self, tracer: Tracer | None = None) -> None:
        """``tracer`` makes spans of the requests that are timed; None: there are none."""
        self._tracer = tracer
        # For the process: a second series for each, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._watched = _Watched()
        self._registry.register(self._watched)
        self._gauge(table.BUILD).labels(__version__).set(1)

        self._searches = self._counter(table.SEARCHES)
        self._forwarded = self._counter(table.FORWARDED)
        self._in_flight = self._gauge(table.IN_FLIGHT)
        self._replies = self._counter(table.REPLIES)
        self._upstream_errors = self._counter(table.UPSTREAM_ERRORS)
        self._unknown_words = self._counter(table.UNKNOWN_WORDS)

        self._stage_seconds = self._histogram(table.STAGE_SECONDS)
        self._stages = tuple(self._stage_seconds.labels(stage, "") for stage in _STAGES)
        self._model_seconds = self._histogram(table.MODEL_SECONDS)
        self._skipped_seconds = self._histogram(table.SKIPPED_SECONDS)

        self._partly_scored = self._counter(table.PARTLY_SCORED)
        self._scored_share = self._histogram(table.SCORED_SHARE)
        self._deadline_misses = self._counter(table.DEADLINE_MISSES)
        self._stage_cuts = self._counter(table.STAGE_CUTS)
        self._top_changed = self._counter(table.TOP_CHANGED)
        self._overlap = self._histogram(table.OVERLAP)
        self._shadow_searches = self._counter(table.SHADOW_SEARCHES)
        self._shadow_top_changed = self._counter(table.SHADOW_TOP_CHANGED)
        self._shadow_overlap = self._histogram(table.SHADOW_OVERLAP)

        self._scored_pairs = self._counter(table.SCORED_PAIRS)
        self._scored_tokens = self._counter(table.SCORED_TOKENS)
        self._scoring_seconds = self._counter(table.SCORING_SECONDS)
        self._known_pairs = self._counter(table.KNOWN_PAIRS)
        self._batch_fill = self._histogram(table.BATCH_FILL)

    @contextmanager
    def watching(self, source: Source) -> Iterator[None]:
        """Reads a source whenever the metrics are asked for, while the block runs; once where several watch it.

        Samples of the same metric and labels, as of a model that is exchanged for itself, are added up; of
        ``LEVELS`` the last counts.
        """
        self._watched.sources.append(source)
        try:
            yield
        finally:
            self._watched.sources.remove(source)

    def exchange_timed(self, spent: Spent, headers: Headers = ()) -> None:
        """Notes where the time of a request with these header fields went that had a search reranked."""
        times = (*map(spent.seconds, _PARTS), spent.bridge_s, spent.whole.seconds)
        for histogram, seconds in zip(self._stages, times, strict=True):
            histogram.observe(seconds)
        if self._tracer is not None:
            self._tracer.trace(headers, spent.whole, spent.parts)

    def search_applied(self, pattern: str | None, stages: Sequence[StageScores], order: Order) -> None:
        """Counts a reranked search, what each stage did of it, and how much of the order changed.

        ``pattern`` is the configured one that the search goes by, empty where none fits, None where it is not known.
        """
        index = _index(pattern)
        self._searches.labels(index, "applied", "").inc()
        if None in stages[0].scores or stages[-1].cut is not None:
            self._partly_scored.inc()
        self._scored_share.observe(stages[0].scored / len(stages[0].scores))
        if stages[-1].cut is Reason.DEADLINE:
            self._deadline_misses.labels("partly").inc()
        for stage in stages:
            self._model_seconds.labels(stage.model_name).observe(stage.seconds)
            if stage.cut is not None:
                self._stage_cuts.labels(stage.model_name, stage.cut.value).inc()
        if order[0].first_stage_index:
            self._top_changed.labels(index).inc()
        self._overlap.labels(index).observe(overlap(order, table.TOP))

    def search_shadowed(self, compared: str) -> None:
        """Counts a search in shadow, by what became of its scoring: a value of the label ``compared``."""
        self._shadow_searches.labels(compared).inc()

    def shadow_compared(self, pattern: str, order: Order) -> None:
        """Notes how much of the order of a search in shadow would have changed; ``pattern`` as above."""
        index = _index(pattern)
        if order[0].first_stage_index:
            self._shadow_top_changed.labels(index).inc()
        self._shadow_overlap.labels(index).observe(overlap(order, table.TOP))

    def search_skipped(self, reason: Reason, pattern: str | None = None) -> None:
        """Counts a search that the client got in first-stage order; ``pattern`` as in ``search_applied``."""
        self._searches.labels(_index(pattern), "skipped", reason.value).inc()
        if reason in _NOT_SCORED:
            self._scored_share.observe(0.0)
        if reason is Reason.DEADLINE:
            self._deadline_misses.labels("not").inc()

    def skipped_timed(self, seconds: float) -> None:
        """Notes how long the engine took to answer a search that passes through."""
        self._skipped_seconds.observe(seconds)

    def request_forwarded(self) -> None:
        """Counts a request that is no search."""
        self._forwarded.inc()

    def upstream_failed(self, status: int, kind: str) -> None:
        """Counts a 502 or 504 that the client got, by the kind of its ``UpstreamError``."""
        self._upstream_errors.labels(kind, str(status)).inc()

    def unknown_word(self) -> None:
        """Counts an ``X-Rerank`` request header with an unknown word."""
        self._unknown_words.inc()

    def search_worked_off(self, model_name: str, steps: Steps) -> None:
        """Notes where the time of a search in a model's queue went."""
        for step, seconds in zip(_STEPS, steps, strict=True):
            self._stage_seconds.labels(step, model_name).observe(seconds)

    def batch_scored(self, model_name: str, pairs: int, tokens: int, fill: float, seconds: float) -> None:
        """Counts a batch: its texts and tokens, how full it was, and the seconds that the model took for it."""
        self._scored_pairs.labels(model_name).inc(pairs)
        self._scored_tokens.labels(model_name).inc(tokens)
        self._scoring_seconds.labels(model_name).inc(seconds)
        self._batch_fill.labels(model_name).observe(fill)

    def pairs_known(self, model_name: str, pairs: int) -> None:
        """Counts texts whose score was known."""
        self._known_pairs.labels(model_name).inc(pairs)

    def request_started(self) -> None:
        """Counts a request as under way."""
        self._in_flight.inc()

    def request_ended(self, status: int | None) -> None:
        """Counts a request as done, by what the client got; None where that is nothing."""
        self._in_flight.dec()
        self._replies.labels(_class_of(status)).inc()

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.name, metric.meaning, metric.labels, registry=self._registry)

    def _gauge(self, metric: Metric) -> Gauge:
        return Gauge(metric.name, metric.meaning, metric.labels, registry=self._registry)

    def _histogram(self, metric: Metric) -> Histogram:
        return Histogram(metric.name, metric.meaning, metric.labels, buckets=metric.buckets, registry=self._registry)


class _Watched:
    """Gives what the sources give at this moment."""

    def __init__(self) -> None:
        self.sources: list[Source] = []

    def collect(self) -> Iterator[Family]:
        """One family for each metric that is read when asked, with or without samples."""
        values: dict[tuple[Metric, tuple[str, ...]], float] = {}
        for source in dict.fromkeys(self.sources):
            for metric, labels, value in source():
                before = 0.0 if metric in table.LEVELS else values.get((metric, labels), 0.0)
                values[metric, labels] = before + value
        for metric in table.OWN:
            if metric in table.READ_WHEN_ASKED:
                yield _family(metric, {labels: value for (of, labels), value in values.items() if of == metric})


def _family(metric: Metric, values: Mapping[tuple[str, ...], float]) -> Family:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def overlap(order: Order, top: int) -> float:
    """The share of the first hits that were among as many of the first stage, from 0 to 1."""
    first = order[:top]
    return sum(hit.first_stage_index < len(first) for hit in first) / len(first)


def _index(pattern: str | None) -> str:
    return "" if pattern is None else pattern or table.OTHER


def _class_of(status: int | None) -> str:
    if status is None:
        return "none"
    return str(status) if status == _TOO_MANY else f"{status // 100}xx"
