"""What the dashboard does: keys, filter, history, pause, copy, export. Through Textual's Pilot."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from textual.app import App
from textual.pilot import Pilot

from tests.dashboard.fake import NOW, FakeFeed, finding, ids, lines, settled, snapshot
from tests.dashboard.instance.documents import recorded
from tui.dashboard import app as module
from tui.dashboard.app import Dashboard
from tui.dashboard.columns import ColumnMenu
from tui.dashboard.feed import Phase, Snapshot, Status
from tui.dashboard.over import InstanceScreen
from tui.dashboard.screens.instances import FAULTY, ORDER, Instances
from tui.dashboard.tiles import Tiles

Play = Callable[[Pilot[Any]], Awaitable[None]]


def run(app: Dashboard, play: Play, size: tuple[int, int] = (132, 40)) -> None:
    async def session() -> None:
        async with app.run_test(size=size) as pilot:
            await settled(pilot)
            await play(pilot)

    asyncio.run(session())


def home(pilot: Pilot[Any]) -> Instances:
    return pilot.app.screen_stack[0].query_one(Instances)


def shown(pilot: Pilot[Any]) -> pl.DataFrame:
    frame = home(pilot).export()
    assert frame is not None
    return frame


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots are shown at once, though keys were pressed."""
    monkeypatch.setattr(module, "QUIET_S", 0.0)


def test_the_first_paint_imports_no_heavy_library() -> None:
    """By name, not by time: polars and its like are loaded when there is something to show."""
    code = """if True:
        import asyncio, sys
        from tui.dashboard.app import Dashboard
        from tui.dashboard.feed import Phase, Status
        class Nothing:
            status = Status("x", Phase.LOADING)
            snapshot = None
            def start(self, told): told()
            def stop(self): pass
        async def main():
            async with Dashboard(Nothing()).run_test(size=(100, 30)) as pilot:
                await pilot.pause()
        asyncio.run(main())
        heavy = "polars numpy pyarrow networkx scipy numba duckdb grpc google collectors".split()
        print([name for name in heavy if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_who_needs_somebody_comes_first() -> None:
    async def play(pilot: Pilot[Any]) -> None:
        ranks = [ORDER.index(state) for state in shown(pilot)["state"].to_list()]
        assert ranks == sorted(ranks)
        assert any("249 of 249 instances" in line for line in lines(pilot.app))

    run(Dashboard(FakeFeed(snapshot())), play)


def test_tiles_count_every_instance_once() -> None:
    """The numbers of the tiles add up to the table's."""
    from tui.dashboard.tiles import KINDS, tally

    made = snapshot(333, finished={("order", "complete"): 7})
    counted = tally(made)
    states = [state for kind in KINDS for state in kind.states]
    assert len(states) == len(set(states)) == 11
    assert sum(counted.by_state[state] for state in states if state in counted.by_state) == 333


def test_a_filter_from_the_command_line_and_by_key() -> None:
    async def play(pilot: Pilot[Any]) -> None:
        assert set(shown(pilot)["state"]) == {"stuck"}
        await pilot.press("slash", *" id", "colon", *"ord-00000*", "enter")
        await settled(pilot)
        assert shown(pilot)["id"].to_list() == ["ord-000001"]
        assert any("1 of 249 instances" in line for line in lines(pilot.app))
        assert home(pilot).rows.has_focus

    run(Dashboard(FakeFeed(snapshot()), where="state:stuck"), play)


def test_a_wrong_filter_keeps_the_last_good_result() -> None:
    async def play(pilot: Pilot[Any]) -> None:
        home(pilot).search("state:stuck sevrice:x")
        await settled(pilot)
        assert home(pilot).where == "state:stuck"
        assert set(shown(pilot)["state"]) == {"stuck"}
        assert home(pilot).bar._underline.span == (12, 19)
        assert any("did you mean 'service'" in line for line in lines(pilot.app))
        home(pilot).search("state:late")
        await settled(pilot)
        assert home(pilot).bar._underline.span is None
        assert set(shown(pilot)["state"]) == {"late"}

    run(Dashboard(FakeFeed(snapshot()), where="state:stuck"), play)


def test_half_a_field_name_does_not_empty_the_table() -> None:
    async def play(pilot: Pilot[Any]) -> None:
        await pilot.press("slash", *"workfl")
        await settled(pilot)
        assert shown(pilot).height > 0
        await pilot.press("enter")
        await settled(pilot)
        assert shown(pilot).height == 0, "enter means it as text"

    run(Dashboard(FakeFeed(snapshot())), play)


