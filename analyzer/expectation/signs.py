"""Signs of why a step is absent: a silent consumer, a crash, a lost context, another way."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints, ints
from analyzer.context import Context
from analyzer.stitching.evidence import Tier

DARK_RUN = 3  # messages missed in a row
DARK_FACTOR = 3.0  # times the 99th percentile of the usual pauses
MAX_ALONE = 2  # unlinked steps for each absence


def with_dark(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Mark absences that lie in a pause of the consumer: DARK_RUN messages or more missed in a
    row, in a silence far longer than the consumer's usual ones."""
    table = context.table
    dark = np.zeros(len(frame), dtype=np.bool_)
    since = np.full(len(frame), -1, dtype=np.int64)
    start, b, message = ints(frame["start"]), ints(frame["b"]), frame["message"].to_numpy()
    for label in np.unique(b[message]).tolist():
        mine = np.flatnonzero((b == label) & message)
        seen = np.sort(table.start[table.label == label])
        found, pause_start = _in_pause(seen, start[mine], context.now_ns)
        dark[mine], since[mine] = found, pause_start
    return frame.with_columns(dark=pl.Series(dark), dark_since_ns=pl.Series(since))


def _in_pause(seen: Ints, missed: Ints, now: int) -> tuple[Flags, Ints]:
    """(missed message lies in a silence, start of that silence) for one consumer step."""
    bounds = np.concatenate([seen, [max(now, int(seen[-1]) if len(seen) else now)]])
    at = np.searchsorted(seen, missed, "right")
    following = bounds[np.minimum(at, len(seen))]
    previous = np.where(at > 0, seen[np.maximum(at - 1, 0)], missed)
    pauses = np.sort(np.diff(seen))[:-1]  # the longest may be the silence that is asked about
    usual = float(np.quantile(pauses, 0.99)) if len(pauses) >= 5 else float("inf")
    _, which, count = np.unique(at, return_inverse=True, return_counts=True)
    pause = (following - previous).astype(np.float64)
    return (count[which] >= DARK_RUN) & (pause > DARK_FACTOR * usual), previous


