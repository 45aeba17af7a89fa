"""Runs a small bridge before the engine at ``argv[1]``, prints its port, and ends with its standard input."""

from __future__ import annotations

import asyncio
import sys

from tests.doubles.raw_http import RawEngine
from tests.doubles.small_bridge import small_bridge


async def main(url: str) -> None:
    async with small_bridge(RawEngine(), upstream=url) as bridge:
        sys.stdout.write(f"{bridge.running.port}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
