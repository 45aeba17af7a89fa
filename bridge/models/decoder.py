"""A causal transformer (Qwen2, Qwen3) written for reranking: what would be thrown away is not computed.

Texts are packed without padding. What stands before every text of a search goes through once, and its keys and values
are shared (the model is causal). In the last layer only the scored position asks, and the head is left to the caller.

Source of the architecture: transformers 5, ``modeling_qwen2.py`` and ``modeling_qwen3.py``; equal to it within 1e-5 in
float32 (tested).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from bridge.errors import ModelLoadError
from bridge.models.causal_attention import KeysValues, Segments
from bridge.models.checkpoint import Checkpoint
from bridge.models.packed_rows import on_device
from bridge.models.precision import LinearKind


@dataclass(frozen=True, slots=True)
class Shape:
    """The numbers of a config.json that decide the architecture."""

    layers: int
    width: int
    inner: int
    heads: int
    kv_heads: int
    head_width: int
    vocabulary: int
    positions: int
    rope_theta: float
    epsilon: float
    has_bias: bool
    has_head_norms: bool
    is_tied: bool

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Shape:
        """The shape of a Qwen2 or Qwen3. Raises ``ModelLoadError`` for what is not computed here."""
        try:
            rope = {"rope_theta": config.get("rope_theta"), **(config.get("rope_parameters") or {})}
            _refuse_variants(config, rope)
            heads, width = int(config["num_attention_heads"]), int(config["hidden_size"])
            is_qwen3 = config["model_type"] == "qwen3"
            return cls(
                layers=int(config["num_hidden_layers"]),
                width=width,
                inner=int(config["intermediate_size"]),
                heads=heads,
                kv_heads=int(config.get("num_key_value_heads") or heads),
                head_width=int(config.get("head_dim") or width // heads),
                vocabulary=int(config["vocab_size"]),
                positions=int(config["max_position_embeddings"]),
                rope_theta=float(rope["rope_theta"] or 10_000.0),
                epsilon=float(config["rms_norm_eps"]),
                has_bias=bool(config.get("attention_bias", not is_qwen3)),
                has_head_norms=is_qwen3,
                is_tied=bool(config.get("tie_word_embeddings", False)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelLoadError(f"config.json is not a {config.get('model_type')}'s: {error!r}") from error

    def kv_bytes(self, dtype: torch.dtype) -> int:
        """Keys and values of one token, over all layers."""
        return 2 * self.layers * self.kv_heads * self.head_width * dtype.itemsize

    def activation_bytes(self, dtype: torch.dtype) -> int:
        """Memory that one token takes on its way through a layer, at most."""
        attention = 3 * self.heads * self.head_width + 4 * self.kv_heads * self.head_width
        return 3 * self.width * torch.float32.itemsize + max(2 * self.inner, attention) * dtype.itemsize


def _refuse_variants(config: Mapping[str, Any], rope: Mapping[str, Any]) -> None:
    scaling = config.get("rope_scaling") or {}
    kind = rope.get("rope_type") or scaling.get("rope_type") or scaling.get("type") or "default"
    variants = {
        "use_sliding_window": bool(config.get("use_sliding_window")),
        f"rope_type {kind}": kind != "default",
        f"hidden_act {config.get('hidden_act')}": config.get("hidden_act", "silu") != "silu",
    }
    for name, is_there in variants.items():
        if is_there:
            raise ModelLoadError(
                f"a {config.get('model_type')} with {name} can't be scored: it is another architecture"
            )


@dataclass(frozen=True, slots=True)
class Prefix:
    """Keys and values of what texts share, both ``(layers, tokens, kv_heads, head_width)``."""

    keys: Tensor
    values: Tensor

    def __len__(self) -> int:
        return self.keys.shape[1]

    def at(self, layer: int) -> KeysValues:
        """Its keys and values in one layer."""
        return KeysValues(self.keys[layer], self.values[layer])


class PackedDecoder:
    """A decoder without its head. Calls change nothing in it, so threads may share it."""

    def __init__(self, checkpoint: Checkpoint, shape: Shape, linear: LinearKind) -> None:
        self.shape = shape
        self.device, self.dtype = checkpoint.device, checkpoint.dtype
        self._embedding = checkpoint.take("model.embed_tokens.weight", (shape.vocabulary, shape.width))
        self._layers = [_Layer(checkpoint, shape, index, linear) for index in range(shape.layers)]
        self._norm = checkpoint.take("model.norm.weight", (shape.width,)).float()
        exponents = torch.arange(0, shape.head_width, 2, dtype=torch.float32, device=self.device) / shape.head_width
        self._frequencies = shape.rope_theta**-exponents

    @torch.inference_mode()
    def prefixes(self, shared: Sequence[Sequence[int]]) -> list[Prefix]:
        """The keys and values of each sequence of token ids, in the same order."""
        lengths = [len(ids) for ids in shared]
        segments = Segments.of(lengths, [range(0)] * len(shared), self.device)
        x, rope = self._start(shared, segments)
        kept: list[KeysValues] = []
        for layer in self._layers[:-1]:
            x, kv = layer.run(x, rope, segments, None)
            kept.append(kv)
        kept.append(self._layers[-1].keys_values(x, rope))
        keys, values = (torch.split(torch.stack(parts), lengths, dim=1) for parts in zip(*kept, strict=True))
        # Copies: a view would keep the keys and values of the whole group in memory.
        return [Prefix(own.contiguous(), read.contiguous()) for own, read in zip(keys, values, strict=True)]

    @torch.inference_mode()
    def last_states(self, own: Sequence[Sequence[int]], prefixes: Sequence[Prefix | None]) -> Tensor:
        """The normed hidden state at the last token of each sequence, which follows its prefix, in float32.

        ``own`` are token ids, none of them empty. Shape: ``(len(own), width)``, same order.
        """
        past, rows = _stacked(prefixes)
        segments = Segments.of([len(ids) for ids in own], rows, self.device)
        x, rope = self._start(own, segments)
        known = [None if past is None else past.at(index) for index in range(self.shape.layers)]
        for layer, before in zip(self._layers[:-1], known[:-1], strict=True):
            x, _ = layer.run(x, rope, segments, before)
        x = self._layers[-1].ask_last(x, rope, segments, known[-1])
        return _rms(x, self._norm, self.shape.epsilon)

    def _start(self, own: Sequence[Sequence[int]], segments: Segments) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        ids = on_device(chain.from_iterable(own), self.device)
        return functional.embedding(ids, self._embedding).float(), self._rope(segments.positions)

    def _rope(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        angles = (positions[:, None].float() * self._frequencies).unsqueeze(1)  # (rows, 1, head_width / 2)
        return angles.cos().to(self.dtype), angles.sin().to(self.dtype)


def _stacked(prefixes: Sequence[Prefix | None]) -> tuple[Prefix | None, list[range]]:
    """The distinct prefixes one behind the other, and the rows of each text's own among them."""
    distinct = list({id(prefix): prefix for prefix in prefixes if prefix is not None}.values())
    if not distinct:
        return None, [range(0)] * len(prefixes)
    ends = accumulate(len(prefix) for prefix in distinct)
    rows = {id(prefix): range(end - len(prefix), end) for prefix, end in zip(distinct, ends, strict=True)}
    stacked = Prefix(*(torch.cat(parts, dim=1) for parts in zip(*((p.keys, p.values) for p in distinct), strict=True)))
    return stacked, [range(0) if prefix is None else rows[id(prefix)] for prefix in prefixes]