def with_crashes(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Count spans of the awaited service whose parent was never exported: those in the same
    instance, else one group of them in a trace of its own that fits in time."""
    rows = np.flatnonzero(context.index.missing_parent)
    if not len(rows):
        return frame.with_columns(crashed=pl.lit(0, dtype=pl.Int64))
    orphans = pl.DataFrame(
        {
            "instance": context.table.instance_of_row[rows],
            "service": context.service[rows],
            "at": context.start[rows],
            "trace": context.index.trace[rows],
        }
    )
    here = orphans.group_by("instance", "service").agg(crashed=pl.len().cast(pl.Int64))
    frame = frame.join(here, on=["instance", "service"], how="left", maintain_order="left")
    frame = frame.with_columns(pl.col("crashed").fill_null(0)).with_row_index("absence")
    alone = orphans.join(frame.select("instance").unique(), on="instance", how="anti")
    alone = alone.group_by("service", "trace").agg(
        pl.col("at").min(), orphans=pl.len().cast(pl.Int64)
    )
    wanted = _by_all_clocks(context, frame.filter((pl.col("crashed") == 0) & pl.col("message")))
    matched = match_in_time(wanted.rename({"service": "key"}), alone.rename({"service": "key"}))
    return (
        frame.join(
            matched.select("absence", "orphans"), on="absence", how="left", maintain_order="left"
        )
        .with_columns(crashed=pl.col("crashed") + pl.col("orphans").fill_null(0))
        .drop("absence", "orphans")
    )


def _by_all_clocks(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Begin the time in which an absent step may have come earlier, by as much as steps of its
    kind are ever seen before their cause: their clock runs behind."""
    table = context.table
    behind = np.zeros(len(context.labels) + 1, dtype=np.int64)
    np.maximum.at(behind, table.label[table.target], table.skew)
    lead = pl.Series(behind[ints(frame["b"])])
    return frame.with_columns(pl.col("start") - lead, pl.col("max_ns") + lead)


def match_in_time(absences_: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Pair absences one to one with events of the same `key` that came at `at`, between the
    absence's `start` and its longest usual wait after it; first come, first served.

    Returns `events` with the column `absence` of the partner, where there is one.
    """
    pairs: list[tuple[int, int]] = []
    events = events.sort("key", "at").with_row_index("event")
    wanted = absences_.sort("start", "absence").partition_by("key", as_dict=True)
    for of, part in events.partition_by("key", as_dict=True).items():
        if (mine := wanted.get(of)) is None:
            continue
        starts, windows = mine["start"].to_list(), (mine["max_ns"] * 1.2).to_list()
        numbers, position = mine["absence"].to_list(), 0
        for event, at in part.select("event", "at").iter_rows():
            while position < len(starts) and at - starts[position] > windows[position]:
                position += 1
            if position < len(starts) and starts[position] <= at:
                pairs.append((event, numbers[position]))
                position += 1
    schema = {"event": pl.UInt32, "absence": pl.UInt32}
    return events.join(pl.DataFrame(pairs, schema=schema, orient="row"), on="event")


def with_unlinked(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Match absences one to one with steps of the awaited kind that nothing ties to a cause; of
    an absent send also with a step that took its message: it left, though nobody saw it leave.

    Adds unlinked, unlinked_label (of the step) and unlinked_total (how many there are of it).
    """
    frame = frame.with_row_index("absence")
    alone = _alone(context)
    shifted = _by_all_clocks(context, frame)
    wanted = shifted.select("absence", "start", "max_ns", key="b")
    direct = _matched(wanted, alone)
    sends = shifted.filter(~pl.col("message")).join(direct, on="absence", how="anti")
    rest = alone.filter("consumes").join(direct, on="loose", how="anti")
    found = pl.concat([direct, _matched(_takers(context, sends), rest)])
    found = found.unique("absence", keep="first", maintain_order=True)
    return (
        frame.join(
            found.select("absence", "unlinked_label", "unlinked_total", unlinked=pl.lit(True)),
            on="absence",
            how="left",
            maintain_order="left",
        )
        .with_columns(pl.col("unlinked").fill_null(False), pl.col("unlinked_total").fill_null(0))
        .drop("absence")
    )


def _alone(context: Context) -> pl.DataFrame:
    """Steps that nothing ties to a cause: columns loose, key (label), at, consumes."""
    table = context.table
    foreign = _one_too_many(context)
    consumes = context.unlinked | foreign
    loose = np.flatnonzero((context.beginning & ~context.entered) | consumes)
    return pl.DataFrame(
        {
            "loose": loose,
            "key": table.label[loose],
            "at": table.start[loose],
            "consumes": consumes[loose],
        }
    )


def _one_too_many(context: Context) -> Flags:
    """Successful takes of a send that only a key tied to it, and that another one has taken: one
    of them may carry the key of a case that is not its own."""
    table = context.table
    keyed = np.flatnonzero((table.tier == Tier.KEY) & ~table.error[table.target])
    several = np.zeros(len(table), dtype=np.bool_)
    if not len(keyed):
        return several
    takes = pl.DataFrame(
        {
            "send": table.source[keyed],
            "label": table.label[table.target[keyed]],
            "take": table.target[keyed],
        }
    )
    several[ints(takes.filter(pl.len().over("send", "label") > 1)["take"])] = True
    return several


def _matched(wanted: pl.DataFrame, alone: pl.DataFrame) -> pl.DataFrame:
    """Pairs (absence, loose) with unlinked_label and unlinked_total. Where more steps of a kind
    begin alone than could be missed, beginning alone is how they begin."""
    missed = wanted.group_by("key").agg(missed=pl.len())
    found = alone.join(missed, on="key").with_columns(unlinked_total=pl.len().over("key"))
    few = pl.col("unlinked_total") <= MAX_ALONE * pl.col("missed")
    pairs = match_in_time(wanted, found.filter(pl.col("consumes") | few))
    return pairs.select("absence", "loose", "unlinked_total", unlinked_label="key")


def _takers(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """What would have taken the message of each absent send: columns absence, start, max_ns (of
    both ways together), key."""
    messages = context.transitions.filter("message")
    taken = messages.select(b="a", key="b", way_ns="max_ns")
    return frame.join(taken, on="b").select(
        "absence", "start", pl.col("max_ns") + pl.col("way_ns"), "key"
    )


def with_alternatives(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Mark absences where another operation came that never comes together with the absent one:
    an exclusive outcome (rejected instead of captured, an error page instead of a result), not
    a step that was forgotten. Operations inside the step count as well as steps after it."""
    frame = frame.with_row_index("absence")
    inside = frame.filter(~pl.col("message")).select("absence", "step", "a", "b")
    if inside.is_empty():
        return frame.with_columns(alternative=pl.lit(False)).drop("absence")
    pairs = _operations(context, inside["a"].unique())
    here = inside.join(pairs.select("step", "c"), on="step")
    wanted = here.select("a", "b", "c").unique()
    of_a = pairs.join(wanted.select("a").unique(), on="a", how="semi")
    with_c = of_a.join(wanted, on=["a", "c"])
    present = of_a.select("step", b="c").with_columns(both=True)
    together = (
        with_c.join(present, on=["step", "b"], how="left")
        .group_by("a", "b", "c")
        .agg(alone=pl.col("both").is_null().sum(), both=pl.col("both").is_not_null().sum())
    )
    exclusive = together.filter(pl.col("both") <= 0.05 * (pl.col("alone") + pl.col("both")))
    found = here.join(exclusive, on=["a", "b", "c"], how="semi")["absence"].unique()
    return frame.with_columns(alternative=pl.col("absence").is_in(found.implode())).drop("absence")


def _operations(context: Context, labels: pl.Series) -> pl.DataFrame:
    """Columns step, a, c: labels of the steps after, and of the spans inside, each step whose
    label is among `labels`."""
    table = context.table
    after = context.pairs.select("step", "a", c="b").filter(pl.col("a").is_in(labels.implode()))
    wanted = np.zeros(len(context.labels), dtype=np.bool_)
    wanted[ints(labels)] = True
    inside = np.flatnonzero(context.owner >= 0)
    inside = inside[wanted[table.label[context.owner[inside]]]]
    inside = inside[table.row[context.owner[inside]] != inside]
    step = context.owner[inside]
    within = pl.DataFrame({"step": step, "a": table.label[step], "c": context.label[inside]})
    return pl.concat([after, within.unique()]).unique(["step", "c"])


def with_own_errors(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Errors that explain an absence: of the send, of the step before, of a span inside it."""
    table, index = context.table, context.index
    failed = ints(context.spans["status"]) == 2
    below = np.zeros(len(failed), dtype=np.bool_)
    below[index.parent[failed & (index.parent >= 0)]] = True
    row = table.row[ints(frame["step"])]
    own = pl.Series(failed[row] | below[row])
    return frame.with_columns(
        send_failed=pl.col("error") & pl.col("message"), errored=own & ~pl.col("message")
    )
