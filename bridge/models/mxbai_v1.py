"""The mxbai-rerank v1 family: a DeBERTa-v2 that classifies query and document read together.

Source: package mxbai-rerank 0.1.6, class ``MxbaiRerankV1``; equal to its scores within 1e-4 (tested).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import DebertaV2ForSequenceClassification

from bridge.errors import ModelLoadError
from bridge.models.base import ModelKind, Pair
from bridge.models.batches import Batches, padded
from bridge.models.device import cross_encoder_dtype
from bridge.models.tokens import encode, open_tokenizer
from bridge.models.weights import load_weights

MAX_TOKENS = 512
"""Query, document and the three tokens around them: the published models' ``model_max_length``."""


class Frame:
    """A pair as the model reads it: ``[CLS] query [SEP] document [SEP]``.

    It is cut and put together here because the tokenizer, which can do it as well, makes an encoding of every pair of
    cut-off pieces: seconds and gigabytes for two long texts.
    """

    def __init__(self, tokenizer: Tokenizer, max_tokens: int, folder: Path) -> None:
        self._tokenizer = tokenizer
        around = tokenizer.encode("", "")
        if around.type_ids != [0, 0, 1]:
            raise ModelLoadError(f"the tokenizer in {folder} does not read a pair as [CLS] query [SEP] document [SEP]")
        self._start, self._middle, self._end = around.ids
        self._room = max_tokens - len(around.ids)

    def tokens(self, pairs: Sequence[Pair]) -> list[tuple[list[int], list[int]]]:
        """Ids and segments (0 to the middle, then 1) of each pair, in the same order."""
        distinct = list(dict.fromkeys(text for pair in pairs for text in pair))
        read = dict(zip(distinct, encode(self._tokenizer, distinct, special=False), strict=True))
        return [self._frame(read[query], read[document]) for query, document in pairs]

    def _frame(self, query: list[int], document: list[int]) -> tuple[list[int], list[int]]:
        query_length, document_length = longest_first(len(query), len(document), self._room)
        first = [self._start, *query[:query_length], self._middle]
        second = [*document[:document_length], self._end]
        return first + second, [0] * len(first) + [1] * len(second)


def longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """Tokens that are kept of two texts, together at most ``room``: the longer one gives way until they are equal.

    Source: strategy ``longest_first`` of the tokenizers library; the second gets an odd token.
    """
    if first + second <= room:
        return first, second
    shorter = min(first, second, room // 2)
    return (room - shorter, shorter) if first > second else (shorter, room - shorter)


class MxbaiV1:
    """A cross-encoder: the probability that a text is relevant, in (0, 1)."""

    kind: ModelKind = "cross-encoder"

    def __init__(self, name: str, folder: Path, device: torch.device) -> None:
        self._model = load_weights(DebertaV2ForSequenceClassification, folder, device, cross_encoder_dtype(device))
        config = self._model.config
        if config.num_labels != 1:
            raise ModelLoadError(f"{folder} is a classifier of {config.num_labels} labels: a reranker has one")
        self.max_tokens = _max_tokens(folder, config.max_position_embeddings)
        self._frame = Frame(open_tokenizer(folder, rows=config.vocab_size), self.max_tokens, folder)
        self._runs_on = device
        self._batches = Batches(device)
        self.name = name
        self.device = str(device)

    def score(self, pairs: Sequence[Pair]) -> list[float]:
        """The probability of each pair: ``len(scores) == len(pairs)``, same order, in (0, 1)."""
        if not pairs:
            return []
        read = self._frame.tokens(pairs)
        logits = self._batches.run(
            [len(ids) for ids, _ in read], lambda group: self._logits([read[index] for index in group])
        )
        probabilities: list[float] = logits.double().sigmoid().tolist()  # those near 1 stay apart in float64
        return probabilities

    @torch.inference_mode()
    def _logits(self, read: Sequence[tuple[list[int], list[int]]]) -> torch.Tensor:
        ids, mask = padded([ids for ids, _ in read], self._runs_on)
        segments, _ = padded([segments for _, segments in read], self._runs_on)
        logits: torch.Tensor = self._model(input_ids=ids, attention_mask=mask, token_type_ids=segments).logits
        return logits.squeeze(dim=-1)


def _max_tokens(folder: Path, positions: int) -> int:
    """What the folder's tokenizer was saved with, as far as the model has positions."""
    file = folder / "tokenizer_config.json"
    try:
        config = json.loads(file.read_bytes()) if file.is_file() else {}
        return min(int(config.get("model_max_length", MAX_TOKENS)), positions)
    except (ValueError, TypeError, AttributeError) as error:
        raise ModelLoadError(f"{file} can't be read: {error}") from error
