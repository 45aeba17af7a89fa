"""What the bridge counts and times, in the form that Prometheus reads."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bridge.ranking import StageScores
from connectors.base import Reason

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Telemetry:
    """Counters and histograms of one bridge, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._searches = Counter(
            "rerank_bridge_searches", "Searches by outcome.", ["outcome", "reason"], registry=self._registry
        )
        self._partly_scored = Counter(
            "rerank_bridge_partly_scored_searches",
            "Reranked searches with hits that were not scored: the deadline came first, or they have no text.",
            registry=self._registry,
        )
        self._forwarded = Counter(
            "rerank_bridge_forwarded_requests", "Requests other than searches.", registry=self._registry
        )
        self._upstream_errors = Counter(
            "rerank_bridge_upstream_errors", "502 and 504 answers of the bridge.", ["status"], registry=self._registry
        )
        self._unknown_words = Counter(
            "rerank_bridge_unknown_control_words",
            "X-Rerank request headers that were ignored.",
            registry=self._registry,
        )
        self._seconds = Histogram(
            "rerank_bridge_search_seconds",
            "Seconds of a reranked search, by part.",
            ["part"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._stage_seconds = Histogram(
            "rerank_bridge_stage_seconds",
            "Seconds that a reranked search spent in the stage of a model, waiting for it included.",
            ["model"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._stage_cuts = Counter(
            "rerank_bridge_stage_cuts",
            "Reranked searches that a model scored less of than it was given, by reason.",
            ["model", "reason"],
            registry=self._registry,
        )
        self._waiting = Gauge(
            "rerank_bridge_waiting_pairs", "Texts that wait to be scored.", ["model"], registry=self._registry
        )
        self._scored = Counter(
            "rerank_bridge_scored_pairs", "Texts that a model scored.", ["model"], registry=self._registry
        )
        self._known = Counter(
            "rerank_bridge_known_pairs",
            "Texts whose score was known, so that no model read them.",
            ["model"],
            registry=self._registry,
        )
        self._scoring_seconds = Counter(
            "rerank_bridge_scoring_seconds",
            "Seconds that a model took for its batches, over all devices.",
            ["model"],
            registry=self._registry,
        )
        self._in_flight = Gauge("rerank_bridge_requests_in_flight", "Requests under way.", registry=self._registry)

    def search_applied(self, upstream_s: float, score_s: float, bridge_s: float, stages: Sequence[StageScores]) -> None:
        """Counts a reranked search, what each stage did of it, and where its time went."""
        self._searches.labels("applied", "").inc()
        if None in stages[0].scores or stages[-1].cut is not None:
            self._partly_scored.inc()
        for part, seconds in (("upstream", upstream_s), ("score", score_s), ("bridge", bridge_s)):
            self._seconds.labels(part).observe(seconds)
        for stage in stages:
            self._stage_seconds.labels(stage.model_name).observe(stage.seconds)
            if stage.cut is not None:
                self._stage_cuts.labels(stage.model_name, stage.cut.value).inc()

    def search_skipped(self, reason: Reason) -> None:
        """Counts a search that the client got in first-stage order."""
        self._searches.labels("skipped", reason.value).inc()

    def request_forwarded(self) -> None:
        """Counts a request that is no search."""
        self._forwarded.inc()

    def upstream_failed(self, status: int) -> None:
        """Counts a 502 or 504 that the client got."""
        self._upstream_errors.labels(str(status)).inc()

    def unknown_word(self) -> None:
        """Counts an ``X-Rerank`` request header with an unknown word."""
        self._unknown_words.inc()

    def waiting_pairs(self, model_name: str, pairs: int) -> None:
        """Sets how many texts wait for a model."""
        self._waiting.labels(model_name).set(pairs)

    def pairs_scored(self, model_name: str, pairs: int, seconds: float) -> None:
        """Counts the texts of a batch, and the seconds that the model took for it."""
        self._scored.labels(model_name).inc(pairs)
        self._scoring_seconds.labels(model_name).inc(seconds)

    def pairs_known(self, model_name: str, pairs: int) -> None:
        """Counts texts whose score was known."""
        self._known.labels(model_name).inc(pairs)

    def request_started(self) -> None:
        """Counts a request as under way."""
        self._in_flight.inc()

    def request_ended(self) -> None:
        """Counts a request as done."""
        self._in_flight.dec()

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)
