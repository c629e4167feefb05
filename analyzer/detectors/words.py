"""Causes of an absent step in words, ranked, with what speaks for and against each."""

from __future__ import annotations

import numpy as np

from analyzer.context import Context
from analyzer.detection import Row
from analyzer.detectors.origins import error_of
from analyzer.duration import plural, spell, verb
from analyzer.finding import Cause


def name_of(context: Context, label: int) -> str:
    """ "inventory: process orders.placed"."""
    service, operation = context.label_text(label)
    return f"{service}: {operation}" if service else "?"


def causes_of_absence(context: Context, row: Row) -> tuple[Cause, ...]:
    """The verdict's cause first, then the others that were weighed."""
    first = str(row["cause"])
    weighed = _weigh(context, row)
    ranked = sorted(weighed, key=lambda one: (one.cause != first, -one.confidence, one.cause))
    if first not in {one.cause for one in weighed}:
        ranked.insert(0, Cause(first, round(float(row["confidence"]), 3)))
    top = max(ranked[0].confidence, *(one.confidence for one in ranked[1:]), 0.0)
    lead = Cause(first, round(top, 3), ranked[0].supports, ranked[0].against)
    return (lead, *ranked[1:4])


def _weigh(context: Context, row: Row) -> list[Cause]:
    service, _ = context.label_text(row["b"])
    later = _later(context, row)
    usual = f"the usual wait is at most {spell(row['max_ns'])}"
    active = f"{service} did this {plural(later, 'more time')} later" if later else ""
    causes = []
    if row["crashed"]:
        n = row["crashed"]
        text = (
            f"{plural(n, 'span')} of {service} {verb(n, 'name')} a parent that was never exported"
        )
        causes.append(Cause("crashed", 0.9, (text,), ()))
    if row["dark"]:
        text = f"{service} did nothing of the kind for {_silence(context, row)}"
        causes.append(Cause("consumer-dark", 0.9, (text,), _other_spans(context, row)))
    if row["stalled"]:
        went_on = f"{service} took {plural(row['taken_elsewhere'], 'later message')} of the others"
        reasons = (f"all messages of partition {row['partition']} since then are unused", went_on)
        causes.append(Cause("partition-stalled", 0.9, reasons, ()))
    if row["send_failed"]:
        causes.append(Cause("send-failed", 0.9, ("the send ended with an error",), ()))
    if row["unlinked"]:
        alone = name_of(context, row["unlinked_label"])
        text = f"{alone} came {plural(row['unlinked_total'], 'time')} without a send of its own"
        causes.append(Cause("context-broken", 0.7, (text, "one of them fits in time"), ()))
    if context.sampled and row["same_trace"] < 0.95:
        text = "the recording is sampled and the consumer stands in a trace of its own"
        causes.append(Cause("sampled-out", 0.6, (text,), ()))
    if row["received"]:
        text = f"the message was received, {service} has no span that works on it"
        causes.append(Cause("not-processed", 0.8, (text,), ()))
    if row["verdict"] in ("waiting", "late"):
        against = (usual,) if row["verdict"] == "late" else ()
        name = "slow" if row["verdict"] == "late" else "in-flight"
        causes.append(Cause(name, 0.6, (f"only {spell(row['age_ns'])} old",), against))
    if row["message"] and row["verdict"] == "stuck" and not causes:
        excluded = ("not sampled", "no unlinked consumer span fits")
        causes.append(
            Cause("lost", 0.85 if later >= 3 else 0.6, (*filter(None, [active]), *excluded))
        )
    if row["verdict"] == "left-out":
        text = "the rest of the flow went on without it, and no other outcome was seen instead"
        doubt = "it may be optional: a declared expectation would say"
        causes.append(Cause("left-out", 0.6, (text,), (doubt,)))
    elif row["failed_before"] >= 0:
        failed = int(row["failed_before"])
        error = error_of(context, int(context.table.row[failed]))
        text = f"{name_of(context, int(context.table.label[failed]))} failed before it"
        causes.append(Cause("handler-error", 0.8, (f"{text}: {error}" if error else text,), ()))
    elif not row["message"] and row["truncated"]:
        text = "nothing of what usually follows came; no other outcome was seen instead"
        window = ("the cases lie together in time: a fault window",) if row["clustered"] else ()
        causes.append(Cause("ended-early", 0.8 if window else 0.6, (text, *window), ()))
    if not causes:
        causes.append(Cause(str(row["cause"]), 0.3, (usual,), ()))
    return causes


def _later(context: Context, row: Row) -> int:
    """How often the awaited step happened after this absence began."""
    starts = context.starts_of(row["b"])
    return len(starts) - int(np.searchsorted(starts, row["since_ns"], "right"))


def _silence(context: Context, row: Row) -> str:
    starts = context.starts_of(row["b"])
    at = int(np.searchsorted(starts, row["start"], "right"))
    end = int(starts[at]) if at < len(starts) else context.now_ns
    return spell(max(0, end - row["dark_since_ns"]))


def _other_spans(context: Context, row: Row) -> tuple[str, ...]:
    count = context.spans_after(int(context.label_service[row["b"]]), row["start"])
    return (f"{plural(count, 'other span')} of the service came after",) if count else ()


def needs_of_absence(context: Context, row: Row) -> tuple[str, ...]:
    """Data that would make the verdict surer."""
    needs = []
    if row["message"] and row["verdict"] in ("stuck", "unknown"):
        lag = "the group's lag by partition" if row["stalled"] else "queue depth, consumer offset"
        needs.append(f"the broker's own record of the message ({lag})")
    if row["unlinked"]:
        needs.append("context propagation in the consumer, or a business key on both sides")
    if context.sampled and row["same_trace"] < 0.95:
        needs.append("unsampled traces")
    return tuple(needs)
