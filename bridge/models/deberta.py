"""DeBERTa-v2 with a classifier of one label, written for inference: no padding, no index tensors, nothing twice.

The tokens of all sequences stand below each other in one matrix, so every product with weights is one large product.
Attention adds to the usual scores what a query has to say to a key's distance (c2p), and a key to its query's (p2c).
Both are products with the distances' embeddings, which depend on weights alone and are projected once at load. In such a
product the score of query ``i`` and key ``j`` stands in row ``i`` at the column of ``j - i``; one row further down that is
one column to the left, so that a view with a row shorter by one number has all of them in place, and nothing is gathered.
In the last layer only the first token of each sequence asks, since nothing else of it is read.

Source: He et al., DeBERTaV3 (arXiv 2111.09543), and ``DebertaV2ForSequenceClassification`` of transformers, whose logits
these equal within 1e-5 in float32 (tested).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from bridge.errors import ModelLoadError
from bridge.models.checkpoint import Checkpoint
from bridge.models.linears import Linear

_BLOCK_ROWS = 64
"""Queries or keys whose distances are computed at once on the CPU: a block of n needs those of ``length + n - 1``."""
_SCORE_BYTES = 2 << 20
"""Scores of one sequence that are held at once on the CPU: within the caches, and bounded for long sequences."""
_PADDED_SCORE_BYTES = 256 << 20
"""Likewise of one padded group on CUDA, which holds five matrices of that size at a time."""

_LEAST_FILLED = 0.75
"""Of a padded group's length that its shortest sequence has, so that little is computed for padding."""

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
        linear: type[Linear] = Linear,
        padded: bool | None = None,
    ) -> None:
        shape = _Shape.read(config)
        weights = _Weights(checkpoint, shape, linear)
        self.vocabulary = shape.vocabulary
        self._shape = shape
        self._device = checkpoint.device
        self._padded = checkpoint.device.type != "cpu" if padded is None else padded
        self._words = checkpoint.take("deberta.embeddings.word_embeddings.weight", (shape.vocabulary, shape.hidden))
        self._segments = (
            checkpoint.take("deberta.embeddings.token_type_embeddings.weight", (shape.segments, shape.hidden))
            if shape.segments
            else None
        )
        self._norm = weights.norm("deberta.embeddings")
        distances = weights.distances()
        self._layers = [weights.layer(index, distances) for index in range(shape.layers - 1)]
        self._last = weights.last_layer(shape.layers - 1, distances)
        self._pooler = weights.plain("pooler.dense", shape.hidden)
        self._classifier = weights.plain("classifier", 1)

    @torch.inference_mode()
    def logits(self, sequences: Sequence[Sequence[int]], first: Sequence[int]) -> Tensor:
        """The logit of each sequence: float32, shape ``(len(sequences),)``, in the same order, on the model's device.

        A sequence is all that the model reads, [CLS] and [SEP] included; none is empty. ``first[i]`` is the number of
        tokens in the first segment of ``sequences[i]``, for models that tell segments apart.
        """
        if not sequences:
            return torch.empty(0, device=self._device)
        attention: _Attention
        lengths = [len(sequence) for sequence in sequences]
        rows = self._shape.distance_rows(max(lengths)).to(self._device)
        attention = (_Padded if self._padded else _Each)(lengths, rows, self._shape, self._device)
        x = self._embedded(sequences, first)
        for layer in self._layers:
            x = layer(x, attention)
        pooled = self._pooler(self._last(x, attention), "gelu")
        return self._classifier(pooled).squeeze(-1).float()

    def _embedded(self, sequences: Sequence[Sequence[int]], first: Sequence[int]) -> Tensor:
        ids = torch.tensor([token for sequence in sequences for token in sequence])
        x = functional.embedding(ids.to(self._device), self._words)
        if self._segments is not None:
            sizes = [size for own, all_ in zip(first, map(len, sequences), strict=True) for size in (own, all_ - own)]
            segments = torch.tensor([0, 1] * len(sequences)).repeat_interleave(torch.tensor(sizes))
            x = x + functional.embedding(segments.to(self._device), self._segments)
        return self._norm(x)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What config.json says, as far as it can differ."""

    vocabulary: int
    segments: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    buckets: int
    """Distances in one direction that are told apart: near ones each, far ones by their logarithm."""
    farthest: int
    """The distance at which the buckets end."""
    epsilon: float

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> _Shape:
        """Raises ``ModelLoadError`` where it is another kind of DeBERTa, or no sound configuration."""
        for name, (needed, default) in _NEEDED.items():
            if (found := config.get(name, default)) != needed:
                raise ModelLoadError(f"config.json has {name} {found!r}: only DeBERTa models with {needed!r} can be run")
        hidden, heads = _count(config, "hidden_size"), _count(config, "num_attention_heads")
        if hidden % heads:
            raise ModelLoadError(f"config.json has hidden_size {hidden}, which {heads} attention heads can't share")
        for name, equal in (
            ("attention_head_size", hidden // heads),
            ("embedding_size", hidden),
            ("pooler_hidden_size", hidden),
        ):
            if (found := config.get(name, equal)) != equal:
                raise ModelLoadError(f"config.json has {name} {found!r}: only {equal} can be run with its hidden_size")
        if _position_terms(config.get("pos_att_type")) != {"c2p", "p2c"}:
            raise ModelLoadError("config.json has another pos_att_type than c2p and p2c, which is all that can be run")
        farthest = config.get("max_relative_positions", -1)
        return cls(
            vocabulary=_count(config, "vocab_size"),
            segments=_count(config, "type_vocab_size", least=0) if "type_vocab_size" in config else 0,
            hidden=hidden,
            intermediate=_count(config, "intermediate_size"),
            layers=_count(config, "num_hidden_layers"),
            heads=heads,
            buckets=_count(config, "position_buckets", least=4),
            farthest=farthest if isinstance(farthest, int) and farthest > 0 else _count(config, "max_position_embeddings"),
            epsilon=float(config.get("layer_norm_eps", 1e-7)),
        )

    @property
    def head(self) -> int:
        """Numbers in a head."""
        return self.hidden // self.heads

    @property
    def scale(self) -> float:
        """What scores are multiplied by: each is a sum of three products."""
        return 1 / math.sqrt(3 * self.head)

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


def _count(config: Mapping[str, Any], name: str, *, least: int = 1) -> int:
    value = config.get(name)
    if not isinstance(value, int) or value < least:
        raise ModelLoadError(f"config.json has {name} {value!r}: a whole number of at least {least} is needed")
    return value


def _position_terms(value: object) -> set[str]:
    """transformers writes a list, and the hub's configurations have ``p2c|c2p``."""
    terms = value.split("|") if isinstance(value, str) else value
    return {str(term).strip().lower() for term in terms} if isinstance(terms, Sequence) else set()


