"""Whether a system looks worse because nobody judged what it found.

Hits that nobody judged count as not relevant. So judgments that were made from one system's results favour it over
those that find other documents. The rule: of two systems, one is warned of where

- it is behind in a measure,
- a smaller share of its first ten hits is judged (``Judged@10``), by 0.05 or more, which is a hit in two pages, and
- on judged hits alone (the others taken out of both runs) less than half of the difference is left.

Source: Sakai 2007, "Alternatives to Bpref", on such condensed lists; Buckley et al. 2007, "Bias and the limits of
pooling for large collections".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from statistics import fmean

from bridge.evaluate.comparison import Comparison
from bridge.evaluate.measures import measure
from bridge.evaluate.qrels import Qrels
from bridge.evaluate.runs import Run
from bridge.evaluate.statistics import TIE

DEPTH = 10
MIN_GAP = 0.05
MAX_LEFT = 0.5
RULE = (
    f"Judged@{DEPTH}: share of the first {DEPTH} hits that are judged; the others count as not relevant. A system is "
    f"warned of where it is behind another one whose share is higher by {MIN_GAP:g} or more, and on judged hits alone "
    f"less than {MAX_LEFT:.0%} of the difference is left"
)


def judged_share(qrels: Qrels, run: Run, depth: int) -> float:
    """The share of the first hits that are judged, the mean over queries, as ir-measures has it; 0 to 1."""
    name = f"Judged@{min(DEPTH, depth)}"
    return fmean(measure([name], qrels, run)[name].values())


def warnings(
    comparisons: Iterable[Comparison], shares: Mapping[str, float], runs: Mapping[str, Run], qrels: Qrels
) -> tuple[str, ...]:
    """A sentence for each difference that may come from what nobody judged; see the rule above."""
    return tuple(_warnings(comparisons, shares, {name: condensed(run, qrels) for name, run in runs.items()}, qrels))


def condensed(run: Run, qrels: Qrels) -> Run:
    """The run without the hits that nobody judged."""
    return {query_id: tuple(hit for hit in hits if hit in qrels[query_id]) for query_id, hits in run.items()}


def _warnings(
    comparisons: Iterable[Comparison], shares: Mapping[str, float], runs: Mapping[str, Run], qrels: Qrels
) -> Iterator[str]:
    for one in comparisons:
        if abs(one.difference) <= TIE or one.measure.startswith("Judged"):
            continue
        ahead, behind = (one.second, one.first) if one.difference > 0 else (one.first, one.second)
        if shares[ahead] - shares[behind] < MIN_GAP:
            continue
        left = _mean(one.measure, qrels, runs[ahead]) - _mean(one.measure, qrels, runs[behind])
        if left < MAX_LEFT * abs(one.difference):
            yield (
                f"{one.measure}: {behind} is {abs(one.difference):.4f} behind {ahead}, but of its first {DEPTH} hits "
                f"{shares[behind]:.0%} are judged, against {shares[ahead]:.0%}; on judged hits alone it is "
                f"{abs(left):.4f} {'behind' if left > 0 else 'ahead'}: judge more of what it finds before you decide"
            )


def _mean(name: str, qrels: Qrels, run: Run) -> float:
    return fmean(measure([name], qrels, run)[name].values())
