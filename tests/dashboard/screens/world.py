"""A small system with all that the pages show: services, edges, hotspots, alerts, notes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import polars as pl
from textual.pilot import Pilot

from analyzer.alerts.engine import Alert, Phase
from analyzer.alerts.incident import Incident
from analyzer.alerts.outbox import Outcome
from analyzer.alerts.silences import Silence
from analyzer.analysis import SERVICE_EDGES, SERVICES, DataNote, StepProfile, Workflow
from analyzer.checks import Check, CheckedWorkflow, Conformance
from analyzer.finding import Cause, Finding, Hotspot, Severity, WaitingFor
from tests.dashboard.fake import MINUTE, NOW, SECOND, FakeFeed, finding, settled, snapshot
from tui.dashboard.app import Dashboard
from tui.dashboard.feed import Snapshot
from tui.dashboard.journal import Journal
from tui.dashboard.screens.base import Page

MS = 1_000_000
NAMES = ("orders", "payments", "stock", "ship", "mail", "fraud", "mail-provider")
Play = Callable[[Pilot[Any]], Awaitable[None]]
Rename = Callable[[str], str]

#        source, target, kind, destination, instances, calls, errors
EDGES: tuple[tuple[str, str, str, str, int, int, int], ...] = (
    ("mail", "mail-provider", "sync", "", 90, 180, 2),
    ("orders", "fraud", "sync", "", 100, 100, 0),
    ("orders", "mail", "event", "orders.placed", 100, 100, 0),
    ("orders", "payments", "command", "payments.capture", 100, 120, 7),
    ("orders", "stock", "event", "orders.placed", 100, 100, 0),
    ("payments", "orders", "reply", "payments.captured", 90, 90, 0),
    ("payments", "ship", "event", "payments.captured", 88, 88, 0),
    ("ship", "stock", "sync", "", 88, 352, 3),
    ("stock", "ship", "event", "stock.reserved", 99, 99, 0),
)


def services(rename: Rename = str) -> pl.DataFrame:
    """The rows of SERVICES; `mail-provider` is called and sends no span."""
    rows = []
    for at, name in enumerate(NAMES):
        ca = len({edge[1] for edge in EDGES if edge[0] == name})
        ce = len({edge[0] for edge in EDGES if edge[1] == name})
        spans = 0 if name == "mail-provider" else 1000 * (at + 1)
        errors = sum(edge[6] for edge in EDGES if edge[1] == name)
        rows.append((rename(name), spans, 100 - at, errors, ca, ce, ce / (ca + ce),
                     NOW - (at + 1) * SECOND))  # fmt: skip
    return pl.DataFrame(rows, schema=SERVICES, orient="row").sort("name")


def edges(rename: Rename = str) -> pl.DataFrame:
    """The rows of SERVICE_EDGES."""
    rows = [
        (rename(source), rename(target), kind, rename(destination), instances, calls, errors,
         20 * MS, 90 * MS, NOW - 60 * MINUTE, NOW - SECOND)
        for source, target, kind, destination, instances, calls, errors in EDGES
    ]  # fmt: skip
    made = pl.DataFrame(rows, schema=SERVICE_EDGES, orient="row")
    return made.sort("source", "target", "kind", "destination")


def workflows(rename: Rename = str) -> tuple[Workflow, ...]:
    """Two; nothing was complete of the second."""
    steps = tuple(
        StepProfile(rename(service), rename(f"process {at}"), "process", 100 - at, 120, at % 2,
                    (100 - at) / 100, at * 40 * MS, at * 90 * MS)
        for at, service in enumerate(NAMES[:5])
    )  # fmt: skip
    states = {"complete": 90, "late": 2, "running": 5, "stuck": 10}
    starts = tuple((at * 7) % 5 for at in range(24))
    return (
        Workflow(rename("order-fulfilment"), 107, states, 3, "choreographed", steps, 9 * SECOND,
                 20 * SECOND, starts),
        Workflow(rename("refund"), 6, {"failed": 6}, 1, "orchestrated", steps[:2], 0, 0,
                 (0,) * 23 + (6,)),
    )  # fmt: skip


def findings(rename: Rename = str) -> tuple[Finding, ...]:
    """Three groups: two stuck for one cause, a failed one, a hotspot that is worth a finding."""
    kept = {"service": rename("payments"), "owner": rename("team-money")}
    why = tuple(
        replace(cause, supports=tuple(map(rename, cause.supports)),
                against=tuple(map(rename, cause.against)))
        for cause in finding().causes
    )  # fmt: skip
    changes: dict[str, Any] = {"causes": why, "needs": (rename("the dead-letter queue"),)}
    return (
        finding(message=rename("payments has not sent PaymentCaptured"), **kept, **changes),
        finding("ord-000013", message=rename("payments has not sent it either"), **kept, **changes),
        finding("ord-000008", kind="failed", service=rename("ship"), owner=None,
                message=rename("LabelPrinted failed"), waiting_for=WaitingFor(),
                causes=(Cause("handler-error", 0.95, (rename("it said: no label"),)),)),
        Finding("hub", Severity.WARNING, 0.6, rename("orders is in 6 of 9 ways"), instances=100,
                service=rename("orders"), causes=(Cause("concentration", 0.6),)),
    )  # fmt: skip


def hotspots(rename: Rename = str) -> tuple[Hotspot, ...]:
    """A hub and a pair."""
    parts = {"betweenness": 0.31, "fan_out": 0.2, "fan_in": 0.05}
    both = (rename("orders"), rename("payments"))
    return (
        Hotspot("bidirectional", both, 0.4, {"mutual": 0.4}, rename("both ways")),
        Hotspot("hub", both[:1], 0.56, parts, rename("orders is in 6 of 9 ways")),
    )


def alerts(rename: Rename = str) -> tuple[Alert, ...]:
    """One firing, one pending, one silenced."""
    incident = Incident(
        "k1", "stuck", "consumer-error", Severity.ERROR, rename("order-fulfilment"),
        rename("payments"), rename("PaymentCaptured"), rename("payments has not sent it"), 2,
        NOW - 47 * MINUTE, ("ord-000001", "ord-000013"), (rename("an error was seen"),),
        rename("team-money"),
    )  # fmt: skip
    late = replace(incident, key="k2", kind="late", severity=Severity.WARNING, instances=1,
                   since_ns=NOW - 4 * SECOND, service=rename("ship"))  # fmt: skip
    failed = replace(incident, key="k3", kind="failed", workflow=rename("refund"), instances=6)
    first = NOW - 46 * MINUTE
    return (
        Alert(late, Phase.PENDING, NOW - 4 * SECOND, NOW),
        Alert(failed, Phase.FIRING, first, NOW, first, first, "s1"),
        Alert(incident, Phase.FIRING, first, NOW, first + MINUTE, NOW - MINUTE),
    )


def deliveries(rename: Rename = str) -> tuple[Outcome, ...]:
    """Of k1: one target was told after a second try, the other one refuses."""
    at = NOW - 45 * MINUTE
    return (
        Outcome(at, "pager", "k1", "firing", "again", rename("503 Service Unavailable")),
        Outcome(at + SECOND, "chat", "k1", "firing", "refused", rename("404 no such hook")),
        Outcome(at + MINUTE, "pager", "k1", "firing", "delivered", ""),
    )


def conformance(rename: Rename = str) -> Conformance:
    """Two expectations of the first workflow, one broken."""
    checks = (
        Check("within", rename("payments: capture"), rename("comes, within 5m"), 97, 10),
        Check("required", rename("stock: reserve"), "comes", 107),
    )
    declared = CheckedWorkflow("orders", 107, checks, (rename("order-fulfilment"),))
    return Conformance(("expectations.yaml",), (declared,))


def world(rename: Rename = str, **changes: Any) -> Snapshot:
    """The snapshot; `rename` changes the foreign names."""
    made = snapshot(
        60, services=services(rename), service_edges=edges(rename),
        workflows=workflows(rename), findings=findings(rename), hotspots=hotspots(rename),
        alerts=alerts(rename), deliveries=deliveries(rename), conformance=conformance(rename),
        silences=(Silence("s1", (("kind", "failed"),), NOW + 60 * MINUTE, rename("ann"),
                          rename("known, see #12"), NOW - MINUTE),),
        data_notes=(DataNote("silent-service", rename("mail-provider emits nothing"), 180, 0.1,
                             (rename("mail-provider"),)),),
        key_suggestions=(DataNote("key", rename("order.id joins 40 traces"), 40),),
    )  # fmt: skip
    return replace(made, **changes)


def app(shown: Snapshot | None = None, **options: Any) -> Dashboard:
    """The dashboard on that snapshot, with a clock that stands still."""
    made = Dashboard(FakeFeed(world() if shown is None else shown), **options)
    made.journal = Journal(lambda: NOW)
    return made


def play(shown: Dashboard, what: Play, *keys: str, size: tuple[int, int] = (132, 40)) -> None:
    """Start it, press the keys, then `what`."""

    async def session() -> None:
        async with shown.run_test(size=size) as pilot:
            await settled(pilot)
            await press(pilot, *keys)
            await what(pilot)

    asyncio.run(session())


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """One key after the other, each time until all is done."""
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


def page(pilot: Pilot[Any]) -> Page:
    """The open page."""
    found = pilot.app.page if isinstance(pilot.app, Dashboard) else None
    assert found is not None
    return found
