"""CPU of the Instance screen over one huge instance: loading, a cursor key, a page, zooming.

`python -m benchmarks.instance_view [--steps 100000] [--keys 200]`. A frame is all the CPU of the
process from a key press until the app is idle again: the key, layout, the lines, and the bytes for
the terminal. The bare app of the same size says how much of that is Textual's own.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widget import Widget

from analyzer.reporters.style import DEFAULT
from tui.dashboard.instance.model import model_of
from tui.dashboard.instance.view import SHEETS, InstanceView

S = 1_000_000_000
T0 = 1_700_000_000 * S
ROUNDS = (("cursor down", "down"), ("page down", "pagedown"), ("page up", "pageup"),
          ("zoom in", "plus"), ("axis right", "right"), ("critical path", "x"),
          ("fold gaps", "z"))  # fmt: skip


def document(steps: int) -> dict[str, Any]:
    """A batch job: orders of ten steps one after the other, an hour of silence in the middle."""
    made, edges = [], []
    for number in range(steps):
        order, part = divmod(number, 10)
        start = T0 + order * 25_000_000 + part * 2_000_000 + (3600 * S if order > steps / 20 else 0)
        made.append(_step(number, part, start, start + 1_500_000 + part * 300_000))
        if number:
            edges.append(_edge(number, part))
    path = [
        {"kind": "work", "step": s["id"], "source": None, "start_ns": 0, "end_ns": 1}
        for s in made[::4]
    ]
    return {
        "schema_version": "1",
        "as_of": "2023-11-15T00:00:00Z",
        "as_of_ns": T0 + 2 * 3600 * S,
        "instance": {
            "instance": "batch-1", "workflow": "nightly batch", "state": "complete", "cause": None,
            "waiting_for": {"service": None, "step": None, "destination": None}, "since": None,
            "deadline": None, "start": None, "end": None, "keys": [], "trace_ids": ["0" * 32],
            "services": [], "steps": steps, "spans": steps,
        },
        "progress": {"steps": steps, "usual_steps": steps},
        "activity": {"active_ns": S, "waiting_ns": 3600 * S},
        "steps": made,
        "edges": edges,
        "expected": [],
        "critical_path": path,
        "events": [],
        "omitted": {"attributes": 0, "events": 0},
        "findings": [],
    }  # fmt: skip


def _step(number: int, part: int, start: int, end: int) -> dict[str, Any]:
    return {
        "id": number, "service": f"service-{part}", "step": f"process order.part-{part}",
        "kind": "process", "destination": "orders", "group": None, "error": number % 97 == 0,
        "shared": False, "trace_id": f"{number:032x}", "span_id": f"{number:016x}",
        "start": "2023-11-14T22:13:20Z", "end": "2023-11-14T22:13:20Z", "missing_parent": None,
        "start_ns": start, "end_ns": end, "error_type": None, "error_message": "refused",
        "attributes": {"order.id": str(number), "messaging.system": "kafka"},
    }  # fmt: skip


def _edge(number: int, part: int) -> dict[str, Any]:
    tier, kind = ("E1", "sync") if part % 3 == 1 else ("E2", "event")
    source = number - 1 if part else max(number - 10, 0)
    return {"source": source, "target": number, "kind": kind, "tier": tier, "confidence": 0.99,
            "wait_s": 0.0004, "skew_s": 0.0}  # fmt: skip


class OneFeed:
    """A feed that has the document already."""

    snapshot = None

    def __init__(self, found: Mapping[str, Any]) -> None:
        self._found = found

    def instance(self, _: str) -> Mapping[str, Any]:
        return self._found


class Bench(App[None]):
    def __init__(self, found: Mapping[str, Any] | None) -> None:
        super().__init__()
        self._found = found

    def compose(self) -> ComposeResult:
        if self._found is None:
            yield Blank()
        else:
            yield InstanceView(OneFeed(self._found), "batch-1")  # type: ignore[arg-type]


class Blank(Widget, can_focus=True):
    """Repaints itself at each key, with nothing in it."""

    def on_mount(self) -> None:
        self.focus()

    def on_key(self) -> None:
        self.refresh()


async def frames(pilot: Pilot[None], key: str, keys: int) -> list[float]:
    """CPU milliseconds of each press."""
    found = []
    for _ in range(keys):
        before = time.process_time()
        await pilot.press(key)
        found.append((time.process_time() - before) * 1000)
    return found


def told(name: str, found: Sequence[float]) -> None:
    ordered = sorted(found)
    middle, high = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    print(f"{name:<24} {middle:7.1f} {high:7.1f}")


async def measure(steps: int, keys: int) -> None:
    bare = Bench(None)
    print(f"{'ms CPU a frame':<24} {'median':>7} {'p95':>7}")
    async with bare.run_test(size=(132, 40)) as pilot:
        told("Textual, an empty widget", await frames(pilot, "j", keys))
    app = Bench(document(steps))
    async with app.run_test(size=(132, 40)) as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause()
        for name, key in ROUNDS:
            told(name, await frames(pilot, key, keys))
        for sheet in SHEETS[1:]:
            await pilot.press("tab")
            await app.workers.wait_for_complete()
            await pilot.pause()
            told(f"{sheet.TITLE}: page down", await frames(pilot, "pagedown", keys))


def loading(steps: int) -> None:
    """What the worker does before the first frame, and for each other tab."""
    found = document(steps)
    before = time.process_time()
    model = model_of(found)
    print(f"{'in a worker, ms CPU':<24}")
    print(f"{'document to rows':<24} {(time.process_time() - before) * 1000:7.0f}")
    for sheet in SHEETS:
        before = time.process_time()
        sheet(model, DEFAULT)
        print(f"{sheet.TITLE:<24} {(time.process_time() - before) * 1000:7.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=200)
    options = parser.parse_args()
    print(f"one instance of {options.steps:,} steps, 132 x 40")
    loading(options.steps)
    asyncio.run(measure(options.steps, options.keys))


if __name__ == "__main__":
    main()
