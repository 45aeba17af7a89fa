"""The number formats that models compute in, and what is chosen where nothing is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast, get_args

import torch
from torch import Tensor

from bridge.errors import ModelLoadError
from bridge.models.linears import Linear

Precision = Literal["float32", "bfloat16", "int8"]
LinearKind = Callable[[Tensor, Tensor | None], Linear]
"""Makes a product with weights of shape ``(out, in)`` and a bias or None."""


def pick_precision(wanted: str, device: torch.device) -> Precision:
    """The format for ``auto`` (bfloat16 on CUDA, float32 on the CPU), ``float32``, ``bfloat16`` or ``int8``.

    Raises ``ModelLoadError`` where it is unknown, or not to be had on the device.
    """
    if wanted == "auto":
        return "bfloat16" if device.type == "cuda" else "float32"
    if wanted not in get_args(Precision):
        raise ModelLoadError(f"unknown precision {wanted!r}: give auto, {', '.join(get_args(Precision))}")
    if wanted == "int8" and device.type != "cpu":
        raise ModelLoadError("precision int8 is for the CPU: give auto or bfloat16")
    return cast("Precision", wanted)


def weights_dtype(precision: Precision) -> torch.dtype:
    """The format of everything but products; int8 ones read and give float32."""
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def linear_kind(precision: Precision) -> LinearKind:
    """What makes the products of a model."""
    del precision
    return Linear
