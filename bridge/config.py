"""One frozen configuration, from flags, environment and a file, with every mistake reported at once.

Precedence: command line, then ``RERANK_BRIDGE_*``, then the file, then the defaults below.
The descriptions are the documentation: ``docs/configuration.md`` is made from them.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from bridge.errors import ConfigError
from connectors.base import Policy, ScorePolicy, TextField

ENVIRONMENT_PREFIX = "RERANK_BRIDGE_"
MIB = 1024 * 1024
_MAX_PORT = 65_535
_CREDENTIALS = re.compile(r"^(\w+://)?.*@", re.DOTALL)


class TextFieldConfig(BaseModel):
    """One field that the model reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="Dotted path of the field; `*` matches any characters.")
    label: str = Field("", description="Written before the text, as `label: text`.")
    max_chars: int | None = Field(None, ge=1, description="Characters of the field that are read; unset reads all.")


class IndexConfig(BaseModel):
    """What is read of the hits of the indices that match a pattern; the first match counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pattern: str = Field(min_length=1, description="Index name, alias or pattern with `*`, as searches name it.")
    text_fields: tuple[TextFieldConfig, ...] = Field(
        (), description="Fields that the model reads, in this order; unset: the fields that the query names."
    )


class Config(BaseModel):
    """All settings of a bridge."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    upstream: tuple[str, ...] = Field(
        description="Address of the engine, such as `http://localhost:9200`; several are separated by commas and take "
        "turns. A path prefix and `user:password@` are allowed.",
    )
    engine: Literal["auto", "opensearch", "elasticsearch"] = Field(
        "auto",
        description="The engine's kind; `auto` asks it, so that it must be up when the bridge starts. One that is "
        "named is not asked.",
    )
    listen: str = Field(
        "127.0.0.1:9400", description="Address and port that clients connect to; port 0 takes a free one."
    )
    mode: Literal["on", "off"] = Field("on", description="`off` passes every search through.")

    model: str = Field(
        "embedded",
        description="`embedded`, a hub id such as `mixedbread-ai/mxbai-rerank-base-v2`, or a local folder.",
    )
    device: str = Field("auto", description="`auto` (CUDA where there is a device), `cpu`, `cuda` or `cuda:N`.")
    model_cache_mib: int = Field(
        256, ge=0, description="Memory for document vectors that the embedded model keeps, in MiB."
    )

    window: int = Field(
        100,
        ge=2,
        le=10_000,
        description="First-stage hits that are scored. 100 is what reranking benchmarks use; the engines' own limit "
        "on a page is 10,000.",
    )
    ranking: Literal["auto", "model", "blend", "rrf"] = Field(
        "auto",
        description="`model` orders by the model alone, `blend` by a weighted mean of model and first stage (both "
        "scaled over the window), `rrf` by reciprocal rank fusion. `auto` is `model` for cross-encoders and "
        "`blend` for bi-encoders.",
    )
    blend_weight: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="Weight of the model in `blend`; unset: 0.7 for bi-encoders (best of the weights tried on "
        "NFCorpus and SciFact), 1.0 for cross-encoders.",
    )
    score_policy: ScorePolicy = Field(
        "replace",
        description="`replace` writes scores that fall down the page: the window in (1, 2), the rest in (0, 1). "
        "`keep` leaves the engine's.",
    )
    indices: tuple[IndexConfig, ...] = Field((), description="What is read of a hit, per index pattern.")

    score_timeout_s: float | None = Field(
        None,
        gt=0,
        description="Seconds that scoring may add to one search; then a scored prefix of the window or the engine's "
        "own order is used. Unset: 1 on a GPU, 3 on a CPU.",
    )
    queue_limit_pairs: int = Field(
        10_000,
        ge=1,
        description="Texts that may wait to be scored, over all searches; a search that does not fit gets the "
        "engine's own order. 10,000 is a hundred searches of 100 hits: more could not be scored in time.",
    )
    batch_tokens: int | None = Field(
        None,
        ge=256,
        description="Estimated tokens that are scored in one batch; a deadline is honoured between batches. Unset: "
        "16,384 on a GPU (the default of text-embeddings-inference), 4,096 on a CPU.",
    )

    upstream_username: str | None = Field(None, description="Basic credentials for requests that carry none.")
    upstream_password: str | None = Field(None, repr=False, description="Goes with `upstream_username`.")
    upstream_api_key: str | None = Field(
        None, repr=False, description="Sent as `Authorization: ApiKey ...` with requests that carry no credentials."
    )
    upstream_ca_file: Path | None = Field(
        None, description="PEM file of the certificate authority that signed the engine's certificate."
    )
    upstream_connect_timeout_s: float = Field(
        5.0, gt=0, description="Seconds to open a connection to the engine; then the next address is tried, or 504."
    )
    upstream_read_timeout_s: float = Field(
        3_600.0,
        gt=0,
        description="Seconds of silence on an engine's connection before 504. Long, since a synchronous reindex or "
        "force merge is silent; clients that leave end their request at once.",
    )
    upstream_retry_after_s: float = Field(
        10.0,
        gt=0,
        description="Seconds for which an address that could not be reached, or was silent for too long, is left out.",
    )
    upstream_connections: int = Field(
        1_000, ge=1, description="Connections to the engine at most, over all addresses; further requests wait."
    )

    max_search_body_bytes: int = Field(
        1 * MIB, ge=1, description="A larger search body passes through unread; real ones are a few KiB."
    )
    max_search_reply_bytes: int = Field(
        64 * MIB,
        ge=1,
        description="A larger reply to a widened search is dropped, and the search passed through as it came.",
    )
    max_text_chars: int = Field(
        20_000, ge=1, description="Characters of one hit's text that are kept: what an 8K-token model can read of it."
    )
    shutdown_timeout_s: float = Field(
        30.0, ge=0, description="Seconds that exchanges under way have to end after a stop signal."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe level logged.")
    log_format: Literal["text", "json"] = Field("text", description="Lines for people, or JSON for collectors.")

    @field_validator("upstream", mode="before")
    @classmethod
    def _split_addresses(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("upstream")
    @classmethod
    def _check_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("at least one address is needed")
        for address in value:
            _check_address(address)
        return value

    @field_validator("listen")
    @classmethod
    def _check_listen(cls, value: str) -> str:
        split_listen(value)
        return value

    @field_validator("upstream_ca_file")
    @classmethod
    def _check_ca_file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"no such file: {value}")
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Config:
        """One check for all that concerns several settings: pydantic ends at the first that fails."""
        mistakes = (
            (self.queue_limit_pairs < self.window, "queue_limit_pairs must hold one window at least"),
            (
                (self.upstream_username is None) != (self.upstream_password is None),
                "upstream_username and upstream_password go together",
            ),
            (
                self.upstream_username is not None and self.upstream_api_key is not None,
                "give either upstream_username or upstream_api_key",
            ),
        )
        problems = [problem for is_made, problem in mistakes if is_made]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def policy(self, indices: tuple[str, ...]) -> Policy:
        """What is wanted for a search that names these indices: the first pattern that matches any."""
        wanted = next((entry for entry in self.indices if _matches(entry.pattern, indices)), None)
        return Policy(
            window=self.window,
            text_fields=tuple(TextField(f.name, f.label, f.max_chars) for f in wanted.text_fields) if wanted else (),
            score_policy=self.score_policy,
            max_text_chars=self.max_text_chars,
            max_body_bytes=self.max_search_body_bytes,
            max_reply_bytes=self.max_search_reply_bytes,
        )


def _matches(pattern: str, indices: tuple[str, ...]) -> bool:
    return any(fnmatchcase(index, pattern) for index in indices or ("_all",))


def _check_address(address: str) -> None:
    shown = _CREDENTIALS.sub(r"\1...@", address)
    try:
        parts = urlsplit(address)
        port = parts.port  # raises where it is none
    except ValueError:  # whose text would quote what may be a password
        port = 0
    if port == 0 or "@" in parts.path:
        hint = "; in a password, / is written %2F, # %23 and ? %3F" if shown != address else ""
        raise ValueError(f"{shown!r} has no host and port that can be read{hint}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{shown!r} is not an http:// or https:// address")
    if parts.query or parts.fragment:
        raise ValueError(f"{shown!r} must not carry a query string or fragment")


def split_listen(value: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``. Raises ``ValueError`` where it is neither."""
    host, separator, port = value.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > _MAX_PORT:
        raise ValueError(f"{value!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def load(flags: Mapping[str, object], file: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration from all sources. Raises ``ConfigError`` with every problem at once."""
    problems: list[str] = []
    sources = (
        _Source("--{}", {name: value for name, value in flags.items() if value is not None}),
        _Source(ENVIRONMENT_PREFIX + "{}", _read_environment(environ, problems)),
        _Source(f"{file}: {{}}", _read_file(file, problems) if file is not None else {}),
    )
    merged: dict[str, Any] = {}
    for source in reversed(sources):
        merged |= source.values
    try:
        config = Config(**merged)
    except ValidationError as error:
        problems += [problem for entry in error.errors() for problem in _describe(entry, sources).splitlines()]
    if problems:
        raise ConfigError(problems)
    return config


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
