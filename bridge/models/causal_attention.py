"""Causal attention over packed texts that each follow a prefix whose keys and values are known.

On CUDA in half precision it is torch's own variable-length kernel; elsewhere, text by text, torch's fused attention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from bridge.models.packed_rows import attend_by_kernel, has_kernel, on_device


class KeysValues(NamedTuple):
    """Both ``(rows, kv_heads, head_width)``."""

    keys: Tensor
    values: Tensor


@dataclass(frozen=True, slots=True)
class Segments:
    """Where each text stands in packed rows, and what it sees beside them."""

    asking: tuple[int, ...]
    """The first row of each text, and the one behind the last."""
    seen: tuple[int, ...]
    """The same for the rows that each text sees: its prefix and itself."""
    seen_rows: Tensor
    """The rows that the texts see, text by text, among those of all prefixes and, behind them, the packed ones."""
    positions: Tensor
    """Of each packed row in its text, the prefix counted."""
    last_rows: Tensor
    """The last packed row of each text."""

    @classmethod
    def of(cls, lengths: Sequence[int], prefixes: Sequence[range], device: torch.device) -> Segments:
        """Texts of these lengths, none of them 0, each behind its range of the prefixes' rows."""
        first = max((rows.stop for rows in prefixes), default=0)
        asking = tuple(accumulate(lengths, initial=0))
        own = [range(first + start, first + end) for start, end in pairwise(asking)]
        seen = accumulate((len(p) + len(o) for p, o in zip(prefixes, own, strict=True)), initial=0)
        positions = (range(len(p), len(p) + length) for p, length in zip(prefixes, lengths, strict=True))
        return cls(
            asking=asking,
            seen=tuple(seen),
            seen_rows=on_device(chain.from_iterable(chain(*pair) for pair in zip(prefixes, own, strict=True)), device),
            positions=on_device(chain.from_iterable(positions), device),
            last_rows=on_device((end - 1 for end in asking[1:]), device),
        )

    def visible(self, prefixes: KeysValues | None, own: KeysValues) -> KeysValues:
        """Keys and values as ``attend`` reads them: the rows of each prefix again for each text behind it."""
        if prefixes is None:
            return own
        return KeysValues(
            torch.cat([prefixes.keys, own.keys]).index_select(0, self.seen_rows),
            torch.cat([prefixes.values, own.values]).index_select(0, self.seen_rows),
        )

    def attend(self, queries: Tensor, visible: KeysValues) -> Tensor:
        """What each row attends to: its text's prefix, and its text up to itself. Shape as ``queries``."""
        return self._attend(queries, visible, self.asking)

    def attend_last(self, queries: Tensor, visible: KeysValues) -> Tensor:
        """The same for the last row of each text: ``queries`` has one row for each text."""
        return self._attend(queries, visible, range(len(self.asking)))

    def _attend(self, queries: Tensor, visible: KeysValues, asking: Sequence[int]) -> Tensor:
        if has_kernel(queries):
            return _by_kernel(queries, visible, asking, self.seen)
        rows = torch.empty_like(queries)
        for (start, end), (first, behind) in zip(pairwise(asking), pairwise(self.seen), strict=True):
            rows[start:end] = _causal(queries[start:end], visible.keys[first:behind], visible.values[first:behind])
        return rows


def _by_kernel(queries: Tensor, visible: KeysValues, asking: Sequence[int], seen: Sequence[int]) -> Tensor:
    # The kernel aligns the last query with the last key, so that rows see their prefix and no later row. That is so of
    # Flash, which torch takes where the two bounds are not one tensor; cuDNN would align the first: never share it.
    bounds = on_device(asking, queries.device).int(), on_device(seen, queries.device).int()
    longest = _longest(asking), _longest(seen)
    return attend_by_kernel(queries, visible.keys, visible.values, bounds, longest, window=(-1, 0))


def _longest(starts: Sequence[int]) -> int:
    return max(end - start for start, end in pairwise(starts))


def _causal(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Queries that stand behind the first keys, which are more by the length of the prefix. Shape as ``queries``."""
    before = len(keys) - len(queries)
    if len(queries) == 1:
        return _fused(queries, keys, values, mask=None, is_causal=False)
    if before > len(queries):
        mask = torch.ones(len(queries), len(keys), dtype=torch.bool, device=queries.device).tril(before)
        return _fused(queries, keys, values, mask=mask, is_causal=False)
    # Rows without meaning stand in for the prefix: with a square, the kernel leaves out what lies ahead.
    square = torch.cat([queries.new_zeros(before, *queries.shape[1:]), queries]) if before else queries
    return _fused(square, keys, values, mask=None, is_causal=True)[before:]


def _fused(queries: Tensor, keys: Tensor, values: Tensor, *, mask: Tensor | None, is_causal: bool) -> Tensor:
    q, k, v = (part.transpose(0, 1).unsqueeze(0) for part in (queries, keys, values))
    attended = functional.scaled_dot_product_attention(q, k, v, mask, is_causal=is_causal, enable_gqa=True)
    return attended.squeeze(0).transpose(0, 1)
