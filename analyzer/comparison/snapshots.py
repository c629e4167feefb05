"""Snapshots of recordings and of reports."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from analyzer.comparison.report_file import Edge, Report, Workflow, convert
from analyzer.comparison.snapshot import (
    EdgeFacts,
    Snapshot,
    StepFacts,
    WorkflowFacts,
)
from analyzer.comparison.statistics import Sample

if TYPE_CHECKING:
    from analyzer.analysis import Analysis


def snapshot_of(source: Analysis | Report, name: str) -> Snapshot:
    """What an analysis or an earlier report says; an analysis says more."""
    if isinstance(source, Report):
        return _from_report(source, name)
    from analyzer.comparison.samples import with_samples
    from analyzer.reporters.context import Context
    from analyzer.reporters.json import document

    # The findings are not compared, and there may be many.
    told = convert(document(replace(source, findings=()), Context()))
    return replace(with_samples(_from_report(told, name), source), form="recording")


def _from_report(report: Report, name: str) -> Snapshot:
    return Snapshot(
        name=name,
        form="report",
        instances=report.instances.total,
        workflows={workflow.name: _workflow(workflow) for workflow in report.workflows},
        edges={
            (edge.source, edge.target, edge.kind, edge.destination or ""): _edge(edge)
            for edge in report.edges
        },
        services={service.name: service.instances for service in report.services},
        hotspots=tuple(report.hotspots),
        data_notes=frozenset(note.kind for note in report.data_quality),
        where=report.input.where,
        rejected=sum(report.input.rejected.values()),
    )


def _workflow(workflow: Workflow) -> WorkflowFacts:
    complete = workflow.by_state.get("complete", 0)
    steps = {
        (step.service, step.step): StepFacts(
            kind=step.kind,
            instances=step.instances,
            offset=_quantiles(step.instances, step.p50_s, step.p95_s),
            errors=step.errors,
            occurrences=step.occurrences,
        )
        for step in workflow.steps
    }
    return WorkflowFacts(
        workflow.instances,
        workflow.by_state,
        workflow.style,
        steps,
        _quantiles(complete, workflow.p50_s, workflow.p95_s),
    )


def _edge(edge: Edge) -> EdgeFacts:
    wait = _quantiles(edge.instances, edge.p50_wait_s, edge.p95_wait_s)
    return EdgeFacts(edge.instances, edge.calls, wait)


def _quantiles(n: int, p50: float | None, p95: float | None) -> Sample | None:
    return None if not n or p50 is None or p95 is None else Sample(n, p50, p95)
