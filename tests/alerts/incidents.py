"""Incidents and events to alert with."""

from __future__ import annotations

from typing import Any

from analyzer.alerts.engine import Alert, Change, Event, Phase
from analyzer.alerts.incident import Incident
from analyzer.finding import Severity

NOW = 1_800_000_000_000_000_000


def incident(key: str = "k", **changes: Any) -> Incident:
    """An incident of a stuck order."""
    given: dict[str, Any] = {
        "key": key,
        "kind": "stuck",
        "cause": "consumer-dark",
        "severity": Severity.ERROR,
        "workflow": "order",
        "service": "payments",
        "step": "process orders.placed",
        "summary": "61 orders wait for payments",
        "instances": 61,
        "since_ns": NOW - 60_000_000_000,
        "examples": ("ord-1", "ord-2"),
        "details": ("no span of payments since 14:02:14",),
    }
    return Incident(**(given | changes))


def event(change: Change = "firing", key: str = "k", **changes: Any) -> Event:
    """What is told of it."""
    alert = Alert(incident(key, **changes), Phase.FIRING, NOW, NOW, NOW, NOW)
    return Event(change, alert, NOW)
