"""A model for a user's own code: texts in, the best of them out. Torch is imported when a model is loaded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from bridge.errors import RequestError, ScoringError
from bridge.models import catalog
from bridge.models.base import Model


@dataclass(frozen=True, slots=True)
class Ranked:
    """One document of a ranking."""

    index: int
    """Its place among the documents that were given."""
    score: float
    document: str | None
    """Its text; None where documents were not wanted back."""


def load_model(
    name: str,
    *,
    device: str = "auto",
    precision: str = "auto",
    long_context: bool = False,
    cache_bytes: int = catalog.CACHE_BYTES,
) -> Reranker:
    """The model of this name, ready to rank: ``embedded``, a hub id of the catalogue, or a local folder.

    ``device`` is ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; ``precision`` is ``auto``, ``float32``, ``bfloat16`` or
    ``int8`` (CPU); ``long_context`` reads longer texts where the model can; ``cache_bytes`` bounds the document vectors
    that ``embedded`` keeps. Raises ``ModelLoadError``, which says what to do.
    """
    model = catalog.load(name, device=device, precision=precision, cache_bytes=cache_bytes, long_context=long_context)
    return Reranker(model, catalog.estimated_max(name))


class Reranker:
    """A loaded model. Calls may come from several threads; they are scored one after another."""

    def __init__(self, model: Model, estimated_max: float | None = None) -> None:
        self.model = model
        self._estimated_max = estimated_max
        self._lock = Lock()

    def rank(  # noqa: PLR0913 - mxbai-rerank's parameters
        self,
        query: str,
        documents: Sequence[str],
        *,
        top_k: int | None = None,
        instruction: str = "",
        normalize: bool = False,
        return_documents: bool = True,
    ) -> list[Ranked]:
        """The documents, best first, or the ``top_k`` best of them; equal scores keep the order of the documents.

        ``instruction`` tells a model that knows instructions what relevance means; ``normalize`` brings scores into
        (0, 1) where the model's own package or card says how. Raises as ``score`` does.
        """
        if top_k is not None and top_k < 1:
            raise RequestError(f"top_k is {top_k}: give at least 1, or None for all documents")
        scores = self.score(query, documents, instruction=instruction, normalize=normalize)
        best = sorted(range(len(scores)), key=lambda index: -scores[index])[:top_k]
        return [Ranked(index, scores[index], documents[index] if return_documents else None) for index in best]

    def score(
        self, query: str, documents: Sequence[str], *, instruction: str = "", normalize: bool = False
    ) -> list[float]:
        """Relevance of each document, higher is better: ``len(scores) == len(documents)``, same order.

        Equal documents are scored once. Raises ``RequestError`` for what is no text, and where scores can't be
        normalised; ``ScoringError`` where the model fails.
        """
        _check(query, documents, instruction)
        if normalize and self._estimated_max is None:
            raise RequestError(f"normalize: neither the package nor the card of {self.model.name} says how")
        distinct = list(dict.fromkeys(documents))
        read = self.model.read(query, distinct, instruction)
        with self._lock:
            scores = dict(zip(distinct, self.model.score(read), strict=True))
        if not all(map(math.isfinite, scores.values())):
            raise ScoringError(f"{self.model.name} gave scores that are no numbers: try precision='float32'")
        return [self._normalized(scores[text]) if normalize else scores[text] for text in documents]

    def _normalized(self, score: float) -> float:
        # Source: mxbai-rerank 0.1.6, sigmoid_normalize. Written so that no exponential overflows.
        return 0.5 * (1 + math.tanh((score - (self._estimated_max or 0.0) / 2) / 2))


def _check(query: object, documents: object, instruction: object) -> None:
    for name, text in (("query", query), ("instruction", instruction)):
        if not isinstance(text, str):
            raise RequestError(f"{name} is {_kind(text)}: a string is expected")
    if isinstance(documents, str | bytes) or not isinstance(documents, Sequence):
        raise RequestError(f"documents is {_kind(documents)}: a list of strings is expected")
    for index, text in enumerate(documents):
        if not isinstance(text, str):
            raise RequestError(f"documents[{index}] is {_kind(text)}: a string is expected")


def _kind(value: object) -> str:
    return f"of type {type(value).__name__}"
