"""Small real models for the tests of scoring: each does one thing, and none does it by chance."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bridge.models.base import Footprint, ModelKind, Tokens

_HANGS_AFTER_S = 20.0
"""No test keeps a model waiting that long but one that fails; it ends then."""


class Pair(NamedTuple):
    """What a model was asked."""

    query_text: str
    text: str


def tokens(query_text: str, text: str) -> Tokens:
    """A token for each character."""
    return Tokens(tuple(map(ord, query_text)), tuple(map(ord, text)))


def pair(read: Tokens) -> Pair:
    """The pair that was read."""
    return Pair("".join(map(chr, read.shared)), "".join(map(chr, read.own)))


@dataclass
class LengthModel:
    """Scores a text by its length, and notes what it read and the batches that it was given."""

    name: str = "small"
    revision: str = "1"
    kind: ModelKind = "cross-encoder"
    device: str = "cpu"
    precision: str = "float32"
    max_tokens: int = 512
    batch_tokens: int = 1_000
    footprint: Footprint = field(default_factory=lambda: Footprint(3 << 20, activations=2 << 20, cache=1 << 20))
    batches: list[list[Pair]] = field(default_factory=list)
    instructions: list[str] = field(default_factory=list)

    def read(self, query_text: str, texts: Sequence[str], instruction: str = "") -> list[Tokens]:
        self.instructions.append(instruction)
        return [tokens(query_text, text) for text in texts]

    def score(self, read: Sequence[Tokens]) -> list[float]:
        self.batches.append([pair(entry) for entry in read])
        return [float(len(entry.own)) for entry in read]

    @property
    def texts(self) -> list[list[str]]:
        """The texts of each batch."""
        return [[pair.text for pair in batch] for batch in self.batches]


@dataclass
class GivenModel(LengthModel):
    """Gives what it was told to, whatever it is asked; raises what is an exception."""

    answers: list[list[float] | Exception] = field(default_factory=list)

    def score(self, read: Sequence[Tokens]) -> list[float]:
        usual = super().score(read)
        answer = self.answers.pop(0) if self.answers else usual
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class UnreadableModel(LengthModel):
    """Fails to read one text."""

    bad: str = "bad"

    def read(self, query_text: str, texts: Sequence[str], instruction: str = "") -> list[Tokens]:
        if self.bad in texts:
            raise ValueError(self.bad)
        return super().read(query_text, texts, instruction)


@dataclass
class HeldModel(GivenModel):
    """Waits in each batch until the test lets it go on; says when a batch has begun."""

    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    released: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def go_on(self, batches: int = 1) -> None:
        for _ in range(batches):
            self.released.release()

    def score(self, read: Sequence[Tokens]) -> list[float]:
        self.begun.release()
        assert self.released.acquire(timeout=_HANGS_AFTER_S), "the test did not let it go on"
        return super().score(read)
