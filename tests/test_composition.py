"""A bridge as it comes up."""

from __future__ import annotations

import pytest

from bridge.composition import identify
from bridge.config import Config
from bridge.errors import UpstreamError
from bridge.upstream import Upstream
from tests.doubles.raw_http import Conversation, RawEngine


async def test_an_engine_that_is_silent_at_the_start_is_named() -> None:
    """A bridge does not wait without a word for an engine that hangs."""

    async def stays_silent(conversation: Conversation) -> None:
        await conversation.client_left()

    async with RawEngine(answer=stays_silent) as engine:
        config = Config.model_validate({"upstream": engine.url})
        async with Upstream(config) as upstream:
            with pytest.raises(UpstreamError, match=f"{engine.url}: no answer to GET / in 0.05 seconds"):
                await identify(config, upstream, timeout_s=0.05)
