"""Errors that an instance did not get over, each with where it began."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints, ints, jump
from analyzer.context import Context
from analyzer.detection import Detection, Row, Words, nothing, verdicts
from analyzer.detectors.words import name_of
from analyzer.duration import plural
from analyzer.finding import Cause, Evidence, Severity, State
from analyzer.roles import Role
from collectors.schema import Kind, Status

RETRY_PATIENCE = 3  # times the longest pause between attempts that was seen


def failed(context: Context, dead: Ints) -> Detection:
    """Failed beginnings (a request that its caller saw fail) and messages that no later attempt
    worked on. `dead`: instances that were dead-lettered, which says it better."""
    steps = _unrecovered(context)
    steps = steps[~np.isin(context.table.instance[steps], dead)]
    if not len(steps):
        return nothing()
    origin = _origins(context, steps)
    spans, table = context.spans, context.table
    row = table.row[steps]
    patience = _patience(context)[table.label[steps]]
    age = context.now_ns - table.end[steps]
    pending = (age <= patience) & np.isin(table.role[steps], (Role.PROCESS, Role.RECEIVE))
    client_error = spans["http_status"][row].is_between(400, 499).fill_null(False)
    frame = pl.DataFrame(
        {
            "instance": table.instance[steps],
            "step": steps,
            "origin": origin,
            "since_ns": table.start[steps],
            "pending": pending,
            "client_error": client_error,
            "origin_service": spans["service"][origin].cast(pl.String),
            "origin_name": spans["name"][origin].cast(pl.String),
            "origin_label": _label_of_rows(context, origin),
            "silent": _silent_callee(context, origin),
        }
    )
    cause = (
        pl.when("pending")
        .then(pl.lit("retrying"))
        .when(pl.col("silent").is_not_null())
        .then(pl.lit("downstream-silent"))
        .when(pl.col("origin_service") != _service_of(context, steps))
        .then(pl.lit("downstream-error"))
        .otherwise(pl.lit("handler-error"))
    )
    frame = frame.unique(["instance", "origin"], keep="first", maintain_order=True)
    return Detection(
        verdicts(
            frame,
            kind=pl.lit("failed"),
            state=pl.when("pending").then(pl.lit(State.RUNNING.value)).otherwise(pl.lit(State.FAILED.value)),
            severity=pl.when("pending").then(pl.lit(Severity.NOTE.value))
            .when("client_error").then(pl.lit(Severity.WARNING.value))
            .otherwise(pl.lit(Severity.ERROR.value)),
            confidence=pl.when("pending").then(0.5).otherwise(0.95),
            cause=cause,
            group=pl.concat_str(pl.lit("failed:"), "pending", pl.lit(":"), "origin_label"),
        ),
        lambda row, n: _explain(context, row, n),
    )


def _service_of(context: Context, steps: Ints) -> pl.Series:
    return context.spans["service"][context.table.row[steps]].cast(pl.String)


def _label_of_rows(context: Context, rows: Ints) -> pl.Series:
    """Service, name, error and status of a span, as one text to group by."""
    part = context.spans[rows]
    fields = ["service", "name", "error_type", "rpc_status", "http_status", "peer"]
    return part.select(
        pl.concat_str(
            [pl.col(name).cast(pl.String).fill_null("") for name in fields], separator="\x1f"
        )
    ).to_series()


def _unrecovered(context: Context) -> Ints:
    """Failed steps that matter: the first of an instance, or the last attempt at a message."""
    table = context.table
    consumes = np.isin(table.role, (Role.PROCESS, Role.RECEIVE))
    error = table.error
    first = error & ~context.entered & ~consumes
    attempts = np.flatnonzero(consumes | (table.role == Role.SEND))
    frame = pl.DataFrame(
        {
            "step": attempts,
            "instance": table.instance[attempts],
            "label": table.label[attempts],
            "start": table.start[attempts],
            "error": error[attempts],
        }
    )
    good = pl.col("start").filter(~pl.col("error")).max().over("instance", "label")
    lost = frame.filter(pl.col("error") & (good.is_null() | (good < pl.col("start"))))
    last = lost.filter(pl.col("start") == pl.col("start").max().over("instance", "label"))
    kept = np.zeros(len(table), dtype=np.bool_)
    kept[ints(last["step"])] = True
    kept |= first
    # a failed send inside a handler that failed too is told once, by the handler
    source_failed = np.zeros(len(table), dtype=np.bool_)
    source_failed[table.target[kept[table.source]]] = True
    kept &= ~(source_failed & (table.role == Role.SEND))
    return np.flatnonzero(kept)


def _patience(context: Context) -> Ints:
    """By label: how long after an error another attempt may still come; 0 where none ever did."""
    table = context.table
    patience = np.zeros(len(context.labels) + 1, dtype=np.int64)
    consumes = np.flatnonzero(np.isin(table.role, (Role.PROCESS, Role.RECEIVE)))
    frame = pl.DataFrame(
        {
            "instance": table.instance[consumes],
            "label": table.label[consumes],
            "start": table.start[consumes],
            "error": table.error[consumes],
        }
    ).sort("instance", "label", "start")
    same = ["instance", "label"]
    frame = frame.with_columns(
        pause=(pl.col("start") - pl.col("start").shift(1).over(same)),
        after_error=pl.col("error").shift(1).over(same),
    ).filter(pl.col("after_error").fill_null(False))
    longest = frame.group_by("label").agg(pl.col("pause").max())
    patience[ints(longest["label"])] = RETRY_PATIENCE * ints(longest["pause"])
    return patience


def _origins(context: Context, steps: Ints) -> Ints:
    """For each failed step the row of the span where its error began: the earliest failed span
    below it that has no failed span below itself."""
    index, spans = context.index, context.spans
    failed_rows = ints(spans["status"]) == Status.ERROR
    parent = context.stitching.parent
    has_failed_child = np.zeros(len(parent), dtype=np.bool_)
    has_failed_child[parent[failed_rows & (parent >= 0)]] = True
    leaf = np.flatnonzero(failed_rows & ~has_failed_child)
    is_chosen = np.zeros(len(parent), dtype=np.bool_)
    is_chosen[context.table.row[steps]] = True
    top = jump(parent, is_chosen)[leaf]
    under = top >= 0
    leaf, top = leaf[under], top[under]
    deepest = np.argsort(context.start[leaf], kind="stable")[::-1]  # earliest written last
    origin = np.arange(len(parent))
    origin[top[deepest]] = leaf[deepest]
    del index
    return origin[context.table.row[steps]]


def _silent_callee(context: Context, origin: Ints) -> pl.Series:
    """Name of the callee where the error began in a call to something that left no span."""
    spans = context.spans
    called: Flags = np.zeros(len(spans), dtype=np.bool_)
    called[context.index.parent[context.index.parent >= 0]] = True
    part = spans[origin].select(
        callee=pl.coalesce(
            pl.col("rpc_service").cast(pl.String).str.split(".").list.last(),
            pl.col("peer").cast(pl.String),
        ),
        silent=(pl.col("kind") == Kind.CLIENT) & pl.col("db_system").is_null(),
    )
    silent = part["silent"] & pl.Series(~called[origin])
    return pl.select(pl.when(silent).then(part["callee"])).to_series()


def _explain(context: Context, row: Row, n: int) -> Words:
    spans, origin = context.spans, int(row["origin"])
    at = name_of(context, int(context.table.label[row["step"]]))
    error = spans["error_type"][origin] or spans["error_message"][origin]
    status = spans["rpc_status"][origin]
    parts = [f"{row['origin_service']}: {row['origin_name']}"]
    if status:
        parts.append(f"gRPC status {status}")
    if spans["http_status"][origin]:
        parts.append(f"HTTP {spans['http_status'][origin]}")
    if error:
        parts.append(str(error)[:200])
    began = ", ".join(parts)
    callee = row["silent"]
    why = [f"the first error below it: {began}"]
    if callee:
        why.append(f"{callee} left no span under this call")
    own = spans["rpc_status"][int(context.table.row[row["step"]])]
    if own and own != status:
        why.append(f"{at} answers gRPC status {own}")
    waits = " and may be retried" if row["pending"] else ""
    text = f"{at} failed in {plural(n, 'instance')}{waits}; it began at {began}"
    evidence = tuple(
        Evidence(context.trace_hex(at_row), context.span_hex(at_row), role)
        for at_row, role in ((int(context.table.row[row["step"]]), "failed"), (origin, "origin"))
    )
    cause = Cause(str(row["cause"]), float(row["confidence"]), tuple(why))
    return Words(text, (cause,), evidence[: 1 if evidence[0].span_id == evidence[1].span_id else 2],
                 service=callee or row["origin_service"])
