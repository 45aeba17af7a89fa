"""Causal language models that are asked whether a document matches, and answer with one of two tokens.

Source of the mxbai v2 family: package mxbai-rerank 0.1.6, class ``MxbaiRerankV2``; equal to its un-normalised scores
within 1e-4 in float32 (tested). What the prompt of each family says stands in ``entries``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock

import torch
from tokenizers import Tokenizer
from torch import Tensor

from bridge.cache_use import CacheUse
from bridge.errors import ModelLoadError
from bridge.models.base import Footprint, ModelKind, Tokens, Usage, revision_of
from bridge.models.batches import Batches, token_groups
from bridge.models.checkpoint import Checkpoint
from bridge.models.classifier_folder import read_object
from bridge.models.decoder import PackedDecoder, Prefix, Shape
from bridge.models.entries import CausalSpec
from bridge.models.precision import Precision, linear_kind, weights_dtype
from bridge.models.token_cache import TokenCache
from bridge.models.tokens import encode, open_tokenizer

PREFIX_CACHE_BYTES = 256 << 20
"""Keys and values of searches under way: at 24 KiB a token (base-v2) 200 searches of 50 tokens; one is always kept."""
_PREFIX_GROUP_TOKENS = 2_048
"""Tokens of prefixes that are computed at once: a few searches' worth, which any device has room for."""


