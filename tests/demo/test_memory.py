"""How much memory can be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.demo import memory
from bridge.errors import EngineStartError

MIB = 2**20


@pytest.mark.parametrize(
    ("meminfo", "cgroup", "expected"),
    [
        (None, None, None),
        ("MemTotal: 9 kB\nMemAvailable: 2048 kB\n", None, 2 * MIB),
        ("MemAvailable: 2048 kB\n", ("max", MIB, 0), 2 * MIB),
        ("MemAvailable: 8192 kB\n", (str(5 * MIB), 4 * MIB, 2 * MIB), 3 * MIB),
        (None, (str(5 * MIB), 4 * MIB, 0), MIB),
    ],
)
def test_available_memory_is_the_lesser_of_machine_and_container(
    tmp_path: Path, meminfo: str | None, cgroup: tuple[str, int, int] | None, expected: int | None
) -> None:
    """The machine's MemAvailable and the container's limit are read, where they are; page cache is not in the way."""
    if meminfo is not None:
        (tmp_path / "meminfo").write_text(meminfo)
    if cgroup is not None:
        (tmp_path / "memory.max").write_text(f"{cgroup[0]}\n")
        (tmp_path / "memory.current").write_text(f"{cgroup[1]}\n")
        (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {cgroup[2]}\n")
    assert memory.available_bytes(tmp_path / "meminfo", tmp_path) == expected


def test_too_little_memory_is_an_error_with_advice() -> None:
    """More memory than any machine has is refused with both figures, before anything is started."""
    with pytest.raises(EngineStartError, match=r"OpenSearch needs 1099511627776 MiB of memory, and \d+ MiB can be had"):
        memory.check("OpenSearch", 2**60)
