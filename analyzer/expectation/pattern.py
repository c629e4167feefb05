"""Where and when steps are absent: cut short, in one window of time, at the end of a loop."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.context import Context
from analyzer.expectation.flow import burst

LOOP_SHARE = 0.5  # of the instances with a loop that end it so
LOOP_GAPS = 0.1  # of the rounds before the last that may lack the step all the same


def with_truncation(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Mark occurrences after whose last step nothing came any more, and whether they cluster.

    An occurrence is truncated where all steps are missing that usually come later than the
    last one it has; an optional step in the middle is missing alone.
    """
    inside = ~pl.col("message")
    core = context.transitions.filter(~pl.col("message")).select("a", b="b", usual="p50_ns")
    shown = context.pairs.filter(~pl.col("message")).select("step", "a", "b")
    absent = frame.filter(inside)
    touched = absent.select("step").unique()
    last = (
        shown.join(touched, on="step", how="semi")
        .join(core, on=["a", "b"])
        .group_by("step")
        .agg(last=pl.col("usual").max())
    )
    missing_first = absent.group_by("step").agg(first_missing=pl.col("p50_ns").min())
    cut = missing_first.join(last, on="step", how="left")
    cut = cut.with_columns(truncated=pl.col("first_missing") >= pl.col("last").fill_null(-1))
    frame = frame.join(
        cut.select("step", "truncated"), on="step", how="left", maintain_order="left"
    ).with_columns(pl.col("truncated").fill_null(False) & inside)
    clustered = _bursts(context, frame)
    return frame.join(
        clustered, on=["a", "b", "message"], how="left", maintain_order="left"
    ).with_columns(pl.col("clustered").fill_null(False))


def _bursts(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """For each transition: whether its absences in time order are one fault window."""
    table = context.table
    rows = []
    for (a, b, message), part in frame.group_by("a", "b", "message"):
        steps = np.flatnonzero(table.label == a)
        order = np.argsort(table.start[steps], kind="stable")
        absent = np.isin(steps[order], part["step"].to_numpy())
        rows.append((a, b, message, burst(absent)))
    schema = {"a": pl.Int64, "b": pl.Int64, "message": pl.Boolean, "clustered": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row")


def with_ends_of_loops(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Count the last round of a loop among the alternatives: where one step comes several times
    in an instance (pages, items, polls) and only its last time goes on differently, in most of
    these instances, that is how the loop ends and no step is missing."""
    table = context.table
    steps = pl.DataFrame({"step": np.arange(len(table)), "a": table.label})
    steps = steps.with_columns(instance=pl.Series(table.instance))
    steps = steps.join(frame.select("a").unique(), on="a", how="semi")
    times = steps.group_by("a", "instance").agg(rounds=pl.len(), last=pl.col("step").max())
    loops = times.filter(pl.col("rounds") > 1)
    if loops.is_empty():
        return frame
    gone = frame.join(loops, on=["a", "instance"]).with_columns(
        at_end=pl.col("step") == pl.col("last")
    )
    ends = gone.group_by("a", "b", "message").agg(
        ends=pl.col("at_end").sum(), inside=(~pl.col("at_end")).sum()
    )
    of_a = loops.group_by("a").agg(loops=pl.len(), rounds=pl.col("rounds").sum())
    usual = ends.join(of_a, on="a").filter(
        (pl.col("ends") >= LOOP_SHARE * pl.col("loops"))
        & (pl.col("inside") <= LOOP_GAPS * (pl.col("rounds") - pl.col("loops")))
    )
    ending = gone.filter("at_end").join(usual, on=["a", "b", "message"], how="semi")
    ending = ending.select("step", "b", "message", ends_loop=pl.lit(True))
    return (
        frame.join(ending, on=["step", "b", "message"], how="left", maintain_order="left")
        .with_columns(alternative=pl.col("alternative") | pl.col("ends_loop").fill_null(False))
        .drop("ends_loop")
    )
