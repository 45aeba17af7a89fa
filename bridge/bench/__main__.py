"""``scripts/bench NAME``."""

from __future__ import annotations

import asyncio
import sys

from rich.console import Console

from bridge.bench import overhead

_BENCHMARKS = {"overhead": overhead.run}


def main(arguments: list[str]) -> int:
    """Run the benchmark that is named."""
    if len(arguments) != 1 or arguments[0] not in _BENCHMARKS:
        sys.stderr.write(f"usage: scripts/bench {'|'.join(_BENCHMARKS)}\n")
        return 2
    asyncio.run(_BENCHMARKS[arguments[0]](Console()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
