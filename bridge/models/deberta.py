"""DeBERTa-v2 with a classifier of one label, written for inference: no padding, and nothing computed twice.

The tokens of all sequences stand below each other in one matrix, so that every product with weights is one large one;
each sequence has its own attention (``deberta_attention``). The embeddings of distances are projected once at load, and
in the last layer only the first token of each sequence asks, since nothing else of that layer is read.

Source: He et al., DeBERTaV3 (arXiv 2111.09543), and ``DebertaV2ForSequenceClassification`` of transformers, whose
logits these equal within 1e-5 in float32 (tested).
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
from bridge.models.deberta_attention import Attention, Each, Heads, Padded, Positions
from bridge.models.linears import Linear
from bridge.models.packed_rows import on_device
from bridge.models.post_norm import Parts, Rest
from bridge.models.precision import LinearKind

_NEEDED: dict[str, tuple[object, object]] = {
    # what has to stand in config.json, and what transformers takes where nothing stands there
    "relative_attention": (True, False),
    "share_att_key": (True, False),
    "position_biased_input": (False, True),
    "norm_rel_ebd": ("layer_norm", "none"),
    "conv_kernel_size": (0, 0),
    "hidden_act": ("gelu", "gelu"),
    "pooler_hidden_act": ("gelu", "gelu"),
}


class Deberta:
    """A model that reads whole sequences of token ids and gives one logit for each.

    Nothing of it changes once it is built, so several threads may call it at once. Raises ``ModelLoadError`` for a
    configuration of another kind of DeBERTa, and for weights that do not fit it.

    ``padded`` says how attention runs: over groups of like length that are padded (one call for many short sequences,
    as GPUs need it) or over one sequence after the other. Unless it is given, the device decides. ``linear`` is what
    computes the layers' products.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        config: Mapping[str, Any],
        *,
        linear: LinearKind = Linear,
        padded: bool | None = None,
    ) -> None:
        shape = _Shape.read(config)
        # Between layers all is in float32, so norms are, too.
        parts = Parts(checkpoint, linear, shape.hidden, shape.epsilon, torch.float32)
        weights = _Weights(parts, shape)
        self.vocabulary = shape.vocabulary
        self._shape = shape
        self._device = checkpoint.device
        is_padded = checkpoint.device.type != "cpu" if padded is None else padded
        self._attention: type[Each | Padded] = Padded if is_padded else Each
        self._words = checkpoint.take("deberta.embeddings.word_embeddings.weight", (shape.vocabulary, shape.hidden))
        self._segments = (
            checkpoint.take("deberta.embeddings.token_type_embeddings.weight", (shape.segments, shape.hidden))
            if shape.segments
            else None
        )
        self._norm = parts.norm("deberta.embeddings")
        distances = weights.distances()
        self._layers = [weights.layer(index, distances) for index in range(shape.layers - 1)]
        self._last = weights.last_layer(shape.layers - 1, distances)
        self._pooler = weights.plain("pooler.dense", shape.hidden)
        self._classifier = weights.plain("classifier", 1)
        positions = [*(layer.positions for layer in self._layers), self._last.positions]
        self.weights_bytes = checkpoint.taken_bytes + sum(each.keys.nbytes + each.queries.nbytes for each in positions)
        """Of the weights, and of what is projected from them once."""

    @torch.inference_mode()
    def logits(self, sequences: Sequence[Sequence[int]], first: Sequence[int]) -> Tensor:
        """The logit of each sequence: float32, shape ``(len(sequences),)``, in the same order, on the model's device.

        A sequence is all that the model reads, [CLS] and [SEP] included; none is empty. ``first[i]`` is the number of
        tokens in the first segment of ``sequences[i]``, for models that tell segments apart.
        """
        if not sequences:
            return torch.empty(0, device=self._device)
        lengths = [len(sequence) for sequence in sequences]
        rows = self._shape.distance_rows(max(lengths)).to(self._device)
        attention = self._attention(lengths, rows, self._shape.heads)
        x = self._embedded(sequences, first)
        for layer in self._layers:
            x = layer(x, attention)
        pooled = self._pooler(self._last(x, attention), "gelu")
        return self._classifier(pooled).squeeze(-1).float()

    def _embedded(self, sequences: Sequence[Sequence[int]], first: Sequence[int]) -> Tensor:
        x = functional.embedding(on_device(chain.from_iterable(sequences), self._device), self._words).float()
        if self._segments is not None:
            sizes = [(own, len(sequence) - own) for own, sequence in zip(first, sequences, strict=True)]
            segments = torch.tensor([0, 1] * len(sizes)).repeat_interleave(torch.tensor(sizes).flatten())
            x = x + functional.embedding(segments.to(self._device), self._segments)
        return self._norm(x)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What config.json says, as far as it can differ."""

    vocabulary: int
    segments: int
    """0 where the model does not tell them apart."""
    hidden: int
    intermediate: int
    layers: int
    heads: Heads
    buckets: int
    """Distances in one direction that are told apart: near ones each, far ones by their logarithm."""
    farthest: int
    """The distance at which the buckets end."""
    epsilon: float

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> _Shape:
        """Raises ``ModelLoadError`` where it is another kind of DeBERTa, or no sound configuration."""
        _refuse_others(config)
        hidden, heads = _count(config, "hidden_size"), _count(config, "num_attention_heads")
        if hidden % heads:
            raise ModelLoadError(f"config.json has hidden_size {hidden}, which {heads} attention heads can't share")
        sizes = {"attention_head_size": hidden // heads, "embedding_size": hidden, "pooler_hidden_size": hidden}
        _refuse_unequal(config, sizes)
        is_limited = config.get("max_relative_positions", -1) != -1
        return cls(
            vocabulary=_count(config, "vocab_size"),
            segments=_count(config, "type_vocab_size", least=2) if config.get("type_vocab_size") else 0,
            hidden=hidden,
            intermediate=_count(config, "intermediate_size"),
            layers=_count(config, "num_hidden_layers"),
            heads=Heads(heads, hidden // heads),
            buckets=_count(config, "position_buckets", least=4),
            farthest=_count(config, "max_relative_positions" if is_limited else "max_position_embeddings"),
            epsilon=_epsilon(config),
        )

    def distance_rows(self, length: int) -> Tensor:
        """Which row of the distances' embeddings belongs to ``query - key`` = 1 - length ... length - 1.

        The order of operations is that of transformers in float32, so that each distance is rounded up as there.
        """
        distances = torch.arange(1 - length, length)
        near = self.buckets // 2
        ratio = distances.abs().clamp(min=near) / near
        far = torch.ceil(torch.log(ratio) / torch.log(torch.tensor((self.farthest - 1) / near)) * (near - 1)) + near
        bucket = torch.where(distances.abs() <= near, distances, far.long() * distances.sign())
        return (bucket + self.buckets).clamp(0, 2 * self.buckets - 1)


def _refuse_others(config: Mapping[str, Any]) -> None:
    for name, (needed, default) in _NEEDED.items():
        if (found := config.get(name, default)) != needed:
            raise ModelLoadError(f"config.json has {name} {found!r}: only DeBERTa models with {needed!r} can be run")
    terms = config.get("pos_att_type")
    split = terms.split("|") if isinstance(terms, str) else terms  # the hub has p2c|c2p, transformers writes a list
    if not isinstance(split, Sequence) or {str(term).strip().lower() for term in split} != {"c2p", "p2c"}:
        raise ModelLoadError(f"config.json has pos_att_type {terms!r}: only DeBERTa models with p2c|c2p can be run")


def _refuse_unequal(config: Mapping[str, Any], sizes: Mapping[str, int]) -> None:
    for name, size in sizes.items():
        if (found := config.get(name, size)) != size:
            raise ModelLoadError(f"config.json has {name} {found!r}: beside its hidden_size, only {size} can be run")


def _epsilon(config: Mapping[str, Any]) -> float:
    value = config.get("layer_norm_eps", 1e-7)
    if not isinstance(value, float) or not 0 < value < 1:
        raise ModelLoadError(f"config.json has layer_norm_eps {value!r}: a number between 0 and 1 is needed")
    return value


def _count(config: Mapping[str, Any], name: str, *, least: int = 1) -> int:
    value = config.get(name)
    if not isinstance(value, int) or value < least:
        raise ModelLoadError(f"config.json has {name} {value!r}: a whole number of at least {least} is needed")
    return value


@dataclass(frozen=True, slots=True)
class _Layer:
    qkv: Linear
    positions: Positions
    rest: Rest

    def __call__(self, x: Tensor, attention: Attention) -> Tensor:
        return self.rest(attention(self.qkv(x), self.positions), x)


@dataclass(frozen=True, slots=True)
class _LastLayer:
    """A layer of which only the first token of each sequence is read."""

    q: Linear
    kv: Linear
    positions: Positions
    rest: Rest

    def __call__(self, x: Tensor, attention: Attention) -> Tensor:
        starts = attention.starts(x)
        return self.rest(attention.of_starts(self.q(starts), self.kv(x), self.positions), starts)


@dataclass(frozen=True, slots=True)
class _Weights:
    """Puts the layers together from their parts."""

    parts: Parts
    shape: _Shape

    def plain(self, name: str, rows: int) -> Linear:
        return Linear(*self.parts.product(name, rows, self.shape.hidden))

    def distances(self) -> Tensor:
        """The distances' embeddings, normalised: ``(2 * buckets, hidden)``, float32."""
        name = "deberta.encoder"
        rows = self.parts.checkpoint.take(f"{name}.rel_embeddings.weight", (2 * self.shape.buckets, self.shape.hidden))
        return self.parts.norm(name)(rows.float())

    def layer(self, index: int, distances: Tensor) -> _Layer:
        q, k, v = self._projections(index)
        qkv = self.parts.linear(torch.cat([q[0], k[0], v[0]]), torch.cat([q[1], k[1], v[1]]))
        return _Layer(qkv, self._positions(q, k, distances), self._rest(index))

    def last_layer(self, index: int, distances: Tensor) -> _LastLayer:
        q, k, v = self._projections(index)
        kv = self.parts.linear(torch.cat([k[0], v[0]]), torch.cat([k[1], v[1]]))
        return _LastLayer(self.parts.linear(*q), kv, self._positions(q, k, distances), self._rest(index))

    def _projections(self, index: int) -> Iterator[tuple[Tensor, Tensor]]:
        name, hidden = f"deberta.encoder.layer.{index}.attention.self", self.shape.hidden
        return (self.parts.product(f"{name}.{part}_proj", hidden, hidden) for part in ("query", "key", "value"))

    def _positions(self, q: tuple[Tensor, Tensor], k: tuple[Tensor, Tensor], distances: Tensor) -> Positions:
        def projected(weight: Tensor, bias: Tensor) -> Tensor:
            rows = functional.linear(distances, weight.float(), bias.float()) * self.shape.heads.scale
            return self.shape.heads.split(rows).to(weight.dtype).contiguous()

        return Positions(keys=projected(*k), queries=projected(*q))

    def _rest(self, index: int) -> Rest:
        return self.parts.rest(f"deberta.encoder.layer.{index}", self.shape.intermediate)
