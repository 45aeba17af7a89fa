"""Measures of a run against judgments, by the names of ``ir-measures``: nDCG@10, RR@10, R@100, AP ..."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence

import ir_measures

from bridge.errors import ConfigError
from bridge.evaluate.qrels import Qrels
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
    measures = {name: _parsed(name) for name in names}
    values = {(metric.measure, metric.query_id): metric.value for metric in _calculate(measures.values(), qrels, run)}
    return {name: {query_id: values[parsed, query_id] for query_id in qrels} for name, parsed in measures.items()}


def _calculate(measures: Iterable[ir_measures.Measure], qrels: Qrels, run: Run) -> Iterator[ir_measures.util.Metric]:
    return ir_measures.iter_calc(list(set(measures)), qrels, list(lines(run)))


def _parsed(name: str) -> ir_measures.Measure:
    """The measure of ``Name(parameter=value, ...)@value``. Raises ``ValueError``, ``TypeError`` or ``KeyError``.

    ir-measures can do this itself up to Python 3.13 only: it uses classes of ``ast`` that 3.14 has no more.
    """
    try:
        node: ast.expr = ast.parse(name, mode="eval").body
    except SyntaxError as error:
        raise ValueError(name) from error
    parameters = {}
    at = None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        at = ast.literal_eval(node.right)
        node = node.left
    if isinstance(node, ast.Call) and not node.args:
        parameters = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
        node = node.func
    if not isinstance(node, ast.Name):
        raise TypeError(name)
    kind = ir_measures.measures.registry[node.id]
    made: ir_measures.Measure = kind(**parameters, **({kind.AT_PARAM: at} if at is not None else {}))
    return made


def _problem(name: str, depth: int) -> str | None:
    try:
        parsed = _parsed(name)
        parsed.validate_params()  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, KeyError, AssertionError):  # ir-measures has no error of its own
        return f"{name!r} is no measure; there are nDCG@10, RR@10, R@100, P@5, AP, Success@10 and others of ir-measures"
    if not ir_measures.DefaultPipeline.supports(parsed):  # type: ignore[no-untyped-call]
        return f"{name!r} needs a package that is not installed; see the manual of ir-measures"
    cutoff = parsed.params.get("cutoff")
    if cutoff is not None and not 1 <= cutoff <= depth:
        return f"{name!r} looks at {cutoff} hits, but searches ask for {depth}"
    return None
