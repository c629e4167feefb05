"""What goes over the line: no more than has changed, and nothing less."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import LayoutUpdate
from textual.app import App
from textual.geometry import Region
from textual.pilot import Pilot
from textual.strip import Strip

from tests.dashboard.emulator import Emulator, wired
from tests.dashboard.fake import FakeFeed, settled, snapshot
from tests.dashboard.instance.documents import wide
from tests.support.hostile import HOSTILE
from tui.dashboard.app import Dashboard
from tui.dashboard.screens.instances import PANE_S
from tui.dashboard.sent import Sent

WIDTH, HEIGHT = 24, 3
CONSOLE = Console(color_system="truecolor", force_terminal=True)
COLORS = (None, "red", "#102030", "#405060", "default", "color(99)")

styles = st.builds(
    Style,
    color=st.sampled_from(COLORS),
    bgcolor=st.sampled_from(COLORS),
    bold=st.booleans(),
    dim=st.booleans(),
    underline=st.booleans(),
    reverse=st.booleans(),
    link=st.sampled_from((None, None, "https://example.org/a")),
)
texts = st.text(st.sampled_from("ab ●─漢e\u0301"), min_size=1, max_size=8)
segments = st.tuples(texts, st.one_of(st.none(), styles)).map(lambda parts: Segment(*parts))
screens = st.lists(
    st.lists(segments, max_size=5).map(lambda parts: _strip(parts)),
    min_size=HEIGHT, max_size=HEIGHT,
)  # fmt: skip


def _strip(parts: Sequence[Segment]) -> Strip:
    return Strip(parts).adjust_cell_length(WIDTH, Style())


def _update(lines: Sequence[Strip]) -> LayoutUpdate:
    return LayoutUpdate([[line] for line in lines], Region(0, 0, WIDTH, HEIGHT))


@given(st.lists(screens, min_size=1, max_size=4))
def test_the_terminal_shows_what_it_would_show_if_all_were_sent(shown: list[list[Strip]]) -> None:
    sent, terminal = Sent(), Emulator(WIDTH, HEIGHT)
    for lines in shown:
        terminal.feed(sent.write(_update(lines), ColorSystem.TRUECOLOR))
        whole = Emulator(WIDTH, HEIGHT)
        whole.feed(_update(lines).render_segments(CONSOLE))
        assert terminal.seen == whole.seen


@given(screens)
def test_what_is_there_is_not_sent_again(lines: list[Strip]) -> None:
    sent = Sent()
    first = sent.write(_update(lines), ColorSystem.TRUECOLOR)
    assert len(first) >= WIDTH * HEIGHT // 2
    assert sent.write(_update(lines), ColorSystem.TRUECOLOR) == ""
    sent.forget()
    assert sent.write(_update(lines), ColorSystem.TRUECOLOR) == first


def test_one_letter_is_a_jump_and_a_letter() -> None:
    sent, style = Sent(), Style(color="red", bold=True)
    before = [_strip([Segment(text, style)]) for text in ("abc", "def", "ghi")]
    after = [before[0], _strip([Segment("dXf", style)]), before[2]]
    sent.write(_update(before), ColorSystem.TRUECOLOR)
    written = sent.write(_update(after), ColorSystem.TRUECOLOR)
    assert written == "\x1b[2;2H\x1b[1;31mX\x1b[0m"


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """On a terminal the app freezes what there is."""
    yield
    gc.unfreeze()


def whole(app: App[Any]) -> Emulator:
    """A terminal that got the present screen at once, by Textual alone."""
    terminal = Emulator(*app.size)
    terminal.feed(app.screen._compositor.render_full_update().render_segments(app.console))
    return terminal


def named() -> Dashboard:
    """Every fourth workflow has a usual name, the others what nobody would call one."""
    names = [*HOSTILE, "漢字漢字", "e\u0301e\u0301", "plain"]
    made = snapshot(300)
    workflows = [names[at % len(names)] for at in range(made.instances.height)]
    frame = made.instances.with_columns(pl.Series("workflow", workflows))
    documents = {name: wide(400) for name in frame["id"]}
    return Dashboard(FakeFeed(replace(made, instances=frame), documents=documents))


async def caught_up(pilot: Pilot[Any], sent: list[str], terminal: Emulator) -> Emulator:
    """Feed it until it shows the screen; the screen that it should show."""
    expected = whole(pilot.app)
    for _ in range(100):
        await settled(pilot)
        terminal.feed("".join(sent))
        sent.clear()
        expected = whole(pilot.app)
        if terminal.seen == expected.seen:
            break
    return expected


WALK = (
    "down", "down", "pagedown", "pagedown", "end", "up", "pageup", "home", "G", "k", "m", "w",
    "right", "left", "w", "s", "S", "g", "down", "g", "F", "F", "slash", "s", "t", "escape",
    "question_mark", "question_mark", "ctrl+p", "escape", "enter", "down", "pagedown", "tab", "tab",
    "escape", "2", "3", "down", "4", "down", "5", "6", "7", "1", "space", "c", "escape",
)  # fmt: skip


@pytest.mark.slow
def test_after_every_key_the_terminal_shows_the_screen() -> None:
    async def drive() -> None:
        app, terminal = named(), Emulator(132, 40)
        with wired(app) as sent:
            async with app.run_test(headless=False, size=(132, 40)) as pilot:
                for key in ("up", *WALK):
                    await pilot.press(key)
                    expected = await caught_up(pilot, sent, terminal)
                    assert terminal.lines == expected.lines, key
                    assert terminal.seen == expected.seen, key

    asyncio.run(drive())


def test_a_terminal_that_was_written_on_is_drawn_again() -> None:
    async def drive() -> None:
        app = named()
        with wired(app) as sent:
            async with app.run_test(headless=False, size=(132, 40)) as pilot:
                await caught_up(pilot, sent, Emulator(132, 40))
                app.action_redraw()
                terminal = Emulator(132, 40)
                expected = await caught_up(pilot, sent, terminal)
                assert terminal.seen == expected.seen
                smaller = Emulator(100, 30)
                await pilot.resize_terminal(100, 30)
                expected = await caught_up(pilot, sent, smaller)
                assert smaller.seen == expected.seen

    asyncio.run(drive())


# Bytes to a terminal of 132x40, that a slow line has to carry: docs/performance.md.
PAGE, ROW, STEP = 6_000, 1_500, 2_000
LIMITS = (
    ("down", ROW), ("down", ROW), ("pagedown", PAGE), ("pagedown", PAGE), ("down", ROW),
    ("pageup", PAGE), ("up", ROW), ("end", PAGE), ("home", PAGE), ("enter", 2 * PAGE),
    ("down", STEP), ("down", STEP), ("pagedown", PAGE), ("pagedown", PAGE), ("down", STEP),
    ("up", STEP), ("pageup", PAGE), ("plus", PAGE), ("right", PAGE), ("tab", PAGE), ("down", STEP),
)  # fmt: skip


def test_a_key_costs_no_more_than_it_changes() -> None:
    async def drive() -> list[tuple[str, int, int]]:
        made = snapshot(300)
        app = Dashboard(FakeFeed(made, documents={n: wide(400) for n in made.instances["id"]}))
        told = []
        with wired(app) as sent:
            async with app.run_test(headless=False, size=(132, 40)) as pilot:
                await settled(pilot)
                for key, limit in LIMITS:
                    sent.clear()
                    await pilot.press(key)
                    await settled(pilot)
                    await pilot.pause(2 * PANE_S)  # the pane comes when the cursor rests
                    told.append((key, len("".join(sent).encode()), limit))
        return told

    told = asyncio.run(drive())
    assert [row for row in told if not 0 < row[1] <= row[2]] == [], told


def test_nothing_is_sent_while_nothing_happens() -> None:
    async def drive() -> str:
        app = Dashboard(FakeFeed(snapshot(300)))
        with wired(app) as sent:
            async with app.run_test(headless=False, size=(132, 40)) as pilot:
                await settled(pilot)
                await pilot.pause(0.2)
                sent.clear()
                await pilot.pause(2.2)  # the header's clock strikes twice
                terminal = Emulator(132, 40)
                terminal.feed("".join(sent))
                return "".join(terminal.lines).strip("?")

    assert asyncio.run(drive()) == ""


def test_the_header_of_an_instance_ticks_alone_and_the_one_behind_it_catches_up() -> None:
    async def drive() -> tuple[int, str, str]:
        made = snapshot(300)
        feed = FakeFeed(made, documents=dict.fromkeys(made.instances["id"], wide(400)))
        app = Dashboard(feed)
        with wired(app) as sent:
            async with app.run_test(headless=False, size=(132, 40)) as pilot:
                terminal = Emulator(132, 40)
                await settled(pilot)
                await pilot.press("enter")
                await caught_up(pilot, sent, terminal)
                feed.push(spans_per_s=77.0)
                await settled(pilot)
                size = len("".join(sent).encode())
                await caught_up(pilot, sent, terminal)
                over = terminal.lines[0]
                await pilot.press("escape")
                await caught_up(pilot, sent, terminal)
                return size, over, terminal.lines[0]

    size, over, behind = asyncio.run(drive())
    assert 0 < size < 300
    assert "77 spans/s" in over
    assert "77 spans/s" in behind
