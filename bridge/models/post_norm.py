"""The parts of a layer that BERT and DeBERTa-v2 have in common: each sum is normalised behind it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from bridge.models.checkpoint import Checkpoint
from bridge.models.linears import Linear
from bridge.models.precision import LinearKind


def token_bytes(hidden: int, intermediate: int, dtype: torch.dtype) -> int:
    """What one token takes on its way through a layer: states, three projections and the wide middle, twice."""
    return (6 * hidden + 2 * intermediate) * dtype.itemsize


@dataclass(frozen=True, slots=True)
class Norm:
    """A layer norm."""

    weight: Tensor
    bias: Tensor
    epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        """The rows of ``x``, each normalised. Shape as ``x``."""
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.epsilon)


@dataclass(frozen=True, slots=True)
class Rest:
    """What follows attention in a layer: each token for itself."""

    output: Linear
    norm: Norm
    up: Linear
    down: Linear
    last_norm: Norm

    def __call__(self, read: Tensor, x: Tensor) -> Tensor:
        """The stream behind the layer, from what attention ``read`` and the stream ``x`` before it."""
        x = self.norm(self.output.plus(read, x))
        return self.last_norm(self.down.plus(self.up(x, "gelu"), x))


@dataclass(frozen=True, slots=True)
class Parts:
    """Takes the parts of layers out of a checkpoint. Raises ``ModelLoadError`` where one is not whole."""

    checkpoint: Checkpoint
    linear: LinearKind
    hidden: int
    epsilon: float
    norm_dtype: torch.dtype
    """The format of norms, and so of what they read."""

    def product(self, name: str, outputs: int, inputs: int) -> tuple[Tensor, Tensor]:
        """The weight, ``(outputs, inputs)``, and the bias of a product."""
        return (
            self.checkpoint.take(f"{name}.weight", (outputs, inputs)),
            self.checkpoint.take(f"{name}.bias", (outputs,)),
        )

    def norm(self, name: str) -> Norm:
        """The layer norm of the part of this name."""
        weight, bias = (
            self.checkpoint.take(f"{name}.LayerNorm.{part}", (self.hidden,)).to(self.norm_dtype)
            for part in ("weight", "bias")
        )
        return Norm(weight, bias, self.epsilon)

    def rest(self, name: str, intermediate: int) -> Rest:
        """What follows attention in the layer of this name."""
        return Rest(
            output=self.linear(*self.product(f"{name}.attention.output.dense", self.hidden, self.hidden)),
            norm=self.norm(f"{name}.attention.output"),
            up=self.linear(*self.product(f"{name}.intermediate.dense", intermediate, self.hidden)),
            down=self.linear(*self.product(f"{name}.output.dense", self.hidden, intermediate)),
            last_norm=self.norm(f"{name}.output"),
        )