class _Layer:
    """One layer; ``x`` is the residual stream, ``(rows, width)`` in float32, all texts packed."""

    def __init__(self, checkpoint: Checkpoint, shape: Shape, index: int, linear: LinearKind) -> None:
        self._shape = shape
        at = f"model.layers.{index}."

        def norm(name: str, width: int) -> Tensor:
            return checkpoint.take(f"{at}{name}.weight", (width,)).float()

        def weight(name: str, rows: int, columns: int) -> Tensor:
            return checkpoint.take(f"{at}{name}.weight", (rows, columns))

        def bias(name: str, rows: int) -> Tensor | None:
            return checkpoint.take(f"{at}{name}.bias", (rows,)) if shape.has_bias else None

        asked, known = shape.heads * shape.head_width, shape.kv_heads * shape.head_width
        keys, values = "self_attn.k_proj", "self_attn.v_proj"
        both = torch.cat([weight(keys, known, shape.width), weight(values, known, shape.width)])
        biases = [found for found in (bias(keys, known), bias(values, known)) if found is not None]
        self._queries = linear(weight("self_attn.q_proj", asked, shape.width), bias("self_attn.q_proj", asked))
        self._keys_values = linear(both, torch.cat(biases) if biases else None)
        self._out = linear(weight("self_attn.o_proj", shape.width, asked), None)
        self._gate = linear(weight("mlp.gate_proj", shape.inner, shape.width), None)
        self._up = linear(weight("mlp.up_proj", shape.inner, shape.width), None)
        self._down = linear(weight("mlp.down_proj", shape.width, shape.inner), None)
        self._before, self._between = (
            norm("input_layernorm", shape.width),
            norm("post_attention_layernorm", shape.width),
        )
        self._head_norms = (
            (norm("self_attn.q_norm", shape.head_width), norm("self_attn.k_norm", shape.head_width))
            if shape.has_head_norms
            else (None, None)
        )

    def run(
        self, x: Tensor, rope: tuple[Tensor, Tensor], segments: Segments, past: KeysValues | None
    ) -> tuple[Tensor, KeysValues]:
        """The stream behind this layer, and its keys and values. ``past`` has the rows of all prefixes."""
        normed = self._normed(x)
        own = self._known(normed, rope)
        attended = segments.attend(self._asked(normed, rope), segments.visible(past, own))
        return self._behind(x, attended), own

    def ask_last(self, x: Tensor, rope: tuple[Tensor, Tensor], segments: Segments, past: KeysValues | None) -> Tensor:
        """The stream behind this layer at the last row of each text alone: ``(texts, width)``."""
        normed = self._normed(x)
        visible = segments.visible(past, self._known(normed, rope))
        last = segments.last_rows
        asked = self._asked(normed[last], (rope[0][last], rope[1][last]))
        return self._behind(x[last], segments.attend_last(asked, visible))

    def keys_values(self, x: Tensor, rope: tuple[Tensor, Tensor]) -> KeysValues:
        """What other texts see of these rows in this layer."""
        return self._known(self._normed(x), rope)

    def _normed(self, x: Tensor) -> Tensor:
        return _rms(x, self._before, self._shape.epsilon)

    def _known(self, normed: Tensor, rope: tuple[Tensor, Tensor]) -> KeysValues:
        """Each ``(rows, kv_heads, head_width)``, the keys turned to their positions."""
        shape = self._shape
        both = self._keys_values(normed).view(len(normed), 2 * shape.kv_heads, shape.head_width)
        keys, values = both.chunk(2, dim=1)
        return KeysValues(self._turned(keys, self._head_norms[1], rope), values)

    def _asked(self, normed: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
        queries = self._queries(normed).view(len(normed), self._shape.heads, self._shape.head_width)
        return self._turned(queries, self._head_norms[0], rope)

    def _turned(self, heads: Tensor, norm: Tensor | None, rope: tuple[Tensor, Tensor]) -> Tensor:
        if norm is not None:
            heads = _rms(heads, norm.to(heads.dtype), self._shape.epsilon)
        cos, sin = rope
        left, right = heads.chunk(2, dim=-1)
        return torch.cat([left * cos - right * sin, right * cos + left * sin], dim=-1)

    def _behind(self, x: Tensor, attended: Tensor) -> Tensor:
        x = self._out.plus(attended.flatten(1), x)
        normed = _rms(x, self._between, self._shape.epsilon)
        return self._down.plus(self._gate(normed, "silu").mul_(self._up(normed)), x)


def _rms(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    return functional.rms_norm(x, (x.shape[-1],), weight, epsilon)
