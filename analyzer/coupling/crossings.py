"""Edges between services, with what both ends say: the raw material of everything here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import polars as pl

from analyzer.codes import Flags, Ints, flags, ints
from analyzer.coupling.chains import Ends, Visits, ends, visits

# One row an edge that leaves its service, or hands a message over inside it.
CROSSINGS: dict[str, pl.DataType] = {
    "instance": pl.UInt32(),
    "source": pl.Categorical(),
    "target": pl.Categorical(),
    "kind": pl.Categorical(),
    "destination": pl.Categorical(),  # the sender's name of it; null for calls
    "error": pl.Boolean(),  # of the target
    "start_ns": pl.Int64(),  # of the target
    "wait_ns": pl.Int64(),
}


@dataclass(frozen=True)
class Crossed:
    """Steps and edges (STEPS, EDGES) with what is worked out from them when first asked for."""

    steps: pl.DataFrame
    edges: pl.DataFrame

    @cached_property
    def ends(self) -> Ends:
        """Both ends of every edge."""
        return ends(self.steps, self.edges)

    @cached_property
    def instance(self) -> Ints:
        """Instance of every step."""
        return ints(self.steps["instance"])

    @cached_property
    def forward(self) -> Flags:
        """Edges that start something: all but replies."""
        return ~flags(self.edges["kind"] == "reply")

    @cached_property
    def visits(self) -> Visits:
        """How the run came into each step's service, over forward edges."""
        return visits(len(self.steps), self.ends, self.forward)

    @cached_property
    def crossings(self) -> pl.DataFrame:
        """CROSSINGS, in the order of `edges`; a service's messages to itself too."""
        steps = self.steps
        is_kept = self.ends.crosses | self.ends.is_message
        kept = self.edges.filter(pl.Series(is_kept))
        no_message = pl.Series(~self.ends.is_message[is_kept])
        source, target = kept["source"], kept["target"]
        sent_to = steps["destination"].gather(source)
        named = sent_to.zip_with(sent_to.is_not_null(), steps["destination"].gather(target))
        return pl.DataFrame(
            {
                "instance": kept["instance"],
                "source": steps["service"].gather(source),
                "target": steps["service"].gather(target),
                "kind": kept["kind"],
                "destination": named.set(no_message, None),
                "error": steps["error"].gather(target),
                "start_ns": steps["start_ns"].gather(target),
                "wait_ns": kept["wait_ns"],
            }
        )


class WorkflowEdge(NamedTuple):
    """An edge between two services in one workflow, counted."""

    source: str
    target: str
    kind: str
    destination: str  # "" for calls
    instances: int
    calls: int

    @property
    def is_forward(self) -> bool:
        """Whether it starts something."""
        return self.kind != "reply"


def workflow_edges(crossed: Crossed, workflows: pl.Series) -> dict[str, list[WorkflowEdge]]:
    """The edges between services of each workflow, sorted; `workflows` names each instance's.

    A service's edges to itself are left out. Objects, because there are few: one for each
    workflow, pair, kind and destination.
    """
    between = crossed.crossings.filter(pl.col("source") != pl.col("target"))
    word = workflows.cast(pl.Categorical).gather(between["instance"])
    key = ("workflow", "source", "target", "kind", "destination")
    grouped = (
        between.with_columns(word.alias("workflow"))
        .group_by(key)
        .agg(pl.col("instance").n_unique(), pl.len())
        .with_columns(pl.col(key).cast(pl.String))
        .with_columns(pl.col("destination").fill_null(""))
    )
    result: dict[str, list[WorkflowEdge]] = {}
    for workflow, *edge in sorted(grouped.iter_rows()):
        result.setdefault(str(workflow), []).append(WorkflowEdge(*edge))
    return result
