"""The settings of those who run a bridge: who may administer it, and how far reranking is rolled out."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from bridge.addresses import split_listen
from bridge.modes import Mode

OFF = "off"
READ_AT_START = ("listen", "admin_listen", "admin_token", "shutdown_timeout_s", "log_level", "log_format")
"""Settings whose change waits for the next start; all others can change while the bridge runs."""


def _as_word(value: object) -> object:
    """YAML 1.1 reads ``off`` and ``on`` as booleans."""
    return {True: "on", False: OFF}[value] if isinstance(value, bool) else value


ModeSetting = Annotated[Mode, BeforeValidator(_as_word)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class OperationConfig(BaseModel):
    """Settings of operation, all of which a whole configuration has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: Share | None = Field(
        None,
        description="Share of the searches that `canary`, `shadow` and `interleave` concern; the others pass through. "
        "Unset: 0.1 with `canary`, else 1.",
    )
    share_header: str = Field(
        "",
        description="Request header such as `X-User-Id`, whose value decides whether a search is in the `share`, so "
        "that one user sees one system. Unset, or where a search has none: its words decide.",
    )
    allow_override: bool = Field(
        default=True,
        description="Whether the request header `X-Rerank` (`off`, `on`, `shadow`, `explain`) is heeded. Where the "
        "`mode` is `off`, `on` and `shadow` never are.",
    )
    shadow_limit: int = Field(
        4,
        ge=1,
        description="Searches that may be scored in the background at a time with `shadow`; what comes while so many "
        "are is not looked at. Each costs the engine a second, wider search.",
    )
    rollout_log: Path | None = Field(
        None,
        description="Folder that `shadow` writes to what would have changed, and `interleave` who placed which hit: "
        "words and ids of hits, readable by its owner alone. Unset: `shadow` counts, `interleave` tells on request.",
    )
    rollout_log_max_mib: int = Field(
        256, ge=1, description="Size of the `rollout_log` folder in MiB, compressed; the oldest lines go first."
    )
    admin_listen: Annotated[str, BeforeValidator(_as_word)] = Field(
        "127.0.0.1:9401",
        description="Address and port of the administration: metrics, configuration, switch. Port 0 takes a free "
        "one; `off`: there is none.",
    )
    admin_token: str | None = Field(
        None,
        min_length=16,
        repr=False,
        description="What `Authorization: Bearer ...` must carry at the administration port; needed where that is "
        "not on a loopback address. Unset: whoever reaches the port may administer.",
    )

    @field_validator("admin_listen")
    @classmethod
    def _check_admin_listen(cls, value: str) -> str:
        if value != OFF:
            split_listen(value)
        return value

    @field_validator("share_header")
    @classmethod
    def _check_share_header(cls, value: str) -> str:
        if not value.isascii() or any(not (letter.isalnum() or letter in "-_.") for letter in value):
            raise ValueError(f"{value!r} is not the name of a header field")
        return value

    @field_validator("admin_token")
    @classmethod
    def _check_admin_token(cls, value: str | None) -> str | None:
        if value is not None and (not value.isascii() or not value.isprintable() or " " in value):
            raise ValueError("it must consist of printable ASCII characters, without spaces")
        return value

    @property
    def admin_address(self) -> tuple[str, int] | None:
        """Host and port of the administration, or None."""
        return split_listen(self.admin_listen) if self.admin_listen != OFF else None

    @property
    def is_administered_openly(self) -> bool:
        """Whether others than this machine reach the administration, and nothing keeps them out."""
        return self.admin_address is not None and self.admin_token is None and not is_loopback(self.admin_address[0])


def is_loopback(host: str) -> bool:
    """Whether a host to listen on is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
