"""Vectors of texts that were read before, in a memory bound; the least recently used go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch

ENTRY_BYTES = 256
"""What an entry takes beside its vector (key, slot, place in the order): 187 measured, and room for a growing table."""


class VectorCache:
    """An LRU from key to vector. All vectors stand in one block, which takes memory only as it fills."""

    def __init__(self, limit_bytes: int, dimensions: int) -> None:
        self._slots: OrderedDict[bytes, int] = OrderedDict()
        self.capacity = limit_bytes // (dimensions * torch.float32.itemsize + ENTRY_BYTES)
        self._block = torch.empty(self.capacity, dimensions)

    def __len__(self) -> int:
        return len(self._slots)

    def known(self, keys: Sequence[bytes]) -> list[bool]:
        """Whether each key has a vector here, in the same order."""
        return [key in self._slots for key in keys]

    def read(self, keys: Sequence[bytes]) -> torch.Tensor:
        """The vectors of keys that are all known, one row each, in the same order; it counts as a use."""
        for key in keys:
            self._slots.move_to_end(key)
        return self._block[[self._slots[key] for key in keys]]

    def write(self, keys: Sequence[bytes], vectors: torch.Tensor) -> None:
        """Keep the vectors of new, distinct keys, as many of the last as there is room for."""
        kept = keys[max(0, len(keys) - self.capacity) :]
        if kept:
            self._block[[self._claim(key) for key in kept]] = vectors[-len(kept) :]

    def _claim(self, key: bytes) -> int:
        slot = len(self._slots)
        if slot == self.capacity:
            _, slot = self._slots.popitem(last=False)
        self._slots[key] = slot
        return slot
