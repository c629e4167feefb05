"""The virtual table: what is shown, where the cursor stays, what the keys and the mouse do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from analyzer.escape import visible
from tests.dashboard.fake import lines
from tests.support.hostile import HOSTILE
from tui.dashboard.rows import Column, Rows, View, arrange, counts, texts, widths

COLUMNS = (
    Column("name", "NAME", texts("name"), 12, 6, grow=1, wide=60, sort="name"),
    Column("kind", "KIND", texts("kind"), 8, 4, rank=1),
    Column("size", "SIZE", counts("size"), 6, 4, align="right", sort="size", descending=True),
)


def frame(*names: str) -> pl.DataFrame:
    """One row a name; its size is its place."""
    number = range(len(names))
    kinds = [("a", "b", "c")[at % 3] for at in number]
    return pl.DataFrame({"name": list(names), "kind": kinds, "size": list(number)})


def numbered(count: int) -> pl.DataFrame:
    return frame(*(f"n{at:06}" for at in range(count)))


class Shell(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []

    def compose(self) -> ComposeResult:
        yield Rows(COLUMNS)

    def on_rows_moved(self, event: Rows.Moved) -> None:
        self.told.append(("moved", event.key))

    def on_rows_opened(self, event: Rows.Opened) -> None:
        self.told.append(("opened", event.key))

    def on_rows_sorting(self, event: Rows.Sorting) -> None:
        self.told.append(("sort", event.rows.sorted_by, event.rows.descending))


def run(
    play: Callable[[Rows, Pilot[Any]], Awaitable[None]], size: tuple[int, int] = (40, 12)
) -> list[Any]:
    """Play it on a screen; what the table told."""

    async def session() -> list[Any]:
        app = Shell()
        async with app.run_test(size=size) as pilot:
            rows = app.query_one(Rows)
            rows.focus()
            await pilot.pause()
            await play(rows, pilot)
            await pilot.pause()
        return app.told

    return asyncio.run(session())


def test_only_what_is_visible_becomes_text() -> None:
    made: list[int] = []

    def cells(part: pl.DataFrame, now_ns: int) -> list[str]:
        made.append(part.height)
        return part["name"].to_list()

    async def play(rows: Rows, pilot: Pilot[Any]) -> None:
        rows.columns = (Column("name", "NAME", cells, 12),)
        rows.show(View(numbered(1_000_000), "name"))
        await pilot.pause()
        await pilot.press("end")
        assert rows.cursor_key == "n999999"
        assert lines(pilot.app)[-1].startswith("▌ n999999")

    run(play)
    assert sum(made) < 500


def test_the_cursor_stays_on_its_key_and_its_line() -> None:
    """New rows above move the view, not what is under the eyes."""

    async def play(rows: Rows, pilot: Pilot[Any]) -> None:
        rows.show(View(numbered(100), "name"))
        await pilot.press("down", "down", "down")
        before = [line for line in lines(pilot.app) if line.startswith("▌")]
        at = lines(pilot.app).index(before[0])
        more = pl.concat([frame(*(f"a{n:03}" for n in range(50))), numbered(100)])
        rows.show(View(more, "name"))
        await pilot.pause()
        assert rows.cursor_key == "n000003"
        assert lines(pilot.app)[at].startswith("▌ n000003")

    run(play)


def test_until_it_is_touched_the_table_stays_at_the_top() -> None:
    async def play(rows: Rows, pilot: Pilot[Any]) -> None:
        rows.show(View(frame("b", "c"), "name"))
        rows.show(View(frame("a", "b", "c"), "name"))
        assert rows.cursor_key == "a"

    run(play)


def test_where_the_key_is_gone_the_cursor_keeps_its_place() -> None:
    async def play(rows: Rows, pilot: Pilot[Any]) -> None:
        rows.show(View(frame("a", "b", "c"), "name"))
        await pilot.press("down")
        rows.show(View(frame("a", "c"), "name"))
        assert rows.cursor_key == "c"
        rows.show(View(frame(), "name"))
        assert rows.cursor_key is None
        await pilot.press("down", "enter", "m", "end", "pagedown", "right_curly_bracket")

    assert ("opened", None) not in run(play)


def test_keys() -> None:
    async def play(rows: Rows, pilot: Pilot[Any]) -> None:
        rows.show(View(numbered(100), "name"))
        for keys, there in (
            (["j", "j", "k"], "n000001"), (["pagedown"], "n000011"), (["pageup"], "n000001"),
            (["end"], "n000099"), (["home"], "n000000"), (["up"], "n000000"),
        ):  # fmt: skip
            await pilot.press(*keys)
            assert rows.cursor_key == there, keys
        await pilot.press("enter", "s", "s", "S", "s")

    told = run(play)
    assert ("opened", "n000000") in told
    sorts = [one[1:] for one in told if one[0] == "sort"]
    assert sorts == [("name", False), ("size", True), ("size", False), ("", False)]


def test_marks_stay_with_their_keys() -> None:
    async def play(rows: Rows, pilot: Pilot[Any]) -> None:
        rows.show(View(frame("a", "b", "c"), "name"))
        await pilot.press("m", "m", "up", "m")
        assert rows.selected == ["a"]
        rows.show(View(frame("c", "b", "a"), "name"))
        await pilot.pause()
        assert [line[1] for line in lines(pilot.app)[1:4]] == [" ", " ", "✓"]

    run(play)


def test_the_mouse() -> None:
    """A click moves the cursor, two open, one on a title sorts, a second one turns it round."""

    async def play(rows: Rows, pilot: Pilot[Any]) -> None:
        rows.show(View(numbered(30), "name"))
        await pilot.click(Rows, offset=(5, 3))
        assert rows.cursor_key == "n000002"
        await pilot.click(Rows, offset=(5, 3), times=2)
        await pilot.click(Rows, offset=(4, 0))
        await pilot.click(Rows, offset=(4, 0))
        await pilot._post_mouse_events([_down()], Rows, offset=(5, 5))
        await pilot.pause()
        assert rows.scroll_offset.y > 0
        assert rows.cursor_key == "n000002", "the wheel does not move the cursor"

    told = run(play)
    assert ("opened", "n000002") in told
    assert [one for one in told if one[0] == "sort"] == [
        ("sort", "name", False),
        ("sort", "name", True),
    ]


def _down() -> Any:
    from textual import events

    return events.MouseScrollDown


def test_groups_have_headings_that_the_cursor_passes() -> None:
    async def play(rows: Rows, pilot: Pilot[Any]) -> None:
        view = arrange(numbered(9), "name", groups=(pl.col("kind"), pl.col("kind").first()))
        rows.show(view)
        await pilot.pause()
        shown = lines(pilot.app)
        assert shown[1].startswith("  ── a · 3")
        assert shown[5].startswith("  ── b · 3")
        await pilot.press("down", "down", "down")
        assert rows.cursor_key == "n000001", "the first of b"
        await pilot.press("right_curly_bracket")
        assert rows.cursor_key == "n000002"
        await pilot.press("left_curly_bracket")
        assert rows.cursor_key == "n000001"

    run(play, (40, 20))


def test_wide_shows_everything_and_scrolls() -> None:
    async def play(rows: Rows, pilot: Pilot[Any]) -> None:
        rows.show(View(frame("x" * 58 + "end"), "name"))
        await pilot.press("w")
        await pilot.pause()
        assert rows.virtual_size.width > 70
        for _ in range(4):
            await pilot.press("right")
        assert rows.scroll_offset.x > 0

    run(play)


def test_hostile_text_changes_nothing_but_the_text() -> None:
    """No cell grows, no sequence comes through, whatever a name holds."""
    names = sorted(set(HOSTILE.values()))

    async def play(rows: Rows, pilot: Pilot[Any]) -> None:
        rows.show(View(frame(*names), "name"))
        await pilot.pause()
        strips = pilot.app.screen._compositor.render_strips()
        assert {strip.cell_length for strip in strips} == {60}
        for strip in strips:
            assert all(visible(segment.text) == segment.text for segment in strip)
        assert all(visible(line) == line for line in rows.plain().split("\n"))

    run(play, (60, len(names) + 2))


@given(
    st.lists(st.integers(0, 5), max_size=40),
    st.booleans(),
    st.integers(0, 5),
    st.booleans(),
)
def test_lines_and_rows_are_each_others_inverse(
    sizes: list[int], descending: bool, least: int, grouped: bool
) -> None:
    """Of every arrangement: each kept row has one line and one key, in order, and is found."""
    table = pl.DataFrame({"name": [f"n{n}" for n in range(len(sizes))], "size": sizes},
                         schema={"name": pl.String, "size": pl.Int64})  # fmt: skip
    view = arrange(
        table,
        "name",
        where=pl.col("size") >= least,
        by=[(pl.col("size"), descending)],
        groups=(pl.col("size").cast(pl.String), pl.col("size").first()) if grouped else None,
    )
    expected = table.filter(pl.col("size") >= least).sort(
        "size", descending=descending, maintain_order=True
    )
    assert view.shown.equals(expected)
    assert [view.row(view.line(row)) for row in range(len(view))] == list(range(len(view)))
    assert [view.find(view.key_at(row)) for row in range(len(view))] == list(range(len(view)))
    heads = [line for line in range(view.lines) if view.heading(line) is not None]
    assert sorted([*heads, *(view.line(row) for row in range(len(view)))]) == list(
        range(view.lines)
    )


@given(st.integers(1, 200))
def test_columns_fill_the_room_and_no_more(room: int) -> None:
    fitted = widths(COLUMNS, room)
    assert fitted[0][0].id == "name", "what has no rank stays"
    used = sum(width + 1 for _, width in fitted) - 1
    assert used == room or (room < 12 and len(fitted) == 2)
