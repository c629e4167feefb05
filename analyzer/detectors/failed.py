"""Errors that an instance did not get over, each with where it began."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints, ints, jump
from analyzer.context import Context
from analyzer.detection import Detection, Row, Words, nothing, verdicts
from analyzer.detectors.words import name_of
from analyzer.duration import plural
from analyzer.finding import Cause, Evidence, Severity, State
from analyzer.steps.table import StepTable
from analyzer.stitching.roles import Role
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
            "label": table.label[steps],
            "origin": origin,
            "since_ns": table.start[steps],
            "pending": pending,
            "client_error": client_error,
            "origin_service": spans["service"][origin].cast(pl.String),
            "origin_name": spans["name"][origin].cast(pl.String),
            "origin_label": _label_of_rows(context, origin),
            "silent": _silent_callee(context, origin),
            "crashed": _has_lost_parent(context)[table.instance[steps]],
        }
    )
    cause = (
        pl.when("pending")
        .then(pl.lit("retrying"))
        .when(pl.col("silent").is_not_null() & pl.col("crashed"))
        .then(pl.lit("crashed"))
        .when(pl.col("silent").is_not_null())
        .then(pl.lit("downstream-silent"))
        .otherwise(pl.lit("handler-error"))
    )
    frame = frame.unique(["instance", "origin"], keep="first", maintain_order=True)
    return Detection(
        verdicts(
            frame,
            kind=pl.lit("failed"),
            state=pl.when("pending")
            .then(pl.lit(State.RUNNING.value))
            .otherwise(pl.lit(State.FAILED.value)),
            severity=pl.when("pending")
            .then(pl.lit(Severity.NOTE.value))
            .when("client_error")
            .then(pl.lit(Severity.WARNING.value))
            .otherwise(pl.lit(Severity.ERROR.value)),
            confidence=pl.when("pending").then(0.5).otherwise(0.95),
            cause=cause,
            group=pl.concat_str(
                pl.lit("failed"), "pending", "label", "origin_label", separator="\x1f"
            ),
        ),
        lambda row, n: _explain(context, row, n),
    )


def _has_lost_parent(context: Context) -> Flags:
    """By instance: whether a span in it names a parent that was never exported."""
    lost = np.zeros(context.table.instances, dtype=np.bool_)
    of = context.table.instance_of_row[np.flatnonzero(context.index.missing_parent)]
    lost[of[of >= 0]] = True
    return lost


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
    kept = table.error & ~context.entered & ~consumes
    kept |= table.error & (consumes | (table.role == Role.SEND))
    kept[ints(_next_attempts(context)["step"])] = False
    kept[_after_success(table)] = False
    # a failed send inside a handler that failed too is told once, by the handler
    inside_failed = np.zeros(len(table), dtype=np.bool_)
    inside_failed[table.target[kept[table.source]]] = True
    return np.flatnonzero(kept & ~(inside_failed & (table.role == Role.SEND)))


def _next_attempts(context: Context) -> pl.DataFrame:
    """Failed consumer and send steps after which another attempt came: columns step, label,
    pause (nanoseconds until the next attempt began).

    Another attempt is the same step of the same instance at the same message, at one that the
    failed attempt sent itself, or at one of unknown origin; the next message of a series, which
    others sent, is none. Retry queues count as the queue they retry.
    """
    table = context.table
    origin = np.full(len(table), -1, dtype=np.int64)
    origin[table.target[::-1]] = table.source[::-1]
    tries = np.flatnonzero(np.isin(table.role, (Role.PROCESS, Role.RECEIVE, Role.SEND)))
    sender = np.where(origin[tries] >= 0, origin[np.maximum(origin[tries], 0)], -1)
    frame = pl.DataFrame(
        {
            "step": tries,
            "instance": table.instance[tries],
            "label": table.label[tries],
            "place": _without_retry(context)[table.label[tries]],
            "origin": origin[tries],
            "sender": sender,
            "start": table.start[tries],
            "end": table.end[tries],
            "error": table.error[tries],
        }
    )
    errors, place = frame.filter("error"), ["instance", "place"]
    sent_on = errors.join(
        frame.select("instance", "place", step="sender", next="start"), on=["step", *place]
    ).filter(pl.col("next") > pl.col("start"))
    found = [
        sent_on.select("step", "label", "end", "next"),
        _following(errors, frame, [*place, "origin"]),
        _following(errors, frame.filter(pl.col("origin") < 0), place),
    ]
    return (
        pl.concat(found)
        .group_by("step", "label")
        .agg(pause=(pl.col("next") - pl.col("end")).min())
        .sort("step")
    )


def _following(errors: pl.DataFrame, attempts: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Errors with the start of the next of `attempts` that has the same `key`: columns step,
    label, end, next. No join of all pairs: one instance may fail a hundred thousand times."""
    left = errors.sort("start", "step")
    right = attempts.select(*key, start="start", next="start").sort("start")
    return (
        left.join_asof(
            right,
            on="start",
            by=key,
            strategy="forward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .drop_nulls("next")
        .select("step", "label", "end", "next")
    )


def _after_success(table: StepTable) -> Ints:
    """Failed attempts at a message that the same step had worked on successfully before."""
    taken = np.isin(table.role[table.target], (Role.PROCESS, Role.RECEIVE))
    source, target = table.source[taken], table.target[taken]
    frame = pl.DataFrame(
        {
            "origin": source,
            "label": table.label[target],
            "step": target,
            "start": table.start[target],
            "error": table.error[target],
        }
    )
    first = pl.col("start").filter(~pl.col("error")).min().over("origin", "label")
    return ints(frame.filter(pl.col("error") & (pl.col("start") > first))["step"])


def _without_retry(context: Context) -> Ints:
    """By label: code of the label once marks of retry queues are taken out of its name."""
    plain = context.labels.select(
        "service",
        operation=pl.col("operation")
        .cast(pl.String)
        .str.replace(r"(?i)[-._](retry|retries|delay)([-._](\{n\}|[0-9]+[a-z]*))?", ""),
    )
    return ints(plain.select(pl.struct("service", "operation").rank("dense")).to_series())


def _patience(context: Context) -> Ints:
    """By label: how long after an error another attempt may still come; 0 where none ever did."""
    patience = np.zeros(len(context.labels) + 1, dtype=np.int64)
    longest = _next_attempts(context).group_by("label").agg(pl.col("pause").max())
    patience[ints(longest["label"])] = RETRY_PATIENCE * np.maximum(ints(longest["pause"]), 0)
    return patience


def _origins(context: Context, steps: Ints) -> Ints:
    """For each failed step the row of the span where its error began: the earliest failed span
    below it that has no failed span below itself."""
    failed_rows = context.status == Status.ERROR
    parent = context.cause_row
    below = np.flatnonzero(failed_rows & (parent >= 0))
    above = jump(parent, failed_rows)[parent[below]]
    has_failed_below = np.zeros(len(parent), dtype=np.bool_)
    has_failed_below[above[above >= 0]] = True
    leaf = np.flatnonzero(failed_rows & ~has_failed_below)
    is_chosen = np.zeros(len(parent), dtype=np.bool_)
    is_chosen[context.table.row[steps]] = True
    top = jump(parent, is_chosen)[leaf]
    under = top >= 0
    leaf, top = leaf[under], top[under]
    deepest = np.argsort(context.start[leaf], kind="stable")[::-1]  # earliest written last
    origin = np.arange(len(parent))
    origin[top[deepest]] = leaf[deepest]
    return origin[context.table.row[steps]]


def _silent_callee(context: Context, origin: Ints) -> pl.Series:
    """Name of the callee where the error began in a call to something that left no span."""
    spans = context.spans
    called: Flags = np.zeros(len(spans), dtype=np.bool_)
    called[context.index.parent[context.index.parent >= 0]] = True
    part = spans[origin].select(
        callee=pl.coalesce(
            _service_called(context, pl.col("rpc_service").cast(pl.String)),
            pl.col("peer").cast(pl.String),
        ),
        silent=(pl.col("kind") == Kind.CLIENT) & pl.col("db_system").is_null(),
    )
    silent = part["silent"] & pl.Series(~called[origin])
    return pl.select(pl.when(silent).then(part["callee"])).to_series()


def _service_called(context: Context, rpc_service: pl.Expr) -> pl.Expr:
    """The service behind "oteldemo.CartService" by the name that it emits under, else in the
    spelling of `silent_callees`: "cartservice"."""
    emitting = context.spans["service"].unique().cast(pl.String).sort().to_list()
    known = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in emitting}
    plain = rpc_service.str.split(".").list.last().str.to_lowercase()
    plain = plain.str.replace_all(r"[^a-z0-9]", "")
    return plain.replace(known)


