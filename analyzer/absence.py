"""Why an expected step is absent: each absence with the evidence for and against its causes."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.bypass import without_bypassed
from analyzer.codes import Flags, Ints, ints
from analyzer.context import Context
from analyzer.flow import (
    MIN_HISTORY,
    absences,
    burst,
    wilson,
)

DARK_RUN = 3  # messages missed in a row
DARK_FACTOR = 3.0  # times the 99th percentile of the usual pauses
RELIABLE = 0.9  # a step that comes in at least this share of cases is meant to come always
CERTAIN = 0.95  # lower Wilson bound of a step that is required whatever else is seen
LEFT_OUT_HISTORY = 20
MAX_ALONE = 2  # unlinked steps for each absence
TRUNCATED_SHARE = 0.5
CORE_SHARE = 0.5
LOOP_SHARE = 0.5  # of the instances with a loop that end it so
LOOP_GAPS = 0.1  # of the rounds before the last that may lack the step all the same


def judged_absences(context: Context) -> pl.DataFrame:
    """Absences with their evidence and a verdict, sorted by (instance, since, step, b).

    Columns beside those of `flow.absences`: since_ns, age_ns, n_known (opportunities old
    enough to judge), p, dark, dark_since_ns, crashed (child spans whose parent never came),
    send_failed, errored, alternative, unlinked, received, later (messages consumed after this
    one), verdict: legitimate, waiting, late, stuck, missing, left-out, errored, unknown.
    """
    frame = absences(context.table, context.label_service, context.transitions)
    frame = without_bypassed(context, frame) if len(frame) else frame
    if frame.is_empty():
        return _empty(frame)
    frame = _with_age(context, frame)
    frame = _with_dark(context, frame)
    frame = _with_crashes(context, frame)
    frame = _with_unlinked(context, frame)
    frame = _with_alternatives(context, frame)
    frame = _with_own_errors(context, frame)
    frame = _with_truncation(context, frame)
    frame = _with_ends_of_loops(context, frame)
    frame = _with_requirement(frame)
    return _with_verdict(context, frame).sort("instance", "since_ns", "step", "b")


_ADDED: dict[str, pl.DataType] = {
    "since_ns": pl.Int64(),
    "age_ns": pl.Int64(),
    "dark": pl.Boolean(),
    "dark_since_ns": pl.Int64(),
    "crashed": pl.UInt32(),
    "unlinked": pl.Boolean(),
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
    return frame.with_columns(age_ns=context.now_ns - pl.col("since_ns"))


def _with_dark(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
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


def _with_crashes(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Count spans of the awaited service whose parent was never exported: those in the same
    instance, else one group of them in a trace of its own that fits in time."""
    rows = np.flatnonzero(context.index.missing_parent)
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
    wanted = frame.filter((pl.col("crashed") == 0) & pl.col("message"))
    matched = match_in_time(wanted.rename({"service": "key"}), alone.rename({"service": "key"}))
    return (
        frame.join(
            matched.select("absence", "orphans"), on="absence", how="left", maintain_order="left"
        )
        .with_columns(crashed=pl.col("crashed") + pl.col("orphans").fill_null(0))
        .drop("absence", "orphans")
    )


def match_in_time(absences_: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Pair absences one to one with events of the same `key` that came at `at`, between the
    absence's `start` and its longest usual wait after it; first come, first served.

    Returns `events` with the column `absence` of the partner, where there is one.
    """
    pairs: list[tuple[int, int]] = []
    events = events.sort("key", "at").with_row_index("event")
    for (key,), part in events.group_by("key", maintain_order=True):
        mine = absences_.filter(pl.col("key") == key).sort("start", "absence")
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


def _with_unlinked(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Match absences one to one with steps of the awaited kind that nothing ties to a cause.

    Where more of these stand alone than could be missed, standing alone is how they begin.
    """
    table = context.table
    loose = np.flatnonzero((context.beginning & ~context.entered) | context.unlinked)
    frame = frame.with_row_index("absence")
    found = pl.DataFrame({"key": table.label[loose], "at": table.start[loose]})
    missed = frame.group_by(key="b").agg(missed=pl.len())
    consumes = pl.Series(context.unlinked[loose])
    found = found.with_columns(consumes=consumes).join(missed, on="key")
    alone = pl.len().over("key")
    found = found.filter(pl.col("consumes") | (alone <= MAX_ALONE * pl.col("missed")))
    wanted = frame.select("absence", "start", "max_ns", key="b")
    matched = match_in_time(wanted, found)
    total = found.group_by(b="key").agg(unlinked_total=pl.len())
    return (
        frame.with_columns(unlinked=pl.col("absence").is_in(matched["absence"].implode()))
        .join(total, on="b", how="left", maintain_order="left")
        .with_columns(pl.col("unlinked_total").fill_null(0))
        .drop("absence")
    )


def _with_alternatives(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
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


def _with_own_errors(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
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


def _with_truncation(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Mark occurrences after whose last step nothing came any more, and whether they cluster.

    An occurrence is truncated where all steps are missing that usually come later than the
    last one it has; an optional step in the middle is missing alone.
    """
    inside = ~pl.col("message")
    core = context.transitions.filter(~pl.col("message")).select("a", b="b", usual="p50_ns")
    shown = context.pairs.filter(~pl.col("message")).select("step", "a", "b")
    touched = frame.filter(inside).select("step").unique()
    last = (
        shown.join(touched, on="step", how="semi")
        .join(core, on=["a", "b"])
        .group_by("step")
        .agg(last=pl.col("usual").max())
    )
    missing_first = frame.filter(inside).group_by("step").agg(first_missing=pl.col("p50_ns").min())
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


def _with_ends_of_loops(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Count the last round of a loop among the alternatives: where one step comes several times
    in an instance (pages, items, polls) and only its last time goes on differently, in most of
    these instances, that is how the loop ends and no step is missing."""
    table = context.table
    steps = pl.DataFrame({"step": np.arange(len(table)), "a": table.label})
    steps = steps.with_columns(instance=pl.Series(table.instance))
    steps = steps.join(frame.select("a").unique(), on="a", how="semi")
    times = steps.group_by("a", "instance").agg(rounds=pl.len(), last=pl.col("step").max())
    loops = times.filter(pl.col("rounds") > 1)
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


def _with_requirement(frame: pl.DataFrame) -> pl.DataFrame:
    """Decide for each transition whether the step is meant to come always.

    Absences that have an explanation of their own (a dark consumer, a crash, an error, an
    exclusive outcome, a context that was lost, not old enough) are no evidence that the step
    is optional, and are taken out before its share is judged.
    """
    explained = (
        pl.col("dark")
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
    expected = pl.col("required") | pl.col("dark") | pl.col("send_failed")
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
