"""Snapshots made of analyses and of the monitor's looks, and instances as documents."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tui.dashboard.feed import Snapshot

if TYPE_CHECKING:
    from analyzer.alerts.outbox import Outbox
    from analyzer.analysis import Analysis
    from analyzer.monitor.monitor import Look


def of_analysis(analysis: Analysis, generation: int = 1) -> Snapshot:
    """Of a recording, as of its own end."""
    return Snapshot(
        generation=generation,
        at_ns=time.time_ns(),
        as_of_ns=analysis.as_of_ns,
        instances=analysis.instances,
        services=analysis.services,
        service_edges=analysis.service_edges,
        workflows=analysis.workflows,
        findings=analysis.findings,
        hotspots=analysis.hotspots,
        data_notes=analysis.data_notes,
        key_suggestions=analysis.key_suggestions,
        conformance=analysis.conformance,
    )


def of_look(look: Look, outbox: Outbox, generation: int | None = None) -> Snapshot:
    """Of one look of the monitor."""
    number = look.generation if generation is None else generation
    return replace(
        of_analysis(look.analysis, number),
        at_ns=look.at_ns,
        alerts=tuple(look.alerts.values()),
        silences=tuple(outbox.silences()),
        deliveries=tuple(outbox.log()),
        finished=look.gone,
        overflow=look.left.overflow,
    )


def document(analysis: Analysis | None, identifier: str) -> Mapping[str, Any]:
    """One instance, as `analyzer.reporters.instance_json` describes it. Raises LookupError."""
    import json

    from analyzer.reporters.instance_json import render

    if analysis is None:
        raise LookupError("nothing is read yet")
    found: dict[str, Any] = json.loads(render(analysis.instance(identifier)))
    return found
