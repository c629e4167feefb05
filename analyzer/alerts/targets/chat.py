"""The long tail of chat and mail services, through apprise where it is installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from analyzer.alerts.engine import Event
from analyzer.alerts.targets.base import Notify, headline, resolved, shown

LISTED = 20


@dataclass(frozen=True, slots=True)
class Apprise:
    """Any address that apprise knows (`tgram://…`, `mailto://…`, `opsgenie://…`)."""

    name: str
    url: str = field(repr=False)
    batch: int = 1000
    repeats: bool = False
    digests: bool = True

    def message(self, events: Sequence[Event]) -> Notify:
        """One digest for all events."""
        lines = [
            f"{headline(event)}\n{shown(event.alert.incident.summary, 300)}"
            for event in events[:LISTED]
        ]
        if len(events) > LISTED:
            lines.append(f"… and {len(events) - LISTED} more")
        return Notify(resolved(self.url), "choreoscope", "\n\n".join(lines))
