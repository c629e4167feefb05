"""One side of a comparison: what a recording or a report says about workflows and coupling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from analyzer.comparison.report_file import Edge, Hotspot, Report, Workflow, convert
from analyzer.comparison.statistics import Sample

if TYPE_CHECKING:
    from analyzer.analysis import Analysis

EdgeKey = tuple[str, str, str, str]  # source, target, kind, destination ("" for calls)
StepKey = tuple[str, str]  # service, step

# Instances that may still do what they have not done yet.
OPEN_STATES = ("running", "waiting", "late")


@dataclass(frozen=True)
class Course:
    """A variant: how many complete instances took it, and the steps it consists of."""

    instances: int
    steps: frozenset[StepKey]


@dataclass(frozen=True)
class StepFacts:
    """A step of one workflow. `own` and `failed` are known from recordings only."""

    kind: str
    instances: int
    offset: Sample | None = None  # seconds from the instance's start
    own: Sample | None = None  # seconds of its own, without what it calls; one an instance
    failed: int | None = None  # instances in which it had an error
    errors: int = 0
    occurrences: int = 0


@dataclass(frozen=True)
class WorkflowFacts:
    """A workflow. `variants` are known from recordings only."""

    instances: int
    by_state: Mapping[str, int]
    style: str
    steps: Mapping[StepKey, StepFacts]
    duration: Sample | None = None  # seconds, of complete instances
    variants: Mapping[str, Course] | None = None

    @property
    def open(self) -> int:
        """Instances that go on after the recording."""
        return sum(self.by_state.get(state, 0) for state in OPEN_STATES)

    @property
    def complete(self) -> int:
        """Instances that are complete."""
        return self.by_state.get("complete", 0)


@dataclass(frozen=True)
class EdgeFacts:
    """An edge between services; `rate` (calls in each instance) is known from recordings only."""

    instances: int
    calls: int
    wait: Sample | None = None  # seconds
    rate: Sample | None = None


@dataclass(frozen=True)
class Snapshot:
    """Everything that is compared, by name."""

    name: str
    form: str  # recording, report
    instances: int
    workflows: Mapping[str, WorkflowFacts]
    edges: Mapping[EdgeKey, EdgeFacts]
    services: Mapping[str, int]  # instances
    hotspots: tuple[Hotspot, ...] = ()
    data_notes: frozenset[str] = field(default_factory=frozenset)
    where: str | None = None
    rejected: int = 0


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
