"""The configuration while the bridge runs: read anew when its file changes or SIGHUP comes, and told.

A new configuration is checked whole, and all that it needs is made beside what runs; then it takes over between two
requests. Where anything of that fails, nothing changes, and the log, the metrics and the administration port say so.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import structlog

from bridge.addresses import parse_address
from bridge.config import Config
from bridge.config_sources import Loaded
from bridge.errors import BridgeError, ConfigError
from bridge.generations import Generations
from bridge.logs import without_message
from bridge.operation_config import READ_AT_START

LOOK_EVERY_S = 1.0
"""One ``stat`` a second costs nothing, and works on every file system, where notifications do not."""
HIDDEN = "***"

_log = structlog.get_logger(__name__)

Outcome = Literal["changed", "unchanged", "failed"]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of reading the configuration anew."""

    outcome: Outcome
    at: datetime
    problems: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    """Settings that were changed and are read at the start alone."""


_State = tuple[int, ...] | None
"""What tells one state of a file from another; None where it is not there."""


class Source:
    """Where the configuration is read from, and whether its file, where there is one, has changed since."""

    def __init__(self, file: Path | None, load: Callable[[], Loaded]) -> None:
        self._file = file
        self._load = load
        self._read: _State = None
        self._before: _State = None

    def read(self) -> Loaded:
        """The configuration as it is now. Raises ``ConfigError``."""
        self._read = self._before = self._state()
        return self._load()

    def has_changed(self) -> bool:
        """Whether the file has changed since it was read, and was left alone since the look before, so is whole."""
        before, self._before = self._before, self._state()
        return self._before == before != self._read

    def _state(self) -> _State:
        try:
            found = self._file.stat() if self._file is not None else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_ino, found.st_size) if found is not None else None


class LiveConfig:
    """The configuration in force, and how it is changed."""

    def __init__(
        self,
        first: Loaded,
        source: Source,
        generations: Generations,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._origins = first.origins
        self._source = source
        self._generations = generations
        self._clock = clock
        self._since = clock()
        self._last: Change | None = None
        self.counts: dict[Outcome, int] = {"changed": 0, "unchanged": 0, "failed": 0}
        """How often the configuration was read anew, by what became of it."""

    @property
    def has_failed(self) -> bool:
        """Whether what was read last is not in force."""
        return self._last is not None and self._last.outcome == "failed"

    async def reload(self) -> Change:
        """Reads the configuration anew and puts it in force; never raises for what is wrong with it."""
        try:
            change = await self._changed()
        except ConfigError as error:
            change = self._failed(error.problems)
        except (BridgeError, OSError) as error:
            change = self._failed(str(error).splitlines())
        except Exception as error:  # noqa: BLE001 - what runs must go on, whatever a new configuration does
            _log.error("unexpected", **without_message(error))
            change = self._failed([f"{type(error).__name__}; the log says where"])
        self._last = change
        self.counts[change.outcome] += 1
        return change

    async def _changed(self) -> Change:
        new = await asyncio.to_thread(self._source.read)
        running = self._generations.config
        waiting = tuple(name for name in READ_AT_START if getattr(new.config, name) != getattr(running, name))
        wanted = new.config.model_copy(update={name: getattr(running, name) for name in READ_AT_START})
        if waiting:
            _log.warning("settings are read at the start alone", settings=waiting)
        self._origins = {**new.origins}
        if wanted == running:
            return Change("unchanged", self._clock(), waiting=waiting)
        await self._generations.change(wanted)
        self._since = self._clock()
        _log.info("configuration changed", settings=changed_settings(running, wanted))
        return Change("changed", self._since, waiting=waiting)

    def _failed(self, problems: Sequence[str]) -> Change:
        for problem in problems:
            _log.error("configuration not changed", problem=problem)
        return Change("failed", self._clock(), tuple(problems))

    def modes(self) -> Mapping[str, str]:
        """The configured mode of each index pattern; ``*`` where no other matches."""
        return {pattern or "*": own.mode for pattern, own in self._generations.config.reached().items()}

    def described(self) -> Mapping[str, object]:
        """The settings in force with their origins, and what became of the last change."""
        shown: dict[str, object] = {"in_force_since": self._since.isoformat(timespec="seconds")}
        if self._last is not None:
            shown["last_read"] = {
                "at": self._last.at.isoformat(timespec="seconds"),
                "outcome": self._last.outcome,
                "problems": self._last.problems,
                "waiting_for_a_restart": self._last.waiting,
            }
        values = described_settings(self._generations.config)
        settings = {
            name: {"value": value, "origin": self._origins.get(name, "default")} for name, value in values.items()
        }
        return {**shown, "settings": settings}


def described_settings(config: Config) -> Mapping[str, object]:
    """All settings as JSON has them, without secrets."""
    values = config.model_dump(mode="json")
    values["upstream"] = [str(parse_address(address)) for address in config.upstream]
    values["indices"] = [entry.model_dump(mode="json", exclude_unset=True) for entry in config.indices]
    secret = {name for name, field in Config.model_fields.items() if not field.repr}
    return {name: HIDDEN if name in secret and value is not None else value for name, value in values.items()}


def changed_settings(old: Config, new: Config) -> Sequence[str]:
    """The names of those that differ."""
    return [name for name in Config.model_fields if getattr(old, name) != getattr(new, name)]


@asynccontextmanager
async def watched(live: LiveConfig, source: Source, look_every_s: float = LOOK_EVERY_S) -> AsyncIterator[None]:
    """Reads the configuration anew at SIGHUP, and when its file changed, while the block runs."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, asked.set)
    task = asyncio.create_task(_watch(live, source, asked, look_every_s))
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _watch(live: LiveConfig, source: Source, asked: asyncio.Event, look_every_s: float) -> None:
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(look_every_s):
                await asked.wait()
        if source.has_changed() or asked.is_set():
            asked.clear()
            await live.reload()
