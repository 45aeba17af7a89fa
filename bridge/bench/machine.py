"""The machine that figures are from: without it they mean nothing."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

_CPU_INFO = Path("/proc/cpuinfo")
_TELLING_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16")


@dataclass(frozen=True, slots=True)
class Machine:
    """What the speed of a model depends on."""

    date: str
    processor: str
    cores: int
    flags: tuple[str, ...]
    """Of its instructions those that matter here."""
    device: str
    torch: str
    transformers: str
    python: str

    def __str__(self) -> str:
        flags = f" ({', '.join(self.flags)})" if self.flags else ""
        packages = f"torch {self.torch}, transformers {self.transformers}, Python {self.python}"
        device = "" if self.device == "cpu" else f", {self.device}"
        return f"{self.date}: {self.processor}, {self.cores} cores{flags}{device}; {packages}"


def this_machine(device: str) -> Machine:
    """What runs this, today."""
    text = _CPU_INFO.read_text() if _CPU_INFO.is_file() else ""
    facts = dict(line.split(":", 1) for line in text.partition("\n\n")[0].splitlines() if ":" in line)
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    flags = set(facts.get("flags", "").split())
    return Machine(
        date=datetime.now(UTC).date().isoformat(),
        processor=facts.get("model name", platform.machine()),
        cores=usable_cores(),
        flags=tuple(flag for flag in _TELLING_FLAGS if flag in flags),
        device=torch.cuda.get_device_name() if device.startswith("cuda") else "cpu",
        torch=version("torch"),
        transformers=version("transformers"),
        python=platform.python_version(),
    )


def usable_cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
