"""Spans of reranked requests: what they say, whose children they are, and when there are none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import SimpleQueue
from threading import Thread

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bridge.errors import ConfigError
from bridge.telemetry import Interval
from bridge.tracing import SpanTracer, tracer_of
from connectors.base import Reply, Request
from tests.doubles.small_exchange import exchange
from tests.doubles.small_sender import SmallSender, search_request, shown

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


class Traced:
    """A tracer, and the spans that it made."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.now = [100.0]
        self.tracer = SpanTracer(provider, lambda: self.now[0])

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.exporter.get_finished_spans()}


def seconds(span: ReadableSpan) -> float:
    assert span.start_time is not None
    assert span.end_time is not None
    return round((span.end_time - span.start_time) / 1e9, 6)


async def test_a_reranked_search_is_traced() -> None:
    """Its stages are spans within one, a child of the client's; the engine gets the client's context as it came."""

    class SlowSender(SmallSender):
        def page(self, request: Request) -> Reply:
            small.now[0] += 0.25
            return super().page(request)

    traced = Traced()
    async with exchange(SlowSender()) as small:
        small.telemetry._tracer = traced.tracer
        traced.now = small.now
        traced.tracer._clock = lambda: small.now[0]
        request = search_request()
        headers = (*request.headers, ("TraceParent", TRACEPARENT))
        await small.search(Request(request.method, request.target, headers, request.body))
        assert small.sender.requests[-1].header("traceparent") == TRACEPARENT
    spans = traced.spans()
    assert spans.keys() == {"rerank", "upstream", "scoring", "splice"}
    whole = spans["rerank"]
    assert whole.context is not None
    assert whole.parent is not None
    assert (f"{whole.context.trace_id:032x}", f"{whole.parent.span_id:016x}") == (TRACE, PARENT)
    parents = {span.parent.span_id for name, span in spans.items() if name != "rerank" and span.parent is not None}
    assert parents == {whole.context.span_id}
    assert (seconds(spans["upstream"]), seconds(whole)) == (0.25, 0.25)


async def test_a_search_without_a_context_begins_a_trace() -> None:
    """A client that names no context, or a broken one, gets a trace of its own."""
    for headers in ((), (("traceparent", "nonsense"),)):
        traced = Traced()
        traced.tracer.trace(headers, Interval("rerank", 1.0, 2.0), ())
        assert traced.spans()["rerank"].parent is None


async def test_what_passes_through_is_not_traced() -> None:
    """A search that is left alone has no span."""
    traced = Traced()
    async with exchange() as small:
        small.telemetry._tracer = traced.tracer
        await small.skipped(search_request(size=0))
    assert traced.spans() == {}


async def test_a_tracer_that_fails_costs_nothing() -> None:
    """Where no span can be made, the search is reranked all the same."""
    traced = Traced()
    traced.tracer._clock = lambda: 1 / 0
    async with exchange() as small:
        small.telemetry._tracer = traced.tracer
        with structlog.testing.capture_logs() as lines:
            assert shown(await small.search()) == [3, 2, 1, 0, 4]
    assert (traced.spans(), [line["event"] for line in lines]) == ({}, ["not traced"])


@pytest.fixture
def collector() -> Iterator[tuple[str, SimpleQueue[tuple[str, bytes]]]]:
    """A server that takes what is sent to it, as a collector does."""
    received: SimpleQueue[tuple[str, bytes]] = SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.put((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()
        thread.join()


def test_spans_reach_a_collector(
    collector: tuple[str, SimpleQueue[tuple[str, bytes]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the environment names an endpoint, spans are sent there over HTTP, under the bridge's name."""
    url, received = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    tracer = tracer_of({"OTEL_EXPORTER_OTLP_ENDPOINT": url})
    assert tracer is not None
    assert tracer.provider.resource.attributes["service.name"] == "rerank-bridge"
    tracer.trace((), Interval("rerank", 1.0, 2.0), (Interval("scoring", 1.0, 1.5),))
    tracer.provider.shutdown()
    path, body = received.get(timeout=20)
    assert path == "/v1/traces"
    assert all(word in body for word in (b"rerank-bridge", b"scoring"))


def test_nothing_is_traced_unless_it_is_wanted() -> None:
    """Without an endpoint, or where the SDK is disabled, there is no tracer."""
    assert tracer_of({}) is None
    assert tracer_of({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost", "OTEL_SDK_DISABLED": "true"}) is None


def test_packages_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint without the packages is a mistake of the configuration, which says what to install."""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigError, match=r"pip install 'rerank-bridge\[otel\]'"):
        tracer_of({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost"})
