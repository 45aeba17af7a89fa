"""The metrics of ``_rank_eval`` as measures of ir-measures.

They differ where a search finds fewer than ``k`` hits: the engine's precision then divides by the hits that there are,
and its ideal order is as short, where trec_eval takes ``k``. Source: as of ``rank_eval``, "Available evaluation
metrics", and the classes ``PrecisionAtK``, ``RecallAtK``, ``MeanReciprocalRank``, ``DiscountedCumulativeGain`` and
``ExpectedReciprocalRank`` of the module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Parameters = Mapping[str, object]

_K = 10
_NDCG_HIGHEST = 30  # a gain has to fit into the integers of trec_eval
_GDEVAL_HIGHEST = 4  # the grade that gdeval, which computes ERR, takes for certain
_NOT_IN = "is none of ir-measures: the usual measures are taken"


def measure_of(metric: Mapping[str, Parameters], highest: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The measure, if there is an equal one, and what is to be said of it. ``highest`` is the best grade judged."""
    for name, parameters in metric.items():
        reader = _METRICS.get(name)
        measure = reader(parameters, highest) if reader is not None else None
        if measure is None:
            said = ", ".join(f"{key}: {value}" for key, value in parameters.items())
            return (), (f"the metric {name} ({said}) {_NOT_IN}",)
        notes = ("the metric dcg is measured in its normalised form",) if name == "dcg" and _is_raw(parameters) else ()
        return (measure,), notes
    return (), ()


def _precision(parameters: Parameters, highest: int) -> str | None:
    del highest
    return None if parameters.get("ignore_unlabeled") else _with_threshold("P", parameters)


def _with_threshold(name: str, parameters: Parameters) -> str | None:
    threshold = parameters.get("relevant_rating_threshold", 1)
    if not isinstance(threshold, int) or threshold < 1:
        return None  # what nobody judged would count as relevant
    return f"{name}@{_k(parameters)}" if threshold == 1 else f"{name}(rel={threshold})@{_k(parameters)}"


def _ndcg(parameters: Parameters, highest: int) -> str | None:
    """The engine's gain of a grade is 2 ** grade - 1, trec_eval's is the grade itself, unless gains are given."""
    if parameters.get("unknown_doc_rating"):
        return None
    gains = (
        f"(gains={{{', '.join(f'{grade}: {2**grade - 1}' for grade in range(highest + 1))}}})" if highest > 1 else ""
    )
    return f"nDCG{gains}@{_k(parameters)}"


def _err(parameters: Parameters, highest: int) -> str | None:
    is_equal = parameters.get("maximum_relevance") == _GDEVAL_HIGHEST and highest <= _GDEVAL_HIGHEST
    return f"ERR@{_k(parameters)}" if is_equal and not parameters.get("unknown_doc_rating") else None


def _is_raw(parameters: Parameters) -> bool:
    return not parameters.get("normalize")


def _k(parameters: Parameters) -> object:
    return parameters.get("k", _K)


_METRICS: dict[str, Callable[[Parameters, int], str | None]] = {
    "precision": _precision,
    "recall": lambda parameters, _: _with_threshold("R", parameters),
    "mean_reciprocal_rank": lambda parameters, _: _with_threshold("RR", parameters),
    "dcg": _ndcg,
    "expected_reciprocal_rank": _err,
}