@dataclass(frozen=True, slots=True)
class _Norm:
    weight: Tensor
    bias: Tensor
    epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.epsilon)


@dataclass(frozen=True, slots=True)
class _Positions:
    """The distances' embeddings as a layer's keys and queries: ``(heads, 2 * buckets, head)`` each, scaled."""

    keys: Tensor
    queries: Tensor


@dataclass(frozen=True, slots=True)
class _Rest:
    """What follows attention in a layer: each token for itself."""

    output: Linear
    norm: _Norm
    up: Linear
    down: Linear
    last_norm: _Norm

    def __call__(self, read: Tensor, x: Tensor) -> Tensor:
        x = self.norm(self.output.plus(read, x))
        return self.last_norm(self.down.plus(self.up(x, "gelu"), x))


class _Attention(Protocol):
    """How the tokens of a call read each other."""

    def __call__(self, qkv: Tensor, positions: _Positions) -> Tensor:
        """What each token reads in its sequence: ``(tokens, 3 * hidden)`` to ``(tokens, hidden)``."""
        ...

    def starts(self, x: Tensor) -> Tensor:
        """The first token of each sequence: ``(tokens, n)`` to ``(sequences, n)``."""
        ...

    def of_starts(self, q: Tensor, kv: Tensor, positions: _Positions) -> Tensor:
        """What they read: ``(sequences, hidden)`` and ``(tokens, 2 * hidden)`` to ``(sequences, hidden)``."""
        ...


@dataclass(frozen=True, slots=True)
class _Layer:
    qkv: Linear
    positions: _Positions
    rest: _Rest

    def __call__(self, x: Tensor, attention: _Attention) -> Tensor:
        return self.rest(attention(self.qkv(x), self.positions), x)


