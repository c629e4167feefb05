"""CPU of the dashboard over a million instances, against the budget of docs/dashboard.md.

`python -m benchmarks.dashboard [--instances 1000000] [--keys 100]`. A frame is all the CPU of the
process from a key press until the app is idle again; the bare app of the same size, in the same
run, says how much of that is Textual's (and the test driver's) own.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Static

from analyzer.where import compile_where
from tests.dashboard.fake import NOW, FakeFeed, million, settled, snapshot
from tui.dashboard import app as module
from tui.dashboard.app import Dashboard
from tui.dashboard.rows import arrange, ordered
from tui.dashboard.screens.instances import Instances

SIZE = (132, 40)
FILTERS = (
    "state:stuck,late", "state:stuck,late wf:order-* age:>5m", "id:ord-00047*",
    "key:order.id=4711", "trace:0000000000000000000000000004", "payments", "ord-0004711",
)  # fmt: skip
FIRST_PAINT = """if True:
    import asyncio, time
    from tui.dashboard.app import Dashboard
    from tui.dashboard.feed import Phase, Status
    class Nothing:
        status, snapshot = Status("x", Phase.LOADING), None
        def start(self, told): pass
        def stop(self): pass
    async def main():
        async with Dashboard(Nothing()).run_test(size=(132, 40)) as pilot:
            await pilot.pause()
            print(time.process_time())
    asyncio.run(main())
"""
DEMO = """if True:
    import asyncio, sys, time
    from tui.dashboard.app import Dashboard
    from tui.dashboard.feeds.demo import DemoFeed
    app = Dashboard(DemoFeed(int(sys.argv[1])))
    async def main():
        async with app.run_test(size=(132, 40)) as pilot:
            while app.page is None or app.page.snapshot is None:
                await asyncio.sleep(0.002)
            print(time.process_time())
            await pilot.pause()
    asyncio.run(main())
"""


class Bare(App[None]):
    """Textual's own share: a key that does nothing."""

    def compose(self) -> ComposeResult:
        yield Static("")


def quantiles(times: list[float]) -> str:
    times = sorted(times)
    return f"p50 {times[len(times) // 2]:6.1f} ms  p95 {times[int(len(times) * 0.95)]:6.1f} ms"


async def keys(pilot: Pilot[Any], key: str, number: int) -> list[float]:
    """CPU milliseconds of each press; the first ones, that fill caches, do not count."""
    times = []
    for _ in range(number + 5):
        start = time.process_time()
        await pilot.press(key)
        times.append((time.process_time() - start) * 1000)
    return times[5:]


async def bare(number: int) -> None:
    async with Bare().run_test(size=SIZE) as pilot:
        print(f"{'key, bare app':34} {quantiles(await keys(pilot, 'down', number))}")


async def screens(frame: pl.DataFrame, number: int) -> None:
    module.QUIET_S = 0.0
    feed = FakeFeed(snapshot(20, instances=frame))
    app = Dashboard(feed)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        gc.freeze()  # as the app does on a terminal
        page = app.query_one(Instances)
        for key in ("down", "pagedown", "pageup"):
            print(f"{'key ' + key:34} {quantiles(await keys(pilot, key, number))}")
        print(f"{'the pane, after the last move':34} {quantiles(await pane(page, number))}")
        print(f"{'rows':34} {page.rows.view.lines if page.rows.view else 0:,}")


async def pane(page: Instances, number: int) -> list[float]:
    """What is told of the row under the cursor, once the cursor rests."""
    times = []
    for _ in range(number):
        start = time.process_time()
        if page._why is not None:
            page._why._parts = ()  # as of another row
        page._explain()
        await asyncio.sleep(0.05)
        times.append((time.process_time() - start) * 1000)
    return times


async def tick(count: int, changed: int, number: int) -> None:
    """A live tick on the event loop alone: what the workers made is handed to the table."""
    from tui.dashboard.screens.table import Wanted

    app = Dashboard(FakeFeed(snapshot(20, instances=million(count))))
    times = []
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        gc.freeze()
        page = app.query_one(Instances)
        await pilot.press("down")
        for at in range(number + 3):
            new = snapshot(20, instances=altered(million(count), changed), generation=at + 2)
            done: list[Any] = []
            page.post_message = done.append  # type: ignore[method-assign, assignment]
            page._arrange(Wanted(new, "", page.rows.order_by(NOW), False))
            del page.post_message
            start = time.process_time()
            page._done(done[0])
            await pilot.pause()
            times.append((time.process_time() - start) * 1000)
    print(f"{f'tick, {count:,} rows, {changed} changed':34} {quantiles(times[3:])}")


def altered(frame: pl.DataFrame, changed: int) -> pl.DataFrame:
    """So many more spans."""
    first = pl.int_range(pl.len()) < changed
    return frame.with_columns(pl.when(first).then(pl.col("spans") + 1).otherwise("spans"))


def best(work: Callable[[], object], times: int = 5) -> float:
    """Median CPU milliseconds."""
    found = []
    for _ in range(times):
        start = time.process_time()
        work()
        found.append((time.process_time() - start) * 1000)
    return sorted(found)[times // 2]


def filters(frame: pl.DataFrame) -> None:
    """A key stroke in the filter: compile, find, sort; in a worker."""
    by = Instances().order(NOW)
    order = ordered(frame, by)  # once for each snapshot
    for query in FILTERS:
        where = compile_where(query, NOW)
        found = frame.select(pl.arg_where(where)).height
        cpu = best(lambda where=where: arrange(frame, "id", NOW, where=where, order=order))  # type: ignore[misc]
        print(f"{'filter ' + query:44} {cpu:7.1f} ms  {found:9,} rows")
    print(f"{'sort all, once a snapshot':44} {best(lambda: ordered(frame, by)):7.1f} ms")


def memory() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def starts() -> None:
    """CPU from the start of a process, imports included."""
    for what, script in (("first paint", FIRST_PAINT), ("first data of demo", DEMO)):
        runs = []
        for seed in range(5):
            command = [sys.executable, "-c", script, str(seed)]
            done = subprocess.run(command, capture_output=True, check=True)
            runs.append(float(done.stdout) * 1000)
        print(f"{what:34} p50 {sorted(runs)[2]:6.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=1_000_000)
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--starts", action="store_true", help="only what a start costs")
    chosen = parser.parse_args()
    starts()
    if chosen.starts:
        return
    asyncio.run(bare(chosen.keys))
    frame = million(chosen.instances)
    before = memory()
    asyncio.run(screens(frame, chosen.keys))
    told = f"{frame.estimated_size() / 2**20:.0f} MB; resident {memory():.0f} MB"
    print(f"{'memory: frame':34} {told}, before the screens {before:.0f} MB")
    filters(frame)
    asyncio.run(tick(50_000, 500, 20))


if __name__ == "__main__":
    main()
