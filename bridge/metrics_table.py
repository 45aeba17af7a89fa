"""Every metric of the bridge in one table: what is counted is declared here, and ``docs/metrics.md`` is made from it.

Names, units and suffixes follow Prometheus' "Metric and label naming" and "Instrumentation": seconds and bytes, and
few values for each label, all of them known from the configuration or the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

PREFIX = "rerank_bridge_"
OTHER = "other"
"""The index of searches that no configured pattern fits."""
TOP = 10
"""Hits of a first page, in which the overlap with the first stage is counted: what the engines show by default."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_TENTHS = tuple(tenth / 10 for tenth in range(11))


class Metric(NamedTuple):
    """One metric; ``labels`` in the order in which values are given."""

    name: str
    """Without the ``_total`` that a counter is scraped with."""
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds, in a histogram."""

    @property
    def scraped_name(self) -> str:
        """As it is written in a query; a histogram has ``_bucket``, ``_sum`` and ``_count`` of it."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


def _counter(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(PREFIX + name, "counter", meaning, labels)


def _gauge(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(PREFIX + name, "gauge", meaning, labels)


def _histogram(name: str, buckets: tuple[float, ...], meaning: str, *labels: str) -> Metric:
    return Metric(PREFIX + name, "histogram", meaning, labels, buckets)


class Sample(NamedTuple):
    """A metric's value at this moment."""

    metric: Metric
    labels: tuple[str, ...]
    value: float


BUILD = _gauge("build_info", "Always 1; which version runs.", "version")
SEARCHES = _counter(
    "searches", "Searches by outcome, each one of an `_msearch` by itself.", "index", "outcome", "reason"
)
FORWARDED = _counter("forwarded_requests", "Requests other than searches, passed on as they came.")
IN_FLIGHT = _gauge("requests_in_flight", "Requests under way, whatever they are.")
REPLIES = _counter(
    "replies", "Replies to clients, the engine's own and the bridge's, by class of their status.", "status"
)
UPSTREAM_ERRORS = _counter(
    "upstream_errors", "502 and 504 answers of the bridge, by what went wrong.", "kind", "status"
)
UNKNOWN_WORDS = _counter("unknown_control_words", "`X-Rerank` request headers with a word that is not known.")

STAGE_SECONDS = _histogram("stage_seconds", _SECONDS, "Seconds of reranked searches, by stage.", "stage", "model")
MODEL_SECONDS = _histogram(
    "model_seconds",
    _SECONDS,
    "Seconds from when a window's texts were handed to a model until it was done, waiting included.",
    "model",
)
SKIPPED_SECONDS = _histogram(
    "skipped_search_seconds",
    _SECONDS,
    "Seconds until the engine's reply to a search that passes through began; without what was tried before.",
)

PARTLY_SCORED = _counter(
    "partly_scored_searches",
    "Reranked searches with hits that were not scored: the deadline came first, or they have no text.",
)
SCORED_SHARE = _histogram(
    "scored_share",
    (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0),
    "Share of the window that was scored, of searches that were to be; 0 where deadline, load or a failure left none.",
)
DEADLINE_MISSES = _counter(
    "deadline_misses",
    "Searches whose deadline came before their window was scored: `partly` reranked, or `not` at all.",
    "reranked",
)
STAGE_CUTS = _counter(
    "stage_cuts", "Reranked searches that a model scored less of than it was given, by reason.", "model", "reason"
)
TOP_CHANGED = _counter("top_changed_searches", "Reranked searches whose first hit is not the engine's.", "index")
OVERLAP = _histogram(
    "overlap_at_10",
    _TENTHS,
    "Share of a reranked search's first 10 hits that were among the engine's first 10.",
    "index",
)

SHADOW_SEARCHES = _counter(
    "shadow_searches", "Searches in shadow, by what became of their scoring in the background.", "compared"
)
SHADOW_TOP_CHANGED = _counter("shadow_top_changed_searches", "`top_changed_searches` of searches in shadow.", "index")
SHADOW_OVERLAP = _histogram("shadow_overlap_at_10", _TENTHS, "`overlap_at_10` of searches in shadow.", "index")

SCORED_PAIRS = _counter("scored_pairs", "Texts that a model scored.", "model")
SCORED_TOKENS = _counter("scored_tokens", "Tokens that a model computed for them; nothing is padded.", "model")
SCORING_SECONDS = _counter("scoring_seconds", "Seconds that a model took for its batches, over all devices.", "model")
KNOWN_PAIRS = _counter("known_pairs", "Texts whose score was known, so that no model read them.", "model")
BATCH_FILL = _histogram(
    "batch_fill",
    _TENTHS[1:],
    "Tokens of a batch as a share of its budget; over 1 where one text is longer.",
    "model",
)

WAITING_PAIRS = _gauge("waiting_pairs", "Texts that wait to be scored.", "model")
WAITING_TOKENS = _gauge("waiting_tokens", "Tokens of the texts that wait, estimated where they are not read.", "model")
QUEUE_LIMIT = _gauge("queue_limit_pairs", "Texts that may wait (`queue_limit_pairs`).", "model")
BATCH_BUDGET = _gauge("batch_budget_tokens", "Tokens that a batch is filled to.", "model")
HALVINGS = _counter("batch_halvings", "Times that a model's memory ran out, so that its batches were halved.", "model")

CACHE_HITS = _counter("cache_hits", "What was asked for and found in a cache.", "cache", "model")
CACHE_MISSES = _counter("cache_misses", "What was asked for and not found in a cache.", "cache", "model")
CACHE_BYTES = _gauge("cache_bytes", "Memory that a cache takes, its keys included.", "cache", "model")
CACHE_LIMIT = _gauge("cache_limit_bytes", "Memory that a cache takes at most.", "cache", "model")

MODEL_MEMORY = _gauge(
    "model_memory_bytes",
    "What a model takes of its device's memory: weights as loaded, activations and cache at most.",
    "model",
    "device",
    "part",
)
DEVICE_MEMORY = _gauge(
    "device_memory_bytes",
    "Memory of a CUDA device: `total` and `free` of the device, `reserved` and `used` by this process.",
    "device",
    "kind",
)

SWITCHED_OFF = _gauge("switched_off", "1 while all reranking is switched off (`rerank-bridge off`), else 0.")
CONFIG_READS = _counter(
    "config_reads",
    "Times that the configuration was read anew: it `changed`, stayed `unchanged`, or `failed`.",
    "outcome",
)
CONFIG_FAILED = _gauge("config_failed", "1 while the configuration that was read last is not the one in force, else 0.")

OWN: tuple[Metric, ...] = tuple(value for value in globals().values() if isinstance(value, Metric))
"""All that the bridge counts itself."""
READ_WHEN_ASKED = frozenset(
    {
        *(WAITING_PAIRS, WAITING_TOKENS, QUEUE_LIMIT, BATCH_BUDGET, HALVINGS),
        *(CACHE_HITS, CACHE_MISSES, CACHE_BYTES, CACHE_LIMIT, MODEL_MEMORY, DEVICE_MEMORY),
        *(SWITCHED_OFF, CONFIG_READS, CONFIG_FAILED),
    }
)
"""Those of ``OWN`` that cost nothing between two looks at them."""
LEVELS = frozenset({QUEUE_LIMIT, BATCH_BUDGET, DEVICE_MEMORY})
"""Those of them that don't add up where two sources tell them."""

PROCESS: tuple[Metric, ...] = (
    Metric("process_cpu_seconds", "counter", "Seconds of CPU that the process took, in all its threads."),
    Metric("process_resident_memory_bytes", "gauge", "Memory that the process has in RAM."),
    Metric("process_virtual_memory_bytes", "gauge", "Addresses that the process has, most of them without memory."),
    Metric("process_open_fds", "gauge", "Files and sockets that the process has open."),
    Metric("process_max_fds", "gauge", "Files and sockets that it may have open."),
    Metric("process_start_time_seconds", "gauge", "When the process started, in seconds since 1970."),
)
"""What prometheus-client tells of the process, on Linux."""

LABELS: Mapping[str, str] = {
    "index": f"the configured pattern (`indices`) that the search goes by; `{OTHER}` where none fits; empty where that "
    "was not looked at, as with `X-Rerank: off`",
    "outcome": "`applied` or `skipped`; of `config_reads` `changed`, `unchanged` or `failed`",
    "reason": "why a search was skipped, as in `X-Rerank`, see [what is reranked](what-is-reranked.md); empty where "
    "it was applied",
    "status": "of `replies` the class: `2xx`, `4xx`, `5xx`, and `429` by itself, or `none` where a client left or was "
    "cut off before any; of `upstream_errors` `502` or `504`",
    "kind": "of `upstream_errors` `connect-timeout`, `silent`, `certificate`, `tls`, `dns`, `refused`, `closed`, "
    "`broke-off`, `not-http`, `connection`, `other`, or `bridge` for a mistake of its own",
    "stage": "of a request, once for each with a reranked search: `upstream` (all that the engine was asked), "
    "`scoring` (until the models were done), `splice` (writing the reply), `bridge` (neither upstream nor scoring) and "
    "`total`; of a search in a model: `queue` (until its first text was begun), `tokenise` (its texts were read) and "
    "`score` (the batches that it had a part in). The last three overlap",
    "model": "the model's name; empty for what is no model's",
    "reranked": "`partly` or `not`",
    "compared": "`yes`; `not-reranked` where it would have passed through; `busy` where `shadow_limit` were under way; "
    "`engine` where the engine failed, or did so less than ten seconds ago; `failed` for a mistake of the bridge",
    "cache": "`score`; `window` (orders that were cut by a deadline, kept for the next page); `vector` and `token` of "
    "a model",
    "device": "`cpu`, `cuda:0` and so on",
    "part": "`weights`, `activations`, `cache`",
    "version": "of the bridge",
}
"""What the values of each label are."""
