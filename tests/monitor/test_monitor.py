"""The monitor says live what the batch says afterwards, tells it once, and forgets what is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from analyzer.alerts.engine import SECOND, Timing
from analyzer.alerts.outbox import Outbox
from analyzer.monitor.monitor import Monitor, Settings
from analyzer.monitor.working_set import Limits
from collectors.store.frames import Kind, Request
from collectors.store.store import Store
from tests.support.spans import line

START = 1_800_000_000 * SECOND


class World:
    """A shop whose spans arrive in a store, and a clock."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.now = START
        self.store = Store(folder / "s", compacting=False)
        self.outbox = Outbox(folder / "alerts.db")
        given = {
            "timing": Timing(wait=2 * SECOND, keep=10 * SECOND),
            "targets": ("t",),
            "limits": Limits(grace_ns=10 * SECOND, history=2_000),
        }
        self.settings = Settings(**(given | settings))  # type: ignore[arg-type]
        self.monitor = self.begin()

    def begin(self) -> Monitor:
        return Monitor(
            self.store.layout.folder,
            self.settings,
            self.outbox,
            clock=lambda: self.now,
        )

    def send(self, service: str, *spans: dict[str, object]) -> None:
        body = line({"service.name": service}, spans)
        self.store.append(Request.packed(Kind.OTLP_JSON, body)).result()

    def span(
        self, order: int, number: int, name: str, kind: int, **more: object
    ) -> dict[str, object]:
        operation = "publish" if kind == 4 else "process"
        return {
            "traceId": f"{order + 1:032x}",
            "spanId": f"{(order + 1) * 16 + number:016x}",
            "name": name,
            "kind": kind,
            "startTimeUnixNano": str(self.now),
            "endTimeUnixNano": str(self.now + 5_000_000),
            "attributes": [
                {"key": key, "value": {"stringValue": value}}
                for key, value in {
                    "messaging.system": "kafka",
                    "messaging.destination.name": "orders.placed",
                    "messaging.operation.type": "send" if kind == 4 else operation,
                    "messaging.operation.name": operation,
                }.items()
            ],
        } | more

    def place(self, order: int) -> None:
        """An order is placed."""
        self.send("orders", self.span(order, 1, "orders.placed publish", 4))

    def stock(self, order: int) -> None:
        """... and taken."""
        parent = f"{(order + 1) * 16 + 1:016x}"
        self.send("stock", self.span(order, 2, "orders.placed process", 5, parentSpanId=parent))

    def told(self) -> list[str]:
        events = self.outbox.due("t", self.now * 2, 1000)
        return [f"{one.event.change} {one.event.alert.incident.kind}" for one in events]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.store.close()
    found.outbox.close()


def healthy(world: World, orders: range) -> None:
    for order in orders:
        world.place(order)
        world.now += SECOND // 10
        world.stock(order)
        world.now += SECOND // 10


def states(world: World) -> dict[str, int]:
    look = world.monitor.current
    assert look is not None
    return look.analysis.by_state


def test_a_stuck_order_is_told_without_new_spans(world: World) -> None:
    """The deadline passes while nothing comes: one alert, then silence, then resolved."""
    healthy(world, range(50))
    world.place(50)
    world.monitor.look()
    assert world.told() == []
    for _ in range(12):
        world.now += SECOND
        world.monitor.look()
    assert states(world).get("stuck") == 1
    assert world.told() == ["firing stuck"]
    world.stock(50)
    for _ in range(15):
        world.now += SECOND
        world.monitor.look()
    assert "stuck" not in states(world)
    assert [one for one in world.told() if "still" not in one] == ["firing stuck", "resolved stuck"]


def test_memory_holds_what_is_open_and_a_history(world: World) -> None:
    """Ten thousand orders pass; what is held is bounded; every one is counted once."""
    world.monitor.working.limits = Limits(grace_ns=SECOND, history=100)
    for first in range(0, 1000, 50):
        healthy(world, range(first, first + 50))
        world.monitor.look()
    world.now += 20 * SECOND
    look = world.monitor.look()
    assert len(world.monitor.working.recording.spans) <= 110
    assert sum(look.left.finished.values()) == 1000
    assert look.left.overflow == 0
    assert look.spans == 2000


