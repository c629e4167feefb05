"""The OTLP message types as this package reads them: copies of the published descriptors.

`columns()` leaves attributes, resources and scopes as bytes, so that ptars makes columns of the
rest. `message()` has every text as bytes, so that one invalid UTF-8 string costs no request, and
every span, resource and scope as bytes, so that a broken one costs only what belongs to it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

Field = descriptor_pb2.FieldDescriptorProto
File = descriptor_pb2.FileDescriptorProto
Message = descriptor_pb2.DescriptorProto

TRACES = "opentelemetry.proto.trace.v1.TracesData"
_OPAQUE = frozenset({"attributes", "resource", "scope"})
_PARTS = frozenset({"spans", "resource", "scope"})
_UNREAD = frozenset({"dropped_attributes_count", "dropped_events_count", "schema_url"})


@cache
def columns() -> Any:
    """A ptars handler for TracesData: opaque parts as bytes, what nobody reads left out."""
    import ptars

    pool = _pool(_columnar)
    descriptor = pool.FindMessageTypeByName(TRACES)
    return ptars.HandlerPool([descriptor.file]).get_for_message(descriptor)


@cache
def message(name: str) -> Any:
    """The class of a message (such as `trace.v1.Span`) with texts and parts as bytes."""
    pool = _tolerant_pool()
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"opentelemetry.proto.{name}")
    )


@cache
def _tolerant_pool() -> descriptor_pool.DescriptorPool:
    return _pool(_tolerant)


def _pool(change: Callable[[Message], None]) -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for module in (common_pb2, resource_pb2, trace_pb2):
        copy = File()
        module.DESCRIPTOR.CopyToProto(copy)
        for each in copy.message_type:
            _every(each, change)
        pool.Add(copy)
    return pool


def _every(message: Message, change: Callable[[Message], None]) -> None:
    change(message)
    for nested in message.nested_type:
        _every(nested, change)


def _columnar(message: Message) -> None:
    if message.name not in {"TracesData", "ResourceSpans", "ScopeSpans", "Span", "Event", "Link"}:
        return
    for field in message.field:
        if field.name in _OPAQUE:
            _as_bytes(field)
    unread = _UNREAD | ({"trace_state"} if message.name == "Link" else set())
    kept = [field for field in message.field if field.name not in unread]
    del message.field[:]
    message.field.extend(kept)


def _tolerant(message: Message) -> None:
    for field in message.field:
        if field.type == Field.TYPE_STRING or field.name in _PARTS:
            _as_bytes(field)


def _as_bytes(field: Field) -> None:
    field.type = Field.TYPE_BYTES
    field.ClearField("type_name")
