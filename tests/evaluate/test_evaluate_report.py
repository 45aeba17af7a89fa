from __future__ import annotations

import json
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bridge.errors import DataError
from bridge.evaluate.client import NO_HEADER
from bridge.evaluate.comparison import compare, compare_all
from bridge.evaluate.cost import ModelCost
from bridge.evaluate.evaluation import Evaluation, Plan, SystemResult
from bridge.evaluate.latency import percentiles
from bridge.evaluate.measures import Values
from bridge.evaluate.report import show, to_builtins, write_json

QUERIES = {"q1": "sweet apples", "q2": "sour [bold]lemons", "q3": "pears"}


DIRECT = {"q1": 0.25, "q2": 0.5, "q3": 1.0}
SYSTEMS: dict[str, dict[str, Values]] = {
    "direct": {"AP": DIRECT, "RR@10": DIRECT},
    "bridged": {"AP": {"q1": 0.75, "q2": 0.5, "q3": 0.875}, "RR@10": DIRECT},
    "other": {"AP": {"q1": 0.5, "q2": 0.75, "q3": 1.0}, "RR@10": {"q1": 0.5, "q2": 0.5, "q3": 1.0}},
}


def result(name: str) -> SystemResult:
    is_bridge = name != "direct"
    applied = {"q1": "applied", "q2": "skipped: deadline", "q3": "applied"}
    return SystemResult(
        name=name,
        is_bridge=is_bridge,
        settings={"model": "embedded"} if is_bridge else {},
        run={"q1": ("d1",), "q2": (), "q3": ()},
        values=SYSTEMS[name],
        intervals={"AP": (0.25, 0.875), "RR@10": None},
        judged=0.5 if is_bridge else 0.75,
        latencies=percentiles([0.1] if is_bridge else [0.01, 0.02]),
        costs=(ModelCost("mixedbread-ai/mxbai-rerank-base-v2", 2, 30.0, 310.0),) if is_bridge else (),
        outcomes=applied if is_bridge else dict.fromkeys(QUERIES, NO_HEADER),
    )


def evaluated(*names: str) -> Evaluation:
    return Evaluation(
        plan=Plan(QUERIES, {query_id: {"d1": 1} for query_id in QUERIES}, "fruit", measures=("AP", "RR@10")),
        systems=tuple(map(result, names)),
        comparisons=tuple(
            comparison
            for measure in ("AP", "RR@10")
            for comparison in compare_all(measure, {name: SYSTEMS[name][measure] for name in names})
        ),
        notes=("1 of 3 searches of bridged [all] were not reranked in full",),
    )


@pytest.fixture
def evaluation() -> Evaluation:
    return evaluated("direct", "bridged")


def cells(line: str) -> list[str]:
    return re.split(r"\s{2,}", line.strip())


def shown(evaluation: Evaluation) -> list[str]:
    out = StringIO()
    show(evaluation, Console(file=out, width=80))
    return out.getvalue().splitlines()


def test_tables_show_everything(evaluation: Evaluation) -> None:
    """Measures with interval, p-value and wins, latencies, outcomes and notes are printed, uncut in 80 columns."""
    lines = shown(evaluation)
    rows = {tuple(row[:2]) if row[0] == "bridged" else row[0]: row[1:] for row in map(cells, lines)}
    assert rows["measure"] == ["direct", "bridged", "difference", "95% interval", "p-value", "losses"]
    assert rows["AP"] == ["0.5833", "0.7083", "+0.1250", "-0.1250 to +0.5000", "0.5799", "1/1/1"]
    assert rows["RR@10"] == ["0.5833", "0.5833", "+0.0000", "+0.0000 to +0.0000", "-", "0/3/0"]
    assert rows["Judged@10"] == ["0.7500", "0.5000"]
    assert rows["direct"] == ["10.0", "20.0", "20.0", "20.0", "2"]
    assert rows["bridged", "100.0"] == ["100.0", "100.0", "100.0", "100.0", "1"]
    assert rows["bridged", "mixedbread-ai/mxbai-rerank-base-v2"][1:] == ["30.0", "310.0", "2"]
    assert (rows["bridged", "applied"][1:], rows["bridged", "skipped: deadline"][1:]) == (["2"], ["1"])
    assert lines[0] == "3 queries on 'fruit', 100 hits each"
    assert lines[-1] == "note: 1 of 3 searches of bridged [all] were not reranked in full"


def test_several_systems_are_shown_in_pairs() -> None:
    """Of three systems all means are shown, and every pair by every measure, with p-values for three tests."""
    rows = list(map(cells, shown(evaluated("direct", "bridged", "other"))))
    for row in (
        ["system", "AP", "RR@10", "Judged@10"],
        ["direct", "0.5833", "0.5833", "0.7500"],
        ["other", "0.7500", "0.6667", "0.5000"],
        ["AP, every pair of systems"],
        ["RR@10, every pair of systems"],
        ["direct", "bridged", "+0.1250", "-0.1250 to +0.5000", "1.0000", "1/1/1"],
        ["bridged", "other", "+0.0833", "+0.0000 to +0.2500", "0.8453", "1/2/0"],
    ):
        assert row in rows
    assert sum(row[:2] == ["direct", "other"] for row in rows) == 2


def test_many_systems_are_compared_with_the_first() -> None:
    """Of more than five systems the terminal shows what stands against the first one, and says where the rest is."""
    evaluation = evaluated("direct", "bridged", "other")
    more = [replace(evaluation.systems[1], name=f"s{number}") for number in range(3)]
    many = replace(evaluation, systems=(*evaluation.systems, *more))
    rows = list(map(cells, shown(many)))
    assert not any(row[:2] == ["bridged", "other"] for row in rows)
    assert any(row[:2] == ["direct", "other"] for row in rows)
    assert ["pairs without the first system: see --json or --html"] in rows


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
    assert (report["version"], report["index"], report["queries"], report["depth"]) == (1, "fruit", 3, 100)
    direct, bridged = report["systems"]
    assert (direct["name"], direct["is_bridge"], direct["outcomes"]) == ("direct", False, {NO_HEADER: 3})
    assert bridged["settings"] == {"model": "embedded"}
    assert bridged["measures"]["AP"] == {"mean": pytest.approx(2.125 / 3), "interval": [0.25, 0.875]}
    assert (bridged["judged"], bridged["latency"]["count"]) == (0.5, 1)
    model = "mixedbread-ai/mxbai-rerank-base-v2"
    assert bridged["costs"] == [{"model": model, "searches": 2, "mean_texts": 30.0, "mean_ms": 310.0}]
    assert bridged["outcomes"] == {"applied": 2, "skipped: deadline": 1}
    precision, rank = report["comparisons"]
    assert (precision["measure"], precision["first"], precision["second"]) == ("AP", "direct", "bridged")
    assert (precision["difference"], precision["wins"], rank["p_value"]) == (0.125, 1, None)
    assert precision["adjusted_p_value"] == precision["p_value"]
    assert report["notes"] == ["1 of 3 searches of bridged [all] were not reranked in full"]
    assert report["per_query"]["q2"] == {
        "text": "sour [bold]lemons",
        "outcomes": {"direct": NO_HEADER, "bridged": "skipped: deadline"},
        "measures": {"AP": {"direct": 0.5, "bridged": 0.5}, "RR@10": {"direct": 0.5, "bridged": 0.5}},
    }


def test_unwritable_file_is_a_data_error(evaluation: Evaluation, tmp_path: Path) -> None:
    """A place where no file can be made is a data error."""
    with pytest.raises(DataError, match="can't be written"):
        write_json(evaluation, tmp_path / "nowhere" / "report.json")
