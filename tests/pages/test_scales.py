"""Values and the places that they have on an axis."""

from __future__ import annotations

import pytest

from bridge.pages.scales import Linear, Log, Percentile, Ticks, nice_step, short


def labels(ticks: Ticks) -> list[str]:
    return [label for _, label in ticks]


def test_each_nine_of_a_percentile_has_the_same_room() -> None:
    """What is slower than 99% is ten times as rare as what is slower than 90%, as plots of HdrHistogram have it."""
    scale = Percentile(100_000)
    steps = [
        scale.place(after) - scale.place(before) for before, after in ((0, 90), (90, 99), (99, 99.9), (99.9, 99.99))
    ]
    assert steps == pytest.approx([0.2] * 4)
    assert labels(scale.ticks) == ["0%", "50%", "90%", "99%", "99.9%", "99.99%", "max"]


def test_few_values_tell_no_rare_percentile() -> None:
    """Of 40 searches the 99th percentile would be a made-up number."""
    scale = Percentile(40)
    assert [scale.has(percent) for percent in (90, 95, 97.5, 99, 100)] == [True, True, True, False, True]
    assert labels(scale.ticks) == ["0%", "50%", "90%", "max"]
    assert labels(Percentile(0).ticks) == ["0%", "50%", "max"]


def test_logarithms() -> None:
    """Equal ratios are equal lengths; ticks are round, and all values are inside."""
    scale = Log.around([3.0, 900.0, 0.0])
    assert scale.place(30) - scale.place(3) == pytest.approx(scale.place(300) - scale.place(30))
    assert 0 < scale.place(3) < scale.place(900) < 1
    assert labels(scale.ticks) == ["5", "10", "20", "50", "100", "200", "500", "1,000"]
    assert labels(Log.around([0.2, 4_000]).ticks) == ["1", "10", "100", "1,000"]


def test_values_that_are_nearly_equal_look_so() -> None:
    """A scale spans some room even where the values do not; of no values it is still one."""
    scale = Log.around([10.0, 10.1])
    assert scale.place(10.1) - scale.place(10.0) < 0.02
    assert Log.around([]).ticks


def test_round_steps() -> None:
    """Ticks stand at multiples of 1, 2 or 5, not more than wanted."""
    assert labels(Linear(437).ticks) == ["0", "100", "200", "300", "400"]
    assert labels(Linear(1.0).ticks) == ["0", "0.2", "0.4", "0.6", "0.8", "1"]
    assert labels(Linear(10, 1, at_most=10).ticks) == [str(rank) for rank in range(1, 11)]
    assert [nice_step(span, 5) for span in (3, 5, 6, 26, 0)] == [1, 1, 2, 10, 1]
    assert labels(Linear(2.0, least=1).ticks) == ["0", "1", "2"]
    assert Linear(0.0).place(3) == 0.0
    assert Linear(10.0).place(30) == 1.0


@pytest.mark.parametrize(("value", "text"), [(0.5, "0.5"), (1234, "1,234"), (12_345, "12.3k"), (2_500_000, "2.5M")])
def test_short_numbers(value: float, text: str) -> None:
    """Labels stay narrow."""
    assert short(value) == text
