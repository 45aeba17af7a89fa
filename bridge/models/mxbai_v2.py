"""The mxbai-rerank v2 family: a Qwen2 that is asked whether a document matches, and answers 1 or 0.

Source: package mxbai-rerank 0.1.6, class ``MxbaiRerankV2``; equal to its un-normalised scores within 1e-4 (tested).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import Qwen2ForCausalLM

from bridge.errors import ModelLoadError
from bridge.models.base import ModelKind, Pair
from bridge.models.batches import Batches, padded
from bridge.models.device import cross_encoder_dtype
from bridge.models.tokens import encode, open_tokenizer
from bridge.models.weights import load_weights

MAX_TOKENS = 8_192
"""Query and document together, without the prompt around them: the reference's default ``max_length``."""

SEPARATOR = "\n"
PREFIX = (
    "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
    "<|im_start|>user\n"
)
TASK = (
    "You are a search relevance expert who evaluates how well documents match search queries. For each query-document "
    "pair, carefully analyze the semantic relationship between them, then provide your binary relevance judgment "
    "(0 for not relevant, 1 for relevant).\nRelevance:"
)
SUFFIX = "<|im_end|>\n<|im_start|>assistant\n"


class Prompt:
    """A pair as the model reads it. Each part is tokenised alone, as the reference does."""

    def __init__(self, tokenizer: Tokenizer, positions: int) -> None:
        self._tokenizer = tokenizer
        self._before, self._separator, task, suffix = encode(
            tokenizer, (PREFIX, SEPARATOR, TASK, SUFFIX), special=False
        )
        self._after = [*self._separator, *task, *suffix]
        self.max_tokens = min(MAX_TOKENS, positions - len(self._before) - len(self._after))

    def tokens(self, pairs: Sequence[Pair]) -> list[list[int]]:
        """The ids of each pair with the prompt around it, in the same order.

        A query is cut after 3/4 of ``max_tokens``; its document, with the separator, gets what then is left.
        """
        queries = self._encode("query: ", [pair.query_text for pair in pairs], self.max_tokens * 3 // 4)
        documents = self._encode("document: ", [pair.text for pair in pairs], self.max_tokens)
        return [
            [*self._before, *(queries[q] + self._separator + documents[d])[: self.max_tokens], *self._after]
            for q, d in pairs
        ]

    def _encode(self, label: str, texts: Sequence[str], limit: int) -> dict[str, list[int]]:
        """The first ids of each distinct text behind its label."""
        distinct = list(dict.fromkeys(texts))
        tokens = encode(self._tokenizer, [label + text for text in distinct], special=False)
        return {text: ids[:limit] for text, ids in zip(distinct, tokens, strict=True)}


class MxbaiV2:
    """A cross-encoder: the logit of "1" less the logit of "0" as the next token. Unbounded, 0 is undecided."""

    kind: ModelKind = "cross-encoder"

    def __init__(self, name: str, folder: Path, device: torch.device) -> None:
        causal: Qwen2ForCausalLM = load_weights(Qwen2ForCausalLM, folder, device, cross_encoder_dtype(device))
        head = causal.lm_head.weight
        tokenizer = open_tokenizer(folder, rows=head.shape[0])
        self._prompt = Prompt(tokenizer, causal.config.max_position_embeddings)
        if self._prompt.max_tokens < 1:
            raise ModelLoadError(f"{folder}: {causal.config.max_position_embeddings} positions don't hold the prompt")
        yes, no = _answer(tokenizer, "1", folder), _answer(tokenizer, "0", folder)
        self._direction = head[yes].detach().float() - head[no].detach().float()
        self._body = causal.model
        self._runs_on = device
        self._batches = Batches(device)
        self.name = name
        self.device = str(device)
        self.max_tokens = self._prompt.max_tokens

    def score(self, pairs: Sequence[Pair]) -> list[float]:
        """The answer's logit for each pair: ``len(scores) == len(pairs)``, same order, unbounded."""
        if not pairs:
            return []
        tokens = self._prompt.tokens(pairs)
        answers: list[float] = self._batches.run(
            [len(ids) for ids in tokens], lambda group: self._read([tokens[index] for index in group])
        ).tolist()
        return answers

    @torch.inference_mode()
    def _read(self, tokens: Sequence[Sequence[int]]) -> torch.Tensor:
        # Causal attention: padding behind a text's last token is never seen from there, so no mask is needed, and only
        # two rows of the head at one position are computed instead of a vocabulary's worth at all.
        ids, mask = padded(tokens, self._runs_on)
        hidden = self._body(input_ids=ids, use_cache=False).last_hidden_state
        last = hidden[torch.arange(len(tokens), device=self._runs_on), mask.sum(dim=1) - 1]
        answers: torch.Tensor = last.float() @ self._direction
        return answers


def _answer(tokenizer: Tokenizer, digit: str, folder: Path) -> int:
    (ids,) = encode(tokenizer, [digit], special=False)
    if not ids or tokenizer.id_to_token(ids[0]) != digit:
        raise ModelLoadError(
            f"the tokenizer in {folder} has no token {digit!r}, which the model answers with: "
            "give a model of the mxbai-rerank v2 family"
        )
    return ids[0]