@pytest.mark.parametrize("typed", ["age:>5x", "stae:stuck", "stuck age:", "overdu:"])
def test_a_word_that_becomes_a_wrong_field_does_not_empty_the_table(typed: str) -> None:
    """`age` was text until the colon came; what is shown stays what was asked for before it."""

    async def play(pilot: Pilot[Any]) -> None:
        before = shown(pilot).height
        named = {":": "colon", ">": "greater_than_sign", " ": "space"}
        await pilot.press("slash")
        for char in typed:
            await pilot.press(named.get(char, char))
            await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        after = shown(pilot)
        assert after.height == before or set(after["state"]) == {"stuck"}
        assert home(pilot).bar._underline.span is not None
        feed.push(snapshot(generation=2))
        await settled(pilot)
        assert shown(pilot).height == after.height

    feed = FakeFeed(snapshot())
    run(Dashboard(feed), play)


def test_faults_only_does_not_hide_what_a_tile_promises() -> None:
    async def play(pilot: Pilot[Any]) -> None:
        await pilot.press("F")
        await settled(pilot)
        pilot.app.post_message(Tiles.Asked("state:complete"))
        await settled(pilot)
        assert set(shown(pilot)["state"]) == {"complete"}
        await pilot.press("F")
        await settled(pilot)
        assert shown(pilot).height == 0
        assert any("F shows what is not at fault" in line for line in lines(pilot.app))

    run(Dashboard(FakeFeed(snapshot())), play)


