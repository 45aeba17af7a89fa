"""Attention of sequences that stand in one row without padding, behind transformers' attention interface.

Each sequence sees itself alone: on CUDA by torch's own kernel for packed sequences, elsewhere sequence by sequence.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface

from bridge.models.packed_rows import attend_by_kernel, equal_runs, has_kernel

NAME = "bridge_packed"
"""What a model's configuration calls it once ``register`` was called."""
_BLOCK_TOKENS = 256
"""Queries of a windowed layer that are computed at once: their keys are few, so a long sequence is not squared."""


def register() -> None:
    """Make the attention known to transformers; once or often is the same."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, no_mask)


def no_mask(*_: object, **__: object) -> None:
    """No mask: the bounds of the sequences say who sees whom."""


def attend(  # noqa: PLR0913 - transformers' signature
    module: nn.Module,  # noqa: ARG001 - likewise
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,  # noqa: ARG001 - likewise
    *,
    cu_seq_lens_q: Tensor,
    max_length_q: int,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **_: object,
) -> tuple[Tensor, None]:
    """What each token attends to: shape ``(1, tokens, heads, width)``, from three of ``(1, heads, tokens, width)``.

    ``cu_seq_lens_q`` bounds the sequences, from 0 to all tokens. A ``sliding_window`` of ``n`` lets a token see those
    that are less than ``n`` away, on both sides.
    """
    q, k, v = (part[0].transpose(0, 1) for part in (query, key, value))
    reach = -1 if sliding_window is None else sliding_window - 1
    if has_kernel(q):
        bounds, longest = (cu_seq_lens_q, cu_seq_lens_q), (max_length_q, max_length_q)
        return attend_by_kernel(q, k, v, bounds, longest, scale=scaling, window=(reach, reach))[None], None
    attended = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    for start, count, length in equal_runs(cu_seq_lens_q.diff().tolist()):
        run = slice(start, start + count * length)
        rows = [part[run].view(count, length, *q.shape[1:]).transpose(1, 2) for part in (q, k, v)]
        attended[run] = _of_one_length(rows, scaling, reach).transpose(1, 2).reshape(-1, *q.shape[1:])
    return attended[None], None


def ask_first(  # noqa: PLR0913 - what attention takes
    query: Tensor, key: Tensor, value: Tensor, bounds: Tensor, longest: int, scaling: float
) -> Tensor:
    """What one query of each sequence attends to in its own: shape ``(sequences, heads, width)``, that of ``query``.

    ``key`` and ``value`` are of shape ``(tokens, heads, width)``, ``bounds`` as in ``attend``.
    """
    if has_kernel(query):
        alone = torch.arange(len(bounds), dtype=torch.int32, device=query.device)
        return attend_by_kernel(query, key, value, (alone, bounds), (1, longest), scale=scaling)
    attended = torch.empty_like(query)
    place = 0
    for start, count, length in equal_runs(bounds.diff().tolist()):
        asked = slice(place, place + count)
        k, v = (
            part[start : start + count * length].view(count, length, *part.shape[1:]).transpose(1, 2)
            for part in (key, value)
        )
        attended[asked] = scaled_dot_product_attention(query[asked, :, None], k, v, scale=scaling)[:, :, 0]
        place += count
    return attended


def _of_one_length(parts: Sequence[Tensor], scale: float | None, reach: int) -> Tensor:
    """The same shape as each of query, key and value: ``(sequences, heads, length, width)``."""
    q, k, v = parts
    length = q.shape[2]
    if reach < 0 or length <= reach + 1:
        return scaled_dot_product_attention(q, k, v, scale=scale)
    places = torch.arange(length, device=q.device)
    blocks = []
    for start in range(0, length, _BLOCK_TOKENS):
        rows = slice(start, start + _BLOCK_TOKENS)
        near = slice(max(0, start - reach), start + _BLOCK_TOKENS + reach)
        mask = (places[rows, None] - places[None, near]).abs() <= reach
        blocks.append(scaled_dot_product_attention(q[:, :, rows], k[:, :, near], v[:, :, near], mask, scale=scale))
    return torch.cat(blocks, dim=2)
