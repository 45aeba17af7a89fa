"""What all models that pack texts without padding share: rows on a device, texts of one length, and torch's kernel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import cast

import torch
from torch import Tensor


def on_device(numbers: Iterable[int], device: torch.device) -> Tensor:
    """Whole numbers as a tensor; to a GPU they travel while it works."""
    values = torch.tensor(list(numbers), dtype=torch.long, pin_memory=device.type == "cuda")
    return values.to(device, non_blocking=True)


def equal_runs(lengths: Iterable[int]) -> Iterator[tuple[int, int, int]]:
    """First row, number and length of neighbours of equal length, which can be computed in one call."""
    start = 0
    for length, group in groupby(lengths):
        count = sum(1 for _ in group)
        yield start, count, length
        start += count * length


def has_kernel(queries: Tensor) -> bool:
    """Whether torch has a kernel for packed texts in this format on this device: CUDA, half precision alone."""
    return queries.is_cuda and queries.dtype in {torch.bfloat16, torch.float16}


def attend_by_kernel(  # noqa: PLR0913 - what attention over packed texts takes
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bounds: tuple[Tensor, Tensor],
    longest: tuple[int, int],
    *,
    scale: float | None = None,
    window: tuple[int, int] = (-1, -1),
) -> Tensor:
    """What each query attends to in its own text, for queries that ``has_kernel`` is true of: shape as ``query``.

    Each of the three is ``(rows, heads, width)``, keys and values with fewer heads where queries share them.
    ``bounds`` (int32, on the device) and ``longest`` are of queries and of keys; ``window`` is how many rows a query
    sees before and behind itself, -1 for all. The last query of a text stands beside its last key.
    """
    from torch.nn.attention.varlen import varlen_attn  # noqa: PLC0415 - only builds for CUDA have its kernels

    is_grouped = query.shape[1] != key.shape[1]
    attended = varlen_attn(query, key, value, *bounds, *longest, scale=scale, window_size=window, enable_gqa=is_grouped)
    return cast("Tensor", attended)  # a pair comes only where it is asked for