@dataclass(frozen=True, slots=True)
class _LastLayer:
    """A layer of which only the first token of each sequence is read."""

    q: Linear
    kv: Linear
    positions: _Positions
    rest: _Rest

    def __call__(self, x: Tensor, attention: _Attention) -> Tensor:
        starts = attention.starts(x)
        return self.rest(attention.of_starts(self.q(starts), self.kv(x), self.positions), starts)


@dataclass(frozen=True, slots=True)
class _Weights:
    """Takes the parts of the model out of a checkpoint."""

    checkpoint: Checkpoint
    shape: _Shape
    linear: type[Linear]

    def norm(self, name: str) -> _Norm:
        weight, bias = (self.checkpoint.take(f"{name}.LayerNorm.{part}", (self.shape.hidden,)) for part in _PARTS)
        return _Norm(weight, bias, self.shape.epsilon)

    def product(self, name: str, rows: int, columns: int | None = None) -> tuple[Tensor, Tensor]:
        weight = self.checkpoint.take(f"{name}.weight", (rows, columns or self.shape.hidden))
        return weight, self.checkpoint.take(f"{name}.bias", (rows,))

    def plain(self, name: str, rows: int) -> Linear:
        return Linear(*self.product(name, rows))

    def distances(self) -> Tensor:
        """The distances' embeddings, normalised: ``(2 * buckets, hidden)``, float32."""
        name = "deberta.encoder"
        rows = self.checkpoint.take(f"{name}.rel_embeddings.weight", (2 * self.shape.buckets, self.shape.hidden))
        norm = self.norm(name)
        return _Norm(norm.weight.float(), norm.bias.float(), norm.epsilon)(rows.float())

    def layer(self, index: int, distances: Tensor) -> _Layer:
        q, k, v = self._projections(index)
        qkv = self.linear(torch.cat([q[0], k[0], v[0]]), torch.cat([q[1], k[1], v[1]]))
        return _Layer(qkv, self._positions(q, k, distances), self._rest(index))

    def last_layer(self, index: int, distances: Tensor) -> _LastLayer:
        q, k, v = self._projections(index)
        kv = self.linear(torch.cat([k[0], v[0]]), torch.cat([k[1], v[1]]))
        return _LastLayer(self.linear(*q), kv, self._positions(q, k, distances), self._rest(index))

    def _projections(self, index: int) -> Iterator[tuple[Tensor, Tensor]]:
        name = f"deberta.encoder.layer.{index}.attention.self"
        return (self.product(f"{name}.{part}_proj", self.shape.hidden) for part in ("query", "key", "value"))

    def _positions(self, q: tuple[Tensor, Tensor], k: tuple[Tensor, Tensor], distances: Tensor) -> _Positions:
        def projected(weight: Tensor, bias: Tensor) -> Tensor:
            rows = functional.linear(distances, weight.float(), bias.float()) * self.shape.scale
            by_head = rows.view(-1, self.shape.heads, self.shape.head).transpose(0, 1)
            return by_head.to(weight.dtype).contiguous()

        return _Positions(keys=projected(*k), queries=projected(*q))

    def _rest(self, index: int) -> _Rest:
        name, hidden, intermediate = f"deberta.encoder.layer.{index}", self.shape.hidden, self.shape.intermediate
        return _Rest(
            output=self.linear(*self.product(f"{name}.attention.output.dense", hidden)),
            norm=self.norm(f"{name}.attention.output"),
            up=self.linear(*self.product(f"{name}.intermediate.dense", intermediate)),
            down=self.linear(*self.product(f"{name}.output.dense", hidden, intermediate)),
            last_norm=self.norm(f"{name}.output"),
        )


_PARTS = ("weight", "bias")


