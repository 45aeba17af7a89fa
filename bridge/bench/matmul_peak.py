"""The device's matrix-multiply peak as it can be had from torch: the best over shapes and ways, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from bridge.models.linears import Linear
from bridge.models.precision import Precision, linear_kind, weights_dtype

_SHAPES = ((896, 4_864), (384, 1_536), (1_024, 4_096), (2_048, 2_048))
"""Columns in and out: those of the models' feed-forward parts, and a square."""
_CPU_ROWS, _CUDA_ROWS = (1_024,), (8_192, 16_384)
_TRIALS = 3


def peak_flops(device: torch.device, precision: Precision, threads: int) -> float:
    """Operations a second of the fastest product found: seconds of work."""
    rows = _CUDA_ROWS if device.type == "cuda" else _CPU_ROWS
    return max(
        2 * count * size[0] * size[1] * copies / _best_s(run)
        for size in _SHAPES
        for count in rows
        for copies, run in _ways(device, precision, threads, count, size)
    )


def _ways(
    device: torch.device, precision: Precision, threads: int, rows: int, size: tuple[int, int]
) -> Iterator[tuple[int, Callable[[], object]]]:
    """How many products each way computes, and what computes them."""
    dtype = weights_dtype(precision)
    x = torch.randn(rows, size[0], device=device, dtype=dtype)
    weight = torch.randn(size[1], size[0], device=device, dtype=dtype)
    packed = linear_kind(precision)(weight, None)
    if device.type == "cuda":
        yield 1, lambda: _synchronised(packed, x)
        return
    yield 1, lambda: packed(x)
    if precision != "int8":
        yield 1, lambda: torch.nn.functional.linear(x, weight)
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield threads, lambda: list(pool.map(lambda _: packed(x), range(threads)))


def _synchronised(product: Linear, x: Tensor) -> None:
    product(x)
    torch.cuda.synchronize()


@torch.inference_mode()
def _best_s(run: Callable[[], object]) -> float:
    run()  # warm
    times_s = []
    for _ in range(_TRIALS):
        started_s = time.perf_counter()
        run()
        times_s.append(time.perf_counter() - started_s)
    return min(times_s)
