"""The answer: everything that was found out about one recording at one point in time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from analyzer.checks import Conformance
from analyzer.finding import Finding, Hotspot, Skipped
from collectors.recording import Recording

if TYPE_CHECKING:
    import networkx as nx

WORD = pl.Categorical()

# A step is a span at a service's boundary; one row a step and instance (a batch span stands in
# as many instances as it serves). Sorted by (instance, start_ns, span).
STEPS: dict[str, pl.DataType] = {
    "instance": pl.UInt32(),  # row in `instances`
    "span": pl.UInt32(),  # row in `recording.spans`
    "service": WORD,
    "operation": WORD,  # normalised: "publish orders.placed", "GET /orders/{id}"
    "kind": WORD,  # request, call, send, receive, process, task
    "destination": WORD,
    "group": WORD,
    "start_ns": pl.Int64(),
    "end_ns": pl.Int64(),
    "error": pl.Boolean(),
    "shared": pl.Boolean(),  # the span serves several instances
}

# step -> step inside one instance; `source` and `target` are rows in `steps`.
EDGES: dict[str, pl.DataType] = {
    "instance": pl.UInt32(),
    "source": pl.UInt32(),
    "target": pl.UInt32(),
    "kind": WORD,  # sync, command, event, reply
    "tier": WORD,  # E1..E9, as in docs/stitching.md
    "confidence": pl.Float32(),
    "wait_ns": pl.Int64(),  # from the end of the send, or the start of the call; never below 0
    "skew_ns": pl.Int64(),  # how far the target started before its source; 0 where it did not
}

# Sorted by id.
INSTANCES: dict[str, pl.DataType] = {
    "id": pl.String(),
    "workflow": pl.String(),
    "state": pl.String(),  # State
    "cause": pl.String(),
    "waiting_service": pl.String(),
    "waiting_step": pl.String(),
    "waiting_destination": pl.String(),
    "since_ns": pl.Int64(),
    "deadline_ns": pl.Int64(),
    "start_ns": pl.Int64(),
    "end_ns": pl.Int64(),
    "keys": pl.List(pl.String()),  # "order.id=4711", sorted
    "trace_ids": pl.List(pl.String()),  # hex, by start
    "services": pl.List(pl.String()),  # sorted
    "steps": pl.UInt32(),
    "spans": pl.UInt32(),
    "errors": pl.UInt32(),
    "variant": pl.String(),  # hash of the causal graph over labels
}

# service -> service, aggregated. Sorted by (source, target, kind, destination).
SERVICE_EDGES: dict[str, pl.DataType] = {
    "source": pl.String(),
    "target": pl.String(),
    "kind": pl.String(),  # sync, command, event, reply
    "destination": pl.String(),  # "" for sync
    "instances": pl.UInt32(),
    "calls": pl.UInt32(),
    "errors": pl.UInt32(),
    "p50_wait_ns": pl.Int64(),
    "p95_wait_ns": pl.Int64(),
    "first_ns": pl.Int64(),
    "last_ns": pl.Int64(),
}

# Sorted by name. A service that is called but emits nothing has spans = 0.
SERVICES: dict[str, pl.DataType] = {
    "name": pl.String(),
    "spans": pl.UInt32(),
    "instances": pl.UInt32(),
    "errors": pl.UInt32(),
    "ca": pl.UInt32(),  # afferent: services that depend on it
    "ce": pl.UInt32(),  # efferent: services it depends on
    "instability": pl.Float64(),  # ce / (ca + ce)
    "last_ns": pl.Int64(),
}


@dataclass(frozen=True, slots=True)
class StepProfile:
    """How one step of a workflow behaves over all instances."""

    service: str
    operation: str
    kind: str
    instances: int
    occurrences: int
    errors: int
    share: float  # of the workflow's instances
    p50_ns: int  # from the instance's start to the step's start
    p95_ns: int


@dataclass(frozen=True, slots=True)
class Workflow:
    """A type of business workflow, named after its first step."""

    name: str
    instances: int
    by_state: dict[str, int]
    variants: int
    style: str  # choreographed, orchestrated, hybrid, synchronous, undetermined
    steps: tuple[StepProfile, ...]
    p50_ns: int  # duration of complete instances
    p95_ns: int
    starts_per_bin: tuple[int, ...]  # instances started in each of 24 equal parts of the recording


@dataclass(frozen=True, slots=True)
class DataNote:
    """One thing to know about the quality of the data before believing the findings."""

    kind: str  # missing-parents, unresolved-links, sampling, clock-skew, broken-propagation, ...
    message: str
    count: int = 0
    share: float | None = None
    services: tuple[str, ...] = ()


@dataclass(frozen=True)
class Analysis:
    """All results for one recording at one "now"; frames have the shapes declared above."""

    recording: Recording
    as_of_ns: int
    instances: pl.DataFrame
    steps: pl.DataFrame
    edges: pl.DataFrame
    services: pl.DataFrame
    service_edges: pl.DataFrame
    workflows: tuple[Workflow, ...] = ()
    findings: tuple[Finding, ...] = ()
    hotspots: tuple[Hotspot, ...] = ()
    data_notes: tuple[DataNote, ...] = ()
    key_suggestions: tuple[DataNote, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    conformance: Conformance | None = None  # where something was declared

    @cached_property
    def by_state(self) -> dict[str, int]:
        """Number of instances in each state that occurs, by name."""
        counts = self.instances.group_by("state").len().sort("state")
        return dict(counts.iter_rows())

    def instance(self, identifier: str) -> Instance:
        """The instance of that id, trace id, unique prefix or key value; else LookupError."""
        return Instance(self, find_instance(self.instances, identifier))

    def service_graph(self) -> nx.MultiDiGraph[str]:
        """Services and destinations as nodes, typed edges; see `analyzer.graphs`."""
        from analyzer.graphs import service_graph

        return service_graph(self)


@dataclass(frozen=True)
class Instance:
    """A view of one workflow instance; nothing is built before it is asked for."""

    analysis: Analysis
    row: int

    @property
    def fields(self) -> dict[str, object]:
        """The instance's row of `Analysis.instances`."""
        return self.analysis.instances.row(self.row, named=True)

    @property
    def steps(self) -> pl.DataFrame:
        """Its steps, with their row number in `Analysis.steps` as column `step`."""
        frame = self.analysis.steps
        first = int(frame["instance"].search_sorted(self.row, "left"))
        last = int(frame["instance"].search_sorted(self.row, "right"))
        return frame.slice(first, last - first).with_row_index("step", offset=first)

    @property
    def edges(self) -> pl.DataFrame:
        """Its step-to-step edges."""
        return self.analysis.edges.filter(pl.col("instance") == self.row)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings that name it, or a group that it belongs to."""
        name = str(self.analysis.instances["id"][self.row])
        return tuple(f for f in self.analysis.findings if f.instance == name or name in f.members)

    def graph(self) -> nx.DiGraph[int]:
        """Its steps as nodes and its causal edges; see `analyzer.graphs`."""
        from analyzer.graphs import instance_graph

        return instance_graph(self)


def find_instance(instances: pl.DataFrame, identifier: str) -> int:
    """Row of the one instance that `identifier` names; LookupError says what is near."""
    rows = instances.with_row_index("row")
    exact = rows.filter(pl.col("id") == identifier)["row"]
    if len(exact) == 1:
        return int(exact[0])
    lowered = identifier.lower()
    matches = rows.filter(
        pl.col("id").str.starts_with(identifier)
        | pl.col("trace_ids").list.eval(pl.element().str.starts_with(lowered)).list.any()
        | pl.col("keys").list.eval(pl.element().str.ends_with("=" + identifier)).list.any()
        | pl.col("keys").list.contains(identifier)
    )
    if len(matches) == 1:
        return int(matches["row"][0])
    if len(matches) > 1:
        some = ", ".join(matches["id"].head(5).to_list())
        raise LookupError(f"{len(matches)} instances match {identifier!r}: {some}")
    some = f", such as {', '.join(instances['id'].head(5).to_list())}" if len(instances) else ""
    raise LookupError(f"no instance {identifier!r}; there are {len(instances)}{some}")
