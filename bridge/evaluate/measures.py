"""Measures of a run against judgments, by the names of ``ir-measures``: nDCG@10, RR@10, R@100, AP ..."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import ir_measures

from bridge.errors import ConfigError
from bridge.evaluate.dataset import Qrels
from bridge.evaluate.runs import Run, lines

DEFAULT_MEASURES = ("nDCG@10", "RR@10", "R@100")
"""BEIR's measure, the rank of the first relevant hit, and what reranking has to work with."""

Values = Mapping[str, float]
"""Query id -> value of one measure."""


def check_measures(names: Sequence[str], depth: int) -> None:
    """Raises ``ConfigError`` with every name that is no measure, or that looks deeper than runs are long."""
    problems = [problem for name in names if (problem := _problem(name, depth))]
    if problems:
        raise ConfigError(problems)


def measure(names: Sequence[str], qrels: Qrels, run: Run) -> dict[str, Values]:
    """Name as given -> query id -> value, in the order of ``qrels``.

    A query without hits has the value that the measure gives to finding nothing, as a rule 0.
    Expects names that passed ``check_measures``, and a run of the judged queries.
    """
    measures = {name: ir_measures.parse_measure(name) for name in names}
    values = {(metric.measure, metric.query_id): metric.value for metric in _calculate(measures.values(), qrels, run)}
    return {name: {query_id: values[parsed, query_id] for query_id in qrels} for name, parsed in measures.items()}


def _calculate(measures: Iterable[ir_measures.Measure], qrels: Qrels, run: Run) -> Iterator[ir_measures.util.Metric]:
    return ir_measures.iter_calc(list(set(measures)), qrels, list(lines(run)))


def _problem(name: str, depth: int) -> str | None:
    try:
        parsed = ir_measures.parse_measure(name)
        parsed.validate_params()  # type: ignore[no-untyped-call]
    except (ValueError, NameError, AssertionError):  # ir-measures has no error of its own
        return f"{name!r} is no measure; there are nDCG@10, RR@10, R@100, P@5, AP, Success@10 and others of ir-measures"
    if not ir_measures.DefaultPipeline.supports(parsed):  # type: ignore[no-untyped-call]
        return f"{name!r} needs a package that is not installed; see the manual of ir-measures"
    cutoff = parsed.params.get("cutoff")
    if cutoff is not None and not 1 <= cutoff <= depth:
        return f"{name!r} looks at {cutoff} hits, but searches ask for {depth}"
    return None
