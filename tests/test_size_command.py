"""``rerank-bridge size``: what it gives the models, what it counts, and what it says of a load."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from rich.console import Console

from bridge.config import Config
from bridge.errors import ConfigError
from bridge.ranking import Rule, StageScores, Window
from bridge.size_command import Speed, Wanted, alone, bridges, measured, table, windows

CORPUS = " ".join(f"word{number}" for number in range(2_000))
WANTED = Wanted(window=10, text_chars=40, seconds=10.0, scoring="embedded")


@dataclass
class Model:
    """Takes a second for each text that it has not read, and a tenth for one that it has, by a clock of its own."""

    now: float = 0.0
    asked: list[Window] = field(default_factory=list)
    known: set[str] = field(default_factory=set)

    def clock(self) -> float:
        return self.now

    async def score(self, window: Window) -> Sequence[StageScores]:
        self.asked.append(window)
        self.now += sum(0.1 if text in self.known else 1.0 for text in window.texts)
        self.known.update(window.texts)
        return (StageScores((), Rule()),)


async def test_both_kinds_of_texts_are_measured() -> None:
    """Texts that were never seen cost what they cost, those that are known less; words are new each time."""
    model = Model()
    unseen, seen = await measured(model, WANTED, CORPUS, model.clock)
    assert (unseen.texts, seen.texts) == ("never seen", "seen before")
    assert unseen.searches_per_s == pytest.approx(0.1)
    assert seen.searches_per_s == pytest.approx(1.0)
    assert [unseen.alone_s, seen.alone_s] == pytest.approx([10.0, 1.0])
    words = [window.query_text for window in model.asked]
    assert len(set(words)) == len(words)
    assert {window.scoring for window in model.asked} == {"embedded"}


def test_texts_are_of_the_length_that_is_wanted_and_all_different() -> None:
    """No text of the first hundred windows comes twice, so that none is known; none begins the same."""
    corpus = " ".join(f"word{number}" for number in range(20_000))
    made = list(itertools.islice(windows(corpus, WANTED), 100))
    texts = [text for window in made for text in window.texts]
    assert {len(text) for text in texts} == {WANTED.text_chars}
    assert len(set(texts)) == len(texts) == 1_000
    assert {len(window.first_stage_scores) for window in made} == {10}


def test_bridges_for_a_load() -> None:
    """As many as leave each a part of its time free."""
    speed = Speed("seen before", 10.0, 0.1)
    assert [bridges(speed, rate) for rate in (1, 7, 7.1, 70)] == [1, 1, 2, 10]


def test_the_table() -> None:
    """What was measured, what to plan for, and for a rate how many bridges."""
    console = Console(width=120, record=True, file=None)
    console.begin_capture()
    console.print(table([Speed("never seen", 2.0, 0.5)], WANTED, 20.0))
    shown = console.end_capture()
    row = [cell.strip() for cell in shown.splitlines()[-2].strip("│").split("│")]
    assert row == ["never seen", "2", "1.4", "20", "500 ms", "15"]


def test_the_settings_of_an_index() -> None:
    """An index is measured by its own models and window, without a deadline, as if it were the only one."""
    indices = [{"pattern": "shop-*", "window": 30, "score_timeout_s": 0.5}, {"pattern": "logs", "mode": "off"}]
    settings = Config.model_validate({"upstream": "http://localhost", "indices": indices})
    own = alone(settings, "shop-1")
    assert (own.window, own.score_timeout_s, own.indices) == (30, math.inf, ())
    assert own.policy(()).scoring in own.scorings()
    assert alone(settings, "").window == 100
    with pytest.raises(ConfigError, match="mode is off for logs"):
        alone(settings, "logs")


def test_a_real_model() -> None:
    """The command loads the embedded model, measures it, and says how many bridges a rate needs."""
    options = ["--window", "2", "--text-chars", "50", "--seconds", "0.1", "--rate", "5", "--device", "cpu"]
    command = [sys.executable, "-m", "bridge", "size", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "embedded on cpu" in done.stdout
    for words in ("never seen", "seen before", "bridges for 5/s", "windows of 2 texts of 50 characters"):
        assert words in done.stdout
