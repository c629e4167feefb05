"""Steps that usually follow and did not: stuck, late, missing-step, backlog, consumer-dark."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.context import Context
from analyzer.detection import Detection, Row, Words, nothing, span_evidence, verdicts
from analyzer.detectors.words import causes_of_absence, name_of, needs_of_absence
from analyzer.duration import plural, spell
from analyzer.finding import Severity, State

BACKLOG_MIN = 5


def awaited(context: Context, absences: pl.DataFrame, undo: frozenset[int]) -> Detection:
    """One verdict for each absence that is no legitimate variant.

    `undo`: labels that compensate something; what waits for one of these is an incomplete
    compensation.
    """
    frame = absences.filter(
        pl.col("verdict").is_in(["waiting", "late", "stuck", "missing", "left-out", "unknown"])
    )
    if frame.is_empty():
        return nothing()
    frame = _with_failed_before(context, _held_up(_first_missing(frame)))
    verdict = pl.col("verdict")
    undoes = pl.col("b").is_in(sorted(undo)) & verdict.is_in(["stuck", "missing", "left-out"])
    dark = pl.col("dark") & verdict.is_in(["stuck", "late", "unknown"])
    frame = frame.with_columns(stalled=pl.col("stalled") & ~dark & (verdict == "stuck"))
    frame = frame.with_columns(peers=pl.len().over("a", "b", "verdict"))
    stalled = pl.col("stalled")
    backlog = (verdict == "late") & (pl.col("peers") >= BACKLOG_MIN) & ~dark
    kind = (
        pl.when(verdict == "waiting")
        .then(pl.lit("waiting"))
        .when(undoes)
        .then(pl.lit("incomplete-compensation"))
        .when(dark)
        .then(pl.lit("consumer-dark"))
        .when(stalled)
        .then(pl.lit("stuck"))
        .when(backlog)
        .then(pl.lit("backlog"))
        .when(verdict.is_in(["missing", "left-out"]))
        .then(pl.lit("missing-step"))
        .when(verdict == "unknown")
        .then(
            pl.when("message")
            .then(pl.lit("unconsumed-message"))
            .otherwise(pl.lit("broken-propagation"))
        )
        .otherwise(verdict)
    )
    grouped = pl.concat_str(kind, pl.lit(":"), "a", pl.lit(":"), "b")
    partition = pl.concat_str(pl.lit("partition-stalled"), "b", "partition", separator="\x1f")
    together = kind.is_in(["consumer-dark", "backlog", "unconsumed-message", "broken-propagation"])
    state = (
        pl.when(verdict == "waiting")
        .then(pl.lit(State.WAITING.value))
        .when(verdict == "late")
        .then(pl.lit(State.LATE.value))
        .when(verdict == "unknown")
        .then(pl.lit(State.UNKNOWN.value))
        .when(verdict == "left-out")  # the instance went on without it
        .then(pl.lit(""))
        .otherwise(pl.lit(State.STUCK.value))
    )
    deadline = pl.when("within").then(None).otherwise(pl.col("since_ns") + pl.col("late_ns"))
    return Detection(
        verdicts(
            frame,
            kind=kind,
            state=state,
            severity=_severity(verdict),
            confidence=_confidence(),
            cause=_cause(context),
            deadline_ns=deadline,
            group=pl.when(stalled)
            .then(partition)
            .when(together)
            .then(grouped)
            .otherwise(pl.lit("")),
        ),
        lambda row, n: _explain(context, row, n),
    )


def _held_up(frame: pl.DataFrame) -> pl.DataFrame:
    """Call stuck what waits behind something stuck: for a consumer that is dark since then, at
    the end of a partition that stands still. What was sent last waits no less in vain."""
    stuck, message = pl.col("verdict") == "stuck", pl.col("message")
    young = pl.col("verdict").is_in(["waiting", "late"]) & message
    dark = (pl.col("dark") & stuck & message).any().over("b", "dark_since_ns")
    stalled = (pl.col("stalled") & stuck).any().over("b", "partition")
    held = young & ((pl.col("dark") & dark) | (pl.col("stalled") & stalled))
    return frame.with_columns(verdict=pl.when(held).then(pl.lit("stuck")).otherwise("verdict"))


def _first_missing(frame: pl.DataFrame) -> pl.DataFrame:
    """Of the steps that one instance misses for good, of those that never came where a step was
    broken off, and of one service's handlers that never got a message, keep the one that was due
    first; `others` lists the labels of the rest."""
    stuck = pl.col("verdict") == "stuck"
    broken_off = stuck & (pl.col("truncated") | pl.col("message"))
    # what is missing for good is told once an instance, what was broken off once a step, and a
    # message once a service, whichever of its handlers lack it
    unused = pl.when("message").then(pl.col("service") + 1).otherwise(0)
    step = pl.concat_str("step", unused, separator=":")
    place = pl.when(broken_off).then(step).otherwise(pl.lit(""))
    gone = pl.col("verdict").is_in(["missing", "left-out"]) | broken_off
    due = (pl.col("start") + pl.col("p50_ns")).alias("due")
    missing = (
        frame.filter(gone)
        .with_columns(due, place.alias("place"))
        .sort("instance", "place", "due", "step", "b")
        .with_columns(others=pl.col("b").over("instance", "place", mapping_strategy="join"))
        .unique(["instance", "place"], keep="first", maintain_order=True)
        .drop("due", "place")
    )
    rest = frame.filter(~gone).with_columns(others=pl.lit(None, dtype=pl.List(pl.Int64)))
    return pl.concat([rest, missing]).sort("instance", "since_ns", "step", "b")


def _with_failed_before(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Add failed_before: of a step that was broken off the last step it led to, where that failed;
    -1 for none."""
    found = np.full(len(frame), -1, dtype=np.int64)
    table = context.table
    inside = (~frame["message"] & frame["truncated"]).to_numpy()
    for at, step in zip(np.flatnonzero(inside).tolist(), frame["step"].filter(inside), strict=True):
        led_to = context.targets_of(step)
        if len(led_to) and table.error[led_to.max()]:
            found[at] = int(led_to.max())
    return frame.with_columns(failed_before=pl.Series(found))


