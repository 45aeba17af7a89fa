from __future__ import annotations

import json
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bridge.errors import DataError
from bridge.evaluate.comparison import compare
from bridge.evaluate.cost import ModelCost
from bridge.evaluate.evaluation import Evaluation, Plan
from bridge.evaluate.latency import percentiles
from bridge.evaluate.report import show, to_builtins, write_json

QUERIES = {"q1": "sweet apples", "q2": "sour [bold]lemons", "q3": "pears"}


@pytest.fixture
def evaluation() -> Evaluation:
    direct = {"q1": 0.25, "q2": 0.5, "q3": 1.0}
    return Evaluation(
        plan=Plan(QUERIES, {query_id: {"d1": 1} for query_id in QUERIES}, "fruit", measures=("AP", "RR@10")),
        comparisons=(
            compare("AP", direct, {"q1": 0.75, "q2": 0.5, "q3": 0.875}),
            compare("RR@10", direct, direct),
        ),
        direct_run={"q1": ("d1",), "q2": (), "q3": ()},
        bridged_run={"q1": ("d1",), "q2": (), "q3": ()},
        direct_latencies=percentiles([0.01, 0.02]),
        bridged_latencies=percentiles([0.1]),
        costs=(ModelCost("embedded", 2, 97.5, 12.25), ModelCost("mixedbread-ai/mxbai-rerank-base-v2", 2, 30.0, 310.0)),
        outcomes={"q1": "applied", "q2": "skipped: deadline", "q3": "applied"},
        notes=("1 of 3 bridged searches [all] were not reranked in full",),
    )


def cells(line: str) -> list[str]:
    return re.split(r"\s{2,}", line.strip())


def shown(evaluation: Evaluation) -> list[str]:
    out = StringIO()
    show(evaluation, Console(file=out, width=80))
    return out.getvalue().splitlines()


def test_tables_show_everything(evaluation: Evaluation) -> None:
    """Measures with interval, p-value and wins, latencies, outcomes and notes are printed, uncut in 80 columns."""
    lines = shown(evaluation)
    rows = {row[0]: row[1:] for row in map(cells, lines)}
    assert rows["measure"] == ["direct", "bridged", "difference", "95% interval", "p-value", "losses"]
    assert rows["AP"] == ["0.5833", "0.7083", "+0.1250", "-0.1250 to +0.5000", "0.5799", "1/1/1"]
    assert rows["RR@10"] == ["0.5833", "0.5833", "+0.0000", "+0.0000 to +0.0000", "-", "0/3/0"]
    assert rows["side"] == ["p50", "p90", "p99", "max", "searches"]
    assert rows["direct"] == ["10.0", "20.0", "20.0", "20.0", "2"]
    assert rows["bridged"] == ["100.0", "100.0", "100.0", "100.0", "1"]
    assert rows["model"] == ["texts scored", "ms", "searches"]
    assert rows["embedded"] == ["97.5", "12.2", "2"]
    assert rows["mixedbread-ai/mxbai-rerank-base-v2"] == ["30.0", "310.0", "2"]
    assert (rows["applied"], rows["skipped: deadline"]) == (["2"], ["1"])
    assert lines[0] == "3 queries on 'fruit', 100 hits each"
    assert lines[-1] == "note: 1 of 3 bridged searches [all] were not reranked in full"


def test_method_is_said(evaluation: Evaluation) -> None:
    """The test and the interval are named where they are shown."""
    text = " ".join(shown(evaluation))
    assert "paired t-test over queries, two-sided" in text
    assert "10,000 resamples" in text


def test_tiny_p_value_is_not_shown_as_zero(evaluation: Evaluation) -> None:
    """A p-value below what four digits can show is said to be below."""
    names = [str(number) for number in range(50)]
    direct = dict.fromkeys(names, 0.25)
    bridged = {name: 0.5 + int(name) / 100 for name in names}
    sure = replace(evaluation, comparisons=(compare("AP", direct, bridged),))
    assert any("< 0.0001" in line for line in shown(sure))


def test_single_query_shows_no_interval(evaluation: Evaluation) -> None:
    """Where one query gives neither interval nor p-value, both are left open."""
    single = replace(evaluation, comparisons=(compare("AP", {"q1": 0.25}, {"q1": 0.5}),))
    assert ["AP", "0.2500", "0.5000", "+0.2500", "-", "-", "1/0/0"] in map(cells, shown(single))


def test_json_holds_the_report_and_each_query(evaluation: Evaluation, tmp_path: Path) -> None:
    """The file says what the tables say, unrounded, and each query's values; what is unknown is null."""
    file = tmp_path / "report.json"
    write_json(evaluation, file)
    report = json.loads(file.read_bytes())
    assert report == json.loads(json.dumps(to_builtins(evaluation)))
    assert (report["index"], report["queries"], report["depth"]) == ("fruit", 3, 100)
    assert report["measures"]["AP"]["difference"] == 0.125
    assert report["measures"]["RR@10"]["p_value"] is None
    assert report["latency"]["bridged"]["count"] == 1
    assert report["costs"][0] == {"model": "embedded", "searches": 2, "mean_texts": 97.5, "mean_ms": 12.25}
    assert report["outcomes"] == {"applied": 2, "skipped: deadline": 1}
    assert report["notes"] == ["1 of 3 bridged searches [all] were not reranked in full"]
    assert report["per_query"]["q2"] == {
        "text": "sour [bold]lemons",
        "outcome": "skipped: deadline",
        "measures": {"AP": {"direct": 0.5, "bridged": 0.5}, "RR@10": {"direct": 0.5, "bridged": 0.5}},
    }


def test_unwritable_file_is_a_data_error(evaluation: Evaluation, tmp_path: Path) -> None:
    """A place where no file can be made is a data error."""
    with pytest.raises(DataError, match="can't be written"):
        write_json(evaluation, tmp_path / "nowhere" / "report.json")
