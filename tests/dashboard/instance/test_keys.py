"""What the keys and the mouse do, in the app itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import jsonschema
import pytest
from textual.pilot import Pilot

from tests.dashboard import fake
from tests.dashboard.instance.documents import (
    STATES,
    OneInstance,
    recorded,
    screen_text,
    settled,
    wide,
)
from tui.commands.schema import schema_text
from tui.dashboard.instance.view import SHEETS, InstanceView
from tui.dashboard.instance.waterfall_tab import LanesSheet

Test = Callable[[OneInstance, Pilot[None]], Awaitable[None]]


def drive(document: Any, test: Test, size: tuple[int, int] = (132, 40)) -> None:
    async def run() -> None:
        app = OneInstance(document)
        async with app.run_test(size=size) as pilot:
            await settled(pilot)
            await test(app, pilot)

    asyncio.run(run())


def under_cursor(view: InstanceView) -> str:
    row = view._view.row
    assert row is not None
    return row.key


def lanes_of(view: InstanceView) -> LanesSheet:
    assert view._lanes is not None
    return view._lanes


@pytest.mark.parametrize("state", STATES)
def test_the_recorded_documents_are_what_the_schema_says(state: str) -> None:
    jsonschema.Draft202012Validator(json.loads(schema_text("instance"))).validate(recorded(state))


def test_tab_goes_round() -> None:
    async def test(app: OneInstance, pilot: Pilot[None]) -> None:
        for number in [*range(1, len(SHEETS)), 0]:
            await settled(pilot, "tab")
            assert app.view.chosen == number
            assert f"[{SHEETS[number].TITLE}]" in screen_text(app)
        await settled(pilot, "shift+tab")
        assert app.view.chosen == len(SHEETS) - 1

    drive(recorded("stuck"), test)


def test_the_cursor_stays_on_its_step_from_tab_to_tab() -> None:
    async def test(app: OneInstance, pilot: Pilot[None]) -> None:
        await settled(pilot, "down", "down", "down")
        before = under_cursor(app.view)
        for title in ("Tree", "Graph", "Sequence"):
            await settled(pilot, "tab")
            assert f"[{title}]" in screen_text(app)
            if title != "Graph":  # a line of boxes has one cursor
                assert under_cursor(app.view) == before

    drive(recorded("complete"), test)


def test_moving_skips_what_is_no_row_and_stops_at_the_ends() -> None:
    async def test(app: OneInstance, pilot: Pilot[None]) -> None:
        rows = len(app.view.model.rows) if app.view.model else 0
        seen = [under_cursor(app.view)]
        for _ in range(rows + 3):
            await pilot.press("j")
            seen.append(under_cursor(app.view))
        assert len(set(seen)) == rows
        await settled(pilot, "home")
        assert under_cursor(app.view) == seen[0]
        await settled(pilot, "end")
        assert under_cursor(app.view) == seen[-1]
        await settled(pilot, "k")
        assert under_cursor(app.view) == seen[rows - 2]

    drive(recorded("complete"), test)


def test_the_detail_is_of_the_row_under_the_cursor() -> None:
    async def test(app: OneInstance, pilot: Pilot[None]) -> None:
        await settled(pilot, "end")
        text = screen_text(app)
        assert "HandlerError: handler failed" in text
        assert "by message link (E2, confidence 0.99) from publish" in text
        assert "messaging.system=kafka" in text
        await settled(pilot, "d")
        assert "HandlerError: handler failed" not in screen_text(app)
        await settled(pilot, "d")
        assert "HandlerError: handler failed" in screen_text(app)

    drive(recorded("failed"), test)


def test_x_leaves_the_critical_path_and_says_how_many_rows_it_hides() -> None:
    async def test(app: OneInstance, pilot: Pilot[None]) -> None:
        rows = 60
        await settled(pilot, "x")
        assert f"critical path only: {rows // 2} rows hidden" in screen_text(app)
        lanes = lanes_of(app.view)
        shown = [lanes.row(at) for at in range(lanes.count(132))]
        assert all(row.critical for row in shown if row)
        assert sum(row is not None for row in shown) == rows // 2
        await settled(pilot, "x")
        assert lanes.count(132) >= rows

    drive(wide(60), test)


def test_z_unfolds_the_waiting() -> None:
    async def test(app: OneInstance, pilot: Pilot[None]) -> None:
        assert "//" in screen_text(app)
        await settled(pilot, "z")
        text = screen_text(app)
        assert "gaps not folded" in text
        assert "//" not in text
        await settled(pilot, "z")
        assert "//" in screen_text(app)

    drive(recorded("stuck"), test)


def test_zoom_keeps_the_row_in_sight_and_arrows_move_the_axis() -> None:
    async def test(app: OneInstance, pilot: Pilot[None]) -> None:
        lanes = lanes_of(app.view)
        await settled(pilot, "right")
        assert lanes.pan == 0.0
        await settled(pilot, "end", "plus", "plus", "plus")
        assert "zoom 8×" in screen_text(app)
        line = lanes.line(app.view._view.cursor, 132)
        assert any("█" in text and tone == "error" for text, tone in line)
        before = lanes.pan
        await settled(pilot, "left")
        assert lanes.pan < before
        for _ in range(60):
            await pilot.press("left")
        assert lanes.pan == 0.0
        await settled(pilot, "minus", "minus", "minus", "minus")
        assert lanes.zoom == 0
        assert "zoom" not in screen_text(app)

    drive(recorded("failed"), test)


def test_keys_of_the_lanes_go_there_from_another_tab() -> None:
    async def test(app: OneInstance, pilot: Pilot[None]) -> None:
        await settled(pilot, "tab", "x")
        assert app.view.chosen == 0
        assert lanes_of(app.view).critical_only

    drive(recorded("complete"), test)


def test_enter_folds_a_branch_of_the_tree() -> None:
    async def test(app: OneInstance, pilot: Pilot[None]) -> None:
        await settled(pilot, "tab")
        sheet = app.view._view.sheet
        assert sheet is not None
        rows = sheet.count(132)
        await settled(pilot, "down", "enter")
        assert sheet.count(132) == 2
        assert "folded)" in screen_text(app)
        await settled(pilot, "enter")
        assert sheet.count(132) == rows

    drive(recorded("stuck"), test)


def test_a_click_on_a_tab_opens_it_and_on_a_row_moves_there() -> None:
    async def test(app: OneInstance, pilot: Pilot[None]) -> None:
        left, _ = app.view._spots[3]
        await pilot.click("#tabs", offset=(left + 2, 0))
        await settled(pilot)
        assert SHEETS[app.view.chosen].TITLE == "Sequence"
        await pilot.click("#sheet", offset=(4, 2))
        assert app.view._view.cursor == 1

    drive(recorded("stuck"), test)


def test_copy_and_export_are_of_what_is_shown() -> None:
    async def test(app: OneInstance, pilot: Pilot[None]) -> None:
        copied = app.view.copy_text()
        assert "expected ≤" in copied
        assert "STEP" in copied
        await settled(pilot, *["tab"] * 5)
        assert "settled by" in app.view.copy_text()
        assert json.loads(app.view.export_text()) == recorded("stuck")
        titles = [one.title for one in app.view.copies()]
        assert titles[0] == "Why as text"
        assert titles[-1] == "the instance as JSON"

    drive(recorded("stuck"), test)


def test_the_trace_is_of_the_row_under_the_cursor() -> None:
    async def test(app: OneInstance, pilot: Pilot[None]) -> None:
        document = recorded("failed")
        first, last = document["steps"][0], document["steps"][-1]
        assert first["trace_id"] != last["trace_id"]
        assert app.view.trace_id() == first["trace_id"]
        await settled(pilot, "end")
        assert app.view.trace_id() == last["trace_id"]

    drive(recorded("failed"), test)


def test_an_absent_step_opens_the_first_trace() -> None:
    async def test(app: OneInstance, pilot: Pilot[None]) -> None:
        await settled(pilot, "end")
        assert app.view.trace_id() == recorded("stuck")["instance"]["trace_ids"][0]

    drive(recorded("stuck"), test)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (LookupError("no instance 'ord-1'; there are 3"), "no instance 'ord-1'; there are 3"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        ({"instance": {}}, "not a document of an instance"),
    ],
)
def test_what_cannot_be_loaded_says_why_and_r_tries_again(trouble: Any, said: str) -> None:
    async def test(app: OneInstance, pilot: Pilot[None]) -> None:
        assert said in screen_text(app)
        await settled(pilot, "tab", "x", "plus", "end", "enter", "z", "left")
        assert app.view.copy_text() == ""
        assert app.view.trace_id() is None
        app.feed.document = recorded("complete")
        await settled(pilot, "r")
        assert said not in screen_text(app)
        assert app.view.model is not None

    drive(trouble, test)


def test_a_newer_snapshot_loads_it_again_and_nothing_jumps() -> None:
    async def test(app: OneInstance, pilot: Pilot[None]) -> None:
        view = app.view
        view._next_load = 0.0
        view.show(fake.snapshot(generation=1))
        await settled(pilot, "down", "down", "plus", "x")
        before, asked = under_cursor(view), len(app.feed.asked)
        view._next_load = 0.0
        view.show(fake.snapshot(generation=1))
        assert len(app.feed.asked) == asked
        view.show(fake.snapshot(generation=2))
        await settled(pilot)
        assert len(app.feed.asked) == asked + 1
        assert under_cursor(view) == before
        assert (lanes_of(view).zoom, lanes_of(view).critical_only) == (1, True)
        view.show(fake.snapshot(generation=3))  # at most every two seconds
        assert len(app.feed.asked) == asked + 1

    drive(recorded("stuck"), test)


def test_it_looks_at_the_feed_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.dashboard.instance.view.LOOK_S", 0.02)
    monkeypatch.setattr("tui.dashboard.instance.view.OFTEN_S", 0.0)

    async def test(app: OneInstance, pilot: Pilot[None]) -> None:
        app.feed.document = recorded("complete")
        app.feed.snapshot = fake.snapshot(generation=7)
        for _ in range(200):
            await pilot.pause(0.02)
            if app.view.model and app.view.model.instance["state"] == "complete":
                break
        assert "complete" in screen_text(app)

    drive(recorded("stuck"), test)


def test_an_instance_that_is_gone_stays_and_says_so() -> None:
    async def test(app: OneInstance, pilot: Pilot[None]) -> None:
        app.feed.document = LookupError("no instance ord-1")
        await settled(pilot, "r")
        assert "no newer state: no instance ord-1" in screen_text(app)
        assert "POST /orders" in screen_text(app)

    drive(recorded("stuck"), test)


def test_many_steps_are_drawn_simply_and_it_says_so() -> None:
    async def test(app: OneInstance, pilot: Pilot[None]) -> None:
        assert "lanes simplified to depth: more than 4,000 rows" in screen_text(app)
        await settled(pilot, "end")
        assert under_cursor(app.view) == "s4999"
        for title in ("Tree", "Graph", "Sequence", "Events", "Why"):
            await settled(pilot, "tab")
            assert f"[{title}]" in screen_text(app)
            assert app.view._view.sheet is app.view._sheets[app.view.chosen]
            if title == "Graph":
                assert "5,000 steps are too many for boxes" in screen_text(app)

    drive(wide(5_000), test)
