from __future__ import annotations

import pytest

from bridge.errors import ConfigError
from bridge.evaluate.grid import Configuration, grid_of


@pytest.mark.parametrize(
    ("sweeps", "models", "windows", "blends"),
    [
        (["window=50,10"], ("embedded",), (10, 50), (None,)),
        (["window=10", "window=20,10"], ("embedded",), (10, 20), (None,)),
        (["window=10:40:10"], ("embedded",), (10, 20, 30, 40), (None,)),
        (["blend=0:1:0.25"], ("embedded",), (100,), (0.0, 0.25, 0.5, 0.75, 1.0)),
        (["blend=0.3, 0.7"], ("embedded",), (100,), (0.3, 0.7)),
        (["blend=0:1:0.3"], ("embedded",), (100,), (0.0, 0.3, 0.6, 0.9)),
        (["model=a/b,embedded:30,a/b,./folder"], ("a/b", "embedded:30,a/b", "./folder"), (100,), (None,)),
        ([], ("embedded",), (100,), (None,)),
    ],
)
def test_values_are_read_from_lists_and_ranges(
    sweeps: list[str], models: tuple[str, ...], windows: tuple[int, ...], blends: tuple[float | None, ...]
) -> None:
    """What is not swept has the configured value; windows rise; a model with a number is a stage before the next."""
    grid = grid_of(sweeps, "embedded", 100)
    assert (grid.models, grid.windows, grid.blends) == (models, windows, blends)


def test_ranges_end_where_they_say() -> None:
    """Eleven values from 0 to 1 in steps of a tenth, each the number that a person would write."""
    assert grid_of(["blend=0:1:0.1"], "m", 2).blends == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def test_several_sweeps_make_a_grid() -> None:
    """Every model is combined with every window and every blend."""
    grid = grid_of(["model=a,b", "blend=0,1", "window=5,6"], "m", 2)
    assert len(list(grid.configurations())) == 8
    assert next(grid.configurations()) == Configuration("a", 5, 0.0)


@pytest.mark.parametrize(
    ("sweep", "problem"),
    [
        ("depth=10", "settings that can be swept are window, blend, model"),
        ("window=1,10", "whole number from 2 to 10,000"),
        ("window=10.5", "whole number"),
        ("window=", "no number"),
        ("window=ten", "'ten' is no number"),
        ("window=10:20", "first:last:step"),
        ("window=20:10:5", "which rises"),
        ("blend=0:1:0", "which rises"),
        ("blend=0:1:0.0001", "10,001 values"),
        ("blend=1.1", "from 0, the first stage alone, to 1"),
        ("blend=nan", "no number"),
        ("model=embedded:30", "keeps texts for a model that does not follow"),
        ("model=a,,b", "no name"),
    ],
)
def test_what_can_not_be_swept_is_told(sweep: str, problem: str) -> None:
    """All mistakes are named at once, each with the option that it stands in."""
    with pytest.raises(ConfigError) as caught:
        grid_of([sweep, "window=0"], "m", 2)
    assert f"--sweep {sweep}: " in str(caught.value)
    assert problem in str(caught.value)
    assert "--sweep window=0" in str(caught.value)
