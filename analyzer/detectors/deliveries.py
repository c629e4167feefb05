"""Messages that were worked on more than once: duplicate deliveries and retry storms."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.codes import combine, ints
from analyzer.context import Context
from analyzer.detection import Detection, Row, Words, nothing, span_evidence, verdicts
from analyzer.detectors.endings import GIVEN_BACK, ended
from analyzer.detectors.words import name_of
from analyzer.duration import plural, spell
from analyzer.finding import Cause, Severity
from analyzer.stitching.roles import Role

STORM = 5  # attempts
ALWAYS = 0.5  # share of messages with two successes from which on it is how the system works
REPLAY_NS = 3_600 * 10**9  # a success this long after the first is a replay, not a redelivery


def _deliveries(context: Context) -> pl.DataFrame:
    """One row for each consumer step of a send: origin step, label, group, start, error."""
    table, spans = context.table, context.spans
    sent = table.role[table.source] == Role.SEND
    # pika calls the span of its handler "receive"; a receive that is a step is the handler
    taken = sent & np.isin(table.role[table.target], (Role.PROCESS, Role.RECEIVE))
    source, target = table.source[taken], table.target[taken]
    return pl.DataFrame(
        {
            "origin": source,
            "instance": table.instance[target],
            "step": target,
            "label": table.label[target],
            "consumer": spans["consumer_group"][table.row[target]],
            "start": table.start[target],
            "end": table.end[target],
            "error": (table.error | ended(context, *GIVEN_BACK))[target],
        }
    ).sort("origin", "label", "start", "step")


def duplicate_delivery(context: Context) -> Detection:
    """One consumer group that worked successfully on one message twice or more."""
    frame = _deliveries(context)
    if frame.is_empty():
        return nothing()
    good = frame.filter(~pl.col("error"))
    key = ["origin", "label", "consumer"]
    if len(combine(*(ints(good[name]) for name in key))[1]) == len(good):
        return nothing()  # as nearly always
    per_message = good.group_by(key, maintain_order=True).agg(
        instance=pl.col("instance").first(),
        times=pl.len(),
        step=pl.col("step").get(1, null_on_oob=True),
        first_step=pl.col("step").first(),
        since_ns=pl.col("start").get(1, null_on_oob=True),
        gap=pl.col("start").get(1, null_on_oob=True) - pl.col("end").first(),
    )
    usual = per_message.group_by("label").agg(share=(pl.col("times") > 1).mean(), messages=pl.len())
    judged = per_message.join(usual, on="label", maintain_order="left")
    twice = judged.filter(
        (pl.col("times") > 1)
        & (pl.col("gap") < REPLAY_NS)
        & ((pl.col("share") < ALWAYS) | (pl.col("messages") < 3))
    )
    if twice.is_empty():
        return nothing()
    return Detection(
        verdicts(
            twice,
            kind=pl.lit("duplicate-delivery"),
            severity=pl.lit(Severity.WARNING.value),
            confidence=pl.lit(0.95),
            cause=pl.when(pl.col("gap") < 0)
            .then(pl.lit("concurrent"))
            .otherwise(pl.lit("redelivered")),
            group=pl.concat_str(pl.lit("duplicate:"), "label"),
        ),
        lambda row, n: _explain_duplicate(context, row, n),
    )


def _explain_duplicate(context: Context, row: Row, n: int) -> Words:
    text = (
        f"{name_of(context, row['label'])} succeeded {plural(row['times'], 'time')} for one "
        f"message, in {plural(row['instances'], 'instance')}"
    )
    why = f"the second one began {spell(row['gap'])} after the first had ended"
    evidence = span_evidence(context, row["first_step"], "first")
    evidence += span_evidence(context, row["step"], "second")
    needs = ("whether the handler is idempotent: spans do not show it",)
    return Words(text, (Cause(row["cause"], 0.95, (why,)),), evidence, needs)


def retry_storm(context: Context) -> Detection:
    """STORM failed attempts or more at one step of one instance, or a delivery count of STORM."""
    table, spans = context.table, context.spans
    consumes = np.flatnonzero(
        np.isin(table.role, (Role.PROCESS, Role.RECEIVE, Role.CALL, Role.REQUEST))
    )
    attempts = ints(spans["delivery_attempt"], 0)[table.row[consumes]]
    frame = pl.DataFrame(
        {
            "instance": table.instance[consumes],
            "label": table.label[consumes],
            "step": consumes,
            "start": table.start[consumes],
            "end": table.end[consumes],
            "error": table.error[consumes],
            "attempt": attempts,
        }
    )
    frame = frame.filter(pl.col("error") | (pl.col("attempt") >= STORM))
    storms = (
        frame.group_by("instance", "label", maintain_order=True)
        .agg(
            times=pl.max_horizontal(pl.len(), pl.col("attempt").max()).cast(pl.Int64),
            step=pl.col("step").last(),
            since_ns=pl.col("start").min(),
            span=pl.col("end").max() - pl.col("start").min(),
        )
        .filter(pl.col("times") >= STORM)
        .sort("instance", "label")
    )
    if storms.is_empty():
        return nothing()
    return Detection(
        verdicts(
            storms,
            kind=pl.lit("retry-storm"),
            severity=pl.lit(Severity.WARNING.value),
            confidence=pl.lit(0.95),
            cause=pl.lit("retries"),
            group=pl.concat_str(pl.lit("storm:"), "label"),
        ),
        lambda row, n: _explain_storm(context, row, n),
    )


def _explain_storm(context: Context, row: Row, n: int) -> Words:
    text = (
        f"{name_of(context, row['label'])} was tried {plural(row['times'], 'time')} in "
        f"{spell(row['span'])}, in {plural(n, 'instance')}"
    )
    cause = Cause("retries", 0.95, (f"{plural(row['times'], 'attempt')} of one instance failed",))
    return Words(text, (cause,), span_evidence(context, row["step"], "last-attempt"))
