"""Feeds over a monitor: a store that is written meanwhile, and the simulated shop."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from analyzer import analyze
from collectors.simulate import parse
from collectors.simulate.live import EXPORT_NS, Live
from collectors.simulate.otlp import to_json
from collectors.simulate.run import simulate
from collectors.store.frames import Kind, Request
from collectors.store.store import Store
from tests.dashboard.feeds.watching import running
from tui.dashboard.feed import Phase
from tui.dashboard.feeds.demo import FASTEST, DemoFeed, scenarios
from tui.dashboard.feeds.fresh import Fresh
from tui.dashboard.feeds.monitored import Watching
from tui.dashboard.feeds.store import StoreFeed, recent

FAST = Watching(refresh_s=0.1)


def fill(store: Store, scenario: str) -> int:
    requests, _ = simulate(parse(scenario))
    spans = 0
    for request in requests:
        spans += request.spans
        store.append(Request.packed(Kind.OTLP_JSON, to_json(request))).result()
    return spans


def test_a_store_is_followed_while_it_is_written(tmp_path: Path) -> None:
    """What is stored shows; what is stored later shows too, also across compaction."""
    with Store(tmp_path / "s", compacting=False) as store:
        fill(store, "sim:order?instances=50&seed=1&faults=lost:0.1")
        with running(StoreFeed(tmp_path / "s", FAST)) as watch:
            watch.until(lambda: sum(watch.states.values()) == 50)
            store.compact()
            fill(store, "sim:order?instances=70&seed=2")
            watch.until(lambda: sum(watch.states.values()) == 120)
            snapshot = watch.feed.snapshot
            assert snapshot is not None
            batch = analyze(f"store:{tmp_path / 's'}", as_of_ns=snapshot.as_of_ns)
            assert watch.states == batch.by_state
            assert {one.kind for one in snapshot.findings} >= {"stuck"}
            assert [alert.incident.kind for alert in snapshot.alerts]
            assert watch.generations == sorted(watch.generations)
            assert watch.feed.status.source == f"store {tmp_path / 's'}"


def test_old_spans_are_stale(tmp_path: Path) -> None:
    """A store that nobody writes says how long ago the last span ended."""
    with Store(tmp_path / "s", compacting=False) as store:
        fill(store, "sim:order?instances=5&seed=1")
    with running(StoreFeed(tmp_path / "s", FAST)) as watch:
        watch.until_phase(Phase.STALE)
        assert watch.feed.status.message.startswith("no span for ")
        assert watch.feed.status.message.endswith(" d")


def test_no_store_fails_and_says_so(tmp_path: Path) -> None:
    with running(StoreFeed(tmp_path / "none", FAST)) as watch:
        watch.until_phase(Phase.FAILED)
        assert str(tmp_path / "none") in watch.feed.status.message


def test_of_a_large_store_the_latest_are_read(tmp_path: Path) -> None:
    """Whole files are left out from the oldest on, and counted."""
    with Store(tmp_path / "s", compacting=False) as store:
        spans = []
        for seed in range(4):
            spans.append(fill(store, f"sim:order?instances=20&seed={seed}"))
            store.compact()
    assert recent(tmp_path / "s", 1 << 40) == (0, 0)
    after, before = recent(tmp_path / "s", spans[3] + 1)
    assert before == spans[0] + spans[1]
    assert after > 0


def test_a_live_scenario_gives_each_span_once_and_in_time() -> None:
    """However it is asked, the spans are those of the recording, moved; none before its time."""
    scenario = parse("sim:order?instances=1200&seed=4&length=600s&faults=late:0.05")
    requests, _ = simulate(scenario)
    expected = sum(request.spans for request in requests)
    begin = 1_900_000_000_000_000_000
    counts = []
    for step in (7_000_000_000, 90_000_000_000):
        live, now, total, ids = Live(scenario, begin), begin, 0, set()
        while now < begin + 2_000_000_000_000:
            for part in live.until(now):
                total += len(part.spans)
                assert part.spans["end_ns"].max() <= now - EXPORT_NS  # type: ignore[operator]
                assert part.spans["start_ns"].min() >= begin  # type: ignore[operator]
                ids |= set(part.spans.select("trace_hi", "span_id").iter_rows())
            now += step
        counts.append((total, len(ids)))
    assert counts == [(expected, expected)] * 2


FAULTY = {"stuck", "late", "orphaned", "failed", "complete"}


def test_the_shop_shows_faults_from_the_first_snapshots_on() -> None:
    """Few orders first, so that something is there soon; by the second one of each kind, and it
    goes on."""
    with running(DemoFeed(watching=FAST)) as watch:
        watch.until(lambda: bool(watch.generations))
        assert watch.states
        watch.until(lambda: watch.generations[-1] > 1)
        assert set(watch.states) >= FAULTY
        assert watch.feed.status.phase is Phase.LIVE
        before = watch.feed.snapshot
        watch.until(lambda: (watch.feed.status.spans_per_s or 0.0) > 0)
        after = watch.feed.snapshot
        assert before is not None
        assert after is not None
        assert after.generation > before.generation
        assert abs(after.as_of_ns - time.time_ns()) < 20_000_000_000
        name = after.instances["id"][0]
        assert watch.feed.instance(name)["instance"]["instance"] == name


@pytest.mark.parametrize("seed", range(2, 5))
def test_any_seed_shows_faults(seed: int) -> None:
    with running(DemoFeed(seed=seed, watching=FAST)) as watch:
        watch.until(lambda: bool(watch.generations) and watch.generations[-1] > 1)
        assert set(watch.states) >= FAULTY


def test_the_opening_of_the_shop_costs_little() -> None:
    """What is shown first is made and judged in a fraction of what all of it takes."""
    from analyzer.monitor.monitor import Monitor
    from tui.dashboard.feeds.demo import OPENING, Shop
    from tui.dashboard.feeds.monitored import passing_outbox

    took = []
    with passing_outbox() as outbox:
        monitor = Monitor(Shop(1, 2.0, time.time_ns()), DemoFeed().settings(), outbox)
        for _ in range(2):
            begin = time.process_time()
            look = monitor.look()
            took.append(time.process_time() - begin)
            assert len(monitor.current.analysis.instances) >= OPENING / 2  # type: ignore[union-attr]
    assert took[0] < took[1] * 0.8
    assert not look.more


def test_the_shop_is_made_of_scenarios_that_can_be() -> None:
    for rate in (0.1, 2.0, FASTEST):
        for uri in scenarios(3, rate):
            assert parse(uri).seed == 3


def test_what_has_finished_and_left_is_counted_beside_what_is_shown(tmp_path: Path) -> None:
    """An instance that is in the table is not among those that left: the sum is all there were."""
    from analyzer.alerts.outbox import Outbox
    from analyzer.monitor.monitor import Monitor, Settings
    from analyzer.monitor.working_set import Limits
    from tui.dashboard.feeds.made import of_look

    outbox, shown = Outbox(tmp_path / "alerts.db"), 0
    with Store(tmp_path / "s", compacting=False) as store:
        fill(store, "sim:order?instances=200&seed=1")
        monitor = Monitor(tmp_path / "s", Settings(limits=Limits(history=500)), outbox)
        for _ in range(4):
            snapshot = of_look(monitor.look(), outbox)
            shown = snapshot.instances.height
            assert shown + sum(snapshot.finished.values()) == 200
        assert 0 < shown < 200
    outbox.close()


def test_spans_that_come_are_fresh_however_old_they_are() -> None:
    """Only what lay there before the first look is as old as it says."""
    minute = 60_000_000_000
    fresh = Fresh()
    fresh.seen(0, 0, 100 * minute)
    assert fresh.phase(101 * minute) == (Phase.LIVE, "")
    fresh.seen(5, 1, 101 * minute)
    assert fresh.phase(101 * minute) == (Phase.LIVE, "")
    assert fresh.phase(104 * minute) == (Phase.STALE, "no span for 3 m")
    late = Fresh()
    late.seen(5, 40 * minute, 100 * minute)
    assert late.phase(100 * minute) == (Phase.STALE, "no span for 60 m")
