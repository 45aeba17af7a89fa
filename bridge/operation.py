"""A bridge as it is operated: with its administration port, and a configuration that can change while it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from bridge import metrics_table as table
from bridge.admin import AdminPages
from bridge.assembly import Models
from bridge.composition import Bridge, bridging
from bridge.config_sources import Loaded
from bridge.live_config import LOOK_EVERY_S, LiveConfig, Source, watched
from bridge.metrics_table import Sample
from bridge.modes import Switch
from bridge.server import Running, listening
from bridge.status import StatusPages

_CLOSING_S = 0.1
"""For requests at the administration port, of which none takes long."""


@dataclass(frozen=True, slots=True)
class Operated:
    """A bridge that listens, and where it is administered."""

    bridge: Bridge
    admin: Running | None


@asynccontextmanager
async def operating(
    loaded: Loaded,
    source: Source,
    models: Models | None = None,
    look_every_s: float = LOOK_EVERY_S,
) -> AsyncIterator[Operated]:
    """A bridge that is ready; raises as ``bridging`` does. ``loaded`` is what the source gave first."""
    async with bridging(loaded.config, models) as bridge, AsyncExitStack() as stack:
        live = LiveConfig(loaded, source, bridge.generations)
        stack.enter_context(bridge.telemetry.watching(partial(_samples, bridge.switch, live)))
        admin = None
        if loaded.config.admin_address is not None:
            status = StatusPages(bridge.telemetry, lambda: True)
            pages = AdminPages(status, bridge.switch, live, loaded.config.admin_token)
            host, port = loaded.config.admin_address
            admin = await stack.enter_async_context(listening(pages, host, port, shutdown_timeout_s=_CLOSING_S))
        await stack.enter_async_context(watched(live, source, look_every_s))
        yield Operated(bridge, admin)


def _samples(switch: Switch, live: LiveConfig) -> Iterator[Sample]:
    yield Sample(table.SWITCHED_OFF, (), float(switch.is_off))
    yield Sample(table.CONFIG_FAILED, (), float(live.has_failed))
    for outcome, count in live.counts.items():
        yield Sample(table.CONFIG_READS, (outcome,), count)
