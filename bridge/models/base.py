"""What a model is: pairs in, one finite float per pair, same order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

ModelKind = Literal["bi-encoder", "cross-encoder"]


class Pair(NamedTuple):
    """What a model reads at once."""

    query_text: str
    text: str


class Model(Protocol):
    """A loaded model. Calls come from one thread at a time; they may take as long as they need."""

    @property
    def name(self) -> str:
        """The name that users know: a hub id, ``embedded``, or a folder's name."""
        ...

    @property
    def kind(self) -> ModelKind:
        """Whether both texts are read together (cross-encoder) or each alone (bi-encoder)."""
        ...

    @property
    def device(self) -> str:
        """Where it runs: ``cpu`` or ``cuda:0``."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens of one pair (cross-encoder) or one text (bi-encoder) that are read; the rest is cut."""
        ...

    def score(self, pairs: Sequence[Pair]) -> Sequence[float]:
        """Relevance of each pair's text to its query text: higher is better.

        ``len(scores) == len(pairs)``, in the same order; unbounded unless the model says otherwise.
        A score depends on its pair alone, not on its neighbours.
        """
        ...
