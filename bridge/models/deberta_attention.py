"""The attention of DeBERTa-v2 over sequences that stand below each other, with its relative scores in place at once.

To the usual scores it adds what a query has to say to a key's distance (c2p) and a key to its query's (p2c): products
with the distances' embeddings. In the first one, the score of query ``i`` and key ``j`` stands in row ``i`` at the
column of ``j - i``. One row further down that is one column to the left, so that a view whose rows are shorter by one
number has all of them in place, and nothing is gathered. The second one is the same with keys as rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

_BLOCK_ROWS = 96
"""Queries or keys whose distances are computed at once on the CPU, where n rows need ``length + n - 1`` of them. With 6
and 12 heads of 64 as fast as 48, 64 and 128, within 3%, and at 512 tokens 1.5 times as fast as all 512."""
_SCORE_BYTES = 1 << 20
"""Scores of one sequence that are held at once on the CPU, but one head's: a core's second cache. Likewise measured."""
_PADDED_SCORE_BYTES = 128 << 20
"""Likewise of one padded group on CUDA, in float32; with the products they come from, five times that is held."""
_LEAST_FILLED = 0.75
"""Of a padded group's length that its shortest sequence has, so that little is computed for padding."""


@dataclass(frozen=True, slots=True)
class Heads:
    """How many there are, and the numbers in each."""

    count: int
    size: int

    @property
    def scale(self) -> float:
        """What scores are multiplied by: each is a sum of three products."""
        return 1 / math.sqrt(3 * self.size)

    def split(self, x: Tensor) -> Tensor:
        """``(tokens, n * count * size)`` to ``(n * count, tokens, size)``, a view."""
        return x.view(len(x), -1, self.size).transpose(0, 1)


@dataclass(frozen=True, slots=True)
class Positions:
    """The embeddings of distances as a layer's keys and queries, scaled as scores are: ``(heads, rows, size)`` each."""

    keys: Tensor
    queries: Tensor


class Attention(Protocol):
    """How the tokens of one call read each other."""

    def __call__(self, qkv: Tensor, positions: Positions) -> Tensor:
        """What each token reads in its sequence: ``(tokens, 3 * hidden)`` to ``(tokens, hidden)``."""
        ...

    def starts(self, x: Tensor) -> Tensor:
        """The first token of each sequence: ``(tokens, n)`` to ``(sequences, n)``."""
        ...

    def of_starts(self, q: Tensor, kv: Tensor, positions: Positions) -> Tensor:
        """What they read: ``(sequences, hidden)`` and ``(tokens, 2 * hidden)`` to ``(sequences, hidden)``."""
        ...


