"""Vectors of texts that were read before, in a memory bound; the least recently used go first.

numpy holds them, since torch would wait for all cores to copy a hundred of them, 90 ms where another core was busy.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from bridge.cache_use import CacheUse

Vector = NDArray[np.float32]

ENTRY_BYTES = 256
"""What an entry takes beside its vector (key, slot, place in the order): 187 measured, and room for a growing table."""


class VectorCache:
    """An LRU from key to vector, which threads may share. The vectors are one block, which takes memory as it fills."""

    def __init__(self, limit_bytes: int, dimensions: int) -> None:
        self._slots: OrderedDict[bytes, int] = OrderedDict()
        self.capacity = limit_bytes // (dimensions * np.dtype(np.float32).itemsize + ENTRY_BYTES)
        self._block = np.empty((self.capacity, dimensions), np.float32)
        self._lock = Lock()
        self._hits = self._misses = 0

    @property
    def use(self) -> CacheUse:
        """How it is used, until now."""
        row_bytes = self._block.itemsize * self._block.shape[1] + ENTRY_BYTES
        return CacheUse(self._hits, self._misses, len(self) * row_bytes, self.capacity * row_bytes)

    def __len__(self) -> int:
        return len(self._slots)

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        """A copy of the vector of each key that has one here; it counts as a use."""
        with self._lock:
            slots = {key: slot for key in keys if (slot := self._slots.get(key)) is not None}
            for key in slots:
                self._slots.move_to_end(key)
            vectors = self._block[list(slots.values())]
            self._hits += len(slots)
            self._misses += len(keys) - len(slots)
        return dict(zip(slots, vectors, strict=True))

    def write(self, keys: Sequence[bytes], vectors: Vector) -> None:
        """Keep the vectors of distinct keys, as many of the last as there is room for."""
        first = max(0, len(keys) - self.capacity)
        with self._lock:
            slots = [self._claim(key) for key in keys[first:]]
            if slots:
                self._block[slots] = vectors[first:]

    def _claim(self, key: bytes) -> int:
        slot = self._slots.pop(key, len(self._slots))  # another thread may have read the same text meanwhile
        if slot == self.capacity:
            _, slot = self._slots.popitem(last=False)
        self._slots[key] = slot
        return slot
