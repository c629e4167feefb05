"""One service that directs many workflows, as an enterprise service bus does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.coupling.facts import Facts
from analyzer.coupling.score import MIN_INSTANCES, hotspot, percent, share
from analyzer.coupling.styles import Initiator, initiator
from analyzer.finding import Hotspot

MIN_WORKFLOWS = 3  # a coordinator of two related workflows (order, return) is a domain service
HALF = 0.5  # of the workflow types


def esb_like_hubs(facts: Facts) -> Iterator[Hotspot]:
    """Services that direct three workflow types or more, and half of all.

    A front door, which begins its workflows and only makes calls, composes answers for a
    client and is left out, as are gateways, brokers and schedulers.
    """
    judged = 0
    directed: dict[str, list[tuple[str, Initiator]]] = defaultdict(list)
    for workflow, edges in facts.workflow_edges.items():
        n = facts.workflow_sizes[workflow]
        found = initiator(edges, n) if n >= MIN_INSTANCES else None
        if found is None:
            continue
        judged += 1
        front_door = facts.first_services[workflow] == found.service and found.calls == 1.0
        if found.directs and not front_door:
            directed[found.service].append((workflow, found))
    for service, of_service in sorted(directed.items()):
        if len(of_service) >= max(MIN_WORKFLOWS, HALF * judged):
            yield _describe(facts, service, of_service, judged)


def _describe(
    facts: Facts, service: str, directed: list[tuple[str, Initiator]], judged: int
) -> Hotspot:
    count = len(directed)
    n = sum(facts.workflow_sizes[workflow] for workflow, _ in directed)
    initiates = sum(found.share for _, found in directed) / count
    parts = {
        "workflows": (0.5, share(count, judged)),
        "initiates": (0.3, initiates),
        "returns": (0.2, sum(found.returned for _, found in directed) / count),
    }
    some = ", ".join(workflow for workflow, _ in directed[:5])
    message = (
        f"{service} directs {count} of {judged} workflow types ({some}), starting "
        f"{percent(initiates)} of what happens between services in them (n = {n} instances)"
    )
    return hotspot("esb-like-hub", (service,), parts, message)
