"""What the exporters of the OpenTelemetry SDK send is what is stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp
from opentelemetry.exporter.zipkin.json import ZipkinExporter as Zipkin
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from tests.receivers.running import Running, running
from tests.store.requests import stored


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "s") as found:
        yield found


def exporters(server: Running) -> Iterator[SpanExporter]:
    url = f"{server.http}/v1/traces"
    yield OverHttp(endpoint=url)
    yield OverHttp(endpoint=url, compression=Compression.Gzip)
    yield OverGrpc(endpoint=server.grpc, insecure=True)
    yield OverGrpc(endpoint=server.grpc, insecure=True, compression=grpc.Compression.Gzip)


def test_the_python_sdk(server: Running) -> None:
    """Over HTTP and gRPC, plain and with gzip: ids, times, links, attributes, errors."""
    sent = {}
    for number, exporter in enumerate(exporters(server)):
        provider = TracerProvider(resource=Resource.create({"service.name": f"shop-{number}"}))
        provider.add_span_processor(BatchSpanProcessor(exporter))
        tracer = provider.get_tracer("test")
        with tracer.start_as_current_span("publish", kind=SpanKind.PRODUCER) as publish:
            publish.set_attribute("messaging.system", "kafka")
        links = [Link(publish.get_span_context())]
        consume = tracer.start_span("process", kind=SpanKind.CONSUMER, links=links)
        consume.set_status(Status(StatusCode.ERROR, "no stock"))
        consume.end()
        provider.shutdown()
        for span in (publish, consume):
            context = span.get_span_context()
            sent[context.span_id] = (context.trace_id, span.start_time, span.end_time)  # type: ignore[attr-defined]
    found = stored(server.folder)
    columns = found.spans.select("span_id", "trace_hi", "trace_lo", "start_ns", "end_ns")
    assert {
        row[0]: ((row[1] << 64) | row[2], row[3], row[4]) for row in columns.iter_rows()
    } == sent
    assert len(found.links) == 4
    assert found.spans["status"].to_list().count(2) == 4
    assert set(found.spans["service"].cast(str)) == {f"shop-{n}" for n in range(4)}


def test_the_zipkin_exporter(server: Running) -> None:
    """Ids, parents, kinds and times to the microsecond; an error and its message."""
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_span_processor(
        BatchSpanProcessor(Zipkin(endpoint=f"{server.zipkin}/api/v2/spans"))
    )
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("publish", kind=SpanKind.PRODUCER) as publish:
        publish.set_attribute("messaging.system", "kafka")
        consume = tracer.start_span("process", kind=SpanKind.CONSUMER)
        consume.set_status(Status(StatusCode.ERROR, "no stock"))
        consume.end()
    provider.shutdown()
    spans = {row["span_id"]: row for row in stored(server.folder).spans.to_dicts()}
    assert len(spans) == 2
    for sent, kind, status in ((publish, 4, 0), (consume, 5, 2)):
        context = sent.get_span_context()
        row = spans[context.span_id]
        assert (row["trace_hi"] << 64) | row["trace_lo"] == context.trace_id
        assert (row["service"], row["kind"], row["status"]) == ("shop", kind, status)
        assert abs(row["start_ns"] - sent.start_time) < 1000  # type: ignore[attr-defined]
    assert (
        spans[consume.get_span_context().span_id]["parent_id"] == publish.get_span_context().span_id
    )
    assert spans[consume.get_span_context().span_id]["error_message"] == "no stock"
    assert spans[publish.get_span_context().span_id]["system"] == "kafka"
