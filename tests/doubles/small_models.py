"""Small real models for the tests of scoring: each does one thing, and none does it by chance."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from bridge.models.base import ModelKind, Pair


@dataclass
class LengthModel:
    """Scores a text by its length, and notes the batches that it was given."""

    name: str = "small"
    kind: ModelKind = "cross-encoder"
    device: str = "cpu"
    max_tokens: int = 512
    batches: list[list[Pair]] = field(default_factory=list)

    def score(self, pairs: Sequence[Pair]) -> Sequence[float]:
        self.batches.append(list(pairs))
        return [float(len(pair.text)) for pair in pairs]

    @property
    def texts(self) -> list[list[str]]:
        """The texts of each batch."""
        return [[pair.text for pair in batch] for batch in self.batches]


@dataclass
class GivenModel(LengthModel):
    """Gives what it was told to, whatever it is asked; raises what is an exception."""

    answers: list[Sequence[float] | Exception] = field(default_factory=list)

    def score(self, pairs: Sequence[Pair]) -> Sequence[float]:
        super().score(pairs)
        answer = self.answers.pop(0) if self.answers else [float(len(pair.text)) for pair in pairs]
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class HeldModel(LengthModel):
    """Waits in each batch until the test lets it go on; says when a batch has begun."""

    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    released: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def go_on(self, batches: int = 1) -> None:
        for _ in range(batches):
            self.released.release()

    def score(self, pairs: Sequence[Pair]) -> Sequence[float]:
        self.begun.release()
        self.released.acquire()
        return super().score(pairs)
