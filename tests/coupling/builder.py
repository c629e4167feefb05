"""Hand-made STEPS, EDGES, INSTANCES and SPANS: one line a step, as a person would draw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from analyzer.analysis import EDGES, INSTANCES, STEPS
from analyzer.coupling import edge_kinds, service_edges, services
from collectors import schema

SECOND = 10**9
NO_CALLS = pl.DataFrame(
    schema={
        "instance": pl.UInt32(),
        "source": pl.Categorical(),
        "target": pl.String(),
        "error": pl.Boolean(),
        "start_ns": pl.Int64(),
        "wait_ns": pl.Int64(),
    }
)


@dataclass
class World:
    """Collects instances; `frames()` gives what the pipeline would hand over."""

    steps: list[dict[str, Any]] = field(default_factory=list, repr=False)
    edges: list[dict[str, Any]] = field(default_factory=list, repr=False)
    instances: list[dict[str, Any]] = field(default_factory=list, repr=False)
    spans: list[dict[str, Any]] = field(default_factory=list, repr=False)
    calls: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def begin(self, workflow: str = "order", state: str = "complete") -> int:
        """A new instance; returns its row."""
        row = len(self.instances)
        self.instances.append(
            {"id": f"{row:08d}", "workflow": workflow, "state": state, "errors": 0}
        )
        return row

    def step(
        self, service: str, kind: str, operation: str = "", parent: int | None = None, **more: Any
    ) -> int:
        """A step of the instance begun last, caused by step `parent`; returns its row."""
        row = len(self.steps)
        at = more.pop("at", row)
        tier = more.pop("tier", "E1")
        instance = len(self.instances) - 1
        span = {
            "service": service,
            "body_size": more.pop("size", None),
            "message_intent": more.pop("intent", None),
            "event_type": more.pop("event_type", None),
        }
        self.spans.append(span)
        self.steps.append(
            {
                "instance": instance,
                "span": row,
                "service": service,
                "operation": operation or kind,
                "kind": kind,
                "start_ns": int(at * SECOND),
                "end_ns": int((at + more.pop("takes", 1)) * SECOND),
                "error": False,
                "shared": False,
                **more,
            }
        )
        if parent is not None:
            self.edge(parent, row, tier)
        return row

    def edge(self, source: int, target: int, tier: str = "E1") -> None:
        """One more cause of `target`."""
        self.edges.append(
            {
                "instance": len(self.instances) - 1,
                "source": source,
                "target": target,
                "tier": tier,
                "confidence": 1.0,
                "wait_ns": 1_000_000,
                "skew_ns": 0,
            }
        )

    def call(self, service: str, parent: int, **more: Any) -> int:
        """`service` serves a call from `parent`."""
        return self.step(service, "request", more.pop("operation", "GET /"), parent, **more)

    def message(self, parent: int, destination: str, *consumers: str, **more: Any) -> list[int]:
        """The service of `parent` sends to `destination`; each consumer processes it."""
        group = more.pop("group", None)
        sender = self.steps[parent]["service"]
        operation = more.pop("operation", f"publish {destination}")
        sent = self.step(sender, "send", operation, parent, destination=destination, **more)
        more.pop("size", None)
        return [
            self.step(
                consumer,
                "process",
                f"process {destination}",
                sent,
                tier="E2",
                destination=destination,
                group=group,
                **more,
            )
            for consumer in consumers
        ]

    def database(self, service: str, name: str, **columns: Any) -> None:
        """A database span, which is no step."""
        self.spans.append({"service": service, "name": name, **columns})

    def frames(self, order: Sequence[int] | None = None) -> Frames:
        """The frames; `order` permutes the edges, as if they had been found differently."""
        spans = schema.complete(pl.DataFrame(self.spans, infer_schema_length=None), schema.SPANS)
        steps = schema.complete(pl.DataFrame(self.steps, infer_schema_length=None), STEPS)
        edges = schema.complete(pl.DataFrame(self.edges, infer_schema_length=None), EDGES)
        if order is not None:
            edges = edges[list(order)]
        edges = edges.with_columns(edge_kinds(steps, edges, spans))
        instances = self._instances(steps)
        calls = pl.DataFrame(self.calls, schema=NO_CALLS.schema)
        aggregated = service_edges(steps, edges, calls)
        counts = spans.group_by("service").agg(
            spans=pl.len().cast(pl.UInt32),
            errors=pl.lit(0, dtype=pl.UInt32),
            last_ns=pl.lit(0, dtype=pl.Int64),
        )
        table = services(
            counts.select(
                pl.col("service").cast(pl.String).alias("name"), "spans", "errors", "last_ns"
            ),
            steps,
            aggregated,
        )
        return Frames(steps, edges, instances, aggregated, table, spans)

    def _instances(self, steps: pl.DataFrame) -> pl.DataFrame:
        times = (
            steps.group_by("instance")
            .agg(pl.col("start_ns").min(), pl.col("end_ns").max(), pl.col("error").sum())
            .sort("instance")
        )
        rows = pl.DataFrame(self.instances, infer_schema_length=None)
        rows = rows.with_columns(times["start_ns"], times["end_ns"], times["error"].alias("errors"))
        return schema.complete(rows, INSTANCES)


@dataclass(frozen=True)
class Frames:
    """What `hotspots` takes, in its order."""

    steps: pl.DataFrame
    edges: pl.DataFrame
    instances: pl.DataFrame
    service_edges: pl.DataFrame
    services: pl.DataFrame
    spans: pl.DataFrame

    @property
    def all(
        self,
    ) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        return (
            self.steps,
            self.edges,
            self.instances,
            self.service_edges,
            self.services,
            self.spans,
        )
