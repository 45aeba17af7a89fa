"""Cross-encoders that classify: query and document are read together, and a head gives one score.

Source: class ``CrossEncoder`` of sentence-transformers 6.2, and for DeBERTa-v2 package mxbai-rerank 0.1.6, class
``MxbaiRerankV1``; equal to their scores within 1e-4 in float32 (tested).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from bridge.models.base import Footprint, ModelKind, Tokens, Usage, revision_of
from bridge.models.batches import Batches
from bridge.models.checkpoint import Checkpoint
from bridge.models.classifier_folder import ClassifierFolder
from bridge.models.deberta import Deberta
from bridge.models.entries import ARCHITECTURES, ClassifierSpec
from bridge.models.modular_head import ModularHead
from bridge.models.packed_encoder import PackedEncoder
from bridge.models.pair_frame import PairFrame
from bridge.models.post_norm import token_bytes
from bridge.models.precision import Precision, linear_kind, weights_dtype
from bridge.models.token_cache import LIMIT_BYTES
from bridge.models.tokens import open_tokenizer


class Encoder(Protocol):
    """What turns tokens into logits; several threads may call it at once."""

    def logits(self, sequences: Sequence[Sequence[int]], first: Sequence[int]) -> Tensor:
        """One logit for each sequence, float32; its first ``first`` tokens are its first segment."""
        ...


class ClassifierReranker:
    """A cross-encoder: a logit, or its sigmoid, for each text; what it is passed through stands in its entry or folder.

    Raises ``ModelLoadError`` where the folder is not whole or not of a reranker.
    """

    kind: ModelKind = "cross-encoder"

    def __init__(  # noqa: PLR0913 - what a model is made of
        self,
        name: str,
        folder: Path,
        device: torch.device,
        spec: ClassifierSpec,
        *,
        precision: Precision,
        long_context: bool = False,
    ) -> None:
        settings = ClassifierFolder.read(folder)
        config = settings.config
        self.max_tokens = _max_tokens(spec, settings, long_context=long_context)
        self._frame = PairFrame(
            open_tokenizer(folder, rows=config["vocab_size"]),
            self.max_tokens,
            folder,
            has_segments=settings.has_segments,
        )
        checkpoint = Checkpoint(folder, device, weights_dtype(precision))
        head = ModularHead(settings.head, device, checkpoint.dtype) if settings.head else None
        self._encoder, self._weights_bytes = _load(checkpoint, settings, precision, head)
        self._is_probability = (spec.activation or settings.activation) == "sigmoid"
        self._batches = Batches(
            device, token_bytes=token_bytes(config["hidden_size"], config["intermediate_size"], checkpoint.dtype)
        )
        self.name, self.device, self.precision = name, str(device), precision
        self.revision = revision_of(
            checkpoint.digest, head.digest if head else "", self._is_probability, precision, self.max_tokens
        )
        self._batches.warm_up(lambda costs: self.score([self._frame.made(cost) for cost in costs]))

    @property
    def batch_tokens(self) -> int:
        """Tokens that are best scored at once."""
        return self._batches.batch_tokens

    @property
    def footprint(self) -> Footprint:
        """The memory that it takes on its device; tokens that are kept are in the host's."""
        return Footprint(
            self._weights_bytes, self._batches.activation_bytes, LIMIT_BYTES if self.device == "cpu" else 0
        )

    @property
    def usage(self) -> Usage:
        """How its memory and its cache of tokens have served."""
        return Usage(self._batches.halvings, {"token": self._frame.token_use})

    def read(self, query_text: str, texts: Sequence[str], instruction: str = "") -> list[Tokens]:  # noqa: ARG002 - it knows none
        """The tokens of each text with its query: ``len(read) == len(texts)``, same order; the longer one is cut."""
        return self._frame.read(query_text, texts)

    def score(self, read: Sequence[Tokens]) -> list[float]:
        """The score of each text: ``len(scores) == len(read)``, same order; in (0, 1) where it passes a sigmoid."""
        if not read:
            return []
        logits = self._batches.run(
            [tokens.cost for tokens in read], lambda group: self._logits([read[index] for index in group])
        ).double()  # probabilities near 1 stay apart in float64
        scores: list[float] = (logits.sigmoid() if self._is_probability else logits).tolist()
        return scores

    def _logits(self, read: Sequence[Tokens]) -> Tensor:
        return self._encoder.logits([tokens.own for tokens in read], [tokens.first for tokens in read])


def _max_tokens(spec: ClassifierSpec, settings: ClassifierFolder, *, long_context: bool) -> int:
    limit = spec.max_tokens or settings.max_tokens
    if long_context and spec.long_context_tokens is not None:
        limit = spec.long_context_tokens
    return min(limit, settings.positions)


def _load(
    checkpoint: Checkpoint, settings: ClassifierFolder, precision: Precision, head: ModularHead | None
) -> tuple[Encoder, int]:
    """The encoder of the folder, and the bytes of its weights with those of its head."""
    model_type = settings.config["model_type"]
    if model_type == "deberta-v2":
        deberta = Deberta(checkpoint, settings.config, linear=linear_kind(precision))
        return deberta, deberta.weights_bytes
    architecture, body, _ = ARCHITECTURES[model_type]
    encoder = PackedEncoder(
        checkpoint.folder,
        body if head else architecture,
        checkpoint.device,
        checkpoint.dtype,
        linear_kind(precision),
        head=head,
        pools_mean=head.pools_mean if head else settings.config.get("classifier_pooling") == "mean",
    )
    return encoder, encoder.weights_bytes + (head.weights_bytes if head else 0)
