"""From verdict rows to findings: one finding a row, or one for a group that shares a fault."""

from __future__ import annotations

from collections.abc import Sequence

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


def _render(context: Context, detection: Detection, instances: pl.DataFrame) -> list[Finding]:
    frame = detection.frame.filter(~pl.col("kind").is_in(_STATE_ONLY))
    if frame.is_empty():
        return []
    frame = frame.with_row_index("order").with_columns(
        workflow=instances["workflow"][frame["instance"].to_numpy()]
    )
    overflow = pl.int_range(pl.len()).over("kind", "workflow", "b", "cause") >= MAX_SINGLE
    rest = pl.concat_str(pl.lit("more:"), "kind", "workflow", pl.col("b"), "cause", separator="\x1f")
    frame = frame.with_columns(
        group=pl.when(pl.col("group") != "")
        .then(pl.concat_str("group"))
        .when(overflow)
        .then(rest)
        .otherwise(pl.concat_str(pl.lit("one:"), pl.col("order").cast(pl.String)))
    )
    found = []
    for _, part in frame.group_by("group", maintain_order=True):
        found.append(_finding(context, detection, part, instances))
    return found


def _finding(
    context: Context, detection: Detection, part: pl.DataFrame, instances: pl.DataFrame
) -> Finding:
    part = part.sort("since_ns", "instance", "step")
    codes = part["instance"].unique(maintain_order=True).to_numpy()
    row: Row = part.row(0, named=True) | {"instances": len(codes)}
    words = detection.explain(row, len(part))
    single = len(codes) == 1
    service, operation = context.label_text(int(row["b"]))
    step = int(row["step"])
    seen = context.label_text(int(context.table.label[step])) if step >= 0 else (None, None)
    deadline = row["deadline_ns"]
    members = () if single else tuple(sorted(instances["id"][codes[:MAX_MEMBERS]].to_list()))
    return Finding(
        kind=str(row["kind"]),
        severity=Severity(str(row["severity"])),
        confidence=round(float(part["confidence"].max()), 3),
        message=words.message,
        workflow=row["workflow"] if part["workflow"].n_unique() == 1 else None,
        instance=instances["id"][int(codes[0])] if single else None,
        members=members,
        instances=len(codes),
        trace_ids=_traces(instances, codes),
        service=words.service or service or seen[0],
        step=f"{seen[1]}" if seen[1] else None,
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
    step = int(row["step"])
    if step < 0:
        return None
    return context.spans["destination"][int(context.table.row[step])]


def _traces(instances: pl.DataFrame, codes: np.ndarray) -> tuple[str, ...]:
    some = instances["trace_ids"][codes[:100]].explode().drop_nulls()
    return tuple(some.unique(maintain_order=True).head(100).to_list())
