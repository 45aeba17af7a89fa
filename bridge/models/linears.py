"""Matrix products as fast as the device has them, with what follows them fused in where it can be.

On the CPU, weights are laid out once for oneDNN, which torch otherwise does anew, or not at all, in every call:
measured on 2 cores with AVX-512, a layer of base-v2 runs at 98% of the best matrix product instead of 76%. The
operators are the ones that torch's own compiler writes; where they are missing, plain ones give the same result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

Activation = Literal["none", "gelu", "silu"]

_PACKED_ROWS = 1_024  # the number of rows that the layout is chosen for; others run as well
_GREATEST = 127  # of a signed byte, on both sides of zero
_ZERO = 128  # the unsigned byte that stands for 0.0
_LEAST_SCALE = torch.finfo(torch.float32).tiny  # of an output without weights
_BYTE_PRODUCTS = ("avx512_vnni", "avx_vnni", "amx_int8")
"""Instructions that multiply bytes without saturating between; any one will do."""
_ONEDNN_NAMES: dict[Activation, tuple[str, str]] = {
    "none": ("none", ""),
    "gelu": ("gelu", "none"),
    "silu": ("swish", ""),
}
_PLAIN: dict[Activation, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "gelu": functional.gelu,
    "silu": functional.silu,
}
_IN_PLACE: dict[Activation, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "gelu": torch.ops.aten.gelu_,
    "silu": torch.ops.aten.silu_,
}


class Linear:
    """``x @ weight.T + bias`` for ``x`` of shape ``(rows, in)``; ``weight`` has shape ``(out, in)``.

    ``x`` is in the format of the weights, or in float32; the product is in that of the weights.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        self._is_packed = weight.device.type == "cpu" and _has_onednn(weight.dtype)
        self._weight = (
            torch.ops.mkldnn._reorder_linear_weight(weight, _PACKED_ROWS)  # noqa: SLF001 - the compiler's own operator
            if self._is_packed
            else weight
        )
        self._bias = bias
        self._dtype = weight.dtype

    def __call__(self, x: Tensor, activation: Activation = "none") -> Tensor:
        """The product, activated: shape ``(rows, out)``; GELU is the exact one."""
        x = x.to(self._dtype)
        if self._is_packed:
            name, algorithm = _ONEDNN_NAMES[activation]
            fused = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001
            product: Tensor = fused(x, self._weight, self._bias, name, [], algorithm)
            return product
        return _PLAIN[activation](functional.linear(x, self._weight, self._bias))

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        """``residual`` plus the product; ``residual`` has shape ``(rows, out)``, and its format is the sum's.

        Models keep it in float32, where most of bfloat16's error would come from. In two passes: oneDNN's own sum is
        set up anew in every call, which took 2 ms, and the second pass 0.02 ms.
        """
        product = self(x)
        return product.add_(residual) if product.dtype == residual.dtype else residual + product


class Int8Linear(Linear):
    """The same product of bytes, about: float32 in and out, for CPUs that ``has_fast_int8`` is true of.

    Each output has a scale for its weights, and each row of ``x`` one of its own, so that a row's result does not
    depend on the others. Errors are 0.5% to 1% of a result's usual size.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        scales = (weight.float().abs().amax(dim=1) / _GREATEST).clamp_(min=_LEAST_SCALE)
        rounded = (weight.float() / scales[:, None]).round_()
        packed = torch.ops.onednn.qlinear_prepack(rounded.to(torch.int8), [_PACKED_ROWS, weight.shape[1]])
        self._weight, self._scales = packed, scales
        self._zeros = torch.zeros(len(scales), dtype=torch.int32)
        self._sums = rounded.sum(dim=1) * scales
        self._bias = None if bias is None else bias.float()

    def __call__(self, x: Tensor, activation: Activation = "none") -> Tensor:
        """The product, activated: shape ``(rows, out)``; GELU is the exact one."""
        return _IN_PLACE[activation](self._product(x))

    def _product(self, x: Tensor) -> Tensor:
        low, high = x.amin(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)
        # Bytes count from the middle of a row, which is multiplied apart: what follows GELU, say, is hardly negative.
        middle, scales = (low + high) / 2, (high - low) / (2 * _GREATEST)
        # In a row of one value the scale is 0, so that it does not matter what its bytes are.
        signed = (x - middle).div_(scales).round_().to(torch.int8)
        # oneDNN is fast with unsigned bytes alone. Turning the highest bit adds 128, and torch does that faster than
        # it makes unsigned bytes of floats.
        unsigned = signed.view(torch.uint8).bitwise_xor_(_ZERO)
        product: Tensor = torch.ops.onednn.qlinear_pointwise(
            unsigned, 1.0, _ZERO, self._weight, self._scales, self._zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        product.mul_(scales)
        if self._bias is not None:
            product.add_(self._bias)
        return product.addcmul_(middle, self._sums)


def has_fast_int8() -> bool:
    """Whether ``Int8Linear`` runs here and is faster than ``Linear``: at least three times where it was measured."""
    capabilities = cpu_capabilities()
    return any(capabilities.get(name, False) for name in _BYTE_PRODUCTS) and hasattr(
        torch.ops.onednn, "qlinear_pointwise"
    )


def cpu_capabilities() -> dict[str, Any]:
    """What torch says of the CPU's instructions; nothing where it does not say."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return capabilities


def _has_onednn(dtype: torch.dtype) -> bool:
    """Whether torch was built with oneDNN for this format, and has the operators."""
    return (
        torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and dtype in {torch.float32, torch.bfloat16}
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
        and (dtype is torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001
    )
