"""A classification head that stands in modules of its own, as sentence-transformers saves the ettin rerankers.

Source: sentence-transformers 6.2, modules Pooling, Dense and LayerNorm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from bridge.errors import ModelLoadError
from bridge.models.checkpoint import Checkpoint
from bridge.models.classifier_folder import ModulePart

_Step = Callable[[Tensor], Tensor]

_ACTIVATIONS: dict[str, _Step] = {
    "GELU": functional.gelu,
    "Identity": lambda x: x,
    "ReLU": torch.relu,
    "Sigmoid": torch.sigmoid,
    "Tanh": torch.tanh,
}
_POOLED_MEAN = {"cls": False, "mean": True}
_OLD_MODES = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}
_NORM_EPSILON = 1e-5  # torch's default, which the module takes


class ModularHead:
    """The modules behind an encoder, the first of which pools.

    Raises ``ModelLoadError`` where a module or its weights can't be used.
    """

    def __init__(self, parts: Sequence[ModulePart], device: torch.device, dtype: torch.dtype) -> None:
        pooling, *others = parts
        self.pools_mean = _pools_mean(pooling)
        steps = [part for part in others if part.kind != "Dropout"]  # which does nothing once a model is trained
        if not steps or steps[-1].settings.get("out_features") != 1:
            raise ModelLoadError(f"the modules in {pooling.folder.parent} don't end in one score: a reranker's do")
        checkpoints = [Checkpoint(_known(part).folder, device, dtype) for part in steps]
        self._steps = [_MAKERS[part.kind](part, weights) for part, weights in zip(steps, checkpoints, strict=True)]
        self.weights_bytes = sum(weights.taken_bytes for weights in checkpoints)
        self.digest = repr([(part.settings, weights.digest) for part, weights in zip(steps, checkpoints, strict=True)])

    def __call__(self, pooled: Tensor) -> Tensor:
        """The logits of pooled states: from shape ``(sequences, width)`` to ``(sequences, 1)``."""
        for step in self._steps:
            pooled = step(pooled)
        return pooled


def _known(part: ModulePart) -> ModulePart:
    if part.kind not in _MAKERS:
        raise ModelLoadError(
            f"{part.folder} is a module {part.kind}: behind the pooling, known are {', '.join(_MAKERS)}"
        )
    return part


def _pools_mean(part: ModulePart) -> bool:
    settings = part.settings
    modes = [settings["pooling_mode"]] if "pooling_mode" in settings else []
    modes += [mode for name, mode in _OLD_MODES.items() if settings.get(name)]
    if part.kind != "Pooling" or len(modes) != 1 or modes[0] not in _POOLED_MEAN:
        raise ModelLoadError(f"{part.folder} does not pool by one of {', '.join(_POOLED_MEAN)}: it can't be loaded")
    return _POOLED_MEAN[modes[0]]


def _dense(part: ModulePart, weights: Checkpoint) -> _Step:
    settings = part.settings
    activation = str(settings.get("activation_function", "torch.nn.modules.activation.Tanh")).rpartition(".")[2]
    if activation not in _ACTIVATIONS or settings.get("use_residual"):
        raise ModelLoadError(f"{part.folder} has a residual or passes through {activation}, which is not known")
    inputs, outputs = _size(part, "in_features"), _size(part, "out_features")
    weight = weights.take("linear.weight", (outputs, inputs))
    bias = weights.take("linear.bias", (outputs,)) if settings.get("bias", True) else None
    return lambda x: _ACTIVATIONS[activation](functional.linear(x, weight, bias))


def _layer_norm(part: ModulePart, weights: Checkpoint) -> _Step:
    width = _size(part, "dimension")
    weight, bias = (weights.take(f"norm.{name}", (width,)) for name in ("weight", "bias"))
    return lambda x: functional.layer_norm(x, (width,), weight, bias, _NORM_EPSILON)


def _size(part: ModulePart, name: str) -> int:
    size = part.settings.get(name)
    if not isinstance(size, int):
        raise ModelLoadError(f"{part.folder / 'config.json'} has no number as {name}")
    return size


_MAKERS: dict[str, Callable[[ModulePart, Checkpoint], _Step]] = {"Dense": _dense, "LayerNorm": _layer_norm}