def _also(context: Context, row: Row) -> str:
    """Names of the other missing steps, at most three."""
    others = [label for label in dict.fromkeys(row["others"] or []) if label != row["b"]]
    if not others:
        return ""
    names = [context.label_text(label)[1] or "?" for label in others[:3]]
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    return f"; nor did {', '.join(names)}{more}"


def _severity(verdict: pl.Expr) -> pl.Expr:
    bad = pl.lit(Severity.ERROR.value)
    return (
        pl.when(verdict.is_in(["stuck", "missing"]))
        .then(bad)
        .when(verdict.is_in(["late", "left-out"]))
        .then(pl.lit(Severity.WARNING.value))
        .otherwise(pl.lit(Severity.NOTE.value))
    )


def _confidence() -> pl.Expr:
    """How sure: the share of cases in which the step came, tempered by how many were seen."""
    seen = pl.col("n_known") / (pl.col("n_known") + 2)
    base = pl.max_horizontal(pl.col("p"), pl.col("clustered").cast(pl.Float64) * 0.95)
    base = base * seen
    return (
        pl.when(pl.col("verdict") == "unknown")
        .then(base * 0.4)
        .when(pl.col("verdict") == "left-out")
        .then(base * 0.7)
        .when(pl.col("crashed") > 0)
        .then(pl.max_horizontal(base, pl.lit(0.95)))
        .otherwise(base)
        .clip(0.05, 0.99)
    )


def _cause(context: Context) -> pl.Expr:
    """The likeliest cause, in the order in which evidence excludes the next one."""
    return (
        pl.when(pl.col("verdict") == "waiting")
        .then(pl.lit("in-flight"))
        .when(pl.col("send_failed"))
        .then(pl.lit("send-failed"))
        .when(pl.col("crashed") > 0)
        .then(pl.lit("crashed"))
        .when(pl.col("dark"))
        .then(pl.lit("consumer-dark"))
        .when(pl.col("unlinked"))
        .then(pl.lit("context-broken"))
        .when("stalled")
        .then(pl.lit("partition-stalled"))
        .when(pl.lit(context.sampled) & pl.col("message") & (pl.col("same_trace") < 0.95))
        .then(pl.lit("sampled-out"))
        .when(pl.col("received"))
        .then(pl.lit("not-processed"))
        .when(pl.col("verdict") == "late")
        .then(pl.lit("slow"))
        .when(pl.col("message") & (pl.col("verdict") == "stuck"))
        .then(pl.lit("lost"))
        .when(pl.col("verdict") == "unknown")
        .then(pl.lit("insufficient-history"))
        .when(pl.col("verdict") == "left-out")
        .then(pl.lit("left-out"))
        .when(pl.col("failed_before") >= 0)
        .then(pl.lit("handler-error"))
        .when(~pl.col("message") & pl.col("truncated"))
        .then(pl.lit("ended-early"))
        .otherwise(pl.lit("unknown"))
    )


