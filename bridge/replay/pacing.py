"""When each search is to be sent.

In a closed loop the next search begins when one before it ends. In an open loop searches begin at moments of their
own, whatever the systems do; latency is then measured from that moment, so that a system that is stalled is charged
with all who wait (Gil Tene's "coordinated omission").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bridge.replay.logged import LoggedSearch

Schedule = Callable[[int, LoggedSearch], float | None]
"""Number of a search among those sent, from 0, and the search -> seconds after the start; None: at once."""


def closed_loop(_number: int, _search: LoggedSearch) -> float | None:
    """As soon as a worker is free."""
    return None


@dataclass(frozen=True, slots=True)
class AtRate:
    """So many searches a second, evenly."""

    per_s: float

    def __call__(self, number: int, search: LoggedSearch) -> float | None:
        """``number`` intervals after the start."""
        del search
        return number / self.per_s


class AsLogged:
    """As far apart as in the log, ``speed`` times as fast; what has no time goes with the one before it."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._first_s: float | None = None
        self._last_s = 0.0

    def __call__(self, number: int, search: LoggedSearch) -> float | None:
        """Seconds after the first search; a log that steps back in time does not wait for the past."""
        del number
        if search.at_s is not None:
            if self._first_s is None:
                self._first_s = search.at_s
            self._last_s = max(self._last_s, (search.at_s - self._first_s) / self._speed)
        return self._last_s
