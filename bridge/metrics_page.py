"""The page of the documentation on metrics, made from their table."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.metrics_table import LABELS, OWN, PROCESS, TOP, Metric

_PAGE = """# Metrics
{made}
`/_bridge/metrics` gives them in Prometheus' text format. What happens in a search is counted as it happens, which costs
some 40 microseconds for each; queues, caches and memory are read when the page is asked for. What to alert on, and what
to do then, is in [operations](operations.md).

Texts are counted as pairs, since a model reads each with the words that were searched for. Per second, and means over
time, are made in queries: `rate(rerank_bridge_scored_pairs_total[5m])`.

## Of the bridge

| metric | kind | labels | meaning |
| --- | --- | --- | --- |
{own}

Histograms have `_bucket`, `_sum` and `_count`. Their bounds are

- of seconds: {seconds}
- of `rerank_bridge_scored_share`: {shares}
- of `rerank_bridge_batch_fill` and `rerank_bridge_overlap_at_10`: tenths

## Labels

The values of every label come from the configuration or the code, never from a client.

| label | values |
| --- | --- |
{labels}

## Of the process

As every Prometheus client tells them, on Linux.

| metric | kind | labels | meaning |
| --- | --- | --- | --- |
{process}

## Good to know

- A request with a reranked search has its time counted once, however many searches it has; each search is counted
  itself. So `rate(rerank_bridge_stage_seconds_count{{stage="total"}}[5m])` are requests, and
  `rate(rerank_bridge_searches_total{{outcome="applied"}}[5m])` searches.
- `overlap_at_10` of 1 says that the page has the same {top} hits, in whatever order; with `top_changed_searches` it
  shows from what moment on another model or blend changes what people see.
- Nothing is padded: `scored_tokens` are all that is computed, so that there is no share of padding to watch.
- `batch_fill` far below 1 while little waits is as it should be: a batch is never held back to fill it.
- With a cache of scores (`cache="score"`) hits are pages walked and searches repeated; with `cache="vector"` documents
  that were read for another search.
- `model_memory_bytes` is what the bridge reckons with, `device_memory_bytes` what the device says.
"""


def page(made: str) -> str:
    """The page; ``made`` says that it is made from the code."""
    stage, share = (next(m for m in OWN if m.name.endswith(name)) for name in ("_stage_seconds", "_scored_share"))
    return _PAGE.format(
        made=made,
        own=_rows(OWN),
        process=_rows(PROCESS),
        labels="\n".join(f"| `{name}` | {values} |" for name, values in LABELS.items()),
        seconds=_bounds(stage),
        shares=_bounds(share),
        top=TOP,
    )


def _rows(metrics: Sequence[Metric]) -> str:
    return "\n".join(
        f"| `{metric.scraped_name}` | {metric.kind} | {', '.join(f'`{name}`' for name in metric.labels)} "
        f"| {metric.meaning} |"
        for metric in metrics
    )


def _bounds(metric: Metric) -> str:
    return ", ".join(f"{bound:g}" for bound in metric.buckets)
