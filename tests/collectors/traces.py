"""Random OTLP requests, and the same requests in every encoding."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, TracesData
from polars.testing import assert_frame_equal

from collectors.recording import Recording

FRAMES = ("spans", "links", "events", "attributes", "link_attributes")

KEYS = st.sampled_from(
    [
        "messaging.system",
        "messaging.destination.name",
        "messaging.operation.type",
        "messaging.operation",
        "messaging.message.id",
        "messaging.message.conversation_id",
        "messaging.kafka.offset",
        "messaging.destination.partition.id",
        "http.request.method",
        "http.response.status_code",
        "http.url",
        "url.full",
        "kafka.topic",
        "kafka.received_message",
        "nservicebus.message_id",
        "error.type",
        "exception.type",
        "exception.message",
        "order.id",
        "key",
        "",
    ]
) | st.text(max_size=8)
TEXTS = st.text(max_size=20) | st.sampled_from(
    ["publish", "process", '"', "\\", '{"key":"', '"}}', "{", "5", "naïve", "", "x" * 13]
)


def _values(depth: int = 2) -> st.SearchStrategy[AnyValue]:
    plain = st.one_of(
        TEXTS.map(lambda text: AnyValue(string_value=text)),
        st.booleans().map(lambda value: AnyValue(bool_value=value)),
        st.integers(-(2**63), 2**63 - 1).map(lambda value: AnyValue(int_value=value)),
        st.floats().map(lambda value: AnyValue(double_value=value)),
        st.binary(max_size=5).map(lambda value: AnyValue(bytes_value=value)),
        st.just(AnyValue()),
    )
    if not depth:
        return plain
    inner = st.lists(_values(depth - 1), max_size=2)
    return plain | inner.map(_array) | st.dictionaries(TEXTS, plain, max_size=2).map(_map)


def _array(values: list[AnyValue]) -> AnyValue:
    found = AnyValue()
    found.array_value.SetInParent()
    found.array_value.values.extend(values)
    return found


def _map(values: dict[str, AnyValue]) -> AnyValue:
    found = AnyValue()
    found.kvlist_value.SetInParent()
    found.kvlist_value.values.extend(KeyValue(key=k, value=v) for k, v in values.items())
    return found


PAIRS = st.lists(st.builds(KeyValue, key=KEYS, value=_values()), max_size=6)
TIMES = st.integers(0, 2**64 - 1) | st.integers(1_700_000_000, 1_700_000_100).map(
    lambda seconds: seconds * 10**9
)
IDS = st.integers(1, 2**64 - 1) | st.integers(1, 5)


def _id(size: int) -> st.SearchStrategy[bytes]:
    return IDS.map(lambda number: number.to_bytes(size))


SPANS = st.builds(
    Span,
    trace_id=_id(16),
    span_id=_id(8),
    parent_span_id=_id(8) | st.just(b"") | st.just(bytes(8)),
    name=TEXTS,
    kind=st.integers(0, 5),
    flags=st.sampled_from([0, 1, 0x101, 0x301]),
    trace_state=st.sampled_from(["", "ot=th:8"]),
    start_time_unix_nano=TIMES,
    end_time_unix_nano=TIMES,
    dropped_links_count=st.integers(0, 3),
    attributes=PAIRS,
    status=st.builds(
        lambda code, message: {"code": code, "message": message}, st.integers(0, 2), TEXTS
    ).map(lambda fields: _status(**fields)),
    links=st.lists(
        st.builds(Span.Link, trace_id=_id(16), span_id=_id(8), attributes=PAIRS), max_size=2
    ),
    events=st.lists(
        st.builds(
            Span.Event, name=TEXTS | st.just("exception"), time_unix_nano=TIMES, attributes=PAIRS
        ),
        max_size=2,
    ),
)


def _status(code: int, message: str) -> Any:
    from opentelemetry.proto.trace.v1.trace_pb2 import Status

    return Status(code=code, message=message)  # type: ignore[arg-type]


def _group(pairs: list[KeyValue], scope: str, spans: list[Span]) -> ResourceSpans:
    group = ResourceSpans()
    group.resource.attributes.extend(pairs)
    found = group.scope_spans.add()
    found.scope.name = scope
    found.spans.extend(spans)
    return group


RESOURCES = st.lists(
    st.builds(
        KeyValue,
        key=st.sampled_from(["service.name", "service.version", "host.name", "process.pid", "x"]),
        value=_values(0),
    ),
    max_size=4,
)
REQUESTS = st.lists(
    st.builds(_group, RESOURCES, TEXTS, st.lists(SPANS, max_size=4)), max_size=2
).map(lambda groups: TracesData(resource_spans=groups))


def as_json(request: TracesData) -> dict[str, Any]:
    """The request as the Collector's file exporter writes it."""
    return {"resourceSpans": [_resource_spans(group) for group in request.resource_spans]}


def line(request: TracesData) -> bytes:
    """As one compact JSON line."""
    return json.dumps(as_json(request), separators=(",", ":"), ensure_ascii=False).encode()


def _resource_spans(group: ResourceSpans) -> dict[str, Any]:
    scopes = [
        {"scope": {"name": scope.scope.name}, "spans": [_span(span) for span in scope.spans]}
        for scope in group.scope_spans
    ]
    return {"resource": {"attributes": _pairs(group.resource.attributes)}, "scopeSpans": scopes}


def _span(span: Span) -> dict[str, Any]:
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "parentSpanId": span.parent_span_id.hex(),
        "flags": span.flags,
        "traceState": span.trace_state,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_time_unix_nano),
        "endTimeUnixNano": str(span.end_time_unix_nano),
        "attributes": _pairs(span.attributes),
        "droppedLinksCount": span.dropped_links_count,
        "status": {"code": span.status.code, "message": span.status.message},
        "links": [
            {
                "traceId": link.trace_id.hex(),
                "spanId": link.span_id.hex(),
                "attributes": _pairs(link.attributes),
            }
            for link in span.links
        ],
        "events": [
            {
                "timeUnixNano": str(event.time_unix_nano),
                "name": event.name,
                "attributes": _pairs(event.attributes),
            }
            for event in span.events
        ],
    }


def _pairs(pairs: Any) -> list[dict[str, Any]]:
    return [{"key": pair.key, "value": _value(pair.value)} for pair in pairs]


def _value(value: AnyValue) -> dict[str, Any]:
    kind = value.WhichOneof("value")
    if kind is None:
        return {}
    found = getattr(value, kind)
    writers = {
        "string_value": lambda: ("stringValue", found),
        "bool_value": lambda: ("boolValue", found),
        "int_value": lambda: ("intValue", str(found)),
        "double_value": lambda: ("doubleValue", _double(found)),
        "bytes_value": lambda: ("bytesValue", base64.b64encode(found).decode()),
        "array_value": lambda: ("arrayValue", {"values": [_value(v) for v in found.values]}),
        "kvlist_value": lambda: ("kvlistValue", {"values": _pairs(found.values)}),
    }
    return dict([writers[kind]()])


def _double(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def assert_same(one: Recording, other: Recording) -> None:
    """Every frame is equal, to the row."""
    for name in FRAMES:
        assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)