def _explain(context: Context, row: Row, n: int) -> Words:
    before, after = name_of(context, row["a"]), name_of(context, row["b"])
    age = spell(row["age_ns"])
    usual = f"usually within {spell(row['p99_ns'])}, seen {row['k']:,} of {row['n_known']:,} times"
    text = {
        "waiting": f"{after} has not come yet after {before}; {age}, {usual}",
        "late": f"{after} is late: {age} after {before}; {usual}",
        "stuck": _stalled_text(context, row, n, before, after)
        if row["stalled"]
        else f"{after} never came{_also(context, row)}: {age} after {before}; {usual}",
        "missing-step": _missing_text(context, row, before, after, usual),
        "incomplete-compensation": f"{after} should undo and did not come after {before}; {usual}",
        "unconsumed-message": f"{plural(n, 'message')} of {before} not known to be used by {after}",
        "broken-propagation": _broken_text(context, row, n, before, after),
        "backlog": f"{plural(n, 'instance')} late together at {after}, after {before}; {usual}",
        "consumer-dark": _dark_text(context, row, n, before, after),
    }[str(row["kind"])]
    return Words(
        message=text,
        causes=causes_of_absence(context, row),
        evidence=span_evidence(context, row["step"], "sent" if row["message"] else "last-seen"),
        needs=needs_of_absence(context, row),
        # a call that was not made is the caller's doing
        service=context.label_text(row["a"])[0] if row["kind"] == "missing-step" else None,
    )


def _missing_text(context: Context, row: Row, before: str, after: str, usual: str) -> str:
    """What did not happen; first where it broke off, if that was inside the step before."""
    table, others = context.table, _also(context, row)
    last_step = _last_step(context, int(row["instance"]))
    last = name_of(context, int(table.label[last_step]))
    inside = bool((context.sources_of(last_step) == row["step"]).any())
    if inside and row["verdict"] == "missing":
        return f"{before} broke off after {last}; {after} did not happen{others}; {usual}"
    reached = f"; the last that happened was {last}" if last != before else ""
    return f"{after} did not happen although {before} did{others}{reached}; {usual}"


def _last_step(context: Context, instance: int) -> int:
    """Position of the step of an instance that began last: steps are sorted by start."""
    return int(np.searchsorted(context.table.instance, instance, "right")) - 1


def _stalled_text(context: Context, row: Row, n: int, before: str, after: str) -> str:
    group = f" (group {row['consumer_group']})" if row["consumer_group"] else ""
    place = context.spans["destination"][int(context.table.row[row["step"]])]
    return (
        f"{after}{group} takes nothing more from partition {row['partition']} of {place}: "
        f"{plural(n, 'message')} of {before} unused for {spell(row['age_ns'])}; the other "
        "partitions go on"
    )


def _broken_text(context: Context, row: Row, n: int, before: str, after: str) -> str:
    if row["unlinked_label"] not in (None, row["b"]):
        taker = name_of(context, row["unlinked_label"])
        return (
            f"{plural(n, 'time')} {after} left no span after {before}, and {taker} came without a "
            "cause: the send was not recorded"
        )
    return (
        f"{plural(n, 'time')} {after} stands in a trace of its own, and not after {before}: the "
        "context was lost on the way"
    )


def _dark_text(context: Context, row: Row, n: int, before: str, after: str) -> str:
    quiet = spell(max(0, context.now_ns - row["dark_since_ns"]))
    return f"{after} fell silent {quiet} before the end; {plural(n, 'message')} of {before} unused"
