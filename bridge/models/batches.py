"""What was read goes through a model in groups under a token budget; nothing is padded here.

The budget is found when the model is loaded: as many tokens as the device's memory holds, and as it does in a
moment, so that searches can join and deadlines are kept between batches.
"""

from __future__ import annotations

import heapq
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog
import torch
from torch import Tensor

CPU_GROUP_TOKENS = 2_048
"""Tokens that one core reads at once: of 256 to 16,384 the fastest with the embedded model."""
CUDA_GROUP_TOKENS = 16_384
"""The default of text-embeddings-inference for a batch."""
BATCH_S = 0.25
"""What a batch may take: a twelfth of the default deadline on a CPU, a quarter of it on a GPU."""
MEMORY_SHARE = 0.8
"""Of the memory that is free once the weights are loaded; the rest is for fragments and other processes."""
_LEAST_TOKENS = 1_024
"""What a core or device is given at once, however slow it is: a few texts, so that cores end at the same time."""
_SAMPLE_TOKENS = 256
"""What each core's speed is measured with: more would make the start of a large model slow."""
_NO_HOST_MEMORY = "can't allocate memory"  # torch has no class of its own for it

_log = structlog.get_logger(__name__)


class Batches:
    """Runs a model over texts in groups, on the CPU one group per core. Several threads may call it.

    torch's own way, all cores in each operation, waits after every one of them for the slowest core: beside a busy
    engine that was two to six times slower, and on an idle machine no faster. The price: one text alone uses one core.
    """

    def __init__(self, device: torch.device, *, token_bytes: int) -> None:
        self._is_gpu = device.type == "cuda"
        self._workers = 1 if self._is_gpu else _cores()
        # A GPU is given the next group while it works on one: the second thread puts it together meanwhile.
        lanes = 2 if self._is_gpu else self._workers
        self._pool = ThreadPoolExecutor(lanes, "model", initializer=torch.set_num_threads, initargs=(1,))
        self._lane_bytes = lanes // self._workers * token_bytes
        self._group_tokens = _group_tokens(device, self._lane_bytes)
        self._batch_tokens = self._group_tokens * self._workers
        self.halvings = 0
        """Times that memory ran out."""

    @property
    def batch_tokens(self) -> int:
        """Tokens that are best given to ``run`` at once, over all cores."""
        return min(self._batch_tokens, self._group_tokens * self._workers)

    @property
    def activation_bytes(self) -> int:
        """Memory that is taken at most while batches of ``batch_tokens`` are scored, by ``token_bytes`` of each."""
        return self.batch_tokens * self._lane_bytes

    def warm_up(self, score: Callable[[list[int]], object]) -> None:
        """Score made texts of given costs twice, the second time by the clock, and set ``batch_tokens`` by the speed.

        The first search then finds kernels chosen and memory at hand.
        """
        # A GPU's speed shows with a full batch alone.
        costs = [_SAMPLE_TOKENS] * (self._group_tokens // _SAMPLE_TOKENS if self._is_gpu else self._workers)
        score(costs)
        started_s = time.perf_counter()
        score(costs)
        tokens_per_s = sum(costs) / (time.perf_counter() - started_s)
        self._batch_tokens = max(int(tokens_per_s * BATCH_S), _LEAST_TOKENS * self._workers)

    def run(self, costs: Sequence[int], read: Callable[[list[int]], Tensor]) -> Tensor:
        """What ``read`` gives for each text, on the CPU, in the order of ``costs``, which must not be empty.

        ``read`` takes the indices of a group and gives one row for each; it is called from several threads. Where
        memory runs out, the group is halved, and so are those that follow; a text alone that does not fit raises
        torch's error.
        """
        groups = self._groups(costs)
        rows = torch.cat(list(self._pool.map(lambda group: self._read(group, read), groups)))
        ordered = torch.empty_like(rows)
        ordered[[index for group in groups for index in group]] = rows
        return ordered

    def _groups(self, costs: Sequence[int]) -> list[list[int]]:
        if self._workers == 1:
            return list(token_groups(costs, self._group_tokens))
        rounds = math.ceil(sum(costs) / (self._workers * self._group_tokens))
        return even_groups(costs, rounds * self._workers)

    def _read(self, group: list[int], read: Callable[[list[int]], Tensor]) -> Tensor:
        try:
            return read(group).cpu()
        except RuntimeError as error:
            if len(group) == 1 or not _is_out_of_memory(error):
                raise
        self._halve()
        middle = len(group) // 2
        return torch.cat([self._read(half, read) for half in (group[:middle], group[middle:])])

    def _halve(self) -> None:
        self.halvings += 1
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if self._group_tokens > _SAMPLE_TOKENS:
            self._group_tokens //= 2
            _log.warning("out of memory: batches are halved", group_tokens=self._group_tokens)


def _is_out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or _NO_HOST_MEMORY in str(error)


def _group_tokens(device: torch.device, lane_bytes: int) -> int:
    if device.type != "cuda":
        return CPU_GROUP_TOKENS
    free, _ = torch.cuda.mem_get_info(device)
    return max(min(CUDA_GROUP_TOKENS, int(free * MEMORY_SHARE) // lane_bytes), _LEAST_TOKENS)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def token_groups(costs: Sequence[int], budget_tokens: int) -> Iterator[list[int]]:
    """Indices in groups, longest text first, so that memory runs out at once or never.

    Each index comes once. A group's costs add up to ``budget_tokens`` at most; a text that is longer than that is a
    group of its own.
    """
    group: list[int] = []
    tokens = 0
    for index in sorted(range(len(costs)), key=lambda i: -costs[i]):
        if group and tokens + costs[index] > budget_tokens:
            yield group
            group, tokens = [], 0
        group.append(index)
        tokens += costs[index]
    if group:
        yield group


def even_groups(costs: Sequence[int], count: int) -> list[list[int]]:
    """Indices in at most so many groups of much the same cost, so that those who read them end together.

    Each index comes once. The longest text goes first, each to the group that has least (Graham, "Bounds on
    multiprocessing timing anomalies", 1969).
    """
    groups: list[list[int]] = [[] for _ in range(count)]
    loads = [(0, place) for place in range(count)]
    for index in sorted(range(len(costs)), key=lambda i: -costs[i]):
        load, place = heapq.heappop(loads)
        groups[place].append(index)
        heapq.heappush(loads, (load + costs[index], place))
    return [group for group in groups if group]
