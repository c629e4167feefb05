"""OTLP trace messages as structs that encode to OTLP JSON or OTLP protobuf."""

from __future__ import annotations

from functools import lru_cache

import msgspec
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.trace.v1 import trace_pb2


class AnyValue(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True, gc=False):
    """An attribute's value; exactly one field is set. Integers are text, as OTLP JSON has them."""

    string_value: str | None = None
    int_value: str | None = None


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
    """The request as an OTLP protobuf message.

    Messages that follow one another merge, and repeated fields append; so every span is written
    as what is its own, after the attributes that it shares, which are encoded only once.
    """
    return b"".join(_field(1, _resource_spans(one)) for one in request.resource_spans)


def varint(value: int) -> bytes:
    """A protobuf varint: seven bits a byte, the lowest first, the top bit says "more"."""
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def _field(number: int, payload: bytes) -> bytes:
    """A field of wire type 2: bytes after their length."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def _resource_spans(one: ResourceSpans) -> bytes:
    resource = b"".join(map(_attribute_one, one.resource.attributes))
    return _field(1, resource) + b"".join(_field(2, _scope_spans(s)) for s in one.scope_spans)


def _scope_spans(one: ScopeSpans) -> bytes:
    scope = common_pb2.InstrumentationScope(name=one.scope.name, version=one.scope.version)
    spans = b"".join(_field(2, _span(span)) for span in one.spans)
    return _field(1, scope.SerializeToString()) + spans


@lru_cache(maxsize=4096)
def _attribute(pair: KeyValue) -> common_pb2.KeyValue:
    value = pair.value
    if value.int_value is not None:
        found = common_pb2.AnyValue(int_value=int(value.int_value))
    else:
        found = common_pb2.AnyValue(string_value=value.string_value or "")
    return common_pb2.KeyValue(key=pair.key, value=found)


@lru_cache(maxsize=4096)
def _attribute_one(pair: KeyValue) -> bytes:
    """As field 1 of a resource."""
    return _field(1, _attribute(pair).SerializeToString())


@lru_cache(maxsize=4096)
def _attribute_nine(pair: KeyValue) -> bytes:
    """As field 9 of a span."""
    return _field(9, _attribute(pair).SerializeToString())


def _span(span: Span) -> bytes:
    own = trace_pb2.Span(
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        parent_span_id=bytes.fromhex(span.parent_span_id),
        name=span.name,
        kind=trace_pb2.Span.SpanKind.ValueType(span.kind),
        start_time_unix_nano=int(span.start_time_unix_nano),
        end_time_unix_nano=int(span.end_time_unix_nano),
    )
    if span.flags:
        own.flags = span.flags
    if span.trace_state:
        own.trace_state = span.trace_state
    if span.links:
        own.links.extend(map(_link, span.links))
    if span.status.code:
        own.status.code = trace_pb2.Status.StatusCode.ValueType(span.status.code)
        own.status.message = span.status.message
    if span.events:
        own.events.extend(map(_event, span.events))
    encoded: bytes = own.SerializeToString()
    return b"".join(map(_attribute_nine, span.attributes)) + encoded


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
