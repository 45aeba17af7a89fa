"""Where a model runs: the device that was asked for, and what is chosen because of it."""

from __future__ import annotations

import torch

from bridge.errors import ModelLoadError


def devices(wanted: str) -> list[str]:
    """The devices that a model is loaded on, one replica each: for ``auto`` every CUDA device, else the one named."""
    count = torch.cuda.device_count() if wanted == "auto" and torch.cuda.is_available() else 0
    return [f"cuda:{index}" for index in range(count)] or [wanted]


def pick_device(wanted: str) -> torch.device:
    """The device for ``auto`` (CUDA where there is a device), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises ``ModelLoadError`` where it is unknown or not there.
    """
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    kind, separator, index = wanted.partition(":")
    if wanted != "cpu" and (kind != "cuda" or bool(separator) != index.isdecimal()):
        raise ModelLoadError(f"unknown device {wanted!r}: give auto, cpu, cuda or cuda:N")
    if wanted == "cpu":
        return torch.device("cpu")
    return _cuda(int(index or 0))


def memory_bytes(device: str) -> dict[str, int]:
    """The memory of a CUDA device: ``total``, ``free``, and what this process has ``reserved`` and ``used`` of it.

    Empty where it can't be asked, as after it was lost.
    """
    try:
        free, total = torch.cuda.mem_get_info(device)
        reserved, used = torch.cuda.memory_reserved(device), torch.cuda.memory_allocated(device)
    except (RuntimeError, AssertionError):  # the second from a torch without CUDA
        return {}
    return {"total": total, "free": free, "reserved": reserved, "used": used}


def _cuda(index: int) -> torch.device:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if index >= count:
        have = f"only {count} CUDA device(s), numbered from 0" if count else "no CUDA device that torch can use"
        raise ModelLoadError(f"device cuda:{index} is not available: there is {have}; give cpu or auto")
    return torch.device("cuda", index)
