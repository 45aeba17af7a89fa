"""How much memory an engine may still take, where the system tells."""

from __future__ import annotations

from pathlib import Path

from bridge.errors import EngineStartError

ADVICE = "There is not enough memory for it: stop something else, or give a running engine with --upstream."
MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


def check(name: str, needed_bytes: int) -> None:
    """Raise ``EngineStartError`` where less than ``needed_bytes`` of memory can be had."""
    available = available_bytes()
    if available is not None and available < needed_bytes:
        raise EngineStartError(
            f"{name} needs {needed_bytes >> 20} MiB of memory, and {available >> 20} MiB can be had. {ADVICE}"
        )


def available_bytes(meminfo: Path = MEMINFO, cgroup: Path = CGROUP) -> int | None:
    """What the kernel or the container's limit leaves, whichever is less; None where neither is known.

    Source: proc_meminfo(5), "MemAvailable"; the kernel's cgroup-v2 documentation, "memory.max".
    """
    known = [value for value in (_from_meminfo(meminfo), _from_cgroup(cgroup)) if value is not None]
    return min(known, default=None)


def _from_meminfo(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _from_cgroup(cgroup: Path) -> int | None:
    try:
        limit = (cgroup / "memory.max").read_text(encoding="ascii").strip()
        used = int((cgroup / "memory.current").read_text(encoding="ascii"))
        statistics = dict(line.split() for line in (cgroup / "memory.stat").read_text(encoding="ascii").splitlines())
    except OSError:
        return None
    # The page cache counts as used, and is given up when it is wanted.
    return None if limit == "max" else int(limit) - used + int(statistics.get("inactive_file", 0))
