"""PagerDuty Events API v2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from analyzer.alerts.engine import Event
from analyzer.alerts.http import Post
from analyzer.alerts.targets.base import body, headline, resolved, rfc3339, shown

URL = "https://events.pagerduty.com/v2/enqueue"
SEVERITIES = {"error": "error", "warning": "warning", "note": "info"}


@dataclass(frozen=True, slots=True)
class PagerDuty:
    """The incident's key is the `dedup_key`: one incident there, whatever is sent how often."""

    name: str
    routing_key: str = field(repr=False)
    url: str = URL
    batch: int = 1
    repeats: bool = False
    digests: bool = False

    def message(self, events: Sequence[Event]) -> Post:
        """One event."""
        (event,) = events
        incident = event.alert.incident
        found: dict[str, object] = {
            "routing_key": resolved(self.routing_key),
            "event_action": "resolve" if event.change == "resolved" else "trigger",
            "dedup_key": incident.key,
        }
        if event.change != "resolved":
            found["payload"] = {
                "summary": shown(headline(event), 1024),
                "source": shown(incident.service or incident.workflow or "choreoscope", 200),
                "severity": SEVERITIES[incident.severity.value],
                "timestamp": rfc3339(incident.since_ns),
                "component": shown(incident.service, 200),
                "group": shown(incident.workflow, 200),
                "class": incident.kind,
                "custom_details": _details(event),
            }
        return Post(
            resolved(self.url), msgspec.json.encode(found), {"content-type": "application/json"}
        )


def _details(event: Event) -> dict[str, object]:
    """Everything there is, in words that people may read on a page."""
    return {name: _safe(value) for name, value in body(event).items()}


def _safe(value: object) -> object:
    if isinstance(value, list):
        return [_safe(one) for one in value]
    return shown(value, 500) if isinstance(value, str) else value
