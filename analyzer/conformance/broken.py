"""Broken expectations that no other detector tells of, as verdicts with words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from analyzer.codes import Ints, ints
from analyzer.conformance.judged import Judged, Verdict
from analyzer.conformance.match import NEVER, Cases
from analyzer.context import Context
from analyzer.detection import (
    VERDICTS,
    Detection,
    Row,
    Words,
    merged,
    nothing,
    span_evidence,
    verdicts,
)
from analyzer.duration import plural, spell
from analyzer.finding import Cause, Severity, State

# An error or an absence that is told already explains why more of the instance is absent.
_SURE = 0.9
_OF_LITTLE = 0.6  # nothing of the kind was ever seen: the name may be wrong


def broken(
    context: Context,
    judged: Sequence[tuple[str, Cases, Judged]],
    others: Sequence[Detection],
) -> Detection:
    """One group of verdicts for each broken expectation. `judged`: with the declared workflow's
    name; `others`: the verdicts of the detectors."""
    known = explained(others)
    parts = [
        part
        for number, (_, cases, one) in enumerate(judged)
        for part in _rows(number, cases, one, known)
    ]
    if not parts:
        return nothing()
    frame = pl.concat(parts).sort("instance", "expectation")
    return Detection(
        verdicts(frame, confidence=pl.col("confidence"), cause=pl.col("cause")),
        lambda row, n: _explain(context, row, n, judged),
    )


def explained(others: Sequence[Detection]) -> Ints:
    """Instances with an error."""
    bad = pl.col("severity") == Severity.ERROR.value
    return np.unique(ints(merged(others, "instance", where=bad)["instance"]))


def _rows(number: int, cases: Cases, one: Judged, known: Ints) -> list[pl.DataFrame]:
    """Verdict rows: steps that came too late, and those that did not come."""
    hit = one.verdict == Verdict.BROKEN
    late = hit & (one.late == 1) if one.late is not None else np.zeros(len(hit), dtype=np.bool_)
    absent = hit & ~late
    if one.absent:
        absent &= ~np.isin(cases.instance, known)
    stuck = one.absent and one.severity == "error"
    return [
        _part(number, cases, one, chosen, kind, state)
        for chosen, kind, state in (
            (late, "deadline-missed", ""),
            (absent, one.kind, State.STUCK.value if stuck else ""),
        )
        if chosen.any()
    ]


def _part(
    number: int, cases: Cases, one: Judged, chosen: np.ndarray, kind: str, state: str
) -> pl.DataFrame:
    deadline = one.deadline[chosen]
    absent = one.absent and kind != "deadline-missed"
    return pl.DataFrame(
        {
            "instance": cases.instance[chosen],
            "kind": kind,
            "state": state,
            "severity": one.severity,
            "confidence": _OF_LITTLE if absent and not one.seen else _SURE,
            "cause": "unknown" if absent else kind,
            "step": (one.step if absent or one.came is None else one.came)[chosen],
            "b": one.label if absent else -1,
            "since_ns": one.since[chosen],
            "deadline_ns": [None if due == NEVER else due for due in deadline.tolist()],
            "group": f"declared:{number}:{kind}",
            "expectation": number,
            "measured": one.measured[chosen] if one.measured is not None else 0,
        },
        schema=VERDICTS | {"expectation": pl.Int64(), "measured": pl.Int64()},
    )


def _explain(
    context: Context, row: Row, n: int, judged: Sequence[tuple[str, Cases, Judged]]
) -> Words:
    name, _, one = judged[int(row["expectation"])]
    kind = str(row["kind"])
    many = plural(int(row.get("instances", n)), "instance")
    what = _what(one, kind, int(row["measured"]))
    who = f"none of {one.subject}" if one.rule == "ends" and "," in one.subject else one.subject
    text = f"{who} {what}, in {many} of {name}; declared: {one.expected}"
    near = f"; the nearest name that was seen is {one.hint!r}" if one.hint else ""
    place = f"declared at {one.origin.source}:{one.origin.line}"
    seen = f"it came in {plural(one.seen, 'other instance')} of {name}" if one.absent else ""
    if one.absent and not one.seen:
        seen = f"it never came in the recording{near}"
    supports = tuple(part for part in (place, seen) if part and kind != "deadline-missed")
    cause = Cause(str(row["cause"]), float(row["confidence"]), supports or (place,))
    service = None if one.label >= 0 else context.label_text(_label(context, row))[0]
    evidence = span_evidence(context, int(row["step"]), "last-seen" if one.absent else "seen")
    return Words(text, (cause,), evidence, (), service)


def _label(context: Context, row: Row) -> int:
    step = int(row["step"])
    return int(context.table.label[step]) if step >= 0 else -1


def _what(one: Judged, kind: str, measured: int) -> str:
    if kind == "deadline-missed":
        did = "was closed" if one.rule == "pair" else "came" if one.absent else ""
        return f"{did} after {spell(measured)}" if did else f"took {spell(measured)}"
    if kind == "wrong-count":
        return f"came {plural(measured, 'time')}"
    if kind == "exclusive-steps":
        return f"came together ({measured} of them)"
    if kind == "unclosed":
        return "was opened and not closed"
    return "came" if one.rule == "ends" and "," in one.subject else "did not come"
