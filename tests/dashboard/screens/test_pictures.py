"""Every page as a picture, wide and narrow; `pytest --snapshot-update` after looking at them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.dashboard.fake import settled
from tests.dashboard.screens.world import app, press, world
from tui.dashboard.app import Dashboard

Compare = Callable[..., bool]
WIDE, NARROW = (132, 40), (80, 24)
VIEWS: dict[str, tuple[str, ...]] = {
    "workflows": ("2",),
    "workflow": ("2", "enter"),
    "services": ("3",),
    "service": ("3", "s", "down", "down", "down", "enter"),
    "coupling": ("4",),
    "hotspot": ("4", "tab", "enter"),
    "findings": ("5",),
    "finding": ("5", "enter"),
    "alerts": ("6",),
    "alert": ("6", "enter"),
    "log": ("7",),
}


def same(compare: Compare, shown: Dashboard, *keys: str, size: tuple[int, int]) -> bool:
    async def before(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await press(pilot, *keys)
        for text in pilot.app.screen.query(Input):
            text.cursor_blink = False
        await settled(pilot)

    return compare(shown, terminal_size=size, run_before=before)


@pytest.mark.parametrize("view", VIEWS)
def test_wide(snap_compare: Compare, view: str) -> None:
    assert same(snap_compare, app(), *VIEWS[view], size=WIDE)


@pytest.mark.parametrize("view", VIEWS)
def test_narrow(snap_compare: Compare, view: str) -> None:
    assert same(snap_compare, app(), *VIEWS[view], size=NARROW)


@pytest.mark.parametrize("view", ["service", "coupling", "findings", "alerts"])
def test_ascii(snap_compare: Compare, view: str) -> None:
    assert same(snap_compare, app(ascii=True), *VIEWS[view], size=NARROW)


@pytest.mark.parametrize("view", ["service", "coupling", "alerts"])
def test_without_colour(snap_compare: Compare, view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert same(snap_compare, app(), *VIEWS[view], size=NARROW)


@pytest.mark.parametrize("view", ["workflows", "coupling", "finding"])
def test_light(snap_compare: Compare, view: str) -> None:
    assert same(snap_compare, app(theme="textual-light"), *VIEWS[view], size=WIDE)


@pytest.mark.parametrize("key", ["2", "3", "4", "5", "6"])
def test_nothing_yet(snap_compare: Compare, key: str) -> None:
    """What would fill the page is said."""
    empty = world().services.clear(), world().service_edges.clear()
    bare = world(services=empty[0], service_edges=empty[1], workflows=(), findings=(),
                 hotspots=(), alerts=(), deliveries=())  # fmt: skip
    assert same(snap_compare, app(bare), key, size=NARROW)
