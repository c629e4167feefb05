"""Prometheus Alertmanager, API v2: `POST /api/v2/alerts`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from analyzer.alerts.engine import Event
from analyzer.alerts.http import Post
from analyzer.alerts.targets.base import headline, resolved, rfc3339, shown

ENDS_NS = 300_000_000_000  # a firing alert ends by itself where it is not sent again


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """Labels are the identity there, so few and without ids; instances stand in annotations."""

    name: str
    url: str
    labels: tuple[tuple[str, str], ...] = ()
    token: str = field(default="", repr=False)
    batch: int = 100
    repeats: bool = True
    digests: bool = False

    def message(self, events: Sequence[Event]) -> Post:
        """One request for all events."""
        headers = {"content-type": "application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {resolved(self.token)}"
        alerts = [self._alert(event) for event in events]
        url = resolved(self.url).rstrip("/") + "/api/v2/alerts"
        return Post(url, msgspec.json.encode(alerts), headers)

    def _alert(self, event: Event) -> dict[str, object]:
        incident = event.alert.incident
        labels = {
            "alertname": "choreoscope_" + label_name(incident.kind),
            "severity": incident.severity.value,
            "workflow": incident.workflow,
            "service": incident.service,
            "step": incident.step,
            "cause": incident.cause,
            "owner": incident.owner,
        }
        labels |= {label_name(name): value for name, value in self.labels}
        ends = event.at_ns if event.change == "resolved" else event.at_ns + ENDS_NS
        return {
            "labels": {name: shown(value, 200) for name, value in labels.items() if value},
            "annotations": {
                "summary": headline(event),
                "description": shown(incident.summary, 1000),
                "instances": str(incident.instances),
                "examples": shown(", ".join(incident.examples), 1000),
                "details": shown("; ".join(incident.details), 1000),
            },
            "startsAt": rfc3339(event.alert.fired_ns or event.alert.first_ns),
            "endsAt": rfc3339(ends),
        }


def label_name(text: str) -> str:
    """A name that Prometheus allows for a label."""
    return re.sub(r"^(?=[0-9])", "_", re.sub(r"[^a-zA-Z0-9_]", "_", text))
