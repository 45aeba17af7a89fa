"""Texts of like length go through a model together, so that little padding is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch


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