class Each:
    """One sequence after the other, in pieces that stay in a core's caches.

    ``rows`` are those of ``Positions`` for the distances ``query - key`` from ``1 - max(lengths)`` up.
    """

    def __init__(self, lengths: Sequence[int], rows: Tensor, heads: Heads) -> None:
        self._spans = [slice(end - length, end) for length, end in zip(lengths, accumulate(lengths), strict=True)]
        self._starts = torch.tensor([span.start for span in self._spans], device=rows.device)
        self._rows, self._longest, self._heads = rows, max(lengths), heads

    def __call__(self, qkv: Tensor, positions: Positions) -> Tensor:
        """As ``Attention`` says."""
        by_head = self._heads.split(qkv)
        read = qkv.new_empty(len(qkv), self._heads.count, self._heads.size)
        keys, queries = _for_products(positions, self._rows)
        for span in self._spans:
            q, k, v = by_head[:, span].chunk(3)
            for some in self._heads_in_turn(score_bytes=q.shape[1] ** 2 * q.element_size()):
                scores = self._position_scores(q[some], k[some], keys[some], queries[some])
                read[span, some] = functional.scaled_dot_product_attention(
                    q[None, some], k[None, some], v[None, some], scores[None], scale=self._heads.scale
                )[0].transpose(0, 1)
        return read.flatten(1)

    def _heads_in_turn(self, score_bytes: int) -> Iterator[slice]:
        """Heads that go together, about equally many each time."""
        turns = min(self._heads.count, math.ceil(self._heads.count * score_bytes / _SCORE_BYTES))
        together = math.ceil(self._heads.count / turns)
        return (slice(start, start + together) for start in range(0, self._heads.count, together))

    def _position_scores(self, q: Tensor, k: Tensor, keys: Tensor, queries: Tensor) -> Tensor:
        """c2p + p2c: ``(heads, length, size)`` twice to ``(heads, length, length)``."""
        heads, length, _ = q.shape
        scores = q.new_empty(heads, length, length)
        blocks = list(self._blocks(length))
        for block, distances in blocks:
            scores[:, block] = _aligned(torch.bmm(q[:, block], keys[:, :, distances]))
        for block, distances in blocks:
            scores[:, :, block] += _aligned(torch.bmm(k[:, block], queries[:, :, distances])).transpose(1, 2)
        return scores

    def _blocks(self, length: int) -> Iterator[tuple[slice, slice]]:
        """Blocks of a sequence's rows, and the columns of distances that occur in each."""
        for start in range(0, length, _BLOCK_ROWS):
            stop = min(start + _BLOCK_ROWS, length)
            yield slice(start, stop), slice(self._longest - stop, self._longest + length - 1 - start)

    def starts(self, x: Tensor) -> Tensor:
        """As ``Attention`` says."""
        return x[self._starts]

    def of_starts(self, q: Tensor, kv: Tensor, positions: Positions) -> Tensor:
        """As ``Attention`` says."""
        by_head = self._heads.split(kv)
        ahead = _ahead_of_start(positions, self._rows)
        asking = self._heads.split(q)
        read = [
            _read_from_start(asking[:, index, None], by_head[:, None, span], ahead, self._heads.scale)
            for index, span in enumerate(self._spans)
        ]
        return torch.cat(read)


