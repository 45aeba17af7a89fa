"""BERT's encoder written for inference: the tokens of all sequences stand below each other, and nothing is padded.

Each product with weights is one product over all tokens; attention reads each sequence alone.

Source: Devlin et al., BERT (arXiv 1810.04805), and ``BertModel`` of transformers, whose last hidden states these equal
within 1e-5 in float32 (tested).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from bridge.errors import ModelLoadError
from bridge.models.checkpoint import Checkpoint
from bridge.models.linears import Linear
from bridge.models.packed_rows import attend_by_kernel, equal_runs, has_kernel, on_device
from bridge.models.post_norm import Parts, Rest, token_bytes
from bridge.models.precision import LinearKind

_NEEDED: dict[str, object] = {
    # what config.json may not contradict
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
}

_PIECE_TOKENS = 1_280
"""Of 200 to 2,100 the fastest, by 2% to 15%: int8 products are quick enough to wait for memory."""


class Bert:
    """Reads whole sequences of token ids, each as one segment.

    Nothing of it changes once it is built, so several threads may call it at once. Raises ``ModelLoadError`` for a
    configuration of another kind of BERT, and for weights that do not fit it.
    """

    def __init__(self, checkpoint: Checkpoint, config: Mapping[str, Any], *, linear: LinearKind = Linear) -> None:
        shape = _Shape.read(config)
        parts = Parts(checkpoint, linear, shape.hidden, shape.epsilon, checkpoint.dtype)
        self.hidden, self.vocabulary = shape.hidden, shape.vocabulary
        self.token_bytes = token_bytes(shape.hidden, shape.intermediate, checkpoint.dtype)
        """What one token takes at most on its way through a layer."""
        self._device = checkpoint.device
        self._words = checkpoint.take("embeddings.word_embeddings.weight", (shape.vocabulary, shape.hidden))
        self._places = _places(checkpoint, shape)
        self._norm = parts.norm("embeddings")
        self._layers = [_layer(parts, shape, index) for index in range(shape.layers)]

    @torch.inference_mode()
    def mean_states(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        """The mean of each sequence's last hidden states: float32, ``(len(sequences), hidden)``, in the same order.

        A sequence is all that the model reads, [CLS] and [SEP] included; none is empty.
        """
        return torch.cat([self._means(piece) for piece in self._pieces(sequences)])

    def _means(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        states = torch.split(self.states(sequences).float(), [len(sequence) for sequence in sequences])
        return torch.stack([own.mean(dim=0) for own in states])

    def _pieces(self, sequences: Sequence[Sequence[int]]) -> Iterator[Sequence[Sequence[int]]]:
        """Neighbours, on the CPU as many as stay in a core's caches on their way through the layers."""
        if self._device.type != "cpu":
            yield sequences
            return
        start = tokens = 0
        for index, sequence in enumerate(sequences):
            if index > start and tokens + len(sequence) > _PIECE_TOKENS:
                yield sequences[start:index]
                start, tokens = index, 0
            tokens += len(sequence)
        yield sequences[start:]

    @torch.inference_mode()
    def states(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        """The last hidden states of all sequences, one after the other: ``(tokens, hidden)``."""
        lengths = [len(sequence) for sequence in sequences]
        ids = on_device(chain.from_iterable(sequences), self._device)
        places = torch.cat([self._places[:length] for length in lengths])
        x = self._norm(functional.embedding(ids, self._words).add_(places))
        attention = _Attention.over(lengths, self._device)
        for layer in self._layers:
            x = layer(x, attention)
        return x


@dataclass(frozen=True, slots=True)
class _Shape:
    """What config.json says, as far as it can differ."""

    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    positions: int
    segments: int
    epsilon: float

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> _Shape:
        """Raises ``ModelLoadError`` where it is another kind of BERT, or no sound configuration."""
        for name, needed in _NEEDED.items():
            if (found := config.get(name, needed)) != needed:
                raise ModelLoadError(f"config.json has {name} {found!r}: only BERT models with {needed!r} can be run")
        try:
            shape = cls(
                vocabulary=int(config["vocab_size"]),
                hidden=int(config["hidden_size"]),
                intermediate=int(config["intermediate_size"]),
                layers=int(config["num_hidden_layers"]),
                heads=int(config["num_attention_heads"]),
                positions=int(config["max_position_embeddings"]),
                segments=int(config.get("type_vocab_size", 2)),
                epsilon=float(config.get("layer_norm_eps", 1e-12)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelLoadError(f"config.json is no sound configuration of a BERT model: {error!r}") from error
        if shape.heads < 1 or shape.hidden % shape.heads:
            raise ModelLoadError(f"config.json has hidden_size {shape.hidden}, which {shape.heads} heads can't share")
        return shape


@dataclass(frozen=True, slots=True)
class _Attention:
    """Which tokens read each other."""

    runs: Sequence[tuple[int, int, int]]
    """First token, number and length of sequences of one length that stand together."""
    bounds: Tensor
    """Where each sequence begins, and the last one ends, on the device: int32."""
    longest: int

    @classmethod
    def over(cls, lengths: Sequence[int], device: torch.device) -> _Attention:
        bounds = functional.pad(torch.tensor(lengths).cumsum(0), (1, 0)).to(torch.int32)
        return cls(list(equal_runs(lengths)), bounds.to(device), max(lengths))

    def __call__(self, qkv: Tensor, heads: int) -> Tensor:
        """What each token reads: ``(tokens, 3 * hidden)`` to ``(tokens, hidden)``."""
        parts = qkv.view(len(qkv), 3, heads, -1)
        if has_kernel(qkv):
            bounds, longest = (self.bounds, self.bounds), (self.longest, self.longest)
            q, k, v = parts.unbind(1)
            return attend_by_kernel(q, k, v, bounds, longest).flatten(1)
        read = qkv.new_empty(len(qkv), heads, parts.shape[-1])
        for start, count, length in self.runs:
            run = slice(start, start + count * length)
            q, k, v = parts[run].view(count, length, *parts.shape[1:]).permute(2, 0, 3, 1, 4)
            found = functional.scaled_dot_product_attention(q, k, v)
            read[run] = found.transpose(1, 2).reshape(-1, *read.shape[1:])
        return read.flatten(1)


@dataclass(frozen=True, slots=True)
class _Layer:
    heads: int
    qkv: Linear
    rest: Rest

    def __call__(self, x: Tensor, attention: _Attention) -> Tensor:
        return self.rest(attention(self.qkv(x), self.heads), x)


def _places(checkpoint: Checkpoint, shape: _Shape) -> Tensor:
    """What is added to the word at each place: its position's and the first segment's embedding."""
    positions = checkpoint.take("embeddings.position_embeddings.weight", (shape.positions, shape.hidden))
    segments = checkpoint.take("embeddings.token_type_embeddings.weight", (shape.segments, shape.hidden))
    return positions + segments[0]


def _layer(parts: Parts, shape: _Shape, index: int) -> _Layer:
    name, hidden = f"encoder.layer.{index}", shape.hidden
    asked = [parts.product(f"{name}.attention.self.{part}", hidden, hidden) for part in ("query", "key", "value")]
    weight, bias = (torch.cat(each) for each in zip(*asked, strict=True))
    return _Layer(shape.heads, parts.linear(weight, bias), parts.rest(name, shape.intermediate))