MAX_HOPS = 50


def _answers_on_the_way(context: Context, origin: int) -> list[str]:
    """What each failed service above `origin` answered, the nearest first."""
    spans, parent = context.spans, context.cause_row
    told: list[str] = []
    row, hops = int(parent[origin]), 0
    while row >= 0 and hops < MAX_HOPS:
        if spans["status"][row] == Status.ERROR and spans["kind"][row] != Kind.CLIENT:
            code = spans["rpc_status"][row] or spans["http_status"][row]
            kind = "gRPC" if spans["rpc_status"][row] else "HTTP"
            answer = f"answers {kind} {code}" if code else "fails"
            often = _how_often(context, row)
            told.append(f"so {spans['service'][row]}: {spans['name'][row]} {answer} ({often})")
        row, hops = int(parent[row]), hops + 1
    return told


def _how_often(context: Context, row: int) -> str:
    """ "4 of 4 times": failures of the span's operation in the whole recording."""
    alike = (context.label == context.label[row]) & (context.kind == context.kind[row])
    failures = int((alike & (context.status == Status.ERROR)).sum())
    return f"{failures:,} of {plural(int(alike.sum()), 'time')}"


def _start(error: str, most: int) -> str:
    """Its first characters; an address or a number that is cut says so."""
    return error if len(error) <= most else f"{error[: most - 1]}…"


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
    place = ", ".join(parts)
    began = f"{place}: {_start(str(error), 200)}" if error else place
    callee = row["silent"]
    why = [f"the first error below it: {began}"]
    if row["crashed"] and callee:
        why.append("spans of this instance name a parent that was never exported")
    elif callee:
        why.append(f"{callee} left no span under this call")
    answers = _answers_on_the_way(context, origin)
    why.extend(answers)
    waits = " and may be retried" if row["pending"] else ""
    often = plural(row["instances"], "instance")
    often = f"{plural(n, 'time')} in {often}" if n != row["instances"] else f"in {often}"
    then = f", {answers[0]}" if len(answers) > 1 else ""
    said = f": {_start(str(error), 90)}" if error else ""
    text = f"{at} failed {often}{waits}; it began at {place}{then}{said}"
    evidence = tuple(
        Evidence(context.trace_hex(at_row), context.span_hex(at_row), role)
        for at_row, role in ((int(context.table.row[row["step"]]), "failed"), (origin, "origin"))
    )
    cause = Cause(str(row["cause"]), float(row["confidence"]), tuple(why))
    return Words(
        text,
        (cause,),
        evidence[: 1 if evidence[0].span_id == evidence[1].span_id else 2],
        service=callee or row["origin_service"],
    )
