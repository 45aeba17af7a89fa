"""What can go wrong. Each class says what its caller does next.

- ``BridgeError``: the root; nothing else is raised on purpose.

  - ``ConfigError``: all problems at once; the command line prints them and exits with 2.
  - ``DataError``: a file that a user gave is broken, at ``place``; printed, exit 2.
  - ``EngineStartError``: an engine that we were to start does not run; printed, exit 1.
  - ``ModelLoadError``: a model can't be loaded; a start-up error, exit 1.
  - ``RequestError``: what was asked can't be answered as it was asked; the caller gets to know what is wrong with it.
  - ``UpstreamError``: the engine can't be reached or broke off; a 502 or 504 for the client.
  - ``ReplyTooLargeError``: a reply to a widened search is over its limit; the search is passed through as it came.
  - ``ScoringError``: no scores; the exchange answers with the first-stage page.

    - ``DeadlineError``: no sound order in time.
    - ``OverloadedError``: the queue is full; nothing was scored.
"""

from __future__ import annotations

from collections.abc import Sequence


class BridgeError(Exception):
    """The root of all errors that the bridge raises."""


class ConfigError(BridgeError):
    """The configuration can't be used; ``problems`` names every mistake found."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class DataError(BridgeError):
    """A file can't be used; ``place`` is ``file`` or ``file:line``."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place
        self.problem = problem


class EngineStartError(BridgeError):
    """An engine that the demo or a test wanted does not run; the text says what to do."""


class ModelLoadError(BridgeError):
    """A model can't be loaded; the text says what to do."""


class RequestError(BridgeError):
    """A call can't be answered as it was made; the text names what is wrong with it."""


class UpstreamError(BridgeError):
    """The engine gave no whole answer; ``status`` is the 502 or 504 that the client gets, ``kind`` a word for why."""

    def __init__(self, status: int, problem: str, kind: str = "other") -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem
        self.kind = kind


class ReplyTooLargeError(BridgeError):
    """A reply that was to be read whole is larger than the limit; it was dropped."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the engine's reply is larger than {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


class ScoringError(BridgeError):
    """There are no scores for a search; it never reaches a searching client."""


class DeadlineError(ScoringError):
    """The deadline passed before any sound order was known."""


class OverloadedError(ScoringError):
    """The queue of texts to score is full."""
