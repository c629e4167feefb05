"""Coupling between services: typed edges, styles, and the places where it is high."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl

from analyzer.coupling.aggregate import dependencies, service_edges, services
from analyzer.coupling.bidirectional import bidirectional
from analyzer.coupling.chatty import chatty
from analyzer.coupling.crossings import Crossed
from analyzer.coupling.cycle import cycles
from analyzer.coupling.esb_like_hub import esb_like_hubs
from analyzer.coupling.facts import Facts
from analyzer.coupling.findings import coupling_findings
from analyzer.coupling.front_controller import front_controllers
from analyzer.coupling.hub import hubs
from analyzer.coupling.kinds import edge_kinds
from analyzer.coupling.passive_aggressive_event import passive_aggressive_events
from analyzer.coupling.score import MAX_A_KIND, MAX_HOTSPOTS
from analyzer.coupling.shared_database import shared_databases
from analyzer.coupling.stamp_coupling import stamp_coupling
from analyzer.coupling.styles import style
from analyzer.coupling.synchronous_chain import synchronous_chains
from analyzer.finding import Hotspot

__all__ = [
    "KINDS",
    "Crossed",
    "coupling_findings",
    "dependencies",
    "edge_kinds",
    "hotspots",
    "service_edges",
    "services",
    "style",
]

# A kind of hotspot = one file, one line here, one section in docs/coupling.md.
KINDS: tuple[Callable[[Facts], Iterator[Hotspot]], ...] = (
    cycles,
    bidirectional,
    hubs,
    synchronous_chains,
    shared_databases,
    chatty,
    front_controllers,
    esb_like_hubs,
    stamp_coupling,
    passive_aggressive_events,
)


def hotspots(
    steps: pl.DataFrame,
    edges: pl.DataFrame,
    instances: pl.DataFrame,
    service_edges: pl.DataFrame,
    services: pl.DataFrame,
    spans: pl.DataFrame,
    crossed: Crossed | None = None,
) -> tuple[Hotspot, ...]:
    """Places of high coupling, the highest first; at most five of a kind and twenty in all.

    Takes STEPS, EDGES, INSTANCES, SERVICE_EDGES, SERVICES and SPANS. A kind and its services
    occur once: of several, the highest is told. `crossed`, if there is one of these steps and
    edges, saves work.
    """
    facts = Facts(crossed or Crossed(steps, edges), instances, service_edges, services, spans)
    kept = [spot for kind in KINDS for spot in _highest(kind(facts))]
    return tuple(sorted(kept, key=_rank)[:MAX_HOTSPOTS])


def _rank(spot: Hotspot) -> tuple[float, str, tuple[str, ...], str]:
    return (-spot.score, spot.kind, spot.services, spot.message)


def _highest(spots: Iterator[Hotspot]) -> list[Hotspot]:
    """The highest of one kind, each set of services once."""
    of_services: dict[tuple[str, ...], Hotspot] = {}
    for spot in sorted(spots, key=_rank):
        of_services.setdefault(spot.services, spot)
    return list(of_services.values())[:MAX_A_KIND]
