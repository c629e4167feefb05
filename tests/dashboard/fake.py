"""A feed with a fixed clock, whose snapshots a test hands over itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl
from textual.app import App
from textual.pilot import Pilot

from analyzer.analysis import INSTANCES, SERVICE_EDGES, SERVICES, Workflow
from analyzer.finding import Cause, Finding, Severity, WaitingFor
from tui.dashboard.app import Dashboard
from tui.dashboard.feed import Phase, Snapshot, Status
from tui.dashboard.screens.table import TablePage

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
NOW = 1_717_167_734 * SECOND  # 2024-05-31T15:02:14Z
STATUS = Status("otlp :4317", Phase.LIVE, spans_per_s=12480.0, lag_s=0.8, memory_bytes=212 << 20)

#       state, workflow, waiting service, waiting step, age, overdue, steps; a dozen kinds of rows
KINDS: tuple[tuple[str, str, str | None, str | None, int, int | None, int], ...] = (
    ("complete", "order-fulfilment", None, None, 30 * MINUTE, None, 12),
    ("stuck", "order-fulfilment", "payments", "PaymentCaptured", 47 * MINUTE, 46 * MINUTE, 4),
    ("complete", "user-signup", None, None, 20 * MINUTE, None, 9),
    ("waiting", "user-signup", "mail", "InvoiceSent", 4 * SECOND, -56 * SECOND, 3),
    ("late", "payment-capture", "ship", "LabelPrinted", 6 * MINUTE, 1 * MINUTE, 6),
    ("complete", "payment-capture", None, None, 10 * MINUTE, None, 9),
    ("orphaned", "payment-capture", None, None, 12 * MINUTE, None, 2),
    ("running", "order-fulfilment", None, None, 2 * SECOND, None, 2),
    ("failed", "refund", None, None, 8 * MINUTE, None, 5),
    ("complete", "refund", None, None, 5 * MINUTE, None, 8),
    ("dead-lettered", "refund", None, None, 55 * MINUTE, None, 5),
    ("compensated", "order-fulfilment", None, None, 90 * MINUTE, None, 10),
)


def instances(count: int) -> pl.DataFrame:
    """So many, of all kinds in turn, in the shape of `INSTANCES`."""
    rows = [_row(number) for number in range(count)]
    return pl.DataFrame(rows, schema=INSTANCES, orient="row").sort("id")


def _row(number: int) -> tuple[Any, ...]:
    state, workflow, service, step, age, overdue, steps = KINDS[number % len(KINDS)]
    start = NOW - age - (number // len(KINDS)) * SECOND
    deadline = None if overdue is None else NOW - overdue
    ended = NOW - min(age // 2, MINUTE)
    cause = "consumer-error" if state in ("stuck", "failed") else None
    return (
        f"ord-{number:06}", workflow, state, cause, service, step, None,
        start + SECOND if service else None, deadline, start, ended,
        [f"order.id={number}"], [f"{number:032x}"], sorted({"orders", service or "payments"}),
        steps, steps * 3, int(state == "failed"), "v1",
    )  # fmt: skip


def million(count: int = 1_000_000) -> pl.DataFrame:
    """As `instances`, made column by column: for benchmarks."""
    few = instances(len(KINDS) * 100)
    number = pl.int_range(count, eager=True)
    many = few[(number % few.height).cast(pl.UInt32)]
    return many.with_columns(
        pl.format("ord-{}", number.cast(pl.String).str.zfill(7)).alias("id"),
        pl.col("start_ns") - number * 1000,
        pl.concat_list(pl.format("order.id={}", number)).alias("keys"),
        pl.concat_list(number.cast(pl.String).str.zfill(32)).alias("trace_ids"),
    )


def finding(instance: str = "ord-000001", **changes: Any) -> Finding:
    """Why that one is stuck."""
    made = Finding(
        kind="stuck",
        severity=Severity.ERROR,
        confidence=0.93,
        message="payments has not sent PaymentCaptured for 47m",
        workflow="order-fulfilment",
        instance=instance,
        trace_ids=(f"{1:032x}",),
        service="payments",
        step="CapturePayment",
        waiting_for=WaitingFor("payments", "PaymentCaptured"),
        since_ns=NOW - 47 * MINUTE,
        deadline_ns=NOW - 46 * MINUTE,
        overdue_s=46 * 60.0,
        causes=(
            Cause(
                "consumer-error",
                0.93,
                ("CapturePayment ended with an error", "no retry was seen"),
                ("payments handles others meanwhile",),
            ),
            Cause("message-lost", 0.05, (), ("the message was taken",)),
        ),
        needs=("the dead-letter queue of payments",),
        owner="team-money",
    )
    return replace(made, **changes)


def workflow(name: str = "order-fulfilment", **changes: Any) -> Workflow:
    """A workflow that nothing else is known of."""
    made = Workflow(name, 100, {"complete": 90, "stuck": 10}, 3, "choreographed", (),
                    9 * SECOND, 20 * SECOND, tuple(range(24)))  # fmt: skip
    return replace(made, **changes)


def snapshot(count: int = 249, generation: int = 1, **changes: Any) -> Snapshot:
    """A snapshot with so many instances at `NOW`."""
    made = Snapshot(
        generation=generation,
        at_ns=NOW,
        as_of_ns=NOW,
        instances=instances(count),
        services=pl.DataFrame(schema=SERVICES),
        service_edges=pl.DataFrame(schema=SERVICE_EDGES),
        workflows=(workflow(),),
        findings=(finding(),) if count > 1 else (),
    )
    return replace(made, **changes)


class FakeFeed:
    """A `Feed` without a thread: `push` is what happens in the world."""

    def __init__(
        self,
        snapshot: Snapshot | None = None,
        status: Status = STATUS,
        documents: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.status = status
        self.documents = dict(documents or {})
        self.stopped = False
        self._told: Callable[[], None] = lambda: None

    def start(self, told: Callable[[], None]) -> None:
        self._told = told
        told()

    def stop(self) -> None:
        self.stopped = True

    def instance(self, identifier: str) -> Mapping[str, Any]:
        if identifier not in self.documents:
            raise LookupError(f"no instance {identifier!r}")
        return self.documents[identifier]

    def push(self, snapshot: Snapshot | None = None, **status: Any) -> None:
        """Another snapshot, another status, or both."""
        self.snapshot = snapshot or self.snapshot
        self.status = replace(self.status, **status)
        self._told()


def ids(states: Sequence[str], count: int) -> list[str]:
    """The ids of those states among `instances(count)`."""
    frame = instances(count)
    return frame.filter(pl.col("state").is_in(list(states)))["id"].to_list()


async def settled(pilot: Pilot[Any], quiet: int = 3) -> None:
    """Until no worker is at work, and none was started by what the last ones told."""
    still = 0
    for _ in range(1000):
        await pilot.pause(0.01)
        still = 0 if _busy(pilot.app) else still + 1
        if still >= quiet:
            break
    await pilot.pause()


def _busy(app: Any) -> bool:
    if any(not worker.is_finished for worker in app.workers):
        return True
    if not isinstance(app, Dashboard):
        return False
    has_something = app.feed.snapshot is not None and app.feed.snapshot.instances.height > 0
    if app._told or app._counting or (has_something and app.page is None):
        return True
    page = app.page
    return isinstance(page, TablePage) and (page._busy or page.snapshot is None)


def lines(app: App[Any]) -> list[str]:
    """What is on the screen, as text."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]
