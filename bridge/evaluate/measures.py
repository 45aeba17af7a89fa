"""Measures of a run against judgments, by the names of ``ir-measures``: nDCG@10, RR@10, R@100, AP ..."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from subprocess import CalledProcessError

import ir_measures

from bridge.errors import ConfigError
from bridge.evaluate.qrels import Qrels
from bridge.evaluate.runs import Run, lines

DEFAULT_MEASURES = ("nDCG@10", "RR@10", "R@100")
"""BEIR's measure, the rank of the first relevant hit, and what reranking has to work with."""

Values = Mapping[str, float]
"""Query id -> value of one measure."""

_PARTIAL = frozenset({"Accuracy"})


def check_measures(names: Sequence[str], depth: int) -> None:
    """Raises ``ConfigError`` with every name that is no measure, or that looks deeper than runs are long."""
    problems = [problem for name in names if (problem := _problem(name, depth))]
    if problems:
        raise ConfigError(problems)


def measure(names: Sequence[str], qrels: Qrels, run: Run) -> dict[str, Values]:
    """Name as given -> query id -> value, in the order of ``qrels``.

    A query without hits has the value that the measure gives to finding nothing, as a rule 0.
    Expects names that passed ``check_measures``, and a run of the judged queries. Raises ``ConfigError`` where the
    judgments are not such that a measure can be computed.
    """
    measures = {name: _parsed(name) for name in names}
    try:
        found = {(one.measure, one.query_id): float(one.value) for one in _calculate(measures.values(), qrels, run)}
    except CalledProcessError as error:
        raise ConfigError([f"{', '.join(names)}: gdeval, which computes ERR, can't: grades above 4?"]) from error
    numbers = {query_id: str(number) for number, query_id in enumerate(qrels)}
    return {
        name: {query_id: found[one, number] for query_id, number in numbers.items()} for name, one in measures.items()
    }


def _calculate(measures: Iterable[ir_measures.Measure], qrels: Qrels, run: Run) -> Iterator[ir_measures.util.Metric]:
    """Queries and documents go by numbers: some of the programs behind ir-measures know no other names of queries."""
    documents: dict[str, str] = {}

    def numbered(document_id: str) -> str:
        return documents.setdefault(document_id, str(len(documents)))

    judged = {
        str(number): {numbered(document_id): grade for document_id, grade in grades.items()}
        for number, grades in enumerate(qrels.values())
    }
    found = {str(number): tuple(map(numbered, run.get(query_id, ()))) for number, query_id in enumerate(qrels)}
    return ir_measures.iter_calc(list(set(measures)), judged, list(lines(found)))


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
    except AssertionError as error:  # ir-measures has no error of its own
        return f"{name!r} is no measure: {_plain(str(error))}"
    except (ValueError, TypeError, KeyError):
        return f"{name!r} is no measure; there are nDCG@10, RR@10, R@100, P@5, AP, Success@10 and others of ir-measures"
    if not ir_measures.DefaultPipeline.supports(parsed):  # type: ignore[no-untyped-call]
        return f"{name!r} needs a package or a parameter that is not there; see the manual of ir-measures"
    if parsed.NAME in _PARTIAL:
        return f"{name!r} has no value for some queries, so that systems can't be compared by it"
    cutoff = parsed.params.get("cutoff")
    if cutoff is not None and not 1 <= cutoff <= depth:
        return f"{name!r} looks at {cutoff} hits, but searches ask for {depth}"
    return None


def _plain(problem: str) -> str:
    """What ir-measures finds wrong; a parameter that is missing shows there as an object."""
    name, is_missing, _ = problem.removeprefix("invalid param ").partition("=<object")
    return f"it needs {name}, as in the manual of ir-measures" if is_missing else problem
