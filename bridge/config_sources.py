"""The configuration from flags, environment and a file, with every mistake reported at once.

Precedence: command line, then ``RERANK_BRIDGE_*``, then the file, then the defaults.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bridge.config import Config
from bridge.errors import ConfigError

ENVIRONMENT_PREFIX = "RERANK_BRIDGE_"


class Loaded(NamedTuple):
    """A configuration, and where it comes from."""

    config: Config
    origins: Mapping[str, str]
    """Of the settings that are not the default: ``--window``, ``RERANK_BRIDGE_WINDOW`` or the name of the file."""


def load(flags: Mapping[str, object], file: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration from all sources. Raises ``ConfigError`` with every problem at once."""
    return load_with_origins(flags, file, environ).config


def load_with_origins(flags: Mapping[str, object], file: Path | None, environ: Mapping[str, str]) -> Loaded:
    """The configuration from all sources, and which of them each setting comes from. Raises ``ConfigError``."""
    problems: list[str] = []
    sources = (
        _Source("--{}", {name: value for name, value in flags.items() if value is not None}),
        _Source(ENVIRONMENT_PREFIX + "{}", _read_environment(environ, problems)),
        _Source(f"{file}: {{}}", _read_file(file, problems) if file is not None else {}),
    )
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for source in reversed(sources):
        merged |= source.values
        origins |= {name: _spell(source.place, [name]).removesuffix(f": {name}") for name in source.values}
    try:
        config = Config(**merged)
    except ValidationError as error:
        problems += [problem for entry in error.errors() for problem in _describe(entry, sources).splitlines()]
    if problems:
        raise ConfigError(problems)
    return Loaded(config, origins)


class _Source(NamedTuple):
    place: str
    values: Mapping[str, Any]


def _read_file(file: Path, problems: list[str]) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        content = tomllib.loads(text) if file.suffix == ".toml" else yaml.safe_load(text)
    except OSError as error:
        problems.append(f"{file}: {error.strerror}")
    except (tomllib.TOMLDecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        problems.append(f"{file}: {' '.join(str(error).split())}")
    else:
        if isinstance(content, dict):
            return {str(name): value for name, value in content.items()}
        if content is not None:
            problems.append(f"{file}: settings are expected as `name: value`, not a {type(content).__name__}")
    return {}


def _read_environment(environ: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable in sorted(environ):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if name not in Config.model_fields:
            problems.append(f"{variable}: there is no such setting")
        elif name == "indices":
            try:
                values[name] = json.loads(environ[variable])
            except json.JSONDecodeError as error:
                problems.append(f"{variable}: not JSON: {error}")
        else:
            values[name] = environ[variable]
    return values


def _describe(entry: ErrorDetails, sources: Sequence[_Source]) -> str:
    location, problem = [str(part) for part in entry["loc"]], entry["msg"].removeprefix("Value error, ")
    if not location:
        return problem
    if entry["type"] == "missing" and len(location) == 1:
        name = location[0]
        return f"{name} is missing: give --{name}, {ENVIRONMENT_PREFIX}{name.upper()} or {name} in a file"
    if entry["type"] == "extra_forbidden":
        problem = "there is no such setting"
    source = next((source for source in sources if location[0] in source.values), sources[-1])
    return f"{_spell(source.place, location)}: {problem}"


def _spell(place: str, location: Sequence[str]) -> str:
    name = ".".join(location)
    if place.startswith("--"):
        name = name.replace("_", "-")
    elif place.startswith(ENVIRONMENT_PREFIX):
        name = name.upper()
    return place.format(name)
