"""The hotspots that are worth a finding, each with what makes it one and what speaks against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from analyzer.codes import Ints, ints
from analyzer.finding import Cause, Evidence, Finding, Hotspot, Severity

# Below, a hotspot is worth a look on the coupling screen, not a line among the faults. It stays
# under what one full part of the lightest kind gives (0.2), plus as much again from the others.
WORTH = 0.3
GUESSED = 0.6  # a pattern that spans only hint at
COUNTED = 0.9  # one that was counted, and that somebody may have chosen all the same
_HINTS = frozenset(("passive-aggressive-event", "front-controller", "stamp-coupling", "hub"))


@dataclass(frozen=True, slots=True)
class Reading:
    """What a kind of hotspot comes of, what each of its parts says, and when it is none."""

    cause: str
    parts: dict[str, str]
    innocent: str


READINGS: dict[str, Reading] = {
    "cycle": Reading(
        "mutual-dependency",
        {
            "causal": "runs come back to a service and go on from there",
            "synchronous": "its edges are calls, which can lock each other",
            "spread": "a large share of all services is in it",
            "traffic": "many instances take even its weakest edge",
        },
        "work that legitimately loops, or an outcome that is reported to where it began",
    ),
    "bidirectional": Reading(
        "mutual-dependency",
        {
            "mutual": "the same instances go both ways",
            "happy": "both ways are taken where nothing fails",
            "synchronous": "both ways are calls",
        },
        "a callback that the domain demands",
    ),
    "hub": Reading(
        "concentration",
        {
            "betweenness": "the ways between other services lead through it",
            "fan_in": "many services start work in it",
            "fan_out": "it starts work in many services",
            "articulation": "without it the system falls apart",
            "traffic": "many instances pass it",
        },
        "an orchestrator is a hub by design",
    ),
    "synchronous-chain": Reading(
        "nested-calls",
        {
            "length": "more calls wait for each other than layers explain",
            "blocked": "the first of them waits for a large share of the time",
            "spread": "many instances of the workflow do so",
        },
        "what a person waits for on a screen has to be synchronous",
    ),
    "shared-database": Reading(
        "shared-state",
        {
            "writers": "several services write to it",
            "balance": "nobody is its main writer",
            "users": "many services use it",
        },
        "schemas or tables inside it may be kept apart by service",
    ),
    "chatty": Reading(
        "fine-grained-calls",
        {
            "excess": "an instance takes the edge far more often than those of other pairs",
            "synchronous": "they are calls",
            "traffic": "they are a large share of all edges",
        },
        "each of many items may be work of its own",
    ),
    "front-controller": Reading(
        "central-status",
        {
            "status": "the participants report back to the first service",
            "queries": "it is asked again after the beginning",
            "few_orders": "it orders little",
        },
        'it is a pattern, and a good answer to "who knows the state?"',
    ),
    "esb-like-hub": Reading(
        "central-routing",
        {
            "workflows": "it directs many types of workflow",
            "initiates": "it starts most of what happens in them",
            "returns": "what it starts comes back to it",
        },
        "one team may own all of these workflows",
    ),
    "stamp-coupling": Reading(
        "state-in-messages",
        {
            "growing": "messages grow from hop to hop",
            "growth": "they grow much from the first to the last",
            "no_queries": "nobody asks for the state instead",
        },
        "different kinds of messages, encryption or headers may grow as well",
    ),
    "passive-aggressive-event": Reading(
        "event-as-command",
        {
            "one_consumer": "one consumer takes it only",
            "outcome_awaited": "an outcome comes back to the publisher",
            "reacts_to_absence": "without one the publisher compensates or gives up",
            "imperative_name": "its name orders",
        },
        "spans show what came back, not what was waited for",
    ),
}


def coupling_findings(
    hotspots: tuple[Hotspot, ...],
    steps: pl.DataFrame | None = None,
    edges: pl.DataFrame | None = None,
    spans: pl.DataFrame | None = None,
) -> tuple[Finding, ...]:
    """Findings about coupling, in the order of `hotspots`; none is an error.

    `service` is the first one, `step` names all, so that the fingerprint tells places apart.
    `steps`, `edges`, `spans` (STEPS, EDGES, SPANS): where the evidence is taken from, if given.
    """
    worth = [spot for spot in hotspots if spot.score >= WORTH]
    if steps is None or edges is None or spans is None or not worth:
        return tuple(_finding(spot, ()) for spot in worth)
    return tuple(_finding(spot, _evidence(spot, steps, edges, spans)) for spot in worth)


def _finding(spot: Hotspot, evidence: tuple[Evidence, ...]) -> Finding:
    sure = GUESSED if spot.kind in _HINTS else COUNTED
    return Finding(
        kind=spot.kind,
        severity=_severity(spot),
        confidence=sure,
        message=spot.message,
        service=spot.services[0],
        step=", ".join(spot.services),
        causes=_causes(spot, sure),
        evidence=evidence,
        needs=_NEEDS.get(spot.kind, ()),
    )


def _causes(spot: Hotspot, sure: float) -> tuple[Cause, ...]:
    """The pattern, with the parts of the score for it and the absent ones against it; then that
    somebody chose it."""
    reading = READINGS[spot.kind]
    ranked = sorted(spot.parts.items(), key=lambda part: (-part[1], part[0]))
    told = [(reading.parts.get(name, name), value) for name, value in ranked]
    supports = tuple(f"{text} ({value:.2f} of {spot.score:.2f})" for text, value in told if value)
    against = tuple(f"not seen: {text}" for text, value in told if not value)
    chosen = Cause("by-design", round(1 - sure, 3), (reading.innocent,), ())
    return Cause(reading.cause, sure, supports, against), chosen


def _evidence(
    spot: Hotspot, steps: pl.DataFrame, edges: pl.DataFrame, spans: pl.DataFrame
) -> tuple[Evidence, ...]:
    """Both ends of the first edge between its services (of one service: into or out of it); of
    a database the first statement of each."""
    if spot.kind == "shared-database":
        used = spans["db_system"].is_not_null()
        rows = [_first(used & (spans["service"] == name)) for name in spot.services[:2]]
        return tuple(_span(spans, row, "statement") for row in rows if row >= 0)
    inside = steps["service"].cast(pl.String).is_in(list(spot.services)).to_numpy()
    service = ints(steps["service"])
    source, target = ints(edges["source"]), ints(edges["target"])
    both, either = inside[source] & inside[target], inside[source] | inside[target]
    crosses = service[source] != service[target]
    one = _first(pl.Series(crosses & (both if len(spot.services) > 1 else either)))
    if one < 0:
        return ()
    ends: Ints = np.array([source[one], target[one]])
    rows = ints(steps["span"])[ends].tolist()
    return tuple(
        _span(spans, row, role) for row, role in zip(rows, ("source", "target"), strict=True)
    )


def _first(found: pl.Series) -> int:
    """Position of the first true value; -1 for none."""
    at = found.fill_null(False).arg_max()
    return int(at) if at is not None and found[at] else -1


def _span(spans: pl.DataFrame, row: int, role: str) -> Evidence:
    high, low, span = spans.select("trace_hi", "trace_lo", "span_id").row(row)
    return Evidence(f"{high:016x}{low:016x}" if high else f"{low:016x}", f"{span:016x}", role)


_NEEDS = {
    "passive-aggressive-event": ("the intent of the message (an expectations file, or its team)",),
}


def _severity(spot: Hotspot) -> Severity:
    """A warning where a release or an outage of one service takes the others along."""
    serious = {
        "cycle": spot.parts.get("causal", 0) > 0,
        "shared-database": spot.parts.get("writers", 0) > 0,
        "synchronous-chain": spot.score >= 0.5,
        "bidirectional": spot.score >= 0.5,
        "esb-like-hub": True,
    }
    return Severity.WARNING if serious.get(spot.kind, False) else Severity.NOTE
