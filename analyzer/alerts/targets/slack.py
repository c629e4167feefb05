"""Slack's incoming webhooks: one digest, however many alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from analyzer.alerts.engine import Event
from analyzer.alerts.http import Post
from analyzer.alerts.targets.base import headline, resolved, shown

LISTED = 10  # alerts that are shown in full; the others are counted
TEXT = 2900  # characters; a section may have 3,000


@dataclass(frozen=True, slots=True)
class Slack:
    """The address itself is the secret."""

    name: str
    url: str = field(repr=False)
    batch: int = 1000
    repeats: bool = False
    digests: bool = True

    def message(self, events: Sequence[Event]) -> Post:
        """One message for all events."""
        firing = sum(event.change != "resolved" for event in events)
        title = f"{firing} firing, {len(events) - firing} resolved"
        if len(events) == 1:
            title = mrkdwn(headline(events[0]), 250)
        sections = [_section(event) for event in events[:LISTED]]
        if len(events) > LISTED:
            sections.append(_text(f"… and {len(events) - LISTED} more"))
        found = {"text": title, "blocks": [_text(f"*{title}*"), *sections]}
        return Post(
            resolved(self.url), msgspec.json.encode(found), {"content-type": "application/json"}
        )


def _section(event: Event) -> dict[str, object]:
    incident = event.alert.incident
    lines = [
        f"{':white_check_mark:' if event.change == 'resolved' else ':red_circle:'} "
        + mrkdwn(headline(event), 400),
        mrkdwn(incident.summary, 800),
        mrkdwn("Why: " + "; ".join(incident.details), 600) if incident.details else "",
        mrkdwn("For instance " + ", ".join(incident.examples[:5]), 400)
        if incident.examples
        else "",
    ]
    return _text("\n".join(line for line in lines if line))


def _text(text: str) -> dict[str, object]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:TEXT]}}


def mrkdwn(text: str, most: int) -> str:
    """A foreign string that mentions nobody and formats nothing (`<!channel>` is inert)."""
    safe = shown(text, most)
    for mark, inert in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        safe = safe.replace(mark, inert)
    # a word joiner keeps *, _, ~ and ` from making pairs
    return "".join(char + "\u2060" if char in "*_~`" else char for char in safe)
