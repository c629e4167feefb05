"""`GET /api/v1/events`: looks as server-sent events, for `curl -N` and EventSource.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import msgspec
import polars as pl

from analyzer.alerts.engine import Alert
from analyzer.monitor.answers import MOST, number, snapshot
from analyzer.monitor.bell import Bell
from analyzer.monitor.changes import Change
from analyzer.monitor.metrics import Metrics
from collectors.receivers.outflow import Closed, Outflow, TooSlow
from collectors.receivers.refusals import Refused, Why
from collectors.receivers.web import Answer, Call

MEDIA = "text/event-stream"
HEADERS = (("cache-control", "no-store"), ("x-accel-buffering", "no"))  # the latter for nginx
STREAMS = 64  # at the same time
HEARTBEAT_S = 15.0  # proxies cut what is silent for a minute
AGAIN_MS = 2000  # that a client waits before it comes again


@dataclass(slots=True)
class Counts:
    """What became of the streams."""

    open: int = 0
    slow: int = 0  # were cut: the client did not take what it was sent
    refused: int = 0  # too many at the same time


@dataclass(slots=True)
class Events:
    """The streams of one server."""

    bell: Bell
    heartbeat_s: float = HEARTBEAT_S
    most: int = STREAMS
    session: str = field(default_factory=lambda: secrets.token_hex(4))
    counts: Counts = field(default_factory=Counts)

    async def handler(self, call: Call) -> Answer:
        """Begins a stream: with what came after the `Last-Event-ID`, else with a snapshot."""
        look = await self.bell.look(-1, 0)
        if look is None:
            raise Refused(Why.UNAVAILABLE, "the first look is not done yet")
        await asyncio.to_thread(snapshot, look, call)  # a query that cannot be is refused here
        if self.counts.open >= self.most:
            self.counts.refused += 1
            raise Refused(Why.UNAVAILABLE, f"{self.most} streams are open already")
        after = self._after(call.headers.get("last-event-id", ""))

        async def stream(out: Outflow) -> None:
            await self._stream(call, after, out)

        return Answer(200, type=MEDIA, headers=HEADERS, stream=stream)

    def _after(self, given: str) -> int:
        """The generation in an id of ours; -1 where it is none."""
        session, _, generation = given.strip().partition("-")
        known = session == self.session and generation.isdigit() and len(generation) < 13
        return int(generation) if known else -1

    async def _stream(self, call: Call, after: int, out: Outflow) -> None:
        self.counts.open += 1
        self.bell.follow()
        try:
            await out.send(f"retry: {AGAIN_MS}\n\n".encode())
            while True:
                after = await self._next(call, after, out)
        except Closed:
            pass
        except TooSlow:
            self.counts.slow += 1
        finally:
            self.bell.unfollow()
            self.counts.open -= 1

    async def _next(self, call: Call, after: int, out: Outflow) -> int:
        """Send what came after that look, or that nothing did; gives the look that was sent."""
        changes = self.bell.since(after)
        if changes is None:
            look = await self.bell.look(-1, 0)
            assert look is not None  # there was one when the stream began
            body = await asyncio.to_thread(snapshot, look, call)
            await self._send(out, "snapshot", look.generation, body)
            return look.generation
        for change in changes:
            told = await asyncio.to_thread(document, change, call)
            if told is not None:
                await self._send(out, "change", change.generation, told)
        latest = max((change.generation for change in changes), default=after)
        return latest if changes else await self._wait(after, out)

    async def _wait(self, after: int, out: Outflow) -> int:
        """Until something has changed; says each `heartbeat_s` that the stream stands."""
        until = time.monotonic() + self.heartbeat_s
        while time.monotonic() < until:
            seen = await self.bell.seen(after, until - time.monotonic())
            if self.bell.since(after):
                return after
            after = max(after, seen)
        await out.send(f": still here\nid: {self.session}-{after}\n\n".encode())
        return after

    async def _send(self, out: Outflow, kind: str, generation: int, told: dict[str, Any]) -> None:
        data = msgspec.json.encode(told)  # on one line: line ends in texts are escaped
        name = f"event: {kind}\nid: {self.session}-{generation}\ndata: "
        await out.send(name.encode() + data + b"\n\n")


def document(change: Change, call: Call) -> dict[str, Any] | None:
    """A change as it is told; None where nothing of it is for this call's `where`."""
    from analyzer.reporters.instances import fields
    from analyzer.where import matches

    where, limit = call.query.get("where", ""), number(call, "limit", MOST)
    after = matches(change.after, where, change.as_of_ns)
    before = matches(change.before, where, change.as_of_ns)
    rows = change.after.filter(pl.col("id").is_in(pl.concat([after["id"], before["id"]]).implode()))
    left = before.filter(~pl.col("id").is_in(change.after["id"].implode()))["id"].to_list()
    alerts = [] if where else [_alert(*pair) for pair in change.alerts]
    if not (rows.height or left or alerts):
        return None
    was = dict(change.before.select("id", "state").iter_rows())
    told = rows.head(limit).iter_rows(named=True)
    return change.numbers | {
        "changed": rows.height,
        "instances": [fields(row) | {"was": was.get(row["id"])} for row in told],
        "left": left[:limit],
        "changed_alerts": alerts,
    }


def _alert(before: Alert | None, after: Alert | None) -> dict[str, Any]:
    alert = after or before
    assert alert is not None
    one = alert.incident
    return {
        "key": one.key, "phase": _phase(after), "was": _phase(before), "kind": one.kind,
        "severity": one.severity.value, "cause": one.cause, "workflow": one.workflow,
        "service": one.service, "step": one.step, "instances": one.instances,
        "summary": one.summary,
    }  # fmt: skip


def _phase(alert: Alert | None) -> str:
    if alert is None:
        return "none"
    return "silenced" if alert.silence else alert.phase.value


def metrics(counts: Counts) -> Metrics:
    """As `analyzer.monitor.metrics` takes them."""
    name = "choreoscope_event_streams"
    yield name, "gauge", "Streams of events that are open.", [({}, float(counts.open))]
    ended = [({"reason": "slow"}, counts.slow), ({"reason": "many"}, counts.refused)]
    yield (
        name + "_refused",
        "counter",
        "Streams of events that were cut or not begun.",
        [(labels, float(n)) for labels, n in ended],
    )
