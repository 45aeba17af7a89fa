"""What is watched exists: every query of the dashboard and the alerts, and of the scaling, asks for metrics of ours."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.metrics_table import OWN
from tests.docker.promql import KNOWN, mistakes

REPOSITORY = Path(__file__).parents[2]
DASHBOARD = json.loads((REPOSITORY / "docker/grafana/dashboard.json").read_text())
RULES = [
    rule
    for group in yaml.safe_load((REPOSITORY / "docker/prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
_VARIABLE = re.compile(r"\{\{ *\$?(?:labels\.)?(\w+)")


def dashboard_queries() -> Iterator[Any]:
    for panel in PANELS:
        for target in panel["targets"]:
            yield pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")


@pytest.mark.parametrize("query", list(dashboard_queries()))
def test_the_dashboard_asks_for_what_there_is(query: str) -> None:
    """A panel's query parses, and every metric and label in it exists."""
    assert mistakes(query) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_the_alerts_ask_for_what_there_is(rule: Any) -> None:
    """An alert's query parses, and every metric and label in it exists."""
    assert mistakes(rule["expr"]) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("rate(rerank_bridge_nothing_total[5m])", ["no metric rerank_bridge_nothing_total"]),
        ("rerank_bridge_searches", ["no metric rerank_bridge_searches"]),
        ('rerank_bridge_waiting_pairs{index="x"}', ["rerank_bridge_waiting_pairs has no index"]),
        ("sum by (stage) (rerank_bridge_waiting_pairs)", ["nothing has stage"]),
        ("sum by (model) (rerank_bridge_waiting_pairs)", []),
    ],
)
def test_the_check_finds_mistakes(query: str, found: list[str]) -> None:
    """A name or label that does not exist is found, wherever it stands."""
    assert mistakes(query) == found


def test_every_metric_is_shown() -> None:
    """What the bridge counts is on the dashboard, so that nothing is counted for nobody."""
    shown = " ".join(target["expr"] for panel in PANELS for target in panel["targets"])
    assert [metric.name for metric in OWN if metric.name not in shown] == []


def test_panels_do_not_overlap() -> None:
    """Each place of the dashboard has one panel, within the 24 columns that Grafana has, and ids are unique."""
    places: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        where = panel["gridPos"]
        own = {
            (x, y)
            for x in range(where["x"], where["x"] + where["w"])
            for y in range(where["y"], where["y"] + where["h"])
        }
        assert not own & places, panel["title"]
        assert where["x"] + where["w"] <= 24
        places |= own
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_says_what_to_do(rule: Any) -> None:
    """Who is woken finds the chapter of the runbook that the alert names, and in the text labels that the query has."""
    assert rule["labels"]["severity"] in {"page", "ticket"}
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    titles = re.findall(r"^#+ (.+)$", (REPOSITORY / page).read_text(), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    labels = {name for name in _VARIABLE.findall(rule["annotations"]["summary"]) if name != "value"}
    assert all(label in rule["expr"] or label in {"instance", "device", "model"} for label in labels)


def test_the_alerts_fire() -> None:
    """Each fires where it should, and none where all is well, as Prometheus' own test runner has it."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed; Debian has it in the package prometheus")
    command = ["promtool", "test", "rules", str(REPOSITORY / "docker/prometheus/alerts.test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alert_names_are_unique() -> None:
    """No alert hides another."""
    names = [rule["alert"] for rule in RULES]
    assert sorted(set(names)) == sorted(names)


def test_scaling_is_by_a_metric_that_exists() -> None:
    """The autoscaler asks for a gauge of the bridge."""
    scaling = yaml.safe_load((REPOSITORY / "docker/kubernetes/horizontalpodautoscaler.yaml").read_text())
    names = [metric["pods"]["metric"]["name"] for metric in scaling["spec"]["metrics"]]
    assert [name for name in names if name in KNOWN] == ["rerank_bridge_waiting_pairs"]