def test_a_late_span_brings_its_instance_back(world: World) -> None:
    """The instance is whole again: no orphan, no second count."""
    world.monitor.working.limits = Limits(grace_ns=SECOND, history=0)
    healthy(world, range(50))
    world.now += 20 * SECOND
    world.monitor.look()
    world.now += SECOND
    world.monitor.look()
    assert len(world.monitor.working.recording.spans) == 0
    parent = f"{8 * 16 + 2:016x}"
    world.send("mail", world.span(7, 3, "mail", 1, parentSpanId=parent))
    world.now += 6 * SECOND
    look = world.monitor.look()
    assert look.analysis.instances["spans"].to_list() == [3]
    assert look.analysis.instances["state"].to_list() == ["complete"]


def test_more_than_the_limit_is_counted(world: World) -> None:
    """Open instances beyond the limit leave, oldest first, and the number says how many."""
    healthy(world, range(20))
    world.monitor.working.limits = Limits(spans=60, history=10)
    for order in range(20, 120):
        world.place(order)
        world.now += SECOND // 100
    look = world.monitor.look()
    assert len(world.monitor.working.recording.spans) <= 70
    assert look.left.overflow > 0


def test_looks_split_the_input_as_they_like(tmp_path: Path) -> None:
    """One look at the end, or one after each span: the same states."""
    found = []
    for every in (1, 1000):
        (tmp_path / str(every)).mkdir()
        world = World(tmp_path / str(every), limits=Limits(grace_ns=1000 * SECOND))
        healthy(world, range(20))
        for order in range(20, 25):
            world.place(order)
            if order % every == 0:
                world.monitor.look()
        world.now += 30 * SECOND
        look = world.monitor.look()
        found.append(look.analysis.instances.sort("id").drop("variant"))
        world.store.close()
    assert found[0].equals(found[1])


def test_a_restart_tells_nothing_twice(world: World) -> None:
    """Another process on the same store: the same alert goes on."""
    healthy(world, range(50))
    world.place(50)
    for _ in range(12):
        world.now += SECOND
        world.monitor.look()
    world.monitor = world.begin()
    for _ in range(5):
        world.now += SECOND
        world.monitor.look()
    assert world.told() == ["firing stuck"]
    alerts = world.monitor.current.alerts if world.monitor.current else {}
    assert len(alerts) == 1


def test_no_data_is_an_alert(tmp_path: Path) -> None:
    """The dead man's switch fires when nothing comes, and resolves when something does."""
    world = World(tmp_path, silent_after_ns=20 * SECOND)
    healthy(world, range(5))
    for _ in range(26):
        world.now += SECOND
        world.monitor.look()
    assert "firing no-data" in world.told()
    for order in range(5, 25):
        healthy(world, range(order, order + 1))
        world.now += SECOND
        world.monitor.look()
    assert "resolved no-data" in world.told()
    world.store.close()


def test_states_are_as_the_batch_says(world: World) -> None:
    """The live table of instances is what `analyze` says of the same store at the same time."""
    from analyzer import analyze

    healthy(world, range(30))
    world.place(30)
    world.now += 20 * SECOND
    look = world.monitor.look()
    batch = analyze(f"store:{world.store.layout.folder}", as_of_ns=look.analysis.as_of_ns)
    columns = [pl.col("id"), pl.col("state"), pl.col("cause")]
    assert look.analysis.instances.select(columns).equals(batch.instances.select(columns))


def test_a_rush_does_not_make_looks_longer(world: World) -> None:
    """Complete instances beyond the bound leave before their grace, open ones never for that."""
    world.monitor.working.limits = Limits(grace_ns=3600 * SECOND, finished=60, history=10)
    world.place(900)
    for first in range(0, 200, 50):
        healthy(world, range(first, first + 50))
        world.now += 3 * SECOND
        look = world.monitor.look()
        assert len(world.monitor.working.recording.spans) <= 60 + 1 + 2
    assert sum(look.left.finished.values()) >= 170
    assert sum(n for state, n in states(world).items() if state != "complete") == 1
