"""Sends choreoscope's own spans and metrics where the user says."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable

from collectors import extras
from tui.exits import Exit, Stop

VARIABLE = "CHOREOSCOPE_TELEMETRY_ENDPOINT"


_NAME = str(uuid.uuid4())
_begun: set[str] = set()  # names


def instance() -> str:
    """The identity of this process, by which its own spans are known."""
    return _NAME


def begin(endpoint: str, name: str) -> Callable[[], None]:
    """Send to `endpoint` (OTLP over HTTP) from now on; what is returned ends it. Raises Stop.

    `name`: the process's identity. Nobody else's OTEL_EXPORTER_OTLP_ENDPOINT is used: it is set
    where services are watched, and choreoscope would watch itself.
    """
    if not endpoint or _begun:
        return lambda: None
    try:
        from opentelemetry import metrics, trace
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        said = f"telemetry.endpoint needs the extra telemetry: {extras.how('telemetry')}"
        raise Stop(Exit.USAGE, said) from None
    _begun.add(name)
    place = endpoint.rstrip("/")
    about = Resource.create({"service.name": "choreoscope", "service.instance.id": name})
    spans = TracerProvider(resource=about, shutdown_on_exit=False)
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{place}/v1/traces", timeout=5)))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{place}/v1/metrics", timeout=5))
    numbers = MeterProvider([reader], about, shutdown_on_exit=False)
    trace.set_tracer_provider(spans)
    metrics.set_meter_provider(numbers)

    def end() -> None:
        spans.shutdown()
        numbers.shutdown()

    return end


def from_environment() -> Callable[[], None]:
    """`begin` for a command that reads no settings. Raises Stop."""
    return begin(os.environ.get(VARIABLE, ""), instance())
