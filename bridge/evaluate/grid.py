"""What a sweep varies: ``window=10,20``, ``blend=0:1:0.1``, ``model=embedded,HUB_ID``, and all their combinations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import product
from typing import NamedTuple

from bridge.errors import ConfigError

MAX_VALUES = 1_000
"""Of one setting: more is a mistyped step."""
_WINDOWS = (2, 10_000)
_KEEPS = re.compile(r".+:\d+")


class Configuration(NamedTuple):
    """One way to rerank."""

    model: str
    """As the configuration has it in one line: ``embedded``, or stages as in ``embedded:30,HUB_ID``."""
    window: int
    blend: float | None
    """Weight of the model in a blend with the first stage; None: as configured."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The values of each setting, one at least, in the order in which they were given."""

    models: tuple[str, ...]
    windows: tuple[int, ...]
    """Rising."""
    blends: tuple[float | None, ...] = (None,)

    def configurations(self) -> Iterator[Configuration]:
        """Every combination: by model, then window, then blend."""
        return (Configuration(*values) for values in product(self.models, self.windows, self.blends))


def grid_of(sweeps: Sequence[str], model: str, window: int) -> Grid:
    """The grid of ``NAME=VALUES``, where a setting that is not named has the one value it is configured with.

    Values stand between commas; numbers also as ``first:last:step``, ``last`` included. A model with ``:N`` is a stage
    before the model that follows it. Raises ``ConfigError`` with all mistakes.
    """
    found: dict[str, list[object]] = {}
    problems: list[str] = []
    for sweep in sweeps:
        name, _, values = sweep.partition("=")
        try:
            found.setdefault(name, []).extend(_READERS.get(name, _unknown)(values))
        except ValueError as error:
            problems.append(f"--sweep {sweep}: {error}")
    if problems:
        raise ConfigError(problems)
    return Grid(
        models=tuple(dict.fromkeys(str(value) for value in found.get("model", [model]))),
        windows=tuple(sorted({int(str(value)) for value in found.get("window", [window])})),
        blends=tuple(dict.fromkeys(float(str(value)) for value in found["blend"])) if "blend" in found else (None,),
    )


def _models(text: str) -> list[object]:
    models: list[object] = []
    stages: list[str] = []
    for part in (part.strip() for part in text.split(",")):
        if not part:
            raise ValueError("a model has no name")
        stages.append(part)
        if not _KEEPS.fullmatch(part):
            models.append(",".join(stages))
            stages = []
    if stages:
        raise ValueError(f"{stages[-1]} keeps texts for a model that does not follow")
    return models


def _windows(text: str) -> list[object]:
    low, high = _WINDOWS
    numbers = _numbers(text)
    if any(number != int(number) or not low <= number <= high for number in numbers):
        raise ValueError(f"a window is a whole number from {low} to {high:,}")
    return [int(number) for number in numbers]


def _blends(text: str) -> list[object]:
    numbers = _numbers(text)
    if any(not 0 <= number <= 1 for number in numbers):
        raise ValueError("a blend is a number from 0, the first stage alone, to 1, the model alone")
    return list(numbers)


def _numbers(text: str) -> list[Decimal]:
    """As decimals, so that 0:1:0.1 has eleven values, the last of which is 1."""
    return [number for part in text.split(",") for number in _range(part.strip())]


def _range(text: str) -> list[Decimal]:
    try:
        numbers = [Decimal(part) for part in text.split(":")]
    except InvalidOperation:
        numbers = []
    if not numbers or not all(number.is_finite() for number in numbers):
        raise ValueError(f"{text!r} is no number, and no range as in 0:1:0.1")
    if len(numbers) == 1:
        return numbers
    if len(numbers) != 3 or numbers[2] <= 0 or numbers[1] < numbers[0]:  # noqa: PLR2004 - first, last, step
        raise ValueError(f"{text!r} is no range of first:last:step, which rises")
    first, last, step = numbers
    count = int((last - first) / step) + 1
    if count > MAX_VALUES:
        raise ValueError(f"{text!r} has {count:,} values, more than {MAX_VALUES:,}")
    return [first + place * step for place in range(count)]


def _unknown(_: str) -> list[object]:
    raise ValueError(f"settings that can be swept are {', '.join(_READERS)}")


_READERS: dict[str, Callable[[str], list[object]]] = {"window": _windows, "blend": _blends, "model": _models}
