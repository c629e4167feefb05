"""Which errors an instance got over: another attempt, a retry queue, a success before."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.codes import Ints, ints
from analyzer.context import Context
from analyzer.steps.table import StepTable
from analyzer.stitching.roles import Role

RETRY_PATIENCE = 3  # times the longest pause between attempts that was seen


def unrecovered(context: Context) -> Ints:
    """Failed steps that matter: the first of an instance, or the last attempt at a message."""
    table = context.table
    if not table.error.any():
        return np.empty(0, dtype=np.int64)
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
    attempt = np.isin(table.role, (Role.PROCESS, Role.RECEIVE, Role.SEND))
    concerned = np.zeros(table.instances, dtype=np.bool_)
    concerned[table.instance[attempt & table.error]] = True
    tries = np.flatnonzero(attempt & concerned[table.instance])
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
    concerned = np.zeros(len(table), dtype=np.bool_)
    concerned[table.source[taken & table.error[table.target]]] = True
    taken &= concerned[table.source]
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


def patience(context: Context) -> Ints:
    """By label: how long after an error another attempt may still come; 0 where none ever did."""
    longest_wait = np.zeros(len(context.labels) + 1, dtype=np.int64)
    longest = _next_attempts(context).group_by("label").agg(pl.col("pause").max())
    longest_wait[ints(longest["label"])] = RETRY_PATIENCE * np.maximum(ints(longest["pause"]), 0)
    return longest_wait
