"""Whole bridges between the clients and the real engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bridge.composition import Bridge, bridging
from bridge.config_sources import load


@asynccontextmanager
async def bridge_to(url: str, **settings: object) -> AsyncIterator[Bridge]:
    """A whole bridge with the embedded model, and time enough for it."""
    flags = {"upstream": url, "listen": "127.0.0.1:0", "score_timeout_s": 60, **settings}
    async with bridging(load(flags, None, {})) as bridge:
        yield bridge
