"""The number formats that models compute in, and what is chosen where nothing is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast, get_args

import torch
from torch import Tensor

from bridge.errors import ModelLoadError
from bridge.models.linears import Int8Linear, Linear, cpu_capabilities, has_fast_int8

Precision = Literal["float32", "bfloat16", "int8"]
LinearKind = Callable[[Tensor, Tensor | None], Linear]
"""Makes a product with weights of shape ``(out, in)`` and a bias or None."""


_BFLOAT16_PRODUCTS = ("avx512_bf16", "amx_bf16", "bf16")
"""Instructions that multiply bfloat16: on x86, and on ARM."""


def pick_precision(wanted: str, device: torch.device, *, on_cpu: Precision) -> Precision:
    """The format for ``auto``, ``float32``, ``bfloat16`` or ``int8``.

    ``auto`` is bfloat16 on CUDA; on the CPU it is ``on_cpu`` where the CPU has instructions for it, else float32.
    Raises ``ModelLoadError`` where the format is unknown, or not to be had on the device.
    """
    if wanted not in {"auto", *get_args(Precision)}:
        raise ModelLoadError(f"unknown precision {wanted!r}: give auto, {', '.join(get_args(Precision))}")
    if wanted == "auto":
        return _usual(device, on_cpu)
    if wanted == "int8" and device.type != "cpu":
        raise ModelLoadError("precision int8 is for the CPU: give auto or bfloat16")
    if wanted == "int8" and not has_fast_int8():
        raise ModelLoadError("this CPU or build of torch has no fast products of bytes: give auto or float32")
    return cast("Precision", wanted)


def _usual(device: torch.device, on_cpu: Precision) -> Precision:
    if device.type == "cuda":
        return "bfloat16"
    is_fast = {"float32": True, "bfloat16": has_fast_bfloat16(), "int8": has_fast_int8()}
    return on_cpu if is_fast[on_cpu] else "float32"


def has_fast_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 by itself: measured twice as fast as float32, and far slower where not."""
    capabilities = cpu_capabilities()
    return any(capabilities.get(name, False) for name in _BFLOAT16_PRODUCTS)


def weights_dtype(precision: Precision) -> torch.dtype:
    """The format of everything but products; int8 ones read and give float32."""
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def linear_kind(precision: Precision) -> LinearKind:
    """What makes the products of a model."""
    return Int8Linear if precision == "int8" else Linear
