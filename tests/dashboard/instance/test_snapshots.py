"""Every tab as it was looked at: states, sizes, without colour, without Unicode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.dashboard.instance.documents import ASCII, OneInstance, recorded, settled
from tui.dashboard.instance.view import SHEETS

Compare = Callable[..., bool]
TABS = [sheet.TITLE for sheet in SHEETS]
SIZES = {"132x40": (132, 40), "80x24": (80, 24)}


def opened(tab: str, *keys: str) -> Callable[[Pilot[None]], Any]:
    async def before(pilot: Pilot[None]) -> None:
        await settled(pilot, *["tab"] * TABS.index(tab), *keys)

    return before


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("state", ["stuck", "complete", "orphaned"])
def test_each_tab(snap_compare: Compare, state: str, tab: str, size: str) -> None:
    app = OneInstance(recorded(state))
    assert snap_compare(app, terminal_size=SIZES[size], run_before=opened(tab))


@pytest.mark.parametrize("tab", TABS)
def test_ascii(snap_compare: Compare, tab: str) -> None:
    app = OneInstance(recorded("stuck"), ASCII)
    assert snap_compare(app, terminal_size=(80, 24), run_before=opened(tab))


@pytest.mark.parametrize("tab", ["Lanes", "Why"])
def test_no_color(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, tab: str) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = OneInstance(recorded("failed"))
    assert snap_compare(app, terminal_size=(132, 40), run_before=opened(tab, "end"))


def test_light_theme(snap_compare: Compare) -> None:
    app = OneInstance(recorded("failed"))

    async def before(pilot: Pilot[None]) -> None:
        pilot.app.theme = "textual-light"
        await settled(pilot, "end")

    assert snap_compare(app, terminal_size=(132, 40), run_before=before)


def test_zoomed_to_the_error(snap_compare: Compare) -> None:
    app = OneInstance(recorded("failed"))
    keys = opened("Lanes", "end", "plus", "plus", "z")
    assert snap_compare(app, terminal_size=(132, 40), run_before=keys)
