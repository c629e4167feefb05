"""Instances whose beginning is missing."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.context import Context
from analyzer.detection import Detection, Row, Words, nothing, span_evidence, verdicts
from analyzer.detectors.words import name_of
from analyzer.duration import plural
from analyzer.finding import Cause, Severity, State
from analyzer.stitching.roles import Role

OPEN_FACTOR = 3
OPEN_FLOOR_NS = 5_000_000_000  # clocks differ by seconds
UNINSTRUMENTED = 0.8  # share of a label without a parent from which on nobody emits the parent


def orphaned(context: Context) -> Detection:
    """First steps that name a parent or link that is not there, and consumers that no evidence
    ties to any producer.

    Where nearly every case of a step lacks its parent, the caller is not instrumented: that is
    a note about the data, and no instance is called orphaned for it.
    """
    table, index = context.table, context.index
    if not len(table):
        return nothing()
    first = context.beginning
    unresolved = np.zeros(len(context.spans), dtype=np.bool_)
    unresolved[context.unresolved_links] = True
    no_parent = index.missing_parent[table.row]
    consumes = np.isin(table.role, (Role.PROCESS, Role.RECEIVE)) & ~context.entered
    broken = first & (no_parent | consumes)
    if not broken.any():
        return nothing()
    # of all spans of the name: a call whose caller has ended is no step, and no orphan
    shares = np.bincount(table.label[broken], minlength=len(context.labels)) / np.maximum(
        1, np.bincount(context.label, minlength=len(context.labels))
    )
    steps = np.flatnonzero(broken & ((shares[table.label] < UNINSTRUMENTED) | consumes))
    if not len(steps):
        return nothing()
    has_producer = _known_destinations(context)
    open_until = context.now_ns - _patience(context)
    frame = pl.DataFrame(
        {
            "instance": table.instance[steps],
            "step": steps,
            "label": table.label[steps],
            "service": context.label_service[table.label[steps]],
            "since_ns": table.start[steps],
            "no_parent": no_parent[steps],
            "dangling": unresolved[table.row[steps]],
            "open": no_parent[steps] & (_last_end(context)[table.instance[steps]] >= open_until),
            "known": has_producer[table.row[steps]],
            "always": shares[table.label[steps]] >= UNINSTRUMENTED,
        }
    )
    sampled = pl.lit(context.sampled)
    # its parent may simply not have ended yet: a span is exported when it ends
    still_open = pl.col("open")
    cause = (
        pl.when(still_open)
        .then(pl.lit("in-flight"))
        .when(sampled & (pl.col("no_parent") | pl.col("dangling")))
        .then(pl.lit("sampled-out"))
        .when(pl.col("no_parent") | pl.col("dangling"))
        .then(pl.lit("missing-producer-span"))
        .when("known")
        .then(pl.lit("context-broken"))
        .otherwise(pl.lit("unknown-producer"))
    )
    note = pl.col("always") | sampled
    return Detection(
        verdicts(
            frame,
            kind=pl.when(still_open).then(pl.lit("waiting")).otherwise(pl.lit("orphaned")),
            state=pl.when(still_open)
            .then(pl.lit(State.RUNNING.value))
            .when(note)  # nobody has to look at it: its beginning was never to be seen
            .then(pl.lit(State.UNKNOWN.value))
            .otherwise(pl.lit(State.ORPHANED.value)),
            severity=pl.when(note)
            .then(pl.lit(Severity.NOTE.value))
            .otherwise(pl.lit(Severity.WARNING.value)),
            confidence=pl.when(note).then(0.6).otherwise(0.9),
            cause=cause,
            # one library that drops the context does so for every destination
            group=pl.concat_str(
                pl.lit("orphan:"),
                pl.when("always").then("service").otherwise("label"),
                pl.lit(":"),
                cause,
            ),
        ),
        lambda row, n: _explain(context, row, n),
    )


def _patience(context: Context) -> int:
    """How long a request may stay open: three times the 99th percentile, at least a second."""
    table = context.table
    took = (table.end - table.start)[table.role == Role.REQUEST]
    usual = float(np.quantile(took, 0.99)) if len(took) else 0.0
    return int(max(OPEN_FLOOR_NS, OPEN_FACTOR * usual))


def _last_end(context: Context) -> np.ndarray:
    """Latest end of a step by instance."""
    last = np.full(context.table.instances, np.iinfo(np.int64).min)
    np.maximum.at(last, context.table.instance, context.table.end)
    return last


def _known_destinations(context: Context) -> np.ndarray:
    """By span: whether the recording has a send to the span's destination that nobody took."""
    table, places = context.table, context.spans["destination"].cast(pl.String)
    lost = (table.role == Role.SEND) & ~table.received & ~context.consumed
    sends = places[table.row[np.flatnonzero(lost)]].drop_nulls().unique()
    topics = pl.DataFrame({"place": places}).select(pl.col("place").str.split(","))
    return (
        topics.select(
            pl.col("place")
            .list.eval(pl.element().is_in(sends.implode()))
            .list.any()
            .fill_null(False)
        )
        .to_series()
        .to_numpy()
    )


def _senders(context: Context, row: Row) -> str:
    """What is known of who sends to the destination of a step."""
    table, places = context.table, context.spans["destination"]
    place = places[int(table.row[row["step"]])]
    sends = table.row[np.flatnonzero(table.role == Role.SEND)]
    seen = place is not None and bool((places[sends] == place).any())
    return "others took every message seen to be sent there" if seen else "no sender is seen"


def _explain(context: Context, row: Row, n: int) -> Words:
    at = name_of(context, row["label"])
    why = {
        "sampled-out": "its parent or link is not in the recording, and the recording is sampled",
        "missing-producer-span": "it names a parent or link that is not in the recording",
        "context-broken": "no parent and no link, while a message sent there found no consumer",
        "unknown-producer": f"no parent and no link, and {_senders(context, row)}",
    }[str(row["cause"])]
    more = " and others of this service" if row["always"] and n > 1 else ""
    text = f"{plural(n, 'instance')} without a beginning, at {at}{more}: {why}"
    against = ("other cases of this step have their parent",) if not row["always"] else ()
    cause = Cause(str(row["cause"]), float(row["confidence"]), (why,), against)
    needs = ("context propagation at the producer, or a business key on both sides",)
    return Words(text, (cause,), span_evidence(context, row["step"], "first-seen"), needs)
