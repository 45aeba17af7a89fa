"""The series that a PromQL query asks for, read with promql-parser, which parses as Prometheus 2.45 does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import promql_parser
from promql_parser import AggregateExpr, Expr, MatrixSelector, VectorSelector

from bridge.metrics_table import OWN, PROCESS, Metric

FROM_SCRAPING = frozenset({"instance", "job"})
"""Labels that Prometheus itself adds to every series of a target."""
_MADE_BY_GRAFANA = re.compile(r"\$__rate_interval|\$\{?datasource\}?")


def series(metrics: Iterable[Metric]) -> Mapping[str, frozenset[str]]:
    """The names that can be asked for, and the labels that each has."""
    found: dict[str, frozenset[str]] = {"up": FROM_SCRAPING}
    for metric in metrics:
        labels = FROM_SCRAPING | set(metric.labels)
        if metric.kind == "histogram":
            found |= {f"{metric.name}_{part}": labels for part in ("sum", "count")}
            found[f"{metric.name}_bucket"] = labels | {"le"}
        else:
            found[metric.scraped_name] = labels
    return found


KNOWN = series((*OWN, *PROCESS))


def mistakes(query: str) -> list[str]:
    """What in a query is no metric or label of ours; raises ``ValueError`` where it is no PromQL."""
    expression = promql_parser.parse(_MADE_BY_GRAFANA.sub("5m", query).replace("$instance", "all"))
    return list(_mistakes(expression))


def _mistakes(expression: Expr) -> Iterator[str]:
    parts: list[Expr] = []
    promql_parser.walk(expression, parts.append)
    asked = [part.vector_selector if isinstance(part, MatrixSelector) else part for part in parts]
    names = {part.name for part in asked if isinstance(part, VectorSelector)}
    for name in names - KNOWN.keys():
        yield f"no metric {name}"
    labels = frozenset[str]().union(*(KNOWN.get(name or "", frozenset()) for name in names))
    for part in asked:
        if isinstance(part, VectorSelector):
            own = KNOWN.get(part.name or "", frozenset())
            yield from (f"{part.name} has no {match.name}" for match in part.matchers.matchers if match.name not in own)
        if isinstance(part, AggregateExpr) and part.modifier is not None:
            yield from (f"nothing has {label}" for label in part.modifier.labels if label not in labels)
