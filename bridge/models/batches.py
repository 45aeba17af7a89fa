"""Texts of like length go through a model together, so that little padding is computed, on all cores at once."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

CPU_GROUP_TOKENS = 2_048
"""Tokens with padding that one core reads at once: of 256 to 16,384 the fastest with the embedded model."""
CUDA_GROUP_TOKENS = 16_384
"""The default of text-embeddings-inference for a batch."""


class Batches:
    """Runs a model over texts in groups, on the CPU one group per core.

    torch's own way, all cores in each operation, waits after every one of them for the slowest core: beside a busy
    engine that was two to six times slower, and on an idle machine no faster. The price: one text alone uses one core.
    """

    def __init__(self, device: torch.device) -> None:
        self._group_tokens = CUDA_GROUP_TOKENS if device.type == "cuda" else CPU_GROUP_TOKENS
        self._workers = 1 if device.type == "cuda" else _cores()
        self._pool = ThreadPoolExecutor(self._workers, "model", initializer=torch.set_num_threads, initargs=(1,))

    def run(self, lengths: Sequence[int], read: Callable[[list[int]], torch.Tensor]) -> torch.Tensor:
        """What ``read`` gives for each text, on the CPU, in the order of ``lengths``, which must not be empty.

        ``read`` takes the indices of a group and gives one row for each; it is called from several threads.
        """
        share = math.ceil(sum(lengths) / self._workers)
        groups = list(length_groups(lengths, min(share, self._group_tokens)))
        rows = torch.cat(list(self._pool.map(lambda group: read(group).cpu(), groups)))
        ordered = torch.empty_like(rows)
        ordered[[index for group in groups for index in group]] = rows
        return ordered


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def length_groups(lengths: Sequence[int], token_budget: int) -> Iterator[list[int]]:
    """Indices in groups, longest first, so that memory runs out at once or never.

    Each index comes once. In a group, its size times its greatest length is at most ``token_budget``; a text that is
    longer than that is a group of its own.
    """
    group: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if group and lengths[group[0]] * (len(group) + 1) > token_budget:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def padded(tokens: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask, ``(len(tokens), longest)`` both: each row from the left, zeros behind it; the mask is 1 on tokens.

    Zero is any token's id: what stands under the mask is never read.
    """
    longest = max(map(len, tokens))
    ids = torch.zeros(len(tokens), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, own in enumerate(tokens):
        ids[row, : len(own)] = torch.tensor(own, dtype=torch.long)
        mask[row, : len(own)] = 1
    return ids.to(device), mask.to(device)
