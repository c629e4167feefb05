"""Messages to destinations that nobody in the recording is known to consume."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.context import Context
from analyzer.detection import Detection, Row, Words, nothing, span_evidence, verdicts
from analyzer.detectors.dead_letters import DEAD_LETTER
from analyzer.detectors.words import name_of
from analyzer.duration import plural
from analyzer.finding import Cause, Severity, State
from analyzer.stitching.roles import Role


def unconsumed(context: Context) -> Detection:
    """Sends that nothing took, of a kind that nothing ever takes (what is usually taken is
    judged by `awaited`)."""
    table, spans = context.table, context.spans
    send = table.role == Role.SEND
    # a request that its sender waits for is answered inside its own span
    taken = table.received | context.consumed
    by_label = np.zeros(len(context.labels), dtype=np.bool_)
    by_label[table.label[send & taken]] = True
    steps = np.flatnonzero(send & ~taken & ~table.error)  # a failed send is told as failed
    destination = spans["destination"].cast(pl.String)[table.row[steps]]
    dead = destination.str.contains(DEAD_LETTER).fill_null(False).to_numpy()
    expected = np.isin(table.label, context.transitions.filter("message")["a"].to_numpy())
    steps = steps[~dead & ~expected[steps]]
    if not len(steps):
        return nothing()
    consumers = _consumers_elsewhere(context)
    row = table.row[steps]
    frame = pl.DataFrame(
        {
            "instance": table.instance[steps],
            "step": steps,
            "label": table.label[steps],
            "since_ns": table.end[steps],
            "service": context.label_service[table.label[steps]],
            "elsewhere": consumers[row],
            "ever": by_label[table.label[steps]],
            "destination": spans["destination"].cast(pl.String)[row],
        }
    )
    cause = (
        pl.when(pl.col("elsewhere") > 0)
        .then(pl.lit("context-broken"))
        .when("ever")
        .then(pl.lit("insufficient-history"))
        .otherwise(pl.lit("no-known-consumer"))
    )
    known = (pl.col("elsewhere") > 0) | pl.col("ever")
    broken = pl.col("elsewhere") > 0
    frame = verdicts(
        frame,
        kind=pl.lit("unconsumed-message"),
        state=pl.when(known).then(pl.lit(State.UNKNOWN.value)).otherwise(pl.lit("")),
        severity=pl.when(cause == "no-known-consumer")
        .then(pl.lit(Severity.WARNING.value))
        .otherwise(pl.lit(Severity.NOTE.value)),
        confidence=pl.when(cause == "no-known-consumer").then(0.6).otherwise(0.5),
        cause=cause,
        # one library that drops the context does so for every destination
        group=pl.concat_str(
            pl.lit("unconsumed:"),
            pl.when(broken).then("service").otherwise("label"),
            pl.lit(":"),
            cause,
        ),
    )
    places = _places(frame)
    return Detection(frame, lambda row_, n: _explain(context, places, row_, n))


def _places(frame: pl.DataFrame) -> dict[str, tuple[int, int]]:
    """By group: (its destinations, consumer spans of them without a producer)."""
    apart = frame.unique(["group", "destination"]).group_by("group")
    found = apart.agg(places=pl.len(), loose=pl.col("elsewhere").sum())
    return {group: (places, loose) for group, places, loose in found.iter_rows()}


def _consumers_elsewhere(context: Context) -> np.ndarray:
    """By span: consumer spans on its destination that no evidence ties to a producer. Several
    topics in one comma-separated value count for each of them."""
    spans, table = context.spans, context.table
    loose = table.row[np.flatnonzero(context.unlinked)]
    topics = (
        spans.select(topic=pl.col("destination").cast(pl.String))[loose]
        .drop_nulls()
        .with_columns(pl.col("topic").str.split(","))
        .explode("topic")
    )
    counts = topics.group_by("topic").len()
    joined = spans.select(topic=pl.col("destination").cast(pl.String)).join(
        counts, on="topic", how="left", maintain_order="left"
    )
    return joined["len"].fill_null(0).to_numpy()


def _explain(context: Context, places: dict[str, tuple[int, int]], row: Row, n: int) -> Words:
    at = name_of(context, row["label"])
    number, loose = places[row["group"]]
    others = number - 1
    of = f"its {plural(number, 'destination')}" if others else "its destination"
    why = {
        "context-broken": f"{plural(loose, 'consumer span')} of {of} without a producer",
        "insufficient-history": "too few messages of this kind were seen to know",
        "no-known-consumer": "no consumer span of its destination is in the recording",
    }[str(row["cause"])]
    more = f" and {plural(others, 'more destination')} of this service" if others else ""
    text = f"{plural(n, 'message')} that nobody is seen to use, {at}{more}: {why}"
    against = ("the consumer may not be instrumented, or not part of this recording",)
    cause = Cause(str(row["cause"]), float(row["confidence"]), (why,), against)
    needs = ("spans of the consumers, or the broker's list of subscriptions",)
    return Words(text, (cause,), span_evidence(context, row["step"], "sent"), needs)
