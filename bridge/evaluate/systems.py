"""Systems as the command line names them: ``NAME=setting:value,...`` is a bridge to start, a URL one that runs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bridge.addresses import check_address
from bridge.errors import ConfigError

DIRECT = "direct"
"""The engine itself, which is always among the systems, as the first one."""

_NAMED = re.compile(r"(?P<name>[\w.+-]+)=(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Configured:
    """A bridge to start, which is configured as the others but for this."""

    name: str
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Running:
    """A bridge that runs already."""

    name: str
    url: str


Wanted = Configured | Running


def wanted_systems(configured: Iterable[str], running: Sequence[str], known: Collection[str]) -> tuple[Wanted, ...]:
    """The bridges to compare, those to start first; where none is named, one to start with nothing of its own.

    ``known`` are the settings that a bridge may have for itself. Raises ``ConfigError`` with all mistakes.
    """
    problems: list[str] = []
    found: list[Wanted] = []
    for text in configured:
        try:
            found.append(_configured(text, known))
        except ValueError as error:
            problems.append(f"--system {text}: {error}")
    for place, text in enumerate(running, 1):
        try:
            found.append(_running(text, f"bridge {place}" if len(running) > 1 else "bridged"))
        except ValueError as error:
            problems.append(f"--bridge: {error}")
    names = [DIRECT, *(one.name for one in found)]
    problems += [f"two systems are named {name}" for name in dict.fromkeys(names) if names.count(name) > 1]
    if problems:
        raise ConfigError(problems)
    return tuple(found) or (Configured("bridged", {}),)


def _configured(text: str, known: Collection[str]) -> Configured:
    """A value ends where a comma and the name of another setting follow, so that it may have commas itself."""
    match = _NAMED.fullmatch(text)
    if match is None:
        raise ValueError("a system is NAME=setting:value,..., as in small=model:embedded,window:50")
    names = "|".join(map(re.escape, known))
    parts = re.split(rf"(?:^|,)({names}):", match["rest"])
    if parts[0] or len(parts) == 1:
        unknown = match["rest"].partition(":")[0]
        raise ValueError(
            f"{unknown!r} is no setting that a system has for itself; there are {', '.join(sorted(known))}"
        )
    settings = dict(zip(parts[1::2], (value.strip() for value in parts[2::2]), strict=True))
    if len(settings) < len(parts[1::2]):
        raise ValueError("a setting comes twice")
    return Configured(match["name"], settings)


def _running(text: str, name: str) -> Running:
    match = _NAMED.fullmatch(text)
    named = Running(name, text) if match is None else Running(match["name"], match["rest"])
    check_address(named.url)
    return named
