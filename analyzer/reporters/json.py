"""The JSON report: names and fields are a contract, described by `choreoscope schema`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from analyzer.analysis import Analysis, DataNote, Workflow
from analyzer.escape import json_text
from analyzer.finding import Finding, Hotspot
from analyzer.reporters.context import Context
from analyzer.reporters.units import SECOND, rfc3339

SCHEMA_VERSION = "1"


def render(analysis: Analysis, context: Context) -> str:
    """One JSON document; the same spans give the same bytes."""
    return json_text(document(analysis, context), indent=2) + "\n"


def document(analysis: Analysis, context: Context) -> dict[str, Any]:
    """The report as plain values. Times are RFC 3339 in UTC, spans of time are seconds."""
    fields = {
        "schema_version": SCHEMA_VERSION,
        "as_of": rfc3339(analysis.as_of_ns),
        "input": _input(analysis, context),
        "workflows": [_workflow(w) for w in sorted(analysis.workflows, key=lambda w: w.name)],
        "instances": {
            "total": analysis.instances.height,
            "by_state": dict(sorted(analysis.by_state.items())),
        },
        "findings": [finding_fields(f) for f in ordered(analysis.findings)],
        "services": [_service(row) for row in analysis.services.sort("name").iter_rows(named=True)],
        "edges": _edges(analysis.service_edges),
        "hotspots": [_hotspot(h) for h in analysis.hotspots],
        "data_quality": [_note(n) for n in analysis.data_notes],
        "key_suggestions": [_note(n) for n in analysis.key_suggestions],
        "skipped": [{"detector": s.detector, "reason": s.reason} for s in analysis.skipped],
    }
    return fields | {section.key: dict(section.data) for section in context.sections}


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first: the order of every report."""
    return sorted(findings, key=lambda finding: (*finding.sort_key, finding.fingerprint))


def finding_fields(finding: Finding) -> dict[str, Any]:
    """One entry of `findings`."""
    waiting = finding.waiting_for
    return {
        "kind": finding.kind,
        "severity": finding.severity.value,
        "confidence": number(finding.confidence),
        "workflow": finding.workflow,
        "instance": finding.instance,
        "trace_ids": list(finding.trace_ids),
        "service": finding.service,
        "step": finding.step,
        "waiting_for": waiting_for(waiting.service, waiting.step, waiting.destination),
        "since": rfc3339(finding.since_ns),
        "deadline": rfc3339(finding.deadline_ns),
        "overdue_s": number(finding.overdue_s),
        "cause": finding.cause,
        "causes": [
            {
                "cause": cause.cause,
                "confidence": number(cause.confidence),
                "for": list(cause.supports),
                "against": list(cause.against),
            }
            for cause in finding.causes
        ],
        "evidence": [
            {"trace_id": e.trace_id, "span_id": e.span_id, "role": e.role} for e in finding.evidence
        ],
        "instances": finding.instances,
        "fingerprint": finding.fingerprint,
        "message": finding.message,
        "members": list(finding.members),
        "needs": list(finding.needs),
        "owner": finding.owner,
    }


def waiting_for(
    service: str | None, step: str | None, destination: str | None
) -> dict[str, str | None]:
    """Whose turn it is; every field is null where nothing is waited for."""
    return {"service": service, "step": step, "destination": destination}


def number(value: float | None) -> float | None:
    """Six digits are stable over platforms and orders of summing; NaN has no place in JSON."""
    if value is None or value != value or value in (float("inf"), float("-inf")):
        return None
    return round(float(value), 6)


def seconds(span_ns: int | None) -> float | None:
    """Nanoseconds as seconds."""
    return None if span_ns is None else round(span_ns / SECOND, 9)


def _input(analysis: Analysis, context: Context) -> dict[str, Any]:
    recording, intake = analysis.recording, analysis.recording.intake
    fields: dict[str, Any] = {
        "sources": list(intake.sources),
        "spans": recording.spans.height,
        "links": recording.links.height,
        "traces": context.traces(analysis),
        "services": context.services(analysis),
        "duplicates": intake.duplicates,
        "rejected": dict(sorted(intake.rejected.items())),
        "warnings": list(intake.warnings),
        "formats": list(intake.formats),
        "conflicts": intake.conflicts,
        "skipped": dict(sorted(intake.skipped.items())),
        "problems": [
            {"source": p.source, "line": p.line, "reason": p.reason, "detail": p.detail}
            for p in intake.problems
        ],
    }
    if context.where:
        fields["where"] = context.where
        fields["instances_before_where"] = context.instances_before_where
    return fields


def _workflow(workflow: Workflow) -> dict[str, Any]:
    return {
        "name": workflow.name,
        "instances": workflow.instances,
        "by_state": dict(sorted(workflow.by_state.items())),
        "variants": workflow.variants,
        "style": workflow.style,
        "steps": [
            {
                "service": step.service,
                "step": step.operation,
                "kind": step.kind,
                "instances": step.instances,
                "occurrences": step.occurrences,
                "errors": step.errors,
                "share": number(step.share),
                "p50_s": seconds(step.p50_ns),
                "p95_s": seconds(step.p95_ns),
            }
            for step in workflow.steps
        ],
        "p50_s": seconds(workflow.p50_ns),
        "p95_s": seconds(workflow.p95_ns),
        "starts": list(workflow.starts_per_bin),
    }


def _service(row: dict[str, Any]) -> dict[str, Any]:
    last = row.pop("last_ns")
    return row | {"instability": number(row["instability"]), "last_seen": rfc3339(last)}


def _edges(edges: pl.DataFrame) -> list[dict[str, Any]]:
    out = []
    for row in edges.sort("source", "target", "kind", "destination").iter_rows(named=True):
        names = ("source", "target", "kind", "destination", "instances", "calls", "errors")
        entry: dict[str, Any] = {name: row[name] for name in names}
        entry["destination"] = row["destination"] or None
        entry["p50_wait_s"] = seconds(row["p50_wait_ns"])
        entry["p95_wait_s"] = seconds(row["p95_wait_ns"])
        entry["first_seen"] = rfc3339(row["first_ns"])
        entry["last_seen"] = rfc3339(row["last_ns"])
        out.append(entry)
    return out


def _hotspot(hotspot: Hotspot) -> dict[str, Any]:
    return {
        "kind": hotspot.kind,
        "services": list(hotspot.services),
        "score": number(hotspot.score),
        "parts": {name: number(part) for name, part in sorted(hotspot.parts.items())},
        "message": hotspot.message,
    }


def _note(note: DataNote) -> dict[str, Any]:
    return {
        "kind": note.kind,
        "message": note.message,
        "count": note.count,
        "share": number(note.share),
        "services": list(note.services),
    }
