"""One side of a comparison: what a recording or a report says about workflows and coupling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analyzer.comparison.report_file import Hotspot
from analyzer.comparison.statistics import Sample

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
