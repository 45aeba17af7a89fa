"""The mxbai-rerank v1 family: a DeBERTa-v2 that classifies query and document read together.

Source: package mxbai-rerank 0.1.6, class ``MxbaiRerankV1``; equal to its scores within 1e-4 (tested).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Encoding
from transformers import DebertaV2ForSequenceClassification

from bridge.errors import ModelLoadError
from bridge.models.base import ModelKind, Pair
from bridge.models.batches import length_groups, padded
from bridge.models.device import cross_encoder_dtype, group_tokens
from bridge.models.tokens import open_tokenizer, sound
from bridge.models.weights import load_weights

MAX_TOKENS = 512
"""Query, document and the three tokens around them: the published models' ``model_max_length``."""


class MxbaiV1:
    """A cross-encoder: the probability that a text is relevant, in (0, 1)."""

    kind: ModelKind = "cross-encoder"

    def __init__(self, name: str, folder: Path, device: torch.device) -> None:
        self._model = load_weights(DebertaV2ForSequenceClassification, folder, device, cross_encoder_dtype(device))
        config = self._model.config
        if config.num_labels != 1:
            raise ModelLoadError(f"{folder} is a classifier of {config.num_labels} labels: a reranker has one")
        self.max_tokens = _max_tokens(folder, config.max_position_embeddings)
        self._tokenizer = open_tokenizer(folder, rows=config.vocab_size)
        self._tokenizer.enable_truncation(self.max_tokens, strategy="longest_first")
        self._runs_on = device
        self.name = name
        self.device = str(device)

    def score(self, pairs: Sequence[Pair]) -> list[float]:
        """The probability of each pair: ``len(scores) == len(pairs)``, same order, in (0, 1)."""
        read = self._tokenizer.encode_batch_fast([(sound(query), sound(text)) for query, text in pairs])
        logits = torch.empty(len(pairs), dtype=torch.float64)  # probabilities near 1 stay apart in float64
        for group in length_groups([len(encoding) for encoding in read], group_tokens(self._runs_on)):
            logits[group] = self._logits([read[index] for index in group]).cpu().double()
        probabilities: list[float] = logits.sigmoid().tolist()
        return probabilities

    @torch.inference_mode()
    def _logits(self, read: Sequence[Encoding]) -> torch.Tensor:
        ids, mask = padded([encoding.ids for encoding in read], self._runs_on)
        types, _ = padded([encoding.type_ids for encoding in read], self._runs_on)
        logits: torch.Tensor = self._model(input_ids=ids, attention_mask=mask, token_type_ids=types).logits
        return logits.squeeze(dim=-1)


def _max_tokens(folder: Path, positions: int) -> int:
    """What the folder's tokenizer was saved with, as far as the model has positions."""
    file = folder / "tokenizer_config.json"
    try:
        config = json.loads(file.read_bytes()) if file.is_file() else {}
        return min(int(config.get("model_max_length", MAX_TOKENS)), positions)
    except (ValueError, TypeError, AttributeError) as error:
        raise ModelLoadError(f"{file} can't be read: {error}") from error
