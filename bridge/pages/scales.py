"""Values to places on an axis, in [0, 1], and the ticks that a reader would like there. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

Ticks = Sequence[tuple[float, str]]
"""Place in [0, 1] and label."""
_STEPS = (1, 2, 5)
_PERCENTS = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999)
_FULL = 100.0
_MIN_DECADES = 0.7  # two values that are nearly equal should look so
_FEW_DECADES = 2.8  # of more, powers of ten alone have labels


class Scale(Protocol):
    """An axis."""

    def place(self, value: float) -> float:
        """Where a value stands, in [0, 1]."""
        ...

    @property
    def ticks(self) -> Ticks:
        """Rising."""
        ...


@dataclass(frozen=True, slots=True)
class Linear:
    """From ``low`` to ``high``."""

    high: float
    low: float = 0.0
    at_most: int = 5
    """Steps between ticks."""
    least: float = 0.0
    """Least step: 1 where values are counts."""

    def place(self, value: float) -> float:
        """Clamped."""
        return _clamped((value - self.low) / (self.high - self.low)) if self.high > self.low else 0.0

    @property
    def ticks(self) -> Ticks:
        """Multiples of 1, 2 or 5 times a power of ten."""
        step = max(nice_step(self.high - self.low, self.at_most), self.least)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return _labelled(self, (number * step for number in range(first, last + 1)))


@dataclass(frozen=True, slots=True)
class Log:
    """From ``low`` to ``high``, both above zero, by their logarithms."""

    low: float
    high: float

    @classmethod
    def around(cls, values: Iterable[float]) -> Log:
        """A scale that has all the values, and some room; of none, one millisecond or so."""
        seen = [value for value in values if value > 0] or [1.0]
        low, high = math.log10(min(seen)), math.log10(max(seen))
        room = max(_MIN_DECADES - (high - low), 0.1) / 2
        return cls(10 ** (low - room), 10 ** (high + room))

    def place(self, value: float) -> float:
        """Clamped."""
        return _clamped(math.log(max(value, self.low) / self.low) / math.log(self.high / self.low))

    @property
    def ticks(self) -> Ticks:
        """1, 2 and 5 times powers of ten; over many decades the powers alone."""
        low, high = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        steps = _STEPS if math.log10(self.high / self.low) <= _FEW_DECADES else (1,)
        values = (step * 10.0**power for power in range(low, high + 1) for step in steps)
        return _labelled(self, (value for value in values if self.low <= value <= self.high))


@dataclass(frozen=True, slots=True)
class Percentile:
    """By how rare what is slower is, as plots of HdrHistogram have it: 90, 99 and 99.9 stand at equal distances.

    Ends where of ``count`` values one is left, which is the highest.
    """

    count: int

    @property
    def _decades(self) -> float:
        return max(math.log10(self.count), 1.0) if self.count else 1.0

    def has(self, percent: float) -> bool:
        """Whether there are enough values to tell this percentile."""
        return percent >= _FULL or -math.log10(1 - percent / _FULL) <= self._decades + 1e-9

    def place(self, percent: float) -> float:
        """Of 100 the end."""
        return 1.0 if percent >= _FULL else _clamped(-math.log10(1 - percent / _FULL) / self._decades)

    @property
    def ticks(self) -> Ticks:
        """Those that the values can tell, and the end."""
        room = 0.93  # beyond it the label would run into that of the end
        told = [(self.place(percent), f"{percent:g}%") for percent in _PERCENTS if self.has(percent)]
        return (*((place, label) for place, label in told if place < room), (1.0, "max"))


def nice_step(span: float, at_most: int) -> float:
    """The least of 1, 2 or 5 times a power of ten that divides ``span`` into ``at_most`` steps."""
    if span <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(span / at_most))
    return next((step * power for step in _STEPS if step * power * at_most >= span * (1 - 1e-9)), 10 * power)


def short(value: float) -> str:
    """A number for a label: 1200000 is 1.2M."""
    for size, letter in ((1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            unit = 1e3 if letter == "k" else size
            return f"{value / unit:.3g}{letter}"
    return f"{value:,.6g}"


def _labelled(scale: Scale, values: Iterable[float]) -> Ticks:
    return tuple((scale.place(value), short(value)) for value in values)


def _clamped(share: float) -> float:
    return min(max(share, 0.0), 1.0)
