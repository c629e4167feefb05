"""Edges to the steps that only a key brought into their instance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from analyzer.codes import Flags, ints
from analyzer.steps.table import StepTable
from analyzer.stitching.evidence import MAX_SKEW_NS, Tier
from analyzer.stitching.index import SpanIndex
from analyzer.stitching.roles import Role

MIN_PAIRS = 20  # of one send and one take, from which on their clocks are compared


def with_key_edges(table: StepTable, spans: pl.DataFrame, index: SpanIndex) -> StepTable:
    """Hang consumers on a send to their destination, and any other step that nothing leads to on
    the last step that began before it."""
    entered = np.zeros(len(table), dtype=np.bool_)
    entered[table.target] = True
    loose = np.flatnonzero(~entered & ~index.missing_parent[table.row])
    several = np.bincount(table.instance[loose], minlength=table.instances) > 1
    loose = loose[several[table.instance[loose]]]  # one beginning is what an instance has
    if not len(loose):
        return table
    inside = _steps(table, spans).filter(pl.Series(several[table.instance]))
    wanted = inside.join(pl.DataFrame({"step": loose}), on="step", how="semi")
    matched = _by_destination(wanted, inside)
    early = matched.filter(pl.col("start") < pl.col("start_source"))
    # where a clock runs behind each time, all that stands beside such a step is as early
    behind = wanted.join(early.filter("behind"), on="step", how="semi").select("instance", "trace")
    # a consumer whose destination somebody sends to waits for such a send, not for any step
    sent = spans["destination"].filter(pl.Series(_sends(table, len(spans)))).drop_nulls().unique()
    rest = wanted.join(matched, on="step", how="anti")
    rest = rest.filter(~pl.col("destination").is_in(sent.implode()).fill_null(False))
    causes = inside.join(early, on="step", how="anti")
    causes = causes.join(behind.unique(), on=["instance", "trace"], how="anti")
    in_time = _by_time(rest, causes)
    by_key = _extended(table, matched, Tier.KEY)
    return _extended(by_key, in_time, Tier.TIME)


def _sends(table: StepTable, spans: int) -> Flags:
    sends = np.zeros(spans, dtype=np.bool_)
    sends[table.row[table.role == Role.SEND]] = True
    return sends


def _steps(table: StepTable, spans: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "step": np.arange(len(table)),
            "instance": table.instance,
            "start": table.start,
            "label": table.label,
            "role": table.role,
            "error": table.error,
            "trace": table.trace,
            "destination": spans["destination"][table.row],
        }
    )


def _by_destination(wanted: pl.DataFrame, inside: pl.DataFrame) -> pl.DataFrame:
    """Pair the n-th take of a consumer with the n-th send to the destination; what comes on top
    (a redelivery) goes with the last send before it. Clocks may differ by MAX_SKEW_NS, and by what
    they are seen to differ each time."""
    place = ["instance", "destination"]
    takes = wanted.filter(pl.col("role").is_in([int(Role.PROCESS), int(Role.RECEIVE)]))
    takes = takes.sort("start", "step").with_columns(nth=_nth_success([*place, "label"]))
    sends = inside.filter(pl.col("role") == Role.SEND).sort("start", "step")
    ranked = sends.with_columns(nth=_nth(place))
    paired = takes.join(ranked, on=[*place, "nth"], suffix="_source")
    lead = pl.col("start_source") - pl.col("start")
    same = ["label", "label_source"]
    usual = pl.when(pl.len().over(same) >= MIN_PAIRS).then(lead.median().over(same))
    paired = paired.with_columns(behind=usual.fill_null(0) > 0)
    paired = paired.filter(lead <= MAX_SKEW_NS + pl.max_horizontal(usual, 0))
    more = takes.join(paired, on="step", how="anti").sort("start", "step")
    late = more.join_asof(
        sends, on="start", by=place, suffix="_source", check_sortedness=False, coalesce=False
    ).drop_nulls("step_source")
    names = ["step", "start", "step_source", "start_source", "behind"]
    return pl.concat([paired.select(names), late.with_columns(behind=pl.lit(False)).select(names)])


def _nth(group: list[str]) -> pl.Expr:
    return pl.int_range(pl.len(), dtype=pl.Int64).over(group)


def _nth_success(group: list[str]) -> pl.Expr:
    """Number of successes before: a failed attempt and its retry take the same message."""
    good = (~pl.col("error")).cast(pl.Int64)
    return (good.cum_sum() - good).over(group)


def _by_time(rest: pl.DataFrame, inside: pl.DataFrame) -> pl.DataFrame:
    return (
        rest.sort("start", "step")
        .join_asof(
            inside.sort("start", "step"),
            on="start",
            by="instance",
            suffix="_source",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .drop_nulls("step_source")
    )


def _extended(table: StepTable, edges: pl.DataFrame, tier: Tier) -> StepTable:
    return replace(
        table,
        source=np.concatenate([table.source, ints(edges["step_source"])]),
        target=np.concatenate([table.target, ints(edges["step"])]),
        tier=np.concatenate([table.tier, np.full(len(edges), int(tier))]),
    )
