"""What a model is: texts are read (tokenised), and what was read is scored.

::

    read = model.read("how do I sort a list?", texts)     # one Tokens per text, with what it will cost
    scores = model.score(read)                            # one finite float per text, same order

Reading and scoring are apart so that the next texts are read while a device scores, and so that batches are filled by
real lengths. Both may be called from several threads: one batch is scored while the next one is made ready.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, Protocol, runtime_checkable

from bridge.cache_use import CacheUse

ModelKind = Literal["bi-encoder", "cross-encoder"]


@dataclass(frozen=True, slots=True)
class Tokens:
    """One text as a model reads it for one search."""

    shared: tuple[int, ...]
    """What stands before every text of the search and does not depend on it; the same object for all of them."""
    own: tuple[int, ...]
    """What follows for this text."""
    first: int = 0
    """How many of ``shared + own`` are the first segment, in models that tell segments apart."""

    @property
    def cost(self) -> int:
        """Tokens that are computed for this text, beside what the search shares."""
        return len(self.own)


@dataclass(frozen=True, slots=True)
class Footprint:
    """The memory that a loaded model takes on its device, in bytes."""

    weights: int
    activations: int
    """At most, while one batch is scored."""
    cache: int = 0
    """At most, of what is kept between batches."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a model can tell of its work until now."""

    halvings: int
    """Times that memory ran out, so that batches were halved."""
    caches: Mapping[str, CacheUse]
    """By what they hold: ``vector``, ``token``."""


@runtime_checkable
class Observable(Protocol):
    """A model that tells of its work."""

    @property
    def usage(self) -> Usage:
        """Asked at any time, from any thread."""
        ...


def revision_of(*parts: object) -> str:
    """A model's ``revision``, from everything that its scores depend on; each part's ``repr`` tells all of it."""
    return blake2b(repr(parts).encode(), digest_size=16).hexdigest()


class Model(Protocol):
    """A loaded model."""

    @property
    def name(self) -> str:
        """The name that users know: a hub id, ``embedded``, or a folder's name."""
        ...

    @property
    def revision(self) -> str:
        """A digest of everything that a score depends on beside its texts: equal revisions give equal scores."""
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
    def precision(self) -> str:
        """The number format that it computes in: ``float32``, ``bfloat16`` or ``int8``."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens of one pair (cross-encoder) or one text (bi-encoder) that are read; the rest is cut."""
        ...

    @property
    def batch_tokens(self) -> int:
        """Tokens that are best scored at once: measured at load, within the device's memory."""
        ...

    @property
    def footprint(self) -> Footprint:
        """What it takes of its device's memory."""
        ...

    def read(self, query_text: str, texts: Sequence[str], instruction: str = "") -> list[Tokens]:
        """The tokens of each text for this query: ``len(read) == len(texts)``, same order, cut to ``max_tokens``.

        ``instruction`` tells a model that knows instructions what relevance means; others ignore it.
        May be called from several threads, also while another thread scores.
        """
        ...

    def score(self, read: Sequence[Tokens]) -> list[float]:
        """Relevance of each text, higher is better: ``len(scores) == len(read)``, in the same order.

        ``read`` may mix searches. Unbounded unless the model says otherwise; a score depends on its own text, query and
        instruction alone, not on its neighbours. May be called from several threads.
        """
        ...
