"""What models tell of their work while they run: caches that serve, memory that ran out, devices."""

from __future__ import annotations

import pytest
import torch

from bridge.models.base import Model, Observable
from bridge.models.batches import Batches
from bridge.models.device import memory_bytes

TEXTS = ["to be counted once", "and to be found again"]


@pytest.mark.parametrize(("name", "cache"), [("embedded", "vector"), ("qwen2", "token"), ("bert", "token")])
def test_a_cache_tells_what_it_found(request: pytest.FixtureRequest, name: str, cache: str) -> None:
    """Texts that were read before are found; the memory of what is kept grows once, within its limit."""
    model: Model = request.getfixturevalue(name)
    assert isinstance(model, Observable)
    model.score(model.read(f"words of {name}", TEXTS))
    before = model.usage.caches[cache]
    model.score(model.read(f"words of {name}", TEXTS))
    after = model.usage.caches[cache]
    assert after.hits - before.hits >= len(TEXTS)
    assert after.misses == before.misses
    assert before.misses >= len(TEXTS)
    assert before.bytes is not None
    assert after.limit_bytes is not None
    assert after.bytes == before.bytes
    assert 0 < before.bytes <= after.limit_bytes


def test_memory_that_ran_out_is_told() -> None:
    """Each halving is counted."""
    batches = Batches(torch.device("cpu"), token_bytes=1)

    def read(group: list[int]) -> torch.Tensor:
        if len(group) > 1:
            raise torch.OutOfMemoryError("no room for two")
        return torch.tensor([[float(group[0])]])

    assert batches.halvings == 0
    assert batches.run([1] * batches._workers * 2, read).flatten().tolist() == list(range(batches._workers * 2))
    assert batches.halvings >= 1


def test_the_memory_of_a_device() -> None:
    """A CUDA device tells its memory; one that can't be asked tells nothing, and breaks nothing."""
    kinds = {"total", "free", "reserved", "used"} if torch.cuda.is_available() else set()
    assert memory_bytes("cuda:0").keys() == kinds
    assert memory_bytes("cuda:99") == {}
