"""From verdict rows to findings: one finding a row, or one for a group that shares a fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from analyzer.context import Context
from analyzer.detection import Detection, Row
from analyzer.finding import Finding, Severity, WaitingFor

MAX_SINGLE = 1_000  # findings of their own for one fault; the rest is told as one group
MAX_MEMBERS = 1_000
_STATE_ONLY = ("waiting", "compensated")  # verdicts that only say where an instance stands


def findings(
    context: Context, detections: Sequence[Detection], instances: pl.DataFrame
) -> tuple[Finding, ...]:
    """All findings, worst first. `instances`: columns id, workflow, trace_ids by code."""
    found = [one for detection in detections for one in _render(context, detection, instances)]
    return tuple(sorted(found, key=lambda one: one.sort_key))


@dataclass(frozen=True)
class _Names:
    """Ids, workflows and traces of the instances that findings name, by code."""

    ids: dict[int, str]
    workflows: dict[int, str]
    traces: dict[int, list[str]]


def _names(instances: pl.DataFrame, codes: pl.Series) -> _Names:
    chosen = codes.unique().sort()
    part = instances.select("id", "workflow", "trace_ids")[chosen.to_numpy()]
    keys = chosen.to_list()
    return _Names(*(dict(zip(keys, part[name].to_list(), strict=True)) for name in part.columns))


def _render(context: Context, detection: Detection, instances: pl.DataFrame) -> list[Finding]:
    frame = detection.frame.filter(~pl.col("kind").is_in(_STATE_ONLY))
    if frame.is_empty():
        return []
    names = _names(instances, frame["instance"])
    overflow = pl.int_range(pl.len()).over("kind", "step_label", "b", "cause") >= MAX_SINGLE
    rest = pl.concat_str(
        pl.lit("more:"), "kind", "step_label", pl.col("b"), "cause", separator="\x1f"
    )
    frame = frame.sort("since_ns", "instance", "step")
    label = np.where(frame["step"] >= 0, context.table.label[frame["step"].to_numpy()], -1)
    frame = frame.with_columns(step_label=pl.Series(label))
    frame = frame.with_columns(
        group=pl.when(pl.col("group") != "")
        .then("group")
        .when(overflow)
        .then(rest)
        .otherwise(pl.concat_str(pl.lit("one:"), pl.int_range(pl.len()).cast(pl.String)))
    )
    parts: dict[str, list[dict[str, Any]]] = {}
    for row in frame.iter_rows(named=True):
        parts.setdefault(row["group"], []).append(row)
    return [_finding(context, detection, rows, names) for rows in parts.values()]


def _finding(
    context: Context, detection: Detection, rows: list[dict[str, Any]], names: _Names
) -> Finding:
    """One finding for rows that share a fault, in the words of the earliest of them."""
    codes = list(dict.fromkeys(int(one["instance"]) for one in rows))
    row: Row = rows[0] | {"instances": len(codes)}
    words = detection.explain(row, len(rows))
    single = len(codes) == 1
    service, operation = context.label_text(int(row["b"]))
    seen = context.label_text(int(row["step_label"]))
    deadline = row["deadline_ns"]
    workflows = {names.workflows[code] for code in codes}
    traces = dict.fromkeys(trace for code in codes[:100] for trace in names.traces[code])
    return Finding(
        kind=str(row["kind"]),
        severity=Severity(str(row["severity"])),
        confidence=round(max(float(one["confidence"]) for one in rows), 3),
        message=words.message,
        workflow=workflows.pop() if len(workflows) == 1 else None,
        instance=names.ids[codes[0]] if single else None,
        members=() if single else tuple(sorted(names.ids[code] for code in codes[:MAX_MEMBERS])),
        instances=len(codes),
        trace_ids=tuple(traces)[:100],
        service=words.service or service or seen[0],
        step=seen[1],
        waiting_for=WaitingFor(service, operation, _destination(context, row)),
        since_ns=row["since_ns"],
        deadline_ns=deadline,
        overdue_s=None if deadline is None else _overdue(context.now_ns, deadline),
        causes=words.causes,
        evidence=words.evidence,
        needs=words.needs,
    )


def _overdue(now: int, deadline: int) -> float | None:
    return round((now - deadline) / 1e9, 3) if now > deadline else None


def _destination(context: Context, row: Row) -> str | None:
    """Where what is waited for would come from; a message that nobody takes waits there too."""
    step = int(row["step"])
    if step < 0 or (int(row["b"]) < 0 and row["kind"] != "unconsumed-message"):
        return None
    place = context.spans["destination"][int(context.table.row[step])]
    return None if place is None else str(place)
