"""Signs that one partition stands still while its consumer goes on with the others."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.codes import ints
from analyzer.context import Context

STALLED_RUN = 3  # messages missed in a row, up to the last one
USUAL = 0.9  # share of the partition's messages before them that were taken
_KEY = ["a", "b", "partition"]


def with_stalled(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Mark absences at the end of a partition whose messages are not taken any more, though the
    consumer took later ones of other partitions: the order inside a partition is fixed, so the
    first of them holds up all the others. Adds stalled, partition, consumer_group, taken_elsewhere.
    """
    partition = context.spans["partition"]
    if partition.null_count() == len(partition):
        return frame.with_columns(_nothing())
    sends = _sends(context, frame)
    tails = sends.filter(pl.col("start") >= pl.col("first_missed"))
    elsewhere = _taken_elsewhere(sends, tails)
    judged = (
        tails.group_by(_KEY)
        .agg(run=pl.len())
        .join(_before(sends), on=_KEY, how="left")
        .join(elsewhere, on=_KEY)
        .filter(
            (pl.col("run") >= STALLED_RUN)
            & (pl.col("before").fill_null(0) >= USUAL * pl.col("all_before").fill_null(0))
            & (pl.col("taken_elsewhere") >= STALLED_RUN)
        )
    )
    found = tails.join(judged, on=_KEY).select("step", *_KEY, "taken_elsewhere")
    found = found.join(_groups(context), on="b", how="left").with_columns(stalled=pl.lit(True))
    joined = frame.join(
        found.with_columns(message=pl.lit(True)).drop("a"),
        on=["step", "b", "message"],
        how="left",
        maintain_order="left",
    )
    return joined.with_columns(pl.col("stalled").fill_null(False))


def _nothing() -> list[pl.Expr]:
    text = pl.lit(None, dtype=pl.String)
    return [
        pl.lit(False).alias("stalled"),
        text.alias("partition"),
        pl.lit(None, dtype=pl.UInt32).alias("taken_elsewhere"),
        text.alias("consumer_group"),
    ]


def _sends(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Every send that could have been taken: columns step, a, b, partition, start, missed, and
    first_missed: the start of the first one after which nothing of the partition was taken."""
    table = context.table
    wanted = frame.filter("message").select("a", "b").unique()
    concerned = np.flatnonzero(np.isin(table.label, ints(wanted["a"])))
    sends = pl.DataFrame(
        {
            "step": concerned,
            "a": table.label[concerned],
            "partition": context.spans["partition"][table.row[concerned]].cast(pl.String),
            "start": table.start[concerned],
        }
    ).drop_nulls("partition")
    missed = frame.filter("message").select("step", "b", missed=pl.lit(True))
    sends = sends.join(wanted, on="a").join(missed, on=["step", "b"], how="left")
    sends = sends.with_columns(pl.col("missed").fill_null(False)).sort("start", "step")
    last_taken = pl.col("start").filter(~pl.col("missed")).max().over(_KEY)
    return sends.with_columns(
        first_missed=pl.col("start")
        .filter(pl.col("start") > last_taken.fill_null(-1))
        .min()
        .over(_KEY)
    )


def _before(sends: pl.DataFrame) -> pl.DataFrame:
    """Of each partition, how many were sent before its end (all_before), and taken (before)."""
    earlier = sends.filter(pl.col("start") < pl.col("first_missed"))
    return earlier.group_by(_KEY).agg(all_before=pl.len(), before=(~pl.col("missed")).sum())


def _taken_elsewhere(sends: pl.DataFrame, tails: pl.DataFrame) -> pl.DataFrame:
    """By partition: sends of other partitions, after its standstill began, that were taken."""
    begun = tails.group_by(_KEY).agg(pl.col("first_missed").first())
    taken = sends.filter(~pl.col("missed")).select("a", "b", "start", other="partition")
    return (
        begun.join(taken, on=["a", "b"])
        .filter(
            (pl.col("other") != pl.col("partition")) & (pl.col("start") > pl.col("first_missed"))
        )
        .group_by(_KEY)
        .agg(taken_elsewhere=pl.len())
    )


def _groups(context: Context) -> pl.DataFrame:
    """Columns b, consumer_group: the group that takes messages in steps of a label."""
    table = context.table
    seen = pl.DataFrame(
        {
            "b": table.label,
            "consumer_group": context.spans["consumer_group"][table.row].cast(pl.String),
        }
    ).drop_nulls()
    return seen.unique().sort("b", "consumer_group").unique("b", keep="first", maintain_order=True)
