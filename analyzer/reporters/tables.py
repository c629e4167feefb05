"""Instances and findings as tables for other programs: CSV and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

import polars as pl

from analyzer.analysis import Analysis
from analyzer.escape import Target, escape
from analyzer.finding import Finding
from analyzer.reporters.context import Context
from analyzer.reporters.faults import place_fingerprint
from analyzer.reporters.instances import csv_lines, ordered, parquet_frame
from analyzer.reporters.json import number
from analyzer.reporters.json import ordered as worst_first
from analyzer.reporters.units import rfc3339

# Times are strings in CSV and timestamps in Parquet; lists are separated by blanks in CSV.
FINDING_COLUMNS: dict[str, pl.DataType] = {
    "kind": pl.String(),
    "severity": pl.String(),
    "confidence": pl.Float64(),
    "workflow": pl.String(),
    "instance": pl.String(),
    "instances": pl.Int64(),
    "service": pl.String(),
    "step": pl.String(),
    "waiting_service": pl.String(),
    "waiting_step": pl.String(),
    "waiting_destination": pl.String(),
    "since": pl.Datetime("ns", "UTC"),
    "deadline": pl.Datetime("ns", "UTC"),
    "overdue_s": pl.Float64(),
    "owner": pl.String(),
    "cause": pl.String(),
    "message": pl.String(),
    "members": pl.List(pl.String()),
    "trace_ids": pl.List(pl.String()),
    "needs": pl.List(pl.String()),
    "fingerprint": pl.String(),
    "place": pl.String(),  # the fingerprint without the instance: the same in the next run
}
_TIMES = ("since", "deadline")


def instances_csv(analysis: Analysis, context: Context) -> str:
    """RFC 4180, the worst instance first; formulas are made inert."""
    return "".join(csv_lines(ordered(analysis.instances, "state", analysis.as_of_ns)))


def instances_parquet(analysis: Analysis, context: Context) -> bytes:
    """The same table with typed columns and the values as they came."""
    return _parquet(parquet_frame(ordered(analysis.instances, "state", analysis.as_of_ns)))


def findings_csv(analysis: Analysis, context: Context) -> str:
    """RFC 4180, the worst finding first; formulas are made inert."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FINDING_COLUMNS)
    for finding in worst_first(analysis.findings):
        row = _row(finding)
        row |= {name: rfc3339(row[name]) for name in _TIMES}
        writer.writerow([_cell(row[name]) for name in FINDING_COLUMNS])
    return out.getvalue()


def findings_parquet(analysis: Analysis, context: Context) -> bytes:
    """The same table with typed columns and the values as they came."""
    loose = {n: pl.Int64() if n in _TIMES else kind for n, kind in FINDING_COLUMNS.items()}
    rows = [_row(finding) for finding in worst_first(analysis.findings)]
    frame = pl.DataFrame(rows, schema=loose, orient="row")
    return _parquet(frame.with_columns(pl.col(n).cast(FINDING_COLUMNS[n]) for n in _TIMES))


def _row(finding: Finding) -> dict[str, Any]:
    waiting = finding.waiting_for
    return {
        "kind": finding.kind,
        "severity": finding.severity.value,
        "confidence": number(finding.confidence),
        "workflow": finding.workflow,
        "instance": finding.instance,
        "instances": finding.instances,
        "service": finding.service,
        "step": finding.step,
        "waiting_service": waiting.service,
        "waiting_step": waiting.step,
        "waiting_destination": waiting.destination,
        "since": finding.since_ns,
        "deadline": finding.deadline_ns,
        "overdue_s": number(finding.overdue_s),
        "owner": finding.owner,
        "cause": finding.cause,
        "message": finding.message,
        "members": list(finding.members),
        "trace_ids": list(finding.trace_ids),
        "needs": list(finding.needs),
        "fingerprint": finding.fingerprint,
        "place": place_fingerprint(finding),
    }


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    return escape(_blanks(value) if isinstance(value, list) else value, Target.CSV)


def _blanks(values: Iterable[str]) -> str:
    return " ".join(values)


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()
