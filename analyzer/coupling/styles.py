"""How the services of a workflow work together: each on its own, or under one that directs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from analyzer.coupling.crossings import Crossed, WorkflowEdge, workflow_edges
from analyzer.coupling.names import is_relay
from analyzer.coupling.score import MIN_INSTANCES

# docs/coupling.md#style says where these differ from the literature, and why.
INITIATES = 0.7  # share of the cross-service initiations that makes one service the initiator
RETURNS = 0.5  # share of what it initiated that comes back to it
DIRECTED = 0.5  # share of what it initiated that has one receiver
SYNCHRONOUS = 0.9  # share of calls from which on messages are an exception
EVENTS = 0.6  # share of events from which on the workflow runs on them


@dataclass(frozen=True, slots=True)
class Initiator:
    """The service that starts most of what happens between services in a workflow.

    All shares are weighted by instances, so that a retry or a long list counts once.
    """

    service: str
    share: float  # of the cross-service initiations
    directed: float  # share of its own that addresses one receiver: no broadcast
    returned: float  # share of its own that comes back to it
    calls: float  # share of its own that are calls
    participants: int  # services it reaches
    a_run: float  # services it reaches in one instance, on average

    @property
    def directs(self) -> bool:
        """Whether it works as an orchestrator does; gateways, brokers and schedulers do not."""
        return (
            self.share >= INITIATES
            and self.returned >= RETURNS
            and self.directed >= DIRECTED
            and self.participants >= 2
            and self.a_run >= 1.5  # the second in half of the runs: a switch reaches one
            and not is_relay(self.service)
        )


def initiator(edges: Sequence[WorkflowEdge], instances: int) -> Initiator | None:
    """The foremost initiator of a workflow with that many instances; None without any edge."""
    forward = [edge for edge in edges if edge.is_forward]
    started: Counter[str] = Counter()
    # what a gateway passes on is another's initiation, unless there is nobody else
    for edge in [edge for edge in forward if not is_relay(edge.source)] or forward:
        started[edge.source] += edge.instances
    if not started:
        return None
    name = min(started, key=lambda service: (-started[service], service))
    own = [edge for edge in forward if edge.source == name]
    reached: Counter[str] = Counter()
    for edge in own:
        reached[edge.target] = max(reached[edge.target], edge.instances)
    weight = started[name]
    return Initiator(
        service=name,
        share=weight / started.total(),
        directed=_directed(own) / weight,
        returned=_returned(edges, own) / weight,
        calls=sum(edge.instances for edge in own if edge.kind == "sync") / weight,
        participants=len(reached),
        a_run=reached.total() / max(instances, 1),
    )


def _directed(own: Sequence[WorkflowEdge]) -> int:
    """Instances of the initiations that one service alone receives; an event has subscribers."""
    audience: defaultdict[str, set[str]] = defaultdict(set)
    for edge in own:
        if edge.kind == "event":
            audience[edge.destination].add(edge.target)
    return sum(
        edge.instances
        for edge in own
        if edge.kind != "event" or len(audience[edge.destination]) == 1
    )


def _returned(edges: Sequence[WorkflowEdge], own: Sequence[WorkflowEdge]) -> int:
    """Instances of the initiations that come back: every call, and messages that are answered."""
    name = own[0].source
    answers: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for edge in edges:
        if edge.target == name and edge.kind != "sync":
            answers[edge.source] += edge.instances
    for edge in own:
        if edge.kind != "sync":
            asked[edge.target] += edge.instances
    calls = sum(edge.instances for edge in own if edge.kind == "sync")
    return calls + sum(min(count, answers[target]) for target, count in asked.items())


def style_of(edges: Sequence[WorkflowEdge], instances: int) -> str:
    """Style of one workflow from its edges and its number of instances."""
    first = initiator(edges, instances)
    if first is None or instances < MIN_INSTANCES:
        return "undetermined"
    weights: Counter[str] = Counter()
    for edge in edges:
        if edge.is_forward:
            weights[edge.kind] += edge.instances
    calls = weights["sync"] / weights.total()
    if first.directs and (calls < SYNCHRONOUS or _coordinates_calls(first)):
        return "orchestrated"
    if calls >= SYNCHRONOUS:
        return "synchronous"
    return "choreographed" if weights["event"] >= EVENTS * weights.total() else "hybrid"


def _coordinates_calls(first: Initiator) -> bool:
    """A caller of two is a caller; from three on, in one run, it holds the order of the steps."""
    return first.participants >= 3 and first.a_run >= 2.5  # 2.5: the third in half of the runs


def style(
    steps: pl.DataFrame,
    edges: pl.DataFrame,
    instances: pl.DataFrame,
    crossed: Crossed | None = None,
) -> pl.DataFrame:
    """Coordination style of each workflow: frame (workflow, style), sorted by workflow.

    Styles: choreographed, orchestrated, hybrid, synchronous; undetermined below MIN_INSTANCES
    or without an edge between services. Takes STEPS, EDGES, INSTANCES; `crossed`, if there is
    one of these steps and edges, saves work.
    """
    named = instances["workflow"].fill_null("")
    counts = named.value_counts(name="n").sort("workflow")
    of_workflow = workflow_edges(crossed or Crossed(steps, edges), named)
    styles = [style_of(of_workflow.get(name, []), count) for name, count in counts.iter_rows()]
    return pl.DataFrame(
        {"workflow": counts["workflow"], "style": pl.Series(styles, dtype=pl.String)}
    )
