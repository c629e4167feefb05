"""Errors that an instance did not get over, each with where it began."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from analyzer.codes import Ints
from analyzer.context import Context
from analyzer.detection import Detection, Row, Words, nothing, verdicts
from analyzer.detectors.origins import (
    answers_above,
    calls_to,
    ended_calls,
    error_of,
    origins,
    place_of,
)
from analyzer.detectors.recovery import patience, unrecovered
from analyzer.detectors.words import name_of
from analyzer.duration import plural
from analyzer.finding import Cause, Evidence, Severity, State
from analyzer.stitching.roles import Role

PLACES = 3  # where errors began, or surfaced, that one sentence names


def failed(context: Context, dead: Ints) -> Detection:
    """Failed beginnings (a request that its caller saw fail) and messages that no later attempt
    worked on. `dead`: instances that were dead-lettered, which says it better."""
    steps = unrecovered(context)
    steps = steps[~np.isin(context.table.instance[steps], dead)]
    if not len(steps):
        return nothing()
    frame = _frame(context, steps)
    pending, callee = pl.col("pending"), pl.col("callee")
    cause = (
        pl.when(pending)
        .then(pl.lit("retrying"))
        .when("send")
        .then(pl.lit("send-failed"))
        .when("lost")
        .then(pl.lit("crashed"))
        .when(pl.col("unanswered") & callee.is_not_null())
        .then(pl.lit("downstream-silent"))
        .when("call")
        .then(pl.lit("call-failed"))
        .otherwise(pl.lit("handler-error"))
    )
    severity = (
        pl.when(pending)
        .then(pl.lit(Severity.NOTE.value))
        .when("client_error")
        .then(pl.lit(Severity.WARNING.value))
        .otherwise(pl.lit(Severity.ERROR.value))
    )
    # a service that does not answer is one fault, wherever it surfaces
    shared = pl.when(cause.is_in(["downstream-silent", "crashed"])).then(callee)
    place = pl.concat_str(pl.col("label").cast(pl.String), "origin_label", separator="\x1f")
    frame = verdicts(
        frame,
        kind=pl.lit("failed"),
        state=pl.when(pending)
        .then(pl.lit(State.RUNNING.value))
        .otherwise(pl.lit(State.FAILED.value)),
        severity=severity,
        confidence=pl.when(pending).then(0.5).otherwise(0.95),
        cause=cause,
        group=pl.concat_str(
            pl.lit("failed"), cause, severity, pl.coalesce(shared, place), separator="\x1f"
        ),
    )
    return Detection(frame, lambda row, n: _explain(context, frame, row, n))


def _frame(context: Context, steps: Ints) -> pl.DataFrame:
    """One row for each instance and origin of an error: what a verdict and its words need."""
    spans, table = context.spans, context.table
    origin, row = origins(context, steps), table.row[steps]
    calls = ended_calls(context, origin, table.instance[steps])
    consumes = np.isin(table.role[steps], (Role.PROCESS, Role.RECEIVE))
    age = context.now_ns - table.end[steps]
    frame = pl.DataFrame(
        {
            "instance": table.instance[steps],
            "step": steps,
            "label": table.label[steps],
            "origin": origin,
            "since_ns": table.start[steps],
            "pending": (age <= patience(context)[table.label[steps]]) & consumes,
            "client_error": spans["http_status"][row].is_between(400, 499).fill_null(False),
            "origin_label": _label_of_rows(context, origin),
            "send": context.role[origin] == Role.SEND,
            "call": calls.row >= 0,
            "callee": calls.callee,
            "unanswered": calls.unanswered,
            "lost": calls.lost,
        }
    )
    return frame.unique(["instance", "origin"], keep="first", maintain_order=True)


def _label_of_rows(context: Context, rows: Ints) -> pl.Series:
    """Service, name, error and status of a span, as one text to group by."""
    part = context.spans[rows]
    fields = ["service", "name", "error_type", "rpc_status", "http_status", "peer"]
    return part.select(
        pl.concat_str(
            [pl.col(name).cast(pl.String).fill_null("") for name in fields], separator="\x1f"
        )
    ).to_series()


# -- in words ---------------------------------------------------------------------------------


def _explain(context: Context, frame: pl.DataFrame, row: Row, n: int) -> Words:
    evidence = tuple(
        Evidence(context.trace_hex(at_row), context.span_hex(at_row), role)
        for at_row, role in (
            (int(context.table.row[row["step"]]), "failed"),
            (int(row["origin"]), "origin"),
        )
    )
    evidence = evidence[: 1 if evidence[0].span_id == evidence[1].span_id else 2]
    if row["cause"] in ("downstream-silent", "crashed") and row["callee"]:
        group = frame.filter(pl.col("group") == row["group"])
        return _of_callee(context, group, row, evidence)
    return _of_place(context, row, n, evidence)


def _of_place(context: Context, row: Row, n: int, evidence: tuple[Evidence, ...]) -> Words:
    """Errors that began at one operation and surfaced at one step."""
    origin = int(row["origin"])
    error, place = error_of(context, origin), place_of(context, origin)
    began = f"{place}: {_start(error, 200)}" if error else place
    answers = [f"so {one}" for one in answers_above(context, origin)]
    often = plural(row["instances"], "instance")
    often = f"{plural(n, 'time')} in {often}" if n != row["instances"] else f"in {often}"
    waits = " and may be retried" if row["pending"] else ""
    text = f"{name_of(context, row['label'])} failed {often}{waits}"
    if origin != int(context.table.row[row["step"]]):
        text += f"; it began at {place}" + (f", {answers[0]}" if len(answers) > 1 else "")
    elif ", " in place:  # the status is not in the name of the step
        text += f": {place.rpartition(', ')[2]}"
    text += f": {_start(error, 90)}" if error else ""
    reason, sure, against = _why(row)
    own = origin == int(context.table.row[row["step"]])
    why = (f"{'its own error' if own else 'the first error below it'}: {began}", *reason, *answers)
    service = str(context.spans["service"][origin])
    return Words(text, (Cause(str(row["cause"]), sure, why, against),), evidence, service=service)


def _why(row: Row) -> tuple[tuple[str, ...], float, tuple[str, ...]]:
    """(reasons for the cause beside the error itself, its confidence, what speaks against it)."""
    cause = str(row["cause"])
    if cause == "send-failed":
        return ("the error is that of the send: the message did not leave",), 0.95, ()
    if cause == "crashed":
        return ("spans of this instance name a parent that was never exported",), 0.9, ()
    if cause == "call-failed":
        silent = "nobody left a span under the call" if row["unanswered"] else ""
        who = "" if row["callee"] else "the called service is not named: its address or the network"
        kept = tuple(one for one in (silent,) if one)
        return kept, 0.6, tuple(one for one in (who and f"{who} may be at fault",) if one)
    return (), float(row["confidence"]), ()


def _of_callee(
    context: Context, group: pl.DataFrame, row: Row, evidence: tuple[Evidence, ...]
) -> Words:
    """Errors of all calls to one service that left no span there, wherever they surfaced."""
    callee = str(row["callee"])
    total, failures, emits = calls_to(context, callee)
    whole = failures == total
    silent = "does not answer" if whole else "left calls unanswered"
    counted = f"{failures:,} of {plural(total, 'call')} to it failed"
    places = _places(group)
    text = (
        f"{callee} {silent}{'' if emits else ' and emits nothing'}: {counted}",
        *(f"so {answer}" for answer in _consequences(context, places)),
        f"failed were {_surfaced(context, group)}",
        f"it began at {_listed([place_of(context, one) for one in places])}",
    )
    left = "it left no span under these calls" if emits else "it emits no span at all"
    if row["cause"] == "crashed":
        left = f"spans of {callee} in these instances name a parent that was never exported"
    why = (f"{counted}; {left}", *(_chain(context, one) for one in places[:PLACES]))
    against = () if whole else (f"{total - failures:,} other calls to it did not fail",)
    sure = 0.95 if whole or row["cause"] == "crashed" else 0.8
    cause = Cause(str(row["cause"]), sure, why, against)
    return Words("; ".join(text), (cause,), evidence, service=callee)


def _places(group: pl.DataFrame) -> list[int]:
    """One origin for each operation that errors began at, the commonest first."""
    counted = group.with_columns(n=pl.col("instance").n_unique().over("origin_label"))
    first = counted.unique("origin_label", keep="first", maintain_order=True)
    ordered = first.sort("n", "since_ns", "origin", descending=[True, False, False])
    return [int(one) for one in ordered["origin"]]


def _consequences(context: Context, places: list[int]) -> list[str]:
    """What the services that called answered: those first that always do, then the rarest, for
    "every order fails" says more than "some of all posts"."""
    found = {(a.service, a.name): a for one in places for a in answers_above(context, one)[:1]}
    ranked = sorted(found.values(), key=lambda a: (a.failures < a.times, a.times, str(a)))
    return [str(one) for one in ranked[:PLACES]]


def _chain(context: Context, origin: int) -> str:
    """ "checkoutservice: CartService/GetCart, gRPC status 14: refused, so ... answers gRPC 13"."""
    error = error_of(context, origin)
    said = f": {_start(error, 120)}" if error else ""
    above = answers_above(context, origin)[:1]
    return ", ".join((place_of(context, origin) + said, *(f"so {one}" for one in above)))


def _surfaced(context: Context, group: pl.DataFrame) -> str:
    """ "shop: POST /cart in 11 instances, shop: GET /cart in 3"."""
    counts = group.group_by("label").agg(n=pl.col("instance").n_unique())
    ranked = list(counts.sort("n", "label", descending=[True, False]).iter_rows())
    named = [f"{name_of(context, label)} in {n:,}" for label, n in ranked[1:]]
    label, n = ranked[0]
    return _listed([f"{name_of(context, label)} in {plural(n, 'instance')}", *named])


def _listed(names: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = f" and {len(names) - PLACES} more" if len(names) > PLACES else ""
    return ", ".join(names[:PLACES]) + more


def _start(error: str, most: int) -> str:
    """Its first characters; an address or a number that is cut says so."""
    return error if len(error) <= most else f"{error[: most - 1]}…"
