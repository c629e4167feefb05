"""What every kind of hotspot looks at, worked out once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from analyzer.codes import Flags, flags
from analyzer.coupling.crossings import Crossed, WorkflowEdge, workflow_edges
from analyzer.coupling.score import MIN_EDGE_INSTANCES

if TYPE_CHECKING:
    import networkx as nx  # slow to import, and most recordings have neither circle nor hub

_ERROR_STATES = ("failed", "dead-lettered", "compensating", "compensated")


@dataclass(frozen=True)
class Facts:
    """The frames of one recording (INSTANCES, SERVICE_EDGES, SERVICES, SPANS; STEPS, EDGES)."""

    crossed: Crossed
    instances: pl.DataFrame
    service_edges: pl.DataFrame
    services: pl.DataFrame
    spans: pl.DataFrame

    @cached_property
    def workflows(self) -> pl.Series:
        """Workflow of each instance."""
        return self.instances["workflow"].fill_null("")

    @cached_property
    def workflow_sizes(self) -> dict[str, int]:
        """Instances of each workflow, by name."""
        return dict(self.workflows.value_counts().sort("workflow").iter_rows())

    @cached_property
    def workflow_edges(self) -> dict[str, list[WorkflowEdge]]:
        """`crossings.workflow_edges`."""
        return workflow_edges(self.crossed, self.workflows)

    @cached_property
    def is_first(self) -> Flags:
        """Steps that begin their instance."""
        instance = self.crossed.instance
        return np.append(True, instance[1:] != instance[:-1])[: len(instance)]

    @cached_property
    def first_services(self) -> dict[str, str]:
        """The service that most instances of each workflow begin in, by workflow."""
        begins = self.crossed.steps.filter(pl.Series(self.is_first))
        named = begins.select(
            pl.col("service").cast(pl.String),
            self.workflows.gather(begins["instance"]).alias("workflow"),
        )
        counts = named.group_by("workflow", "service").len()
        ranked = counts.sort(["workflow", "len", "service"], descending=[False, True, False])
        first = ranked.unique("workflow", keep="first", maintain_order=True)
        return dict(first.select("workflow", "service").iter_rows())

    @cached_property
    def went_wrong(self) -> Flags:
        """Instances of an error variant: failed, dead-lettered or compensated."""
        return flags(self.instances["state"].is_in(_ERROR_STATES))

    @cached_property
    def pairs(self) -> pl.DataFrame:
        """Forward edges between two services, kinds put together.

        source, target, instances (at least: the most that one edge has), calls, errors,
        sync (share of calls that are calls); seen often enough; sorted by source, target.
        """
        between = self.service_edges.filter(
            (pl.col("source") != pl.col("target")) & (pl.col("kind") != "reply")
        )
        sync = pl.col("calls").filter(pl.col("kind") == "sync").sum()
        return (
            between.group_by("source", "target")
            .agg(
                pl.col("instances").max(),
                pl.col("calls", "errors").sum(),
                sync=sync / pl.col("calls").sum(),
            )
            .filter(pl.col("instances") >= MIN_EDGE_INSTANCES)
            .sort("source", "target")
        )

    @cached_property
    def emitting(self) -> tuple[str, ...]:
        """Services that emit spans, sorted."""
        return tuple(self.services.filter(pl.col("spans") > 0)["name"].sort().to_list())

    @cached_property
    def links(self) -> dict[tuple[int, int], dict[str, float]]:
        """`pairs` between emitting services by their positions in `emitting`: instances, sync.

        Numbers as nodes, because the order of a set of strings changes from run to run.
        """
        number = {name: row for row, name in enumerate(self.emitting)}
        rows = self.pairs.select("source", "target", "instances", "sync").iter_rows()
        return {
            (number[source], number[target]): {"instances": instances, "sync": sync}
            for source, target, instances, sync in rows
            if source in number and target in number
        }

    @cached_property
    def graph(self) -> nx.DiGraph[int]:
        """`links` as a graph, with a node for every emitting service."""
        import networkx as nx

        graph: nx.DiGraph[int] = nx.DiGraph()
        graph.add_nodes_from(range(len(self.emitting)))
        graph.add_edges_from((*ends, said) for ends, said in self.links.items())
        return graph

    def names(self, nodes: tuple[int, ...]) -> tuple[str, ...]:
        """Service names of nodes of `graph`."""
        return tuple(self.emitting[node] for node in nodes)

    @cached_property
    def service_codes(self) -> dict[str, int]:
        """Physical code of each service in `steps`, by name: for look-ups, never for sorting."""
        unique = self.crossed.steps["service"].unique()
        codes = np.asarray(unique.to_physical().to_numpy())
        return dict(zip(unique.cast(pl.String).to_list(), codes.tolist(), strict=True))
