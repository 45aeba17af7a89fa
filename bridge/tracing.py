"""Spans of reranked requests for OpenTelemetry, where an exporter is set (the extra ``otel``).

A request is a span ``rerank`` with spans of its stages in it: ``upstream`` for each time that the engine is asked,
``scoring``, ``splice``. It is a child of what the client names in ``traceparent`` (W3C Trace Context), which reaches
the engine unchanged, so that the engine's own spans stand beside it. Requests that pass through have none.

Sources: "OpenTelemetry Protocol Exporter" and "Environment Variable Specification", OpenTelemetry 1.x: the SDK reads
service name, sampler and exporter from the environment by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import structlog

from bridge.errors import ConfigError
from bridge.logs import without_message
from bridge.telemetry import Interval
from bridge.version import __version__
from connectors.base import Headers

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_DISABLED = "OTEL_SDK_DISABLED"
_SERVICE = "rerank-bridge"

_log = structlog.get_logger(__name__)


class SpanTracer:
    """Makes spans of what has been timed, afterwards: nothing is done for them while a search runs."""

    def __init__(self, provider: TracerProvider, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` is the one that requests are timed with."""
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - the extra may not be there
            TraceContextTextMapPropagator,
        )

        self.provider = provider
        self._tracer = provider.get_tracer(_SERVICE, __version__)
        self._propagator = TraceContextTextMapPropagator()
        self._clock = clock

    def trace(self, headers: Headers, whole: Interval, parts: Sequence[Interval]) -> None:
        """Makes the span of a request with these header fields, and those of its parts; never raises."""
        try:
            self._trace(headers, whole, parts)
        except Exception as error:  # noqa: BLE001 - what is told of a search must not cost it its order
            _log.error("not traced", **without_message(error))

    def _trace(self, headers: Headers, whole: Interval, parts: Sequence[Interval]) -> None:
        from opentelemetry.trace import SpanKind, set_span_in_context  # noqa: PLC0415 - as above

        offset_s = time.time() - self._clock()
        given = self._propagator.extract({name.lower(): value for name, value in headers})
        span = self._tracer.start_span(
            whole.name, given, kind=SpanKind.SERVER, start_time=_nanoseconds(whole.started + offset_s)
        )
        within = set_span_in_context(span)
        for part in parts:
            kind = SpanKind.CLIENT if part.name == "upstream" else SpanKind.INTERNAL
            child = self._tracer.start_span(
                part.name, within, kind=kind, start_time=_nanoseconds(part.started + offset_s)
            )
            child.end(_nanoseconds(part.ended + offset_s))
        span.end(_nanoseconds(whole.ended + offset_s))


def tracer_of(environ: Mapping[str, str]) -> SpanTracer | None:
    """What sends spans where the environment says (``OTEL_EXPORTER_OTLP_ENDPOINT`` and kin); None: it says nothing.

    Raises ``ConfigError`` where the packages for it are not installed.
    """
    if not any(environ.get(name) for name in _ENDPOINTS) or environ.get(_DISABLED, "").lower() == "true":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - as above
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - as above
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        problem = f"{_ENDPOINTS[1]} is set, and there is no package {error.name}: pip install 'rerank-bridge[otel]'"
        raise ConfigError([problem]) from error
    named = {} if environ.get("OTEL_SERVICE_NAME") else {"service.name": _SERVICE}
    provider = TracerProvider(resource=Resource.create(named))  # ends with the process, and sends what is left
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return SpanTracer(provider)


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
