"""A folder's weights, tensor by tensor, straight to the device: safetensors only, nothing missing, every number finite.

Nothing is ever unpickled, and no more than one tensor is in the host's memory beside what the file maps.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from bridge.errors import ModelLoadError

_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"


class Checkpoint:
    """The weights of a folder, by name. Raises ``ModelLoadError`` where they are not whole."""

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        self.folder, self.device, self.dtype = folder, device, dtype
        self._places: dict[str, Any] = {}
        self.taken_bytes = 0
        """Of the tensors that were taken."""
        files = _files(folder)
        try:
            for file in files:
                opened = safe_open(file, framework="pt", device=str(device))
                self._places |= dict.fromkeys(opened.keys(), opened)  # type: ignore[no-untyped-call]
        except (SafetensorError, OSError, ValueError) as error:
            raise ModelLoadError(f"{folder} can't be loaded: {error}") from error
        self.digest = _digest(folder, files)
        """Names this state of the folder: its configuration and tokenizer by content, its weights by place and age."""

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def take(self, name: str, shape: Sequence[int]) -> Tensor:
        """The tensor of this name on the device, in the wanted format; checked for shape and finite numbers."""
        stored = self._slice(name, shape)
        return self._checked(name, stored[:])

    def take_row(self, name: str, row: int, shape: Sequence[int]) -> Tensor:
        """One row of the tensor of this name, which has this shape; the others are not read."""
        stored = self._slice(name, shape)
        return self._checked(name, stored[row : row + 1])[0]

    def _slice(self, name: str, shape: Sequence[int]) -> Any:  # noqa: ANN401 - safetensors' slices have no type
        place = self._places.get(name)
        if place is None:
            raise ModelLoadError(
                f"{self.folder} lacks the weight {name}. Fetch the model again, or give the folder of a model that "
                "was trained as a reranker"
            )
        stored = place.get_slice(name)
        if list(stored.get_shape()) != list(shape):
            raise ModelLoadError(
                f"{self.folder} has {name} in another shape: {list(stored.get_shape())} instead of {list(shape)}"
            )
        return stored

    def _checked(self, name: str, read: Tensor) -> Tensor:
        tensor = read.to(self.device, self.dtype)
        check_finite(self.folder, name, tensor)
        self.taken_bytes += tensor.nbytes
        return tensor


def check_finite(folder: Path, name: str, values: Tensor) -> None:
    """Raises ``ModelLoadError`` where the weight of this name is not a finite number throughout."""
    low, high = torch.aminmax(values)  # one pass; NaN wins
    if not (low.isfinite() and high.isfinite()):
        raise ModelLoadError(f"{folder} holds NaN or infinite weights in {name}: fetch the model again")


def _files(folder: Path) -> list[Path]:
    index = folder / _INDEX
    if not index.is_file():
        return [folder / _SINGLE]
    try:
        return [folder / name for name in sorted(set(json.loads(index.read_bytes())["weight_map"].values()))]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ModelLoadError(f"{index} can't be read: {error}") from error


def _digest(folder: Path, weights: Sequence[Path]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for file in (folder / "config.json", folder / "tokenizer.json"):
        if file.is_file():
            digest.update(file.read_bytes())
    for file in weights:
        state = file.stat()
        digest.update(repr((str(file.resolve()), state.st_size, state.st_mtime_ns)).encode())
    return digest.hexdigest()