class _Each:
    """One sequence after the other, in pieces that stay in a core's caches."""

    def __init__(self, lengths: Sequence[int], rows: Tensor, shape: _Shape, device: torch.device) -> None:
        self._spans = [slice(end - length, end) for length, end in zip(lengths, accumulate(lengths), strict=True)]
        self._starts = torch.tensor([span.start for span in self._spans], device=device)
        self._rows, self._longest = rows, max(lengths)
        self._shape = shape

    def __call__(self, qkv: Tensor, positions: _Positions) -> Tensor:
        by_head = qkv.view(len(qkv), 3 * self._shape.heads, self._shape.head).transpose(0, 1)
        read = qkv.new_empty(len(qkv), self._shape.heads, self._shape.head)
        keys = positions.keys.index_select(1, self._rows.flip(0)).transpose(1, 2)
        queries = positions.queries.index_select(1, self._rows).transpose(1, 2)
        for span in self._spans:
            length = span.stop - span.start
            together = max(1, _SCORE_BYTES // (length * length * qkv.element_size()))
            q, k, v = by_head[:, span].chunk(3)
            for start in range(0, self._shape.heads, together):
                some = slice(start, start + together)
                scores = self._position_scores(q[some], k[some], keys[some], queries[some])
                read[span, some] = functional.scaled_dot_product_attention(
                    q[None, some], k[None, some], v[None, some], scores[None], scale=self._shape.scale
                )[0].transpose(0, 1)
        return read.view(len(qkv), self._shape.hidden)

    def _position_scores(self, q: Tensor, k: Tensor, keys: Tensor, queries: Tensor) -> Tensor:
        """c2p + p2c: ``(heads, length, head)`` twice to ``(heads, length, length)``; both are read along their rows."""
        heads, length, _ = q.shape
        scores = q.new_empty(heads, length, length)
        for start in range(0, length, _BLOCK_ROWS):
            stop = min(start + _BLOCK_ROWS, length)
            some = slice(self._longest - stop, self._longest + length - 1 - start)
            scores[:, start:stop] = _aligned(torch.bmm(q[:, start:stop], keys[:, :, some]))
        for start in range(0, length, _BLOCK_ROWS):
            stop = min(start + _BLOCK_ROWS, length)
            some = slice(self._longest - stop, self._longest + length - 1 - start)
            scores[:, :, start:stop] += _aligned(torch.bmm(k[:, start:stop], queries[:, :, some])).transpose(1, 2)
        return scores

    def starts(self, x: Tensor) -> Tensor:
        return x[self._starts]

    def of_starts(self, q: Tensor, kv: Tensor, positions: _Positions) -> Tensor:
        by_head = kv.view(len(kv), 2 * self._shape.heads, self._shape.head).transpose(0, 1)
        ahead = _ahead_of_start(positions, self._rows, self._longest)
        read = [
            _read_from_start(row, by_head[:, None, span], ahead, self._shape.scale, None)
            for row, span in zip(q.view(len(q), self._shape.heads, 1, self._shape.head), self._spans, strict=True)
        ]
        return torch.cat(read)


class _Padded:
    """Sequences of like length together, padded at their ends: few calls, each of them large."""

    def __init__(self, lengths: Sequence[int], rows: Tensor, shape: _Shape, device: torch.device) -> None:
        starts = [end - length for length, end in zip(lengths, accumulate(lengths), strict=True)]
        self._starts = torch.tensor(starts, device=device)
        self._groups = [
            _Group.of([starts[index] for index in group], [lengths[index] for index in group], group, device)
            for group in _like_lengths(lengths, _PADDED_SCORE_BYTES // (4 * shape.heads))
        ]
        self._rows, self._longest = rows, max(lengths)
        self._shape = shape

    def __call__(self, qkv: Tensor, positions: _Positions) -> Tensor:
        heads, head = self._shape.heads, self._shape.head
        by_head = qkv.view(len(qkv), 3 * heads, head).transpose(0, 1)
        read = qkv.new_empty(len(qkv), heads, head)
        keys = positions.keys.index_select(1, self._rows.flip(0)).transpose(1, 2)
        queries = positions.queries.index_select(1, self._rows).transpose(1, 2)
        for group in self._groups:
            size, length = group.places.shape
            some = slice(self._longest - length, self._longest + length - 1)
            q, k, v = by_head.index_select(1, group.places.flatten()).chunk(3)
            c2p = torch.bmm(q, keys[:, :, some]).view(heads * size, length, -1)
            p2c = torch.bmm(k, queries[:, :, some]).view(heads * size, length, -1)
            scores = (_aligned(c2p) + _aligned(p2c).transpose(1, 2)).view(heads, size, length, length)
            padded = (heads, size, length, head)
            found = functional.scaled_dot_product_attention(
                q.view(padded), k.view(padded), v.view(padded), scores + group.mask[:, None].to(q.dtype), scale=self._shape.scale
            )
            read[group.tokens] = found.permute(1, 2, 0, 3).flatten(0, 1)[group.kept]
        return read.view(len(qkv), self._shape.hidden)

    def starts(self, x: Tensor) -> Tensor:
        return x[self._starts]

    def of_starts(self, q: Tensor, kv: Tensor, positions: _Positions) -> Tensor:
        heads, head = self._shape.heads, self._shape.head
        by_head = kv.view(len(kv), 2 * heads, head).transpose(0, 1)
        ahead = _ahead_of_start(positions, self._rows, self._longest)
        read = torch.empty_like(q)
        for group in self._groups:
            padded = by_head.index_select(1, group.places.flatten()).view(2 * heads, *group.places.shape, head)
            asking = q[group.members].view(-1, heads, head).transpose(0, 1)
            read[group.members] = _read_from_start(asking, padded, ahead, self._shape.scale, group.mask)
        return read


@dataclass(frozen=True, slots=True)
class _Group:
    """Sequences that are padded to one length."""

    members: Tensor
    """Which sequences of the call these are: ``(size,)``."""
    places: Tensor
    """Where their tokens stand in the call: ``(size, length)``; padding is any token of the call."""
    kept: Tensor
    """What of ``places``, as one row, is no padding: ``(tokens of the group,)``."""
    tokens: Tensor
    """``places`` of these: ``(tokens of the group,)``."""
    mask: Tensor
    """What is added to scores: ``(size, length)``, float32; 0 for tokens, minus infinity for padding."""

    @classmethod
    def of(cls, starts: Sequence[int], lengths: Sequence[int], members: Sequence[int], device: torch.device) -> _Group:
        """Made on the host, so that the device waits for nothing."""
        columns = torch.arange(max(lengths))
        is_token = columns < torch.tensor(lengths)[:, None]
        places = (torch.tensor(starts)[:, None] + columns) * is_token
        kept = is_token.flatten().nonzero().squeeze(-1)
        mask = torch.zeros(places.shape).masked_fill_(~is_token, -math.inf)
        made = (torch.tensor(members), places, kept, places.flatten()[kept], mask)
        return cls(*(tensor.to(device) for tensor in made))


def _like_lengths(lengths: Sequence[int], scores: int) -> Iterator[list[int]]:
    """Indices of sequences in groups, longest first, with at most ``scores`` scores for each head, but one sequence."""
    group: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        longest = lengths[group[0]] if group else 0
        if group and ((len(group) + 1) * longest**2 > scores or lengths[index] < _LEAST_FILLED * longest):
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def _aligned(products: Tensor) -> Tensor:
    """``(n, rows, length + rows - 1)`` to ``(n, rows, length)``, where row ``i`` starts ``i`` columns further left.

    A view, in which the columns of row 0 start at ``rows - 1``.
    """
    outer, row, column = products.stride()
    n, rows, columns = products.shape
    shape = (n, rows, columns - rows + 1)
    return products.as_strided(shape, (outer, row - column, column), products.storage_offset() + (rows - 1) * column)


def _ahead_of_start(positions: _Positions, rows: Tensor, longest: int) -> tuple[Tensor, Tensor]:
    """Keys and queries of the distances from a sequence's first token to its others: ``(heads, longest, head)`` each."""
    ahead = rows[:longest].flip(0)
    return positions.keys.index_select(1, ahead), positions.queries.index_select(1, ahead)


def _read_from_start(
    q: Tensor, kv: Tensor, positions: tuple[Tensor, Tensor], scale: float, mask: Tensor | None
) -> Tensor:
    """``(heads, size, head)`` asks ``(2 * heads, size, length, head)``: ``(size, hidden)``."""
    k, v = kv.chunk(2)
    keys, queries = (side[:, : k.shape[2]] for side in positions)
    scores = (k * torch.add(queries[:, None], q[:, :, None], alpha=scale)).sum(-1) + torch.bmm(q, keys.transpose(1, 2))
    weights = (scores if mask is None else scores + mask).softmax(-1, dtype=torch.float32).to(v.dtype)
    return torch.matmul(weights[:, :, None], v).squeeze(2).transpose(0, 1).flatten(1)
