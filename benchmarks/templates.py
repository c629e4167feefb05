"""A span type as bytes with holes of fixed width, so that numpy can write millions of them.

The bytes come from the real encoder (opentelemetry-proto, json); a hole is where two renderings
that differ in one value differ. No wire format is written by hand here.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from benchmarks.workload import OFFSET, ORDER, PARTITION, SpanType

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

# name -> two values that differ in every byte of either encoding
VALUES: dict[str, tuple[Any, Any]] = {
    "trace": (b"\x11" * 16, b"\xee" * 16),
    "span": (b"\x22" * 8, b"\xdd" * 8),
    "parent": (b"\x33" * 8, b"\xcc" * 8),
    "link_trace": (b"\x44" * 16, b"\xbb" * 16),
    "link_span": (b"\x55" * 8, b"\xaa" * 8),
    "start": (1_111_111_111_111_111_111, 2_222_222_222_222_222_222),
    "end": (1_111_111_111_111_111_111, 2_222_222_222_222_222_222),
    "event": (1_111_111_111_111_111_111, 2_222_222_222_222_222_222),
    "order": ("o-0000000000", "o-9999999999"),
    "partition": ("0", "9"),
    "offset": (268_435_456, 805_306_367),  # 5 bytes as varint, 9 digits as text
}
FIRST_OFFSET = VALUES["offset"][0]
WIDTH_TEXT = {"start": 19, "end": 19, "event": 19, "order": 10, "offset": 9}
WIDTH_WIRE = {"trace": 16, "link_trace": 16, "order": 10, "partition": 1, "offset": 5}


@dataclass(frozen=True, slots=True)
class Template:
    """The bytes of one span type and where its values go: name -> (first byte, width)."""

    data: Bytes
    holes: dict[str, tuple[int, int]]


def _any(value: str | int) -> AnyValue:
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)


def _message(kind: SpanType, linked: bool, v: dict[str, Any]) -> Span:
    filled = {ORDER: v["order"], PARTITION: v["partition"], OFFSET: v["offset"]}
    span = Span(
        trace_id=v["trace"],
        span_id=v["span"],
        name=kind.name,
        kind=Span.SpanKind.ValueType(kind.kind),
        start_time_unix_nano=v["start"],
        end_time_unix_nano=v["end"],
        flags=0x101 if kind.kind in {1, 3, 4} else 0x301,
        attributes=[
            KeyValue(key=key, value=_any(filled.get(key, value)))
            for key, value in kind.attributes.items()
        ],
    )
    if kind.parent and not linked:
        span.parent_span_id = v["parent"]
    if linked:
        span.links.add(trace_id=v["link_trace"], span_id=v["link_span"], flags=0x301)
    elif kind.event:
        span.events.add(time_unix_nano=v["event"], name=kind.event)
    return span


def _wire(span: Span) -> bytes:
    data: bytes = ScopeSpans(spans=[span]).SerializeToString()
    return data


def otlp_dict(message: Any) -> Any:
    """Protobuf's JSON form with OTLP's one difference: ids are hex, not base64."""
    return _hex_ids(MessageToDict(message, use_integers_for_enums=True))


def _hex_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_hex_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    ids = {"traceId", "spanId", "parentSpanId"}
    return {
        key: base64.b64decode(item).hex() if key in ids else _hex_ids(item)
        for key, item in value.items()
    }


def _text(span: Span) -> bytes:
    return json.dumps(otlp_dict(span), separators=(",", ":")).encode() + b","


def template(kind: SpanType, linked: bool, encoding: str) -> Template:
    """Render `kind`; `linked` spans start a trace of their own and link their message."""
    encode: Callable[[Span], bytes] = _wire if encoding == "protobuf" else _text
    base = {name: pair[0] for name, pair in VALUES.items()}
    data = np.frombuffer(encode(_message(kind, linked, base)), np.uint8)
    holes = {}
    for name, (_, other) in VALUES.items():
        changed = np.frombuffer(encode(_message(kind, linked, base | {name: other})), np.uint8)
        if len(changed) != len(data):
            raise ValueError(f"{kind.key}: {name} changes the length")
        where = np.flatnonzero(changed != data)
        if len(where):
            holes[name] = _hole(name, where, encoding)
    return Template(data, holes)


def _hole(name: str, where: Ints, encoding: str) -> tuple[int, int]:
    wire = WIDTH_WIRE.get(name, 8)
    width = wire if encoding == "protobuf" else WIDTH_TEXT.get(name, wire * 2)
    width = 1 if name == "partition" else width
    if where[-1] - where[0] + 1 != width:
        raise ValueError(f"{name}: {where[-1] - where[0] + 1} bytes differ, not {width}")
    return int(where[0]), width


def resource(service: str) -> Resource:
    """Six resource attributes, as an SDK in a Kubernetes pod sends them."""
    values = {
        "service.name": service,
        "service.version": "1.4.2",
        "service.instance.id": f"{service}-6f9c8d7b5-x2x7k",
        "k8s.pod.name": f"{service}-6f9c8d7b5-x2x7k",
        "telemetry.sdk.language": "java",
        "telemetry.sdk.name": "opentelemetry",
    }
    return Resource(attributes=[KeyValue(key=k, value=_any(v)) for k, v in values.items()])


SCOPE = InstrumentationScope(name="io.opentelemetry.kafka-clients-2.6", version="2.10.0")


def hex_text(ids: Bytes) -> Bytes:
    """(n, width) bytes -> (n, 2 x width) hex digits."""
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    return np.stack([digits[ids >> 4], digits[ids & 15]], axis=-1).reshape(len(ids), -1)


def decimal_text(values: Ints, width: int) -> Bytes:
    """n integers -> (n, width) digits with leading zeros."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (values[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def little_endian(values: Ints) -> Bytes:
    """n integers -> (n, 8) bytes: fixed64."""
    return np.ascontiguousarray(values.astype("<i8")).view(np.uint8).reshape(-1, 8)


def varint5(values: Ints) -> Bytes:
    """n integers from 2**28 up to 2**35 -> (n, 5) bytes."""
    groups = (values[:, None] >> np.array([0, 7, 14, 21, 28])) & 0x7F
    groups[:, :4] |= 0x80
    data: Bytes = groups.astype(np.uint8)
    return data