class Prompt:
    """A pair as the model reads it. Each part is tokenised alone, as the reference does."""

    def __init__(self, tokenizer: Tokenizer, spec: CausalSpec, positions: int, *, long_context: bool) -> None:
        self._spec = spec
        self._texts = TokenCache(tokenizer)
        self._before, self._separator, *after = encode(
            tokenizer, (spec.before, spec.separator, *spec.after), special=False
        )
        self._after = tuple(token for part in after for token in part)
        around = len(self._before) + len(self._after)
        limit = spec.long_context_tokens if long_context else spec.max_tokens
        self.max_tokens = min(limit - around if spec.counts_all else limit, positions - around)
        """Of query, separator and document."""

    @property
    def token_use(self) -> CacheUse:
        """How the tokens that are kept have served."""
        return self._texts.use

    def read(self, query_text: str, texts: Sequence[str], instruction: str) -> list[Tokens]:
        """The tokens of each text, in the same order.

        A query is cut to its share of ``max_tokens``; its document, with the separator, gets what then is left.
        """
        share, whole = self._spec.query_share
        (query,) = self._texts.encode([self._query(query_text, instruction)])
        asked = [*query[: self.max_tokens * share // whole], *self._separator][: self.max_tokens]
        shared = (*self._before, *asked)
        room = self.max_tokens - len(asked)
        documents = self._texts.encode([self._spec.document.format(document=text) for text in texts])
        return [Tokens(shared, (*document[:room], *self._after)) for document in documents]

    def _query(self, query_text: str, instruction: str) -> str:
        asked = instruction or self._spec.default_instruction
        if not asked:
            return self._spec.query.format(query=query_text)
        return self._spec.instructed_query.format(instruction=asked, query=query_text)


class CausalReranker:
    """A cross-encoder: the logit of yes less the logit of no as the next token, unbounded, or its sigmoid."""

    kind: ModelKind = "cross-encoder"

    def __init__(  # noqa: PLR0913 - what a model is made of
        self,
        name: str,
        folder: Path,
        device: torch.device,
        spec: CausalSpec,
        *,
        precision: Precision,
        long_context: bool = False,
    ) -> None:
        shape = Shape.read(read_object(folder / "config.json"))
        tokenizer = open_tokenizer(folder, rows=shape.vocabulary)
        self._prompt = Prompt(tokenizer, spec, shape.positions, long_context=long_context)
        if self._prompt.max_tokens < 1:
            raise ModelLoadError(f"{folder}: {shape.positions} positions don't hold the prompt")
        checkpoint = Checkpoint(folder, device, weights_dtype(precision))
        self._direction = _direction(
            checkpoint, shape, [_answer(tokenizer, spec, word, folder) for word in (spec.yes, spec.no)]
        )
        self._decoder = PackedDecoder(checkpoint, shape, linear_kind(precision))
        self._store = _PrefixStore(self._decoder, PREFIX_CACHE_BYTES)
        self._batches = Batches(device, token_bytes=shape.activation_bytes(checkpoint.dtype))
        self._weights_bytes = checkpoint.taken_bytes
        self._is_probability = spec.activation == "sigmoid"
        self.name, self.device, self.precision = name, str(device), precision
        self.max_tokens = self._prompt.max_tokens
        self.revision = revision_of(checkpoint.digest, spec, precision, self.max_tokens)
        self._batches.warm_up(lambda costs: self.score([Tokens((1, 2), (3,) * cost) for cost in costs]))

    @property
    def batch_tokens(self) -> int:
        """Tokens that are best scored at once."""
        return self._batches.batch_tokens

    @property
    def footprint(self) -> Footprint:
        """The memory that it takes."""
        return Footprint(self._weights_bytes, self._batches.activation_bytes, PREFIX_CACHE_BYTES)

    @property
    def usage(self) -> Usage:
        """How its memory and its cache of tokens have served."""
        return Usage(self._batches.halvings, {"token": self._prompt.token_use})

    def read(self, query_text: str, texts: Sequence[str], instruction: str = "") -> list[Tokens]:
        """The prompt of each text: ``len(read) == len(texts)``, same order."""
        return self._prompt.read(query_text, texts, instruction)

    def score(self, read: Sequence[Tokens]) -> list[float]:
        """The answer to each prompt: ``len(scores) == len(read)``, same order; in (0, 1) where the card wants that."""
        if not read:
            return []
        prefixes = self._store.of([tokens.shared for tokens in read])
        answers = self._batches.run(
            [tokens.cost for tokens in read],
            lambda group: self._answers([read[index] for index in group], prefixes),
        ).double()  # probabilities near 1 stay apart in float64
        scores: list[float] = (answers.sigmoid() if self._is_probability else answers).tolist()
        return scores

    @torch.inference_mode()
    def _answers(self, read: Sequence[Tokens], prefixes: Mapping[tuple[int, ...], Prefix]) -> Tensor:
        states = self._decoder.last_states(
            [tokens.own for tokens in read], [prefixes[tokens.shared] for tokens in read]
        )
        return states @ self._direction


class _PrefixStore:
    """Keys and values of prefixes by their tokens; the least recently used go first. Threads may share it."""

    def __init__(self, decoder: PackedDecoder, limit_bytes: int) -> None:
        self._decoder = decoder
        self._lock = Lock()
        self._limit_tokens = limit_bytes // decoder.shape.kv_bytes(decoder.dtype)
        self._known: OrderedDict[tuple[int, ...], Prefix] = OrderedDict()

    def of(self, shared: Sequence[tuple[int, ...]]) -> dict[tuple[int, ...], Prefix]:
        """The prefix of each distinct sequence of tokens; what is not known is computed."""
        with self._lock:  # who waits wants the same prefix, most likely
            return self._found(list(dict.fromkeys(shared)))

    def _found(self, wanted: Sequence[tuple[int, ...]]) -> dict[tuple[int, ...], Prefix]:
        new = [ids for ids in wanted if ids not in self._known]
        for group in token_groups([len(ids) for ids in new], min(self._limit_tokens, _PREFIX_GROUP_TOKENS)):
            chosen = [new[index] for index in group]
            self._known.update(zip(chosen, self._decoder.prefixes(chosen), strict=True))
        for ids in wanted:
            self._known.move_to_end(ids)
        found = {ids: self._known[ids] for ids in wanted}
        self._forget()
        return found

    def _forget(self) -> None:
        kept = sum(len(prefix) for prefix in self._known.values())
        while kept > self._limit_tokens and len(self._known) > 1:
            kept -= len(self._known.popitem(last=False)[1])


def _direction(checkpoint: Checkpoint, shape: Shape, answers: Sequence[int]) -> Tensor:
    """What a hidden state is multiplied with: the head's row of yes less that of no, all that is needed of it."""
    head = "model.embed_tokens.weight" if shape.is_tied else "lm_head.weight"
    yes, no = (checkpoint.take_row(head, row, (shape.vocabulary, shape.width)).float() for row in answers)
    return yes - no


def _answer(tokenizer: Tokenizer, spec: CausalSpec, word: str, folder: Path) -> int:
    (ids,) = encode(tokenizer, [word], special=False)
    if not ids or tokenizer.id_to_token(ids[0]) != word:
        raise ModelLoadError(
            f"the tokenizer in {folder} has no token {word!r}, which the model answers with: "
            f"give a reranker that answers {spec.yes!r} or {spec.no!r}"
        )
    return ids[0]