@pytest.mark.parametrize("width", [60, 70, 80, 132])
def test_every_tab_is_there_at_any_width(width: int) -> None:
    async def play(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        [tabs] = [line for line in lines(pilot.app) if " 1 Instances" in line]
        assert all(f" {number} " in tabs + " " for number in range(1, 8))

    run(Dashboard(FakeFeed(snapshot())), play, size=(width, 30))


def test_tab_completes() -> None:
    async def play(pilot: Pilot[Any]) -> None:
        await pilot.press("slash", *"stat", "tab", *"or", "tab", "enter")
        await settled(pilot)
        assert home(pilot).where == "state:orphaned"
        assert shown(pilot)["id"].sort().to_list() == ids(["orphaned"], 249)

    run(Dashboard(FakeFeed(snapshot())), play)


def test_invert_and_matches() -> None:
    async def play(pilot: Pilot[Any]) -> None:
        await pilot.press("exclamation_mark")
        await settled(pilot)
        assert set(shown(pilot)["state"]) == set(ORDER) & set(snapshot().instances["state"]) - {
            "late"
        }
        await pilot.press("exclamation_mark", "escape")
        await settled(pilot)
        assert home(pilot).where == ""
        for expected in ("ord-000244", "ord-000232"):
            await pilot.press("n")
            await settled(pilot)
            assert home(pilot).rows.cursor_key == expected
        await pilot.press("N", "N")
        await settled(pilot)
        assert home(pilot).rows.cursor_key in ids(["late"], 249)

    run(Dashboard(FakeFeed(snapshot()), where="state:late"), play)


def test_faults_range_and_groups() -> None:
    async def play(pilot: Pilot[Any]) -> None:
        await pilot.press("F")
        await settled(pilot)
        assert set(shown(pilot)["state"]) == set(FAULTY)
        await pilot.press("F", "t", "2")
        await settled(pilot)
        kept = shown(pilot)
        ended = kept.filter(~pl.col("state").is_in(["stuck", "late", "waiting", "running"]))
        assert (ended["end_ns"] >= NOW - 300 * 10**9).all()
        assert kept.height < 249 or ended.height
        await pilot.press("g", "g", "g")
        await settled(pilot)
        groups = home(pilot).rows.view.groups  # type: ignore[union-attr]
        assert {group.label for group in groups} == set(kept["workflow"])
        assert sum(group.rows for group in groups) == kept.height

    run(Dashboard(FakeFeed(snapshot())), play)


def test_why_is_beside_the_table_and_gives_way() -> None:
    async def wide(pilot: Pilot[Any]) -> None:
        text = "\n".join(lines(pilot.app))
        assert "Why: consumer-error" in text
        assert "- payments handles others" in text
        assert "would settle it: the dead-letter" in text

    async def narrow(pilot: Pilot[Any]) -> None:
        assert "Why:" not in "\n".join(lines(pilot.app))

    run(Dashboard(FakeFeed(snapshot()), where="id:ord-000001"), wide)
    run(Dashboard(FakeFeed(snapshot()), where="id:ord-000001"), narrow, (110, 40))


def test_steps_are_k_of_n_and_n_is_unknown_where_it_is() -> None:
    async def play(pilot: Pilot[Any]) -> None:
        text = "\n".join(lines(pilot.app))
        assert " 4/12" in text
        assert " 2/?" in text

    run(Dashboard(FakeFeed(snapshot(12))), play)


def test_more_steps_than_usual_are_not_k_of_n() -> None:
    """An instance that took another course has no n: not in the table, the pane or a copy."""
    many = pl.when(pl.col("state") == "stuck").then(15).otherwise("steps").cast(pl.UInt32)
    frame = snapshot(12).instances.with_columns(many.alias("steps"))

    async def play(pilot: Pilot[Any]) -> None:
        text = "\n".join(lines(pilot.app))
        assert " 15/?" in text
        assert "15/12" not in text
        assert "· 15 steps" in text
        why = next(copy for copy in home(pilot).copies() if copy.title == "why")
        assert "· 15 steps\n" in why.read()

    run(Dashboard(FakeFeed(snapshot(12, instances=frame))), play)


def grown(feed: FakeFeed, count: int = 300) -> Snapshot:
    assert feed.snapshot is not None
    return snapshot(count, generation=feed.snapshot.generation + 1)


@pytest.mark.usefixtures("hasty")
def test_pause_holds_the_list_and_nothing_else() -> None:
    feed = FakeFeed(snapshot(249))

    async def play(pilot: Pilot[Any]) -> None:
        await pilot.press("space")
        feed.push(grown(feed), spans_per_s=77.0)
        await settled(pilot)
        text = "\n".join(lines(pilot.app))
        assert "PAUSED +51 changes waiting" in text
        assert "77 spans/s" in text, "the header is live"
        assert "249 of 249" in text
        assert " 21 stuck" in text, "the tiles are of the same moment as the table"
        await pilot.press("space")
        await settled(pilot)
        text = "\n".join(lines(pilot.app))
        assert "PAUSED" not in text
        assert "300 of 300" in text
        assert " 25 stuck" in text

    run(Dashboard(feed), play)


def test_nothing_moves_for_two_seconds_after_a_key() -> None:
    feed = FakeFeed(snapshot(249))

    async def play(pilot: Pilot[Any]) -> None:
        await pilot.press("down")
        feed.push(grown(feed))
        await settled(pilot)
        assert shown(pilot).height == 249
        await asyncio.sleep(module.QUIET_S + 0.2)
        await settled(pilot)
        assert shown(pilot).height == 300
        assert home(pilot).rows.cursor_key == "ord-000229", "the key stays"

    run(Dashboard(feed), play)


@pytest.mark.usefixtures("hasty")
def test_follow_stays_at_the_top() -> None:
    feed = FakeFeed(snapshot(249))

    async def play(pilot: Pilot[Any]) -> None:
        await pilot.press("down", "down", "f")
        await settled(pilot)
        assert home(pilot).rows.cursor == 0
        feed.push(grown(feed))
        await settled(pilot)
        assert home(pilot).rows.cursor == 0
        assert home(pilot).rows.cursor_key == shown(pilot)["id"][0]

    run(Dashboard(feed), play)


def test_history_goes_back_and_forward_with_filter_and_cursor() -> None:
    async def play(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, Dashboard)
        await pilot.press("down", "down", "enter")
        await settled(pilot)
        key = app.history.here.instance
        assert isinstance(app.screen, InstanceScreen)
        await pilot.press("escape")
        await settled(pilot)
        assert not isinstance(app.screen, InstanceScreen)
        assert home(pilot).rows.cursor_key == key
        await pilot.press("right_square_bracket")
        await settled(pilot)
        assert isinstance(app.screen, InstanceScreen)
        assert app.screen.identifier == key
        await pilot.press("left_square_bracket")
        await pilot.click("#tiles", offset=(3, 1))
        await settled(pilot)
        assert home(pilot).where == "state:stuck"
        await pilot.press("left_square_bracket")
        await settled(pilot)
        assert home(pilot).where == ""

    run(Dashboard(FakeFeed(snapshot())), play)


def test_copy_says_which_way(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []

    def copy(text: str, write: Callable[[str], None]) -> str:
        copied.append(text)
        return "copied by a test"

    monkeypatch.setattr("tui.dashboard.clipboard.copy", copy)

    async def play(pilot: Pilot[Any]) -> None:
        await pilot.press("y", "1")
        await settled(pilot)
        await pilot.press("y", "2")
        await settled(pilot)
        await pilot.press("y", "4")
        await settled(pilot)
        assert len(copied) == 3
        assert "copied by a test" in [note.message for note in pilot.app._notifications]

    run(Dashboard(FakeFeed(snapshot()), where="id:ord-000001"), play)
    assert copied[0] == "ord-000001"
    assert "Why: consumer-error" in copied[1]
    assert copied[2].splitlines()[0].split()[:2] == ["STATE", "WORKFLOW"]
    assert "ord-000001" in copied[2].splitlines()[1]


def test_an_instance_gives_away_what_its_view_has(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []

    def copy(text: str, write: Callable[[str], None]) -> str:
        copied.append(text)
        return "copied by a test"

    monkeypatch.setattr("tui.dashboard.clipboard.copy", copy)
    document = recorded("stuck")

    async def play(pilot: Pilot[Any]) -> None:
        await pilot.press("enter")
        await settled(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, InstanceScreen)
        titles = [one.title for one in screen.copies()]
        assert {"Lanes as text", "trace id", "span id"} < set(titles)
        await pilot.press("y", str(len(titles)))
        await settled(pilot)
        assert screen.trace_id() in document["instance"]["trace_ids"]

    feed = FakeFeed(snapshot(), documents={"ord-000001": document})
    run(Dashboard(feed, where="id:ord-000001"), play)
    assert [json.loads(text) for text in copied] == [document]


@pytest.mark.parametrize("ending", [".csv", ".json", ".parquet"])
def test_export_is_what_is_shown(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out{ending}"

    async def play(pilot: Pilot[Any]) -> None:
        await pilot.press("e")
        pilot.app.screen.query_one("Input").value = str(path)  # type: ignore[attr-defined]
        await pilot.press("enter")
        await settled(pilot)
        expected = shown(pilot)["id"].to_list()
        read = {".csv": pl.read_csv, ".json": pl.read_ndjson, ".parquet": pl.read_parquet}[ending]
        assert read(path)["instance"].to_list() == expected  # type: ignore[operator]
        assert set(expected) == set(ids(["stuck"], 249))

    run(Dashboard(FakeFeed(snapshot()), where="state:stuck"), play)


def test_export_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "there.csv"
    path.write_text("mine")

    async def play(pilot: Pilot[Any]) -> None:
        await pilot.press("e")
        pilot.app.screen.query_one("Input").value = str(path)  # type: ignore[attr-defined]
        await pilot.press("enter")
        await settled(pilot)
        assert any("is there already" in note.message for note in pilot.app._notifications)

    run(Dashboard(FakeFeed(snapshot())), play)
    assert path.read_text() == "mine"


def test_a_trace_opens_by_the_template(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.setattr(App, "open_url", lambda self, url, **_: opened.append(url))
    template = "https://jaeger.example/trace/{trace_id}?x=1"
    app = Dashboard(FakeFeed(snapshot()), where="id:ord-000001", open_url=template)

    async def play(pilot: Pilot[Any]) -> None:
        await pilot.press("O")

    run(app, play)
    assert opened == [f"https://jaeger.example/trace/{1:032x}?x=1"]


def test_the_last_snapshot_stays_when_the_connection_goes() -> None:
    feed = FakeFeed(snapshot(30))

    async def play(pilot: Pilot[Any]) -> None:
        feed.push(phase=Phase.DISCONNECTED, message="refused")
        await settled(pilot)
        text = "\n".join(lines(pilot.app))
        assert "disconnected: refused" in text
        assert "30 of 30" in text

    run(Dashboard(feed), play)


def test_from_nothing_to_something() -> None:
    feed = FakeFeed(None, Status("otlp :4317", Phase.LIVE, endpoints=("OTEL_X=1",)))

    async def play(pilot: Pilot[Any]) -> None:
        assert "OTEL_X=1" in "\n".join(lines(pilot.app))
        feed.push(replace(snapshot(0)))
        await settled(pilot)
        assert "OTEL_X=1" in "\n".join(lines(pilot.app))
        feed.push(snapshot(5, generation=2))
        await settled(pilot)
        text = "\n".join(lines(pilot.app))
        assert "OTEL_X" not in text
        assert "5 of 5" in text
        await pilot.press("down")
        assert home(pilot).rows.cursor == 1, "the table has the focus"

    run(Dashboard(feed), play)


def test_the_keys_of_the_focus_are_shown_and_hidden() -> None:
    async def play(pilot: Pilot[Any]) -> None:
        await pilot.press("question_mark")
        await settled(pilot)
        text = "\n".join(lines(pilot.app))
        assert "/ Filter" in text
        assert "m Mark" in text
        await pilot.press("question_mark")
        await settled(pilot)
        assert "m Mark" not in "\n".join(lines(pilot.app))

    run(Dashboard(FakeFeed(snapshot())), play)


def test_too_small_and_back() -> None:
    async def play(pilot: Pilot[Any]) -> None:
        assert "needs 60x16, has 40x10" in "\n".join(lines(pilot.app))
        await pilot.resize_terminal(100, 30)
        await settled(pilot)
        assert "249 of 249" in "\n".join(lines(pilot.app))

    run(Dashboard(FakeFeed(snapshot())), play, (40, 10))


def test_q_ends_it_and_the_feed() -> None:
    feed = FakeFeed(snapshot())

    async def play(pilot: Pilot[Any]) -> None:
        await pilot.press("q")

    run(Dashboard(feed), play)
    assert feed.stopped


def test_a_finding_of_a_group_is_shown_with_each_member() -> None:
    group = finding(None, members=("ord-000001", "ord-000013"), instances=2)  # type: ignore[arg-type]

    async def play(pilot: Pilot[Any]) -> None:
        assert "with 1 others" in "\n".join(lines(pilot.app))

    run(Dashboard(FakeFeed(snapshot(findings=(group,))), where="id:ord-000013"), play)


def head(pilot: Pilot[Any]) -> list[str]:
    """The titles of the table's columns, as they are on the screen."""
    line = next(line for line in lines(pilot.app) if "INSTANCE" in line and "AGE" in line)
    return [word for word in line.replace("WAITING FOR", "WAITING").split() if word.isalpha()]


def test_columns_are_chosen_and_ordered_and_stay_so() -> None:
    feed = FakeFeed(snapshot(249))

    async def play(pilot: Pilot[Any]) -> None:
        before = head(pilot)
        await pilot.press("c", "space", "down", "down", "K", "escape")
        await settled(pilot)
        expected = ["INSTANCE", *(title for title in before if title not in ("STATE", "INSTANCE"))]
        assert head(pilot) == expected, "STATE is hidden, INSTANCE is one place earlier"
        feed.push(grown(feed))
        await pilot.press("2", "1")
        await settled(pilot)
        assert head(pilot) == expected, "kept, whatever comes"
        copied = home(pilot).rows.plain().splitlines()[0].split()
        assert copied[0] == "INSTANCE"
        await pilot.press("w")
        await settled(pilot)
        assert not any("STATE " in line for line in lines(pilot.app)), "wide shows what was chosen"
        await pilot.press("w", "c", "r", "escape")
        await settled(pilot)
        assert head(pilot) == before

    run(Dashboard(feed), play, (160, 40))


def test_the_last_column_stays_and_a_hidden_one_still_sorts() -> None:
    async def play(pilot: Pilot[Any]) -> None:
        rows = home(pilot).rows
        rows.sort("age")
        await settled(pilot)
        order = shown(pilot)["id"].to_list()
        await pilot.press("c", *["space", "down"] * len(rows.declared))
        assert [column.id for column in rows.columns] == [rows.declared[-1].id]
        await pilot.press("escape")
        await settled(pilot)
        assert "sort age" in "\n".join(lines(pilot.app))
        assert shown(pilot)["id"].to_list() == order

    run(Dashboard(FakeFeed(snapshot())), play)


def test_every_table_has_its_own_columns() -> None:
    async def play(pilot: Pilot[Any]) -> None:
        for key in "23567":
            await pilot.press(key)
            await settled(pilot)
            await pilot.press("c")
            await pilot.pause()
            assert isinstance(pilot.app.screen, ColumnMenu), key
            await pilot.press("space", "escape")
            await settled(pilot)
            rows = pilot.app.page.rows  # type: ignore[attr-defined]
            assert rows.columns[0].id == rows.declared[1].id
        assert home(pilot).rows.columns == home(pilot).rows.declared

    run(Dashboard(FakeFeed(snapshot())), play)
