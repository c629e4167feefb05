"""What has changed from one look to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from analyzer.alerts.engine import Alert
from analyzer.monitor.monitor import Look
from analyzer.monitor.trim import trimmed

# Another state, cause or thing waited for, or one more step; that a span came says little.
TELLING = ("state", "cause", "waiting_service", "waiting_step", "waiting_destination", "steps",
           "errors")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """From one look to another; `look` keeps neither frames nor spans."""

    generation: int
    numbers: dict[str, Any]  # of the later look
    as_of_ns: int
    after: pl.DataFrame  # rows of INSTANCES that are new or have changed, by id
    before: pl.DataFrame  # the same ones as they were, and those that have left, by id
    alerts: tuple[tuple[Alert | None, Alert | None], ...]  # (before, after), by key

    @property
    def empty(self) -> bool:
        """Nothing that is told has changed."""
        return not (self.after.height or self.before.height or self.alerts)


def changed(before: Look | None, after: Look, numbers: dict[str, Any]) -> Change:
    """What the later look tells that the one before did not; all of it where there was none."""
    now = after.analysis.instances
    then = before.analysis.instances if before is not None else now.clear()
    telling = ["id", *TELLING]
    new = now.join(then.select(telling), on=telling, how="anti", nulls_equal=True)
    old = then.join(now.select(telling), on=telling, how="anti", nulls_equal=True)
    return Change(
        after.generation, numbers, after.analysis.as_of_ns,
        trimmed(new.sort("id")), trimmed(old.sort("id")),
        _alerts(before.alerts if before is not None else {}, after.alerts),
    )  # fmt: skip


def _alerts(
    before: dict[str, Alert], after: dict[str, Alert]
) -> tuple[tuple[Alert | None, Alert | None], ...]:
    pairs = ((before.get(key), after.get(key)) for key in sorted(before.keys() | after.keys()))
    return tuple(pair for pair in pairs if _told(pair[0]) != _told(pair[1]))


def _told(alert: Alert | None) -> object:
    if alert is None:
        return None
    return alert.phase, alert.incident.severity, alert.silence
