"""A raw engine, and upstreams to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.doubles.raw_http import RawEngine
from tests.doubles.upstreams import Upstreams


@pytest.fixture
async def engine() -> AsyncIterator[RawEngine]:
    async with RawEngine() as engine:
        yield engine


@pytest.fixture
async def upstreams() -> AsyncIterator[Upstreams]:
    async with AsyncExitStack() as stack:
        yield Upstreams(stack)
