"""The one declared shape of spans, links, events and attributes that every decoder ends in.

Names and units follow OTLP (opentelemetry-proto `trace.proto`) and the OpenTelemetry semantic
conventions v1.44; a column whose name ends in `_ns` is int64 nanoseconds since the Unix epoch.
Ids are unsigned integers, because joins on 64-bit integers cost half of joins on bytes.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

import polars as pl


class Kind(IntEnum):
    """OTLP `SpanKind`."""

    UNSPECIFIED = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class Status(IntEnum):
    """OTLP `StatusCode`."""

    UNSET = 0
    OK = 1
    ERROR = 2


class Quality(IntFlag):
    """What is wrong with one span that was kept all the same; a bit set in column `quality`."""

    ZERO_TIME = 1  # start and end are 0: it never drives the watermark
    CLAMPED_TIME = 2  # beyond int64: the time is clamped
    NEGATIVE_DURATION = 4  # end < start: end_ns is set to start_ns
    CONFLICTING_DUPLICATE = 8  # the same id came again with other content
    TRUNCATED = 16  # attributes or values were capped
    SELF_PARENT = 32  # named itself as its parent: parent_id is set to 0
    EMPTY_NAME = 64  # name replaced by a placeholder
    INVALID_UTF8 = 128  # bytes replaced by U+FFFD
    DUPLICATE_KEYS = 256  # one attribute key twice: the last one won
    NO_END = 512  # the source had no duration (Zipkin): end_ns = start_ns


WORD = pl.Categorical()  # few distinct values: four bytes a row, grouped as integers

SPANS: dict[str, pl.DataType] = {
    "trace_hi": pl.UInt64(),  # high 8 bytes of the trace id, 0 for 64-bit ids
    "trace_lo": pl.UInt64(),
    "span_id": pl.UInt64(),
    "parent_id": pl.UInt64(),  # 0 = none
    "start_ns": pl.Int64(),
    "end_ns": pl.Int64(),
    "name": WORD,
    "kind": pl.UInt8(),  # Kind
    "status": pl.UInt8(),  # Status
    "error_type": WORD,  # error.type, else exception.type of an event
    "error_message": pl.String(),  # status message, else exception.message
    "trace_flags": pl.UInt32(),  # OTLP flags; null = the emitter did not say
    "tracestate": pl.String(),
    "dropped_links": pl.UInt32(),
    "quality": pl.UInt16(),  # Quality
    # resource
    "service": WORD,  # service.name; "unknown_service" where absent
    "service_version": WORD,
    "service_instance": WORD,  # service.instance.id, else k8s.pod.name, else host.name:process.pid
    "scope": WORD,  # instrumentation scope
    # messaging
    "system": WORD,
    "destination": WORD,  # several topics stay one comma-separated value
    "operation": WORD,  # canonical: create, send, receive, process, settle
    "message_id": pl.String(),
    "conversation_id": pl.String(),
    "consumer_group": WORD,  # consumer group, else subscription
    "partition": WORD,
    "offset": pl.Int64(),
    "message_key": pl.String(),
    "routing_key": WORD,
    "batch_count": pl.Int64(),
    "body_size": pl.Int64(),  # bytes
    "delivery_attempt": pl.Int64(),
    "disposition": WORD,  # complete, abandon, dead_letter, defer
    "deliver_at_ns": pl.Int64(),
    "event_type": WORD,  # cloudevents.event_type
    "event_id": pl.String(),  # cloudevents: "source id"
    "event_subject": pl.String(),
    # frameworks with instances of their own
    "framework": WORD,  # nservicebus, masstransit, wolverine, durabletask, temporal
    "framework_instance": pl.String(),  # saga id, tracking number, workflow id, ...
    "framework_workflow": WORD,
    "causal_id": pl.String(),  # id of the message that caused this one
    "correlation_id": pl.String(),  # the id that another span's causal_id names
    "message_intent": WORD,  # Send, Publish, Reply
    # calls
    "http_method": WORD,
    "http_route": WORD,  # http.route, else the path of the url without query
    "http_status": pl.Int64(),
    "rpc_service": WORD,
    "rpc_method": WORD,
    "rpc_status": pl.Int64(),
    "db_system": WORD,
    "db_namespace": WORD,
    "peer": WORD,  # peer.service, else server.address, else net.peer.name
}

# Row indices (`span`, `link`) are positions in the frame they point into.
LINKS: dict[str, pl.DataType] = {
    "span": pl.UInt32(),
    "trace_hi": pl.UInt64(),
    "trace_lo": pl.UInt64(),
    "span_id": pl.UInt64(),
    "trace_flags": pl.UInt32(),
    "is_message": pl.Boolean(),  # the link itself carries a messaging attribute
    "message_id": pl.String(),
    "destination": WORD,
}

EVENTS: dict[str, pl.DataType] = {
    "span": pl.UInt32(),
    "time_ns": pl.Int64(),
    "name": WORD,
    "attributes": pl.String(),  # JSON object, "" where none
}

# What has no column of its own, in long form: one row an attribute.
ATTRIBUTES: dict[str, pl.DataType] = {
    "span": pl.UInt32(),
    "key": WORD,
    "value": pl.String(),  # scalars as text ("true", "1.5"); lists and maps as JSON
}

LINK_ATTRIBUTES: dict[str, pl.DataType] = {
    "link": pl.UInt32(),
    "key": WORD,
    "value": pl.String(),
}


class SchemaError(ValueError):
    """A frame does not have the declared shape; the message names each column that differs."""


def check(frame: pl.DataFrame, schema: dict[str, pl.DataType], what: str) -> pl.DataFrame:
    """Return `frame` if it has exactly the columns of `schema`, in order; else SchemaError."""
    found = dict(frame.schema)
    missing = [name for name in schema if name not in found]
    extra = [name for name in found if name not in schema]
    wrong = [
        f"{name} is {found[name]}, not {dtype}"
        for name, dtype in schema.items()
        if name in found and found[name] != dtype
    ]
    problems = [f"missing {missing}"] * bool(missing) + [f"unknown {extra}"] * bool(extra) + wrong
    if problems:
        raise SchemaError(f"{what}: {'; '.join(problems)}; columns there are {list(found)}")
    return frame.select(list(schema))


def empty(schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """A frame of that shape with no rows."""
    return pl.DataFrame(schema=schema)


def complete(frame: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """Add the absent columns as nulls, cast the others, drop the unknown: `schema`'s shape."""
    columns = [
        pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in schema.items()
    ]
    return frame.select(columns)
