"""OTLP trace messages as structs that encode to OTLP JSON or OTLP protobuf."""

from __future__ import annotations

from functools import lru_cache

import msgspec
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.trace.v1 import trace_pb2


class AnyValue(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True, gc=False):
    """An attribute's value; exactly one field is set. Integers are text, as OTLP JSON has them."""

    string_value: str | None = None
    int_value: str | None = None
    bool_value: bool | None = None


class KeyValue(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """One attribute."""

    key: str
    value: AnyValue


class Link(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True):
    """A span link; `flags` None means that the emitter does not write them."""

    trace_id: str
    span_id: str
    trace_state: str = ""
    attributes: tuple[KeyValue, ...] = ()
    flags: int | None = None


class Event(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True):
    """A span event."""

    time_unix_nano: str
    name: str
    attributes: tuple[KeyValue, ...] = ()


class Status(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True, gc=False):
    """A span's status; code 2 is an error."""

    code: int = 0
    message: str = ""


class Span(msgspec.Struct, rename="camel", omit_defaults=True):
    """A span; ids are lower-case hex, times are nanoseconds since the epoch, as text."""

    trace_id: str
    span_id: str
    name: str
    kind: int
    start_time_unix_nano: str
    end_time_unix_nano: str
    attributes: tuple[KeyValue, ...]
    parent_span_id: str = ""
    trace_state: str = ""
    flags: int | None = None
    events: tuple[Event, ...] = ()
    links: tuple[Link, ...] = ()
    status: Status = Status()


class Scope(msgspec.Struct, rename="camel", frozen=True):
    """An instrumentation scope."""

    name: str
    version: str


class ScopeSpans(msgspec.Struct, rename="camel"):
    """The spans of one scope."""

    scope: Scope
    spans: list[Span]


class Resource(msgspec.Struct, rename="camel"):
    """Who emitted the spans."""

    attributes: tuple[KeyValue, ...]


class ResourceSpans(msgspec.Struct, rename="camel"):
    """The spans of one resource."""

    resource: Resource
    scope_spans: list[ScopeSpans]


class Request(msgspec.Struct, rename="camel"):
    """An ExportTraceServiceRequest."""

    resource_spans: list[ResourceSpans]

    @property
    def spans(self) -> int:
        """Number of spans in it."""
        return sum(len(s.spans) for r in self.resource_spans for s in r.scope_spans)


def text(key: str, value: str) -> KeyValue:
    """A string attribute."""
    return KeyValue(key, AnyValue(string_value=value))


def number(key: str, value: int) -> KeyValue:
    """An integer attribute."""
    return KeyValue(key, AnyValue(int_value=str(value)))


_JSON = msgspec.json.Encoder()


def to_json(request: Request) -> bytes:
    """The request as one line of OTLP JSON, without the line end."""
    return _JSON.encode(request)


def to_protobuf(request: Request) -> bytes:
    """The request as an OTLP protobuf message."""
    message = trace_service_pb2.ExportTraceServiceRequest()
    for resource in request.resource_spans:
        target = message.resource_spans.add()
        target.resource.attributes.extend(map(_attribute, resource.resource.attributes))
        for group in resource.scope_spans:
            scope = target.scope_spans.add()
            scope.scope.name = group.scope.name
            scope.scope.version = group.scope.version
            scope.spans.extend(map(_span, group.spans))
    encoded: bytes = message.SerializeToString()
    return encoded


@lru_cache(maxsize=4096)
def _attribute(pair: KeyValue) -> common_pb2.KeyValue:
    value = pair.value
    if value.int_value is not None:
        found = common_pb2.AnyValue(int_value=int(value.int_value))
    elif value.bool_value is not None:
        found = common_pb2.AnyValue(bool_value=value.bool_value)
    else:
        found = common_pb2.AnyValue(string_value=value.string_value or "")
    return common_pb2.KeyValue(key=pair.key, value=found)


def _span(span: Span) -> trace_pb2.Span:
    return trace_pb2.Span(
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        parent_span_id=bytes.fromhex(span.parent_span_id),
        trace_state=span.trace_state,
        flags=span.flags or 0,
        name=span.name,
        kind=trace_pb2.Span.SpanKind.ValueType(span.kind),
        start_time_unix_nano=int(span.start_time_unix_nano),
        end_time_unix_nano=int(span.end_time_unix_nano),
        attributes=map(_attribute, span.attributes),
        events=map(_event, span.events),
        links=map(_link, span.links),
        status=trace_pb2.Status(
            code=trace_pb2.Status.StatusCode.ValueType(span.status.code),
            message=span.status.message,
        ),
    )


def _event(event: Event) -> trace_pb2.Span.Event:
    return trace_pb2.Span.Event(
        time_unix_nano=int(event.time_unix_nano),
        name=event.name,
        attributes=map(_attribute, event.attributes),
    )


def _link(link: Link) -> trace_pb2.Span.Link:
    return trace_pb2.Span.Link(
        trace_id=bytes.fromhex(link.trace_id),
        span_id=bytes.fromhex(link.span_id),
        trace_state=link.trace_state,
        attributes=map(_attribute, link.attributes),
        flags=link.flags or 0,
    )
