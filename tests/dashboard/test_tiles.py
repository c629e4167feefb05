"""The tiles where room is wanting: the drawing goes before a number does."""

from __future__ import annotations

import asyncio

from textual.app import App, ComposeResult

from tui.dashboard.tiles import Tally, Tiles


class Shown(App[None]):
    def compose(self) -> ComposeResult:
        tiles = Tiles()
        tiles.add_class("-flat")
        yield tiles


def shown(width: int) -> str:
    async def run() -> str:
        app = Shown()
        async with app.run_test(size=(width, 5)) as pilot:
            tiles = app.query_one(Tiles)
            tiles.tell(Tally(0, {"complete": 75}, 75, 0, (1, 2, 3, 4, 5, 6, 7, 8)))
            await pilot.pause()
            return tiles.render().plain

    return asyncio.run(run())


def test_the_number_of_those_done_outlasts_its_drawing() -> None:
    assert shown(132).endswith("75 done ▁▂▃▄▅▆▇█")
    assert shown(80).endswith("75 done")
    assert "done" not in shown(70)
