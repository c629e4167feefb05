"""Workflows whose first service collects the status of all the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from analyzer.codes import flags
from analyzer.coupling.crossings import WorkflowEdge
from analyzer.coupling.facts import Facts
from analyzer.coupling.names import is_relay
from analyzer.coupling.score import MIN_EDGE_INSTANCES, MIN_INSTANCES, hotspot, percent, share
from analyzer.finding import Hotspot

MIN_REPORTING = 2  # one that reports back is a conversation
HALF = 0.5  # of the participants report back; of what comes back may go out as orders


def front_controllers(facts: Facts) -> Iterator[Hotspot]:
    """Workflows where half of the participants report to the first service, which orders little."""
    queried = _queried(facts)
    for workflow, edges in facts.workflow_edges.items():
        n = facts.workflow_sizes[workflow]
        first = facts.first_services[workflow]
        if n >= MIN_INSTANCES and not is_relay(first):
            yield from _judge(workflow, first, edges, n, queried.get(workflow, 0))


def _queried(facts: Facts) -> dict[str, int]:
    """Instances by workflow whose first service was asked again after the beginning."""
    steps = facts.crossed.steps
    service, instance = facts.crossed.ends.service, facts.crossed.instance
    begins = np.full(len(facts.instances), -1, dtype=np.int64)
    begins[instance[facts.is_first]] = service[facts.is_first]
    asked = flags(steps["kind"] == "request") & ~facts.is_first
    asked &= service == begins[instance]
    rows = pl.Series(np.unique(instance[asked]))
    return dict(facts.workflows.gather(rows).value_counts().iter_rows())


def _judge(
    workflow: str, first: str, edges: Sequence[WorkflowEdge], n: int, queried: int
) -> Iterator[Hotspot]:
    participants = {name for edge in edges for name in (edge.source, edge.target)} - {first}
    status: Counter[str] = Counter()
    ordered = 0
    for edge in edges:
        if edge.target == first and edge.kind in ("event", "reply"):
            status[edge.source] += edge.instances
        if edge.source == first and edge.kind in ("sync", "command"):
            ordered += edge.instances
    reporting = sorted(name for name, count in status.items() if count >= MIN_EDGE_INSTANCES)
    orders = share(ordered, sum(status[name] for name in reporting))
    if len(reporting) < max(MIN_REPORTING, HALF * len(participants)) or orders > HALF:
        return
    parts = {
        "status": (0.5, share(len(reporting), len(participants))),
        "queries": (0.2, share(queried, n)),
        "few_orders": (0.3, 1 - orders),
    }
    message = (
        f"{first} is the front controller of {workflow}: {len(reporting)} of {len(participants)} "
        f"services report back to it ({', '.join(reporting)}), it orders little, "
        f"and was asked again in {percent(share(queried, n))} of n = {n} instances"
    )
    yield hotspot("front-controller", (first, *reporting), parts, message)
