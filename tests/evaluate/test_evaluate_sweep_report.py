from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from bridge.config import Config
from bridge.errors import DataError
from bridge.evaluate.evaluation import Plan
from bridge.evaluate.grid import Configuration, grid_of
from bridge.evaluate.sweep import Measured, Sweep, SweepPlan
from bridge.evaluate.sweep_report import chosen_from, plotted, show, write_json

QUERIES = {f"q{number}": f"query {number}" for number in range(8)}


def made(quality: Callable[[Configuration], float], *sweeps: str, left_alone: int = 0) -> Sweep:
    """A sweep where the engine alone has 0.3 on every query, and windows cost a millisecond a hit."""
    grid = grid_of(sweeps, "embedded", 100)
    qrels = {query_id: {"d": 1} for query_id in QUERIES}
    plan = SweepPlan(Plan(QUERIES, qrels, "shop"), grid)
    measured = tuple(
        Measured(one, dict.fromkeys(QUERIES, quality(one)), float(one.window), {}) for one in grid.configurations()
    )
    return Sweep(plan, dict.fromkeys(QUERIES, 0.3), measured, dict.fromkeys(grid.windows, left_alone))


def rising(one: Configuration) -> float:
    """Better with the window up to 50, and best with a blend of a half."""
    return 0.3 + min(one.window, 50) / 500 - abs((one.blend if one.blend is not None else 0.5) - 0.5) / 10


def printed(sweep: Sweep, width: int = 120) -> str:
    out = io.StringIO()
    show(sweep, Console(file=out, width=width))
    return out.getvalue()


def used(text: str) -> dict[str, object]:
    """The lines of YAML in a report."""
    lines = text.partition("\nuse\n")[2].partition("\nchosen:")[0]
    found: dict[str, object] = yaml.safe_load(lines)
    return found


def test_configuration_to_use_can_be_pasted() -> None:
    """The lines are a configuration as the bridge reads it: the cheapest of the best, blend and window with it."""
    settings = used(printed(made(rising, "window=10,50,100", "blend=0,0.5,1")))
    assert settings == {"model": "embedded", "window": 50, "ranking": "blend", "blend_weight": 0.5}
    assert Config.model_validate({"upstream": "http://localhost", **settings}).window == 50


def test_stages_can_be_pasted_and_an_unswept_blend_is_left_out() -> None:
    """Stages stand in one line, as the configuration takes them; what was not swept is not said."""
    settings = used(printed(made(rising, "window=10,20", "model=embedded:5,./folder")))
    assert settings == {"model": "embedded:5,./folder", "window": 20}
    config = Config.model_validate({"upstream": "http://localhost", **settings})
    assert config.model_text == "embedded:5,./folder"


def test_engine_alone_is_recommended_where_nothing_is_better() -> None:
    """A model that loses costs nothing where it is switched off, and the report says why."""
    text = printed(made(lambda _: 0.2, "window=10,50"))
    assert used(text) == {"mode": "off"}
    assert "no configuration is better than the engine alone" in text


def test_tables_show_every_mean_and_the_front() -> None:
    """A row for each blend, a column for each window, what they cost, and what no other beats for less."""
    text = printed(made(rising, "window=10,50,100", "blend=0,0.5,1"), width=80)
    assert [line.split() for line in text.splitlines()[1:7] if "─" not in line] == [
        ["window", "10", "50", "100"],
        ["blend", "0", "0.2700", "0.3500", "0.3500"],
        ["blend", "0.5", "0.3200", "0.4000", "0.4000"],
        ["blend", "1", "0.2700", "0.3500", "0.3500"],
        ["ms", "10.0", "50.0", "100"],
    ]
    front = text.partition("no other is better for less")[2].splitlines()
    assert [line.split()[:4] for line in front[3:6]] == [
        ["engine", "-", "-", "0.3000"],
        ["embedded", "10", "0.5", "0.3200"],
        ["embedded", "50", "0.5", "0.4000"],
    ]
    assert front[5].split()[-2:] == ["best,", "use"]
    assert "…" not in text


def test_plot_has_cost_to_the_right_and_quality_upwards() -> None:
    """The engine is on the left, the front above, the chosen one at the top."""
    sweep = made(rising, "window=10,50,100", "blend=0,0.5")
    lines = plotted(sweep, chosen_from(sweep))[1:-3]
    places = {mark: (row, line.index(mark)) for row, line in enumerate(lines) for mark in "EX" if mark in line}
    assert places["X"][0] == 0
    assert places["E"][1] < places["X"][1] < max(len(line) for line in lines)
    assert sum(line.count("o") for line in lines) == 1
    assert lines[0].startswith("  0.4000 |")
    assert lines[-1].startswith("  0.2700 |")


def test_chosen_one_is_seen_in_the_plot_whatever_is_near() -> None:
    """Others at the same place do not hide it, be it a configuration or the engine alone."""
    better = made(lambda one: 0.4 + one.window / 1e6, "window=1000,1001")
    assert "".join(plotted(better, chosen_from(better))[1:-3]).count("X") == 1
    worse = made(lambda _: 0.3, "window=2,1000", "blend=0,1")
    lines = plotted(worse, chosen_from(worse))[1:-3]
    assert lines[-1].partition("|")[2].startswith("X")


def test_what_speaks_against_the_choice_is_said() -> None:
    """Both numbers of the halves, few queries, and searches that no configuration touched."""
    text = " ".join(printed(made(rising, "window=10,50", left_alone=3)).split())
    assert "nDCG@10 is 0.4000 on the half that it was chosen on and 0.4000 on the other" in text
    assert "the engine alone there: 0.3000); 100% of the halves choose the same" in text
    assert "8 queries are few to choose by" in text
    assert "3 of 8 searches are left to the engine, with a window of 10, 50" in text


def test_json_has_every_configuration_and_query(tmp_path: Path) -> None:
    """A program finds the values behind each mean, and what is to be used."""
    file = tmp_path / "sweep.json"
    write_json(made(rising, "window=10,50", "blend=0.5"), file)
    content = json.loads(file.read_text())
    assert content["use"] == {"model": "embedded", "window": 50, "ranking": "blend", "blend_weight": 0.5}
    assert (content["schema"], content["measure"], content["queries"]) == (1, "nDCG@10", list(QUERIES))
    engine, small, large = content["configurations"]
    assert (engine["settings"], engine["score_ms"], engine["mean"]) == ({"mode": "off"}, 0.0, pytest.approx(0.3))
    assert small["difference"] == pytest.approx(0.02)
    assert small["values"] == [pytest.approx(0.32)] * 8
    assert large["interval"] == [pytest.approx(0.1), pytest.approx(0.1)]
    assert [one["is_chosen"] for one in content["configurations"]] == [False, False, True]
    assert content["cross_validation"]["on_other_half"] == pytest.approx(0.4)


def test_file_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    """The error says which file."""
    with pytest.raises(DataError, match="no-such-folder"):
        write_json(made(rising, "window=10"), tmp_path / "no-such-folder" / "sweep.json")
