"""Why an expected step is absent: each absence with the evidence for and against its causes."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.codes import Ints, ints
from analyzer.context import Context
from analyzer.expectation.bypass import without_bypassed
from analyzer.expectation.flow import (
    MIN_HISTORY,
    absences,
    wilson,
)
from analyzer.expectation.partitions import with_stalled
from analyzer.expectation.pattern import with_ends_of_loops, with_truncation
from analyzer.expectation.signs import (
    with_alternatives,
    with_crashes,
    with_dark,
    with_own_errors,
    with_unlinked,
)

RELIABLE = 0.9  # a step that comes in at least this share of cases is meant to come always
CERTAIN = 0.95  # lower Wilson bound of a step that is required whatever else is seen
LEFT_OUT_HISTORY = 20
EXPORT_NS = 5_000_000_000  # between two exports of a batch, by OpenTelemetry's own default
TRUNCATED_SHARE = 0.5
CORE_SHARE = 0.5


def judged_absences(context: Context) -> pl.DataFrame:
    """Absences with their evidence and a verdict, sorted by (instance, since, step, b).

    Columns beside those of `flow.absences`: since_ns, age_ns, n_known (opportunities old
    enough to judge), p, dark, dark_since_ns, stalled (and partition, consumer_group,
    taken_elsewhere), crashed (child spans whose parent never came),
    send_failed, errored, alternative, unlinked, received, later (messages consumed after this
    one), verdict: legitimate, waiting, late, stuck, missing, left-out, errored, unknown.
    """
    frame = absences(context.table, context.label_service, context.transitions)
    frame = without_bypassed(context, frame) if len(frame) else frame
    if frame.is_empty():
        return _empty(frame)
    frame = _with_age(context, frame)
    frame = with_dark(context, frame)
    frame = with_stalled(context, frame)
    frame = with_crashes(context, frame)
    frame = with_unlinked(context, frame)
    frame = with_alternatives(context, frame)
    frame = with_own_errors(context, frame)
    frame = with_truncation(context, frame)
    frame = with_ends_of_loops(context, frame)
    frame = _with_requirement(frame)
    return _with_verdict(context, frame).sort("instance", "since_ns", "step", "b")


_ADDED: dict[str, pl.DataType] = {
    "since_ns": pl.Int64(),
    "age_ns": pl.Int64(),
    "dark": pl.Boolean(),
    "dark_since_ns": pl.Int64(),
    "stalled": pl.Boolean(),
    "partition": pl.String(),
    "taken_elsewhere": pl.UInt32(),
    "consumer_group": pl.String(),
    "crashed": pl.UInt32(),
    "unlinked": pl.Boolean(),
    "unlinked_label": pl.Int64(),
    "unlinked_total": pl.UInt32(),
    "alternative": pl.Boolean(),
    "send_failed": pl.Boolean(),
    "errored": pl.Boolean(),
    "received": pl.Boolean(),
    "later": pl.Int64(),
    "truncated": pl.Boolean(),
    "clustered": pl.Boolean(),
    "p": pl.Float64(),
    "n_known": pl.Int64(),
    "required": pl.Boolean(),
    "left_out": pl.Boolean(),
    "undecided": pl.Boolean(),
    "verdict": pl.String(),
}


def _empty(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        [pl.lit(None, dtype=dtype).alias(name) for name, dtype in _ADDED.items()]
    )


def _with_age(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """A delay that the sender asked for starts the clock at deliver-at, not at the send."""
    deliver = context.spans["deliver_at_ns"][context.table.row[ints(frame["step"])]]
    since = pl.max_horizontal(pl.col("end"), deliver.fill_null(0).alias("deliver"))
    receipts = context.table.receipts.with_columns(received=True)
    frame = frame.with_columns(since_ns=since).join(
        receipts, on=["step", "service"], how="left", maintain_order="left"
    )
    frame = frame.with_columns(pl.col("received").fill_null(False) & pl.col("message"))
    age = context.now_ns - pl.col("since_ns") - pl.Series(_unexported(context, frame))
    return frame.with_columns(age_ns=age)


def _unexported(context: Context, frame: pl.DataFrame) -> Ints:
    """By absence: how long the awaited service's spans may still be on their way.

    A service exports in batches. Where it has shown nothing since, its step may have been done;
    where it has shown something later, this step would have been shown before that. A live
    receiver has seen how long that takes.
    """
    if context.arrival is not None:
        usual = context.arrival.get("", EXPORT_NS)
        services = context.labels["service"].to_list()
        waits = [context.arrival.get(name or "", usual) for name in services]
        return np.array(waits, dtype=np.int64)[ints(frame["b"])]
    service = ints(context.spans["service"].to_physical())
    latest = np.full(int(max(service.max(initial=0), context.label_service.max(initial=0))) + 1, -1)
    np.maximum.at(latest, service, ints(context.spans["end_ns"]))
    awaited = context.label_service[ints(frame["b"])]
    return np.where(latest[awaited] < ints(frame["since_ns"]), EXPORT_NS, 0)


def _with_requirement(frame: pl.DataFrame) -> pl.DataFrame:
    """Decide for each transition whether the step is meant to come always.

    Absences that have an explanation of their own (a dark consumer, a crash, an error, an
    exclusive outcome, a context that was lost, not old enough) are no evidence that the step
    is optional, and are taken out before its share is judged.
    """
    explained = (
        pl.col("dark")
        | pl.col("stalled")
        | (pl.col("crashed") > 0)
        | pl.col("send_failed")
        | pl.col("errored")
        | pl.col("alternative")
        | pl.col("unlinked")
        | pl.col("received")
        | ((pl.col("age_ns") < pl.col("stuck_ns")) & ~pl.col("within"))
    )
    shares = (
        frame.group_by("a", "b", "message")
        .agg(
            k=pl.col("k").first(),
            unexplained=(~explained).sum().cast(pl.Int64),
            truncated_share=pl.col("truncated").filter(~explained).mean(),
            clustered=pl.col("clustered").first(),
        )
        .with_columns(n_known=pl.col("k") + pl.col("unexplained"))
        .with_columns(p=pl.col("k") / pl.col("n_known"))
    )
    bounds = [wilson(k, n) for k, n in shares.select("k", "n_known").iter_rows()]
    shares = shares.with_columns(
        low=pl.Series([low for low, _ in bounds], dtype=pl.Float64),
        high=pl.Series([high for _, high in bounds], dtype=pl.Float64),
    )
    reliable = (pl.col("p") >= RELIABLE) | ((pl.col("high") >= RELIABLE) & (pl.col("p") > 0.75))
    whole = pl.col("low") >= CERTAIN
    cut_short = pl.col("truncated_share").fill_null(1.0) >= TRUNCATED_SHARE
    inside = reliable & cut_short & (pl.col("k") >= MIN_HISTORY)
    shares = shares.with_columns(
        required=pl.when("message")
        .then(reliable | pl.col("clustered"))
        .otherwise(whole | inside | (pl.col("clustered") & cut_short))
    ).with_columns(
        # nine in ten have it and the rest goes on without: left out, not broken off
        left_out=~pl.col("required")
        & ~pl.col("message")
        & (pl.col("p") >= RELIABLE)
        & (pl.col("k") >= LEFT_OUT_HISTORY),
        # so few messages that the consumer may be meant to take all of them, or some
        undecided=~pl.col("required") & pl.col("message") & (pl.col("high") >= RELIABLE),
    )
    return frame.join(
        shares.select("a", "b", "message", "n_known", "p", "required", "left_out", "undecided"),
        on=["a", "b", "message"],
        how="left",
        maintain_order="left",
    )


def _with_verdict(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """legitimate, waiting, late, stuck, missing, left-out, or unknown for each absence."""
    learned = pl.col("k") >= MIN_HISTORY
    # head sampling keeps or drops a trace whole: within one trace it explains nothing
    unseen = pl.lit(context.sampled) & (pl.col("crashed") == 0) & (pl.col("same_trace") < 0.95)
    timed = (
        pl.when(~learned)
        .then(pl.when("message").then(pl.lit("unknown")).otherwise(pl.lit("legitimate")))
        .when(pl.col("age_ns") < pl.col("late_ns"))
        .then(pl.lit("waiting"))
        .when((pl.col("age_ns") < pl.col("stuck_ns")) & (pl.col("crashed") == 0))
        .then(pl.lit("late"))
        .when(unseen | pl.col("unlinked"))
        .then(pl.lit("unknown"))
        .otherwise(pl.lit("stuck"))
    )
    expected = pl.col("required") | pl.col("dark") | pl.col("stalled") | pl.col("send_failed")
    verdict = (
        pl.when(pl.col("alternative"))
        .then(pl.lit("legitimate"))
        .when(pl.col("left_out") & ~pl.col("errored") & ~pl.col("unlinked"))
        .then(pl.when("within").then(pl.lit("left-out")).otherwise(pl.lit("legitimate")))
        .when(~expected & pl.col("undecided") & (pl.col("age_ns") >= pl.col("late_ns")))
        .then(pl.lit("unknown"))
        .when(~expected)
        .then(pl.lit("legitimate"))
        .when(pl.col("errored"))
        .then(pl.lit("errored"))
        .when(pl.col("within") & ~pl.col("unlinked"))
        .then(pl.lit("missing"))
        .otherwise(timed)
    )
    return frame.with_columns(verdict=verdict)
