"""The table of instances: where each one stands, what it waits for, since when."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from analyzer.analysis import INSTANCES
from analyzer.codes import Ints, combine, distinct, first_rows, ints
from analyzer.context import Context, trace_hexes
from analyzer.detection import STATE_ORDER, Detection, merged
from analyzer.finding import State
from analyzer.results.naming import variants
from analyzer.stitching.evidence import Tier
from collectors.schema import Quality, Status


def facts(context: Context, ids: pl.Series) -> pl.DataFrame:
    """What needs no judgement: id, times, keys, traces, services, counts, variant."""
    table, spans = context.table, context.spans
    count = table.instances
    rows, of = _members(context)
    start, end = ints(spans["start_ns"]), ints(spans["end_ns"])
    timed = (ints(spans["quality"]) & Quality.ZERO_TIME) == 0
    usable = timed[rows] | ~_any_by(timed[rows], of, count)[of]
    first, last = _extremes(start[rows][usable], end[rows][usable], of[usable], count)
    errors = ints(spans["status"])[rows] == Status.ERROR
    return pl.DataFrame(
        {
            "id": ids,
            "start_ns": first,
            "end_ns": last,
            "keys": _keys(context, count),
            "trace_ids": _trace_ids(context, rows, of, count),
            "services": _services(context, count),
            "steps": pl.Series(np.bincount(table.instance, minlength=count)).cast(pl.UInt32),
            "spans": pl.Series(np.bincount(of, minlength=count)).cast(pl.UInt32),
            "errors": pl.Series(np.bincount(of[errors], minlength=count)).cast(pl.UInt32),
            "variant": variants(table, context.labels),
        }
    )


def _any_by(flag: np.ndarray, of: Ints, count: int) -> np.ndarray:
    found = np.zeros(count, dtype=np.bool_)
    found[of[flag]] = True
    return found


def _members(context: Context) -> tuple[Ints, Ints]:
    """(rows, instance of each): spans of one instance, and shared steps in each of theirs."""
    table = context.table
    own = np.flatnonzero(table.instance_of_row >= 0)
    shared = np.flatnonzero(table.shared)
    rows = np.concatenate([own, table.row[shared]])
    of = np.concatenate([table.instance_of_row[own], table.instance[shared]])
    return rows, of


def _extremes(start: Ints, end: Ints, of: Ints, count: int) -> tuple[Ints, Ints]:
    first = np.full(count, np.iinfo(np.int64).max)
    last = np.full(count, np.iinfo(np.int64).min)
    np.minimum.at(first, of, start)
    np.maximum.at(last, of, end)
    return first, last


def _as_lists(of: Ints, texts: pl.Series, count: int) -> pl.Series:
    """Lists of texts by instance; `of` is sorted."""
    import pyarrow as pa

    # not pa.array, which imports pandas to see whether it was given a piece of that
    offsets = pl.Series(np.searchsorted(of, np.arange(count + 1))).to_arrow()
    lists = pa.LargeListArray.from_arrays(offsets, texts.to_arrow())
    return pl.Series(pl.from_arrow(lists)).cast(pl.List(pl.String))


def _trace_ids(context: Context, rows: Ints, of: Ints, count: int) -> pl.Series:
    """Traces of each instance in order of their first span in it.

    Most traces stand in one instance whole: only rows elsewhere than their trace's first row are
    looked at one by one.
    """
    trace, home = context.index.trace[rows], context.index.trace_first
    home_of = context.table.instance_of_row[home]
    apart = np.flatnonzero(of != home_of[trace])
    codes, _ = combine(of[apart], trace[apart]) if len(apart) else (apart, apart)
    first = apart[first_rows(codes, int(codes.max(initial=-1)) + 1)] if len(apart) else apart
    whole = np.flatnonzero(home_of >= 0)
    chosen = np.concatenate([home[whole], rows[first]])
    owner = np.concatenate([home_of[whole], of[first]])
    order = np.lexsort((chosen, owner))
    return _as_lists(owner[order], trace_hexes(context.spans, chosen[order]), count)


def _services(context: Context, count: int) -> pl.Series:
    table = context.table
    names = context.labels["service"].cast(pl.String).unique().sort()
    by_name = dict(zip(names.to_list(), range(len(names)), strict=True))
    of_label = np.array([by_name[one] for one in context.labels["service"].to_list()] or [0])
    owner, name = distinct((table.instance, of_label[table.label]))
    return _as_lists(owner, names[name], count)


def _keys(context: Context, count: int) -> pl.Series:
    values = context.stitching.keys
    of = context.table.instance_of_row[values.row]
    used = (of >= 0) & (values.tier <= Tier.CONVERSATION)
    frame = pl.DataFrame({"of": of[used], "value": values.value[used]}).unique()
    texts = values.texts[ints(frame["value"]).tolist()]
    label = texts.select(pl.concat_str("name", pl.lit("="), "text")).to_series()
    frame = frame.with_columns(label=label).sort("of", "label")
    return _as_lists(ints(frame["of"]), frame["label"], count)


def with_states(
    facts_: pl.DataFrame, detections: Sequence[Detection], context: Context
) -> pl.DataFrame:
    """Add workflow state: the worst verdict on each instance; complete where there is none.

    An instance with a span in the making (children name a parent of their own process that is
    not there yet) is running.
    """
    columns = ["instance", "state", "cause", "step", "b", "since_ns", "deadline_ns", "confidence"]
    verdicts = merged(detections, *columns, where=pl.col("state") != "")
    rank = {state.value: order for order, state in enumerate(STATE_ORDER)}
    worst = (
        verdicts.with_columns(rank=pl.col("state").replace_strict(rank, return_dtype=pl.Int64))
        .sort("instance", "rank", "since_ns", "step", "b")
        .unique("instance", keep="first", maintain_order=True)
    )
    named = worst.join(_label_names(context), left_on="b", right_on="label", how="left")
    place = _destinations(context, named)
    named = named.with_columns(waiting_destination=place)
    every = facts_.with_row_index("instance").with_columns(pl.col("instance").cast(pl.Int64))
    joined = every.join(named, on="instance", how="left", maintain_order="left")
    joined = joined.with_columns(
        state=pl.col("state").fill_null(State.COMPLETE.value),
        since_ns=pl.coalesce("since_ns", "end_ns"),
    )
    return joined.select(list(INSTANCES)).cast(dict(INSTANCES))  # type: ignore[arg-type]


def _label_names(context: Context) -> pl.DataFrame:
    return context.labels.select(
        waiting_service=pl.col("service").cast(pl.String),
        waiting_step=pl.col("operation").cast(pl.String),
        label=pl.int_range(pl.len(), dtype=pl.Int64),
    )


def _destinations(context: Context, named: pl.DataFrame) -> pl.Series:
    step = ints(named["step"])
    rows = context.table.row[np.maximum(step, 0)] if len(context.table) else step
    place = context.spans["destination"][rows].cast(pl.String)
    waits = named["waiting_step"].is_not_null() & pl.Series(step >= 0)
    return pl.select(pl.when(waits).then(place)).to_series()
