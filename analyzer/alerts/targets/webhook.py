"""Any HTTP receiver: CloudEvents 1.0 in structured mode, signed with HMAC-SHA256."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from analyzer.alerts.engine import Event
from analyzer.alerts.http import Post
from analyzer.alerts.targets.base import body, resolved, rfc3339

SIGNATURE = "x-choreoscope-signature"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Several events go as a batch (`application/cloudevents-batch+json`)."""

    name: str
    url: str
    secret: str = field(default="", repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    batch: int = 100
    repeats: bool = False
    digests: bool = False

    def message(self, events: Sequence[Event]) -> Post:
        """One request for all events."""
        found = [_cloud_event(event) for event in events]
        one = len(found) == 1
        data = msgspec.json.encode(found[0] if one else found)
        kind = "application/cloudevents+json" if one else "application/cloudevents-batch+json"
        headers = {"content-type": f"{kind}; charset=utf-8"}
        headers |= {name.lower(): resolved(value) for name, value in self.headers}
        if self.secret:
            headers[SIGNATURE] = "sha256=" + signature(resolved(self.secret), data)
        return Post(resolved(self.url), data, headers)


def signature(secret: str, data: bytes) -> str:
    """HMAC-SHA256 of the request's body, in hex."""
    return hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()


def _cloud_event(event: Event) -> dict[str, object]:
    incident = event.alert.incident
    identity = f"{incident.key}-{event.change}-{event.at_ns}"
    return {
        "specversion": "1.0",
        "id": identity,
        "source": "/choreoscope",
        "type": f"choreoscope.alert.{event.change}",
        "subject": incident.key,
        "time": rfc3339(event.at_ns),
        "datacontenttype": "application/json",
        "data": body(event),
    }
