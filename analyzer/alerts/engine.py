"""The life of alerts: pending, firing, resolved. Pure: "now" and what was seen are arguments.

After Prometheus: an alert waits `for` before it fires, and stays for `keep` after the fault was
last seen, so that a fault that flickers is one alert.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from analyzer.alerts.incident import Incident
from analyzer.alerts.silences import Silence, silenced

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Timing:
    """How patient the engine is, in nanoseconds."""

    wait: int = 10 * SECOND  # `for`: a fault must last so long before it fires
    keep: int = 60 * SECOND  # ... and be gone so long before it is resolved
    repeat: int = 60 * SECOND  # a firing alert is sent again; Alertmanager forgets it otherwise


class Phase(StrEnum):
    """Where an alert stands."""

    PENDING = "pending"
    FIRING = "firing"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert and what is known of it."""

    incident: Incident
    phase: Phase
    first_ns: int  # the fault was first seen
    seen_ns: int  # ... and last
    fired_ns: int = 0
    sent_ns: int = 0  # last told to anybody
    silence: str = ""  # id of the silence that holds it back


Change = Literal["firing", "worse", "still", "resolved"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell. `still` is for receivers that forget; people are not told again."""

    change: Change
    alert: Alert
    at_ns: int


Alerts = Mapping[str, Alert]  # by the incident's key


def step(
    alerts: Alerts,
    seen: Iterable[Incident],
    now_ns: int,
    timing: Timing,
    silences: Sequence[Silence] = (),
) -> tuple[dict[str, Alert], tuple[Event, ...]]:
    """The alerts after one look at the system, and what has changed, worst first.

    Each change is told once: no event is repeated by calling this again with the result.
    """
    following: dict[str, Alert] = {}
    events: list[Event] = []
    current = {incident.key: incident for incident in seen}
    for key in sorted(alerts.keys() | current.keys()):
        before, incident = alerts.get(key), current.get(key)
        after, change = _next(before, incident, now_ns, timing)
        held = silenced(incident or (before.incident if before else None), silences, now_ns)
        if after is not None:
            after = replace(after, silence=held)
        if change is not None and not held:
            alert = after or before
            assert alert is not None
            alert = replace(alert, sent_ns=now_ns)
            if after is not None:
                after = alert
            # a fault whose beginning was silenced has no end to tell
            if change != "resolved" or (before is not None and before.sent_ns):
                events.append(Event(change, alert, now_ns))
        if after is not None:
            following[key] = after
    events.sort(key=lambda event: (event.alert.incident.severity.rank, event.alert.incident.key))
    return following, tuple(events)


def _next(
    before: Alert | None, incident: Incident | None, now_ns: int, timing: Timing
) -> tuple[Alert | None, Change | None]:
    if incident is None:
        assert before is not None
        return _unseen(before, now_ns, timing)
    if before is None:
        before = Alert(incident, Phase.PENDING, now_ns, now_ns)
    worse = incident.severity.rank < before.incident.severity.rank
    alert = replace(before, incident=incident, seen_ns=now_ns)
    if alert.phase is Phase.PENDING:
        if now_ns - alert.first_ns < timing.wait:
            return alert, None
        return replace(alert, phase=Phase.FIRING, fired_ns=now_ns), "firing"
    if not alert.sent_ns:  # its silence has ended
        return alert, "firing"
    if worse:
        return alert, "worse"
    return alert, "still" if now_ns - alert.sent_ns >= timing.repeat else None


def _unseen(before: Alert, now_ns: int, timing: Timing) -> tuple[Alert | None, Change | None]:
    if before.phase is Phase.PENDING:
        return None, None
    if now_ns - before.seen_ns >= timing.keep:
        return None, "resolved"
    due = before.sent_ns and now_ns - before.sent_ns >= timing.repeat
    return before, "still" if due else None
