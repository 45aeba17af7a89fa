"""Logs: lines for people or for collectors, on standard error. No bodies, hits or credentials are ever in them."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Literal

import structlog

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(level: Literal["debug", "info", "warning", "error"], form: Literal["text", "json"]) -> None:
    """Sends log lines of a level and above to standard error."""
    renderer = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def without_message(error: Exception) -> dict[str, object]:
    """What a log line may say of an unexpected error: its message might quote a search or its hits."""
    return {"error": type(error).__name__, "frames": traceback.format_tb(error.__traceback__)}
