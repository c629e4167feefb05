"""Every state of the dashboard as a picture; `pytest --snapshot-update` after looking at them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.dashboard.fake import FakeFeed, finding, settled, snapshot
from tests.support.hostile import HOSTILE
from tui.dashboard.app import Dashboard
from tui.dashboard.feed import Phase, Status
from tui.dashboard.screens.registry import PAGES

Compare = Callable[..., bool]
WIDE = (132, 40)
NARROW = (80, 24)
NOTHING = Status("otlp :4317", Phase.LIVE, spans_per_s=0.0, endpoints=(
    "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317",
    "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318",
))  # fmt: skip


@pytest.fixture(autouse=True)
def one_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pictures are of the home page: another tab is no reason to take them again."""
    monkeypatch.setattr("tui.dashboard.app.PAGES", PAGES[:1])


def same(
    compare: Compare,
    app: Dashboard,
    *keys: str,
    size: tuple[int, int] = WIDE,
    then: Callable[[Dashboard], None] | None = None,
) -> bool:
    """The picture after those keys (and what happens `then`) is the one that was looked at."""

    async def before(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await pilot.press(*keys)
        await settled(pilot)
        if then is not None:
            then(app)
            await settled(pilot)
        for text in pilot.app.screen.query(Input):
            text.cursor_blink = False
        await settled(pilot)

    return compare(app, terminal_size=size, run_before=before)


def test_live(snap_compare: Compare) -> None:
    assert same(snap_compare, Dashboard(FakeFeed(snapshot(3000))))


def test_live_narrow(snap_compare: Compare) -> None:
    """80x24: no pane, flat tiles, the columns that matter."""
    assert same(snap_compare, Dashboard(FakeFeed(snapshot())), "down", size=NARROW)


def test_why(snap_compare: Compare) -> None:
    """The pane says why, with evidence for and against and what would settle it."""
    app = Dashboard(FakeFeed(snapshot(14, findings=(finding(),))), where="id:ord-000001")
    assert same(snap_compare, app)


def test_grouped_marked_and_sorted(snap_compare: Compare) -> None:
    app = Dashboard(FakeFeed(snapshot(60)))
    assert same(snap_compare, app, "g", "m", "down", "m", "s", "s")


def test_empty(snap_compare: Compare) -> None:
    """The exact line that makes a service send here."""
    assert same(snap_compare, Dashboard(FakeFeed(None, NOTHING)))


def test_loading(snap_compare: Compare) -> None:
    status = Status("orders.jsonl.gz", Phase.LOADING, "decoding", progress=0.42)
    assert same(snap_compare, Dashboard(FakeFeed(None, status)))


def test_paused(snap_compare: Compare) -> None:
    feed = FakeFeed(snapshot(100))

    def more(app: Dashboard) -> None:
        feed.push(snapshot(912, generation=2), spans_per_s=99.0)

    assert same(snap_compare, Dashboard(feed), "space", then=more)


@pytest.mark.parametrize(
    ("phase", "message"),
    [
        (Phase.STALE, "no span for 3m"),
        (Phase.DISCONNECTED, "connection refused; next try in 4 s"),
        (Phase.FAILED, "the store is damaged: segment 7"),
        (Phase.ENDED, ""),
    ],
    ids=["stale", "disconnected", "failed", "ended"],
)
def test_phase(snap_compare: Compare, phase: Phase, message: str) -> None:
    feed = FakeFeed(snapshot(30))
    feed.status = replace(feed.status, phase=phase, message=message, spans_per_s=None, lag_s=None)
    assert same(snap_compare, Dashboard(feed))


def test_overloaded(snap_compare: Compare) -> None:
    feed = FakeFeed(snapshot(30, overflow=31))
    feed.status = replace(feed.status, dropped=12_044)
    assert same(snap_compare, Dashboard(feed))


def test_the_filter_matches_nothing(snap_compare: Compare) -> None:
    app = Dashboard(FakeFeed(snapshot()), where="wf:order-* age:>30d")
    assert same(snap_compare, app)


def test_the_filter_is_wrong(snap_compare: Compare) -> None:
    """The token is underlined, the reason is said, the last good result stays."""

    def type_on(app: Dashboard) -> None:
        assert app.page is not None
        app.page.search("state:stuck ag:>5x")

    app = Dashboard(FakeFeed(snapshot()), where="state:stuck")
    assert same(snap_compare, app, "slash", then=type_on)


def test_completion(snap_compare: Compare) -> None:
    assert same(snap_compare, Dashboard(FakeFeed(snapshot())), "slash", *"workflow", "colon")


def test_error(snap_compare: Compare) -> None:
    """There is nothing to show, and why."""
    status = Status("http://127.0.0.1:4320", Phase.FAILED, "it speaks version 2, this is 1")
    assert same(snap_compare, Dashboard(FakeFeed(None, status)))


def test_too_small(snap_compare: Compare) -> None:
    assert same(snap_compare, Dashboard(FakeFeed(snapshot())), size=(50, 12))


def test_no_color(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert same(snap_compare, Dashboard(FakeFeed(snapshot())), "down")


def test_ascii(snap_compare: Compare) -> None:
    assert same(snap_compare, Dashboard(FakeFeed(snapshot()), ascii=True), "down", "g")


def test_light(snap_compare: Compare) -> None:
    assert same(snap_compare, Dashboard(FakeFeed(snapshot()), theme="textual-light"), "down")


def test_copy_menu(snap_compare: Compare) -> None:
    assert same(snap_compare, Dashboard(FakeFeed(snapshot())), "y")


def test_hostile_names(snap_compare: Compare) -> None:
    """Foreign names change nothing but the text."""
    import polars as pl

    names = list(HOSTILE.values())
    made = snapshot(len(names))
    column = pl.Series(names)
    frame = made.instances.with_columns(
        column.alias("id"), column.alias("workflow"), column.alias("waiting_step"),
        column.alias("cause"),
    ).unique("id", maintain_order=True)  # fmt: skip
    hostile = finding(names[0], message=names[0] * 2, owner=names[1])
    app = Dashboard(FakeFeed(replace(made, instances=frame, findings=(hostile,))))
    assert same(snap_compare, app, size=(140, 60))