class Padded:
    """Sequences of like length together, padded at their ends: few calls, each of them large, as a GPU needs them.

    ``rows`` as for ``Each``.
    """

    def __init__(self, lengths: Sequence[int], rows: Tensor, heads: Heads) -> None:
        starts = [end - length for length, end in zip(lengths, accumulate(lengths), strict=True)]
        self._starts = torch.tensor(starts, device=rows.device)
        self._groups = [
            _Group.of([starts[index] for index in group], [lengths[index] for index in group], group, rows.device)
            for group in _like_lengths(lengths, _PADDED_SCORE_BYTES // (4 * heads.count))
        ]
        self._rows, self._longest, self._heads = rows, max(lengths), heads

    def __call__(self, qkv: Tensor, positions: Positions) -> Tensor:
        """As ``Attention`` says."""
        by_head = self._heads.split(qkv)
        read = qkv.new_empty(len(qkv), self._heads.count, self._heads.size)
        keys, queries = _for_products(positions, self._rows)
        for group in self._groups:
            q, k, v = by_head.index_select(1, group.places.flatten()).chunk(3)
            distances = slice(self._longest - group.length, self._longest + group.length - 1)
            c2p = group.split(torch.bmm(q, keys[:, :, distances]))
            p2c = group.split(torch.bmm(k, queries[:, :, distances]))
            scores = _aligned(c2p) + _aligned(p2c).transpose(-1, -2)
            scores += group.mask[:, None].to(q.dtype)
            found = functional.scaled_dot_product_attention(
                group.split(q), group.split(k), group.split(v), scores, scale=self._heads.scale
            )
            read.index_copy_(0, group.tokens, found.permute(1, 2, 0, 3).flatten(0, 1)[group.kept])
        return read.flatten(1)

    def starts(self, x: Tensor) -> Tensor:
        """As ``Attention`` says."""
        return x[self._starts]

    def of_starts(self, q: Tensor, kv: Tensor, positions: Positions) -> Tensor:
        """As ``Attention`` says."""
        asking, by_head = self._heads.split(q), self._heads.split(kv)
        ahead = _ahead_of_start(positions, self._rows)
        read = torch.empty_like(q)
        for group in self._groups:
            padded = group.split(by_head.index_select(1, group.places.flatten()))
            scale = self._heads.scale
            read[group.members] = _read_from_start(asking[:, group.members], padded, ahead, scale, group.mask)
        return read


@dataclass(frozen=True, slots=True)
class _Group:
    """Sequences that are padded to one length."""

    members: Tensor
    """Which sequences of the call these are: ``(size,)``."""
    places: Tensor
    """Where their tokens stand in the call: ``(size, length)``; padding is the call's first token."""
    kept: Tensor
    """What of ``places``, as one row, is no padding: ``(tokens of the group,)``."""
    tokens: Tensor
    """``places`` of these: ``(tokens of the group,)``."""
    mask: Tensor
    """What is added to scores: ``(size, length)``, float32; 0 for tokens, minus infinity for padding."""

    @classmethod
    def of(cls, starts: Sequence[int], lengths: Sequence[int], members: Sequence[int], device: torch.device) -> _Group:
        """Made on the host, so that the device is not waited for."""
        columns = torch.arange(max(lengths))
        is_token = columns < torch.tensor(lengths)[:, None]
        places = (torch.tensor(starts)[:, None] + columns) * is_token
        kept = is_token.flatten().nonzero().squeeze(-1)
        mask = torch.zeros(places.shape).masked_fill_(~is_token, -math.inf)
        made = (torch.tensor(members), places, kept, places.flatten()[kept], mask)
        return cls(*(tensor.to(device) for tensor in made))

    @property
    def length(self) -> int:
        """To which the sequences are padded."""
        return self.places.shape[1]

    def split(self, x: Tensor) -> Tensor:
        """``(n, size * length, m)`` to ``(n, size, length, m)``, a view."""
        return x.view(len(x), *self.places.shape, -1)


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


def _for_products(positions: Positions, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and queries of all distances, as columns in the order that ``_aligned`` needs: ``(heads, size, n)`` each.

    Along a query's row the keys come nearer and pass it; along a key's row the queries go away from it.
    """
    keys, queries = positions.keys.index_select(1, rows.flip(0)), positions.queries.index_select(1, rows)
    return keys.transpose(1, 2), queries.transpose(1, 2)


def _aligned(products: Tensor) -> Tensor:
    """``(..., rows, length + rows - 1)`` to ``(..., rows, length)``: row ``i`` without its ``i`` last columns.

    A view: it takes ``length`` columns of row 0 from column ``rows - 1`` on, and of each further row from one before.
    """
    *outer, row, column = products.stride()
    rows, columns = products.shape[-2:]
    shape = (*products.shape[:-1], columns - rows + 1)
    return products.as_strided(shape, (*outer, row - column, column), products.storage_offset() + (rows - 1) * column)


def _ahead_of_start(positions: Positions, rows: Tensor) -> Positions:
    """What belongs to the distances from a sequence's first token to itself and those behind it, in their order."""
    ahead = rows[: len(rows) // 2 + 1].flip(0)
    return Positions(positions.keys.index_select(1, ahead), positions.queries.index_select(1, ahead))


def _read_from_start(q: Tensor, kv: Tensor, ahead: Positions, scale: float, mask: Tensor | None = None) -> Tensor:
    """What first tokens ``(heads, size, n)`` read in ``(2 * heads, size, length, n)``: ``(size, heads * n)``."""
    k, v = kv.chunk(2)
    keys, queries = ahead.keys[:, : k.shape[2]], ahead.queries[:, : k.shape[2]]
    asked = torch.add(queries[:, None], q[:, :, None], alpha=scale)  # each key by its query's distance and content
    scores = (k * asked).sum(-1) + torch.bmm(q, keys.transpose(1, 2))
    weights = (scores if mask is None else scores + mask).softmax(-1, dtype=torch.float32).to(v.dtype)
    return torch.matmul(weights[:, :, None], v).squeeze(2).transpose(0, 1).flatten(1)
