"""A raw engine, and a bridge before it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.doubles.raw_http import RawEngine
from tests.doubles.small_bridge import Bridges, SmallBridge


@pytest.fixture
async def engine() -> AsyncIterator[RawEngine]:
    async with RawEngine() as engine:
        yield engine


@pytest.fixture
async def bridges() -> AsyncIterator[Bridges]:
    async with AsyncExitStack() as stack:
        yield Bridges(stack)


@pytest.fixture
async def bridge(engine: RawEngine, bridges: Bridges) -> SmallBridge:
    return await bridges.start(engine)
