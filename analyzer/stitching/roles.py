"""What part each span plays: request, call, send, receive, process, task."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints, flags, ints, of_words
from analyzer.stitching.index import SpanIndex
from collectors.schema import Kind, Status


class Role(IntEnum):
    """The part a span plays at its service's boundary; `INSIDE` is no boundary."""

    INSIDE = 0
    REQUEST = 1  # serves a call
    CALL = 2  # calls something that left no span
    SEND = 3  # sends or creates a message
    RECEIVE = 4  # takes messages from a queue, before they are worked on
    PROCESS = 5  # works on a message
    TASK = 6  # a root that nobody called: a job, a script, a test


def roles(spans: pl.DataFrame, index: SpanIndex) -> Ints:
    """Role of each span: by messaging operation first, by kind second (otel-semconv messaging)."""
    kind = ints(spans["kind"])
    operation = {
        name: flags(spans["operation"] == name) for name in ("send", "create", "receive", "process")
    }
    settle = flags(spans["operation"] == "settle")
    parent = index.parent
    service = ints(spans["service"])
    has_parent = parent >= 0
    crossed = has_parent & (service != service[parent])
    role = np.zeros(len(kind), dtype=np.int64)
    role[~has_parent] = Role.TASK
    role[crossed & (kind != Kind.CLIENT)] = Role.REQUEST
    role[_uninstrumented_call(spans, kind, index)] = Role.CALL
    role[_housekeeping(spans, kind, index)] = Role.INSIDE
    role[kind == Kind.SERVER] = Role.REQUEST
    role[kind == Kind.PRODUCER] = Role.SEND
    role[kind == Kind.CONSUMER] = Role.PROCESS
    role[operation["send"] | operation["create"]] = Role.SEND
    role[operation["receive"]] = Role.RECEIVE
    role[operation["process"]] = Role.PROCESS
    role[settle] = Role.INSIDE
    role[_around_a_poll(spans, index, kind, role)] = Role.INSIDE
    return role


def _housekeeping(spans: pl.DataFrame, kind: Ints, index: SpanIndex) -> Flags:
    """Roots that hold nothing and are tied to nothing, in which a client talks to its database or
    broker without an error: a look into a queue, a declaration, a lock that is kept."""
    alone = index.parent < 0
    alone[index.parent[index.parent >= 0]] = False
    alone[index.link_source] = alone[index.link_target[index.link_target >= 0]] = False
    inner = (kind == Kind.CLIENT) | (kind == Kind.INTERNAL)
    store = flags(spans["db_system"].is_not_null() | spans["system"].is_not_null())
    went_well = flags(spans["status"] != Status.ERROR)
    return np.asarray(alone & ~index.missing_parent & inner & store & went_well)


def _around_a_poll(spans: pl.DataFrame, index: SpanIndex, kind: Ints, role: Ints) -> Flags:
    """Consumer spans that say nothing of a message and hold the one that does: confluent-kafka in
    Python wraps its poll so. They come of no send, by no parent and no link."""
    service, parent = ints(spans["service"]), index.parent
    bare = spans.select(
        pl.all_horizontal(pl.col("system", "destination", "message_id").is_null())
    ).to_series()
    wraps = (kind == Kind.CONSUMER) & flags(bare)
    wraps[index.link_source] = False
    wraps &= (parent < 0) | (service == service[parent])
    holds = np.zeros(len(kind), dtype=np.bool_)
    consumer = np.flatnonzero(np.isin(role, (Role.PROCESS, Role.RECEIVE)) & (parent >= 0))
    holds[parent[consumer[service[consumer] == service[parent[consumer]]]]] = True
    return np.asarray(wraps & holds)


def _uninstrumented_call(spans: pl.DataFrame, kind: Ints, index: SpanIndex) -> Flags:
    """Client spans, database calls apart, under which no other service left a span."""
    has_child = np.zeros(len(kind), dtype=np.bool_)
    service = ints(spans["service"])
    child = np.flatnonzero(index.parent >= 0)
    parent = index.parent[child]
    # any child at all counts: a client span that wraps another client span is not the call itself
    has_child[parent[(service[child] != service[parent]) | (kind[child] == Kind.CLIENT)]] = True
    is_database = flags(spans["db_system"].is_not_null())
    # a server of the same service below it is instrumented too
    has_child[parent[kind[child] == Kind.SERVER]] = True
    return np.asarray((kind == Kind.CLIENT) & ~has_child & ~is_database)


def reading(spans: pl.DataFrame) -> Flags:
    """Spans that serve a look: HTTP methods that are safe (RFC 9110, 9.2.1)."""
    return of_words(spans["http_method"], lambda names: names.is_in(["GET", "HEAD", "OPTIONS"]))


def plain_receive(spans: pl.DataFrame, role: Ints) -> Flags:
    """Receives that only carry messages to process spans of the same service and destination.

    Such a receive is transport, not a step: one case has the same steps whether its consumer
    polls in batches or is called per message. Empty polls carry nothing at all.
    """
    plain = np.zeros(len(role), dtype=np.bool_)
    receives, processes = np.flatnonzero(role == Role.RECEIVE), np.flatnonzero(role == Role.PROCESS)
    place = ["service", "destination"]
    processed = spans.select(place)[processes].unique()
    frame = spans.select(*place, empty=pl.col("batch_count").eq_missing(0))[receives]
    frame = frame.with_columns(row=pl.Series(receives))
    known = frame.join(processed, on=place, how="semi", nulls_equal=True)
    plain[ints(known["row"])] = True
    plain[ints(frame.filter("empty")["row"])] = True
    return plain
