"""What the pages do: enter and esc, sorting, filters, where one gets from them; by Pilot."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from analyzer.reporters.groups import grouped
from tests.dashboard.fake import NOW, FakeFeed, finding, lines, settled
from tests.dashboard.screens.world import (
    EDGES,
    NAMES,
    app,
    findings,
    page,
    play,
    press,
    services,
    world,
)
from tests.support.hostile import HOSTILE, raw_controls
from tui.dashboard.app import Dashboard
from tui.dashboard.over import InstanceScreen
from tui.dashboard.screens.coupling import Coupling
from tui.dashboard.screens.drill import DrillPage
from tui.dashboard.screens.findings import Findings, naming
from tui.dashboard.screens.hood import Ways
from tui.dashboard.screens.log import Log
from tui.dashboard.screens.registry import PAGES
from tui.dashboard.screens.services import Services
from tui.dashboard.screens.workflows import Workflows, completion, states_of

DRILLS = {"2": Workflows, "3": Services, "4": Coupling, "5": Findings}


def exported(pilot: Pilot[Any]) -> pl.DataFrame:
    frame = page(pilot).export()
    assert frame is not None
    return frame


def text(pilot: Pilot[Any]) -> str:
    return "\n".join(lines(pilot.app))


def home(pilot: Pilot[Any]) -> str:
    assert isinstance(pilot.app, Dashboard)
    return pilot.app.history.here.page


@pytest.mark.parametrize("key", ["2", "3", "5", "6"])
def test_enter_opens_and_esc_goes_back_to_the_same_row(key: str) -> None:
    async def look(pilot: Pilot[Any]) -> None:
        shown = page(pilot)
        assert isinstance(shown, DrillPage)
        await press(pilot, "down")
        row = shown.rows.cursor_key
        await press(pilot, "enter")
        assert shown.opened == row
        assert shown.detail.display
        assert not shown.rows.is_on_screen
        await press(pilot, "escape")
        assert shown.opened is None
        assert shown.rows.cursor_key == row
        assert shown.rows.has_focus

    play(app(), look, key)


def test_forward_goes_into_it_again() -> None:
    async def look(pilot: Pilot[Any]) -> None:
        shown = page(pilot)
        assert isinstance(shown, DrillPage)
        await press(pilot, "enter", "escape", "right_square_bracket")
        assert shown.opened == "order-fulfilment"

    play(app(), look, "2")


def test_a_workflow_leads_to_its_instances() -> None:
    async def look(pilot: Pilot[Any]) -> None:
        assert home(pilot) == "instances"
        assert page(pilot).where == 'wf:"order-fulfilment"'
        assert set(exported(pilot)["workflow"]) == {"order-fulfilment"}
        await press(pilot, "escape")
        assert home(pilot) == "workflows"

    play(app(), look, "2", "enter", "enter")
    play(app(), look, "2", "i")


def test_the_states_of_a_workflow_hold_those_that_have_left() -> None:
    snapshot = world(finished={("refund", "complete"): 94, ("other", "failed"): 3})
    refund = snapshot.workflows[1]
    assert states_of(refund, snapshot.finished) == {"failed": 6, "complete": 94}
    assert completion(states_of(refund, snapshot.finished)) == 0.94

    async def look(pilot: Pilot[Any]) -> None:
        rows = exported(pilot).filter(pl.col("workflow") == "refund")
        assert rows["instances"].to_list() == [100]

    play(app(snapshot), look, "2")


def test_what_is_in_time_says_nothing_of_completion() -> None:
    assert completion({"running": 5, "waiting": 2}) is None
    assert completion({"running": 5, "complete": 1, "stuck": 1}) == 0.5


def test_sorting_by_a_key_and_back() -> None:
    async def look(pilot: Pilot[Any]) -> None:
        own = exported(pilot)["name"].to_list()
        await press(pilot, "s")
        assert exported(pilot)["name"].to_list() == sorted(NAMES)
        await press(pilot, "S")
        assert exported(pilot)["name"].to_list() == sorted(NAMES, reverse=True)
        page(pilot).rows.sort("")  # type: ignore[attr-defined]
        await settled(pilot)
        assert exported(pilot)["name"].to_list() == own

    play(app(), look, "3")


def test_a_filter_keeps_what_holds_the_text() -> None:
    async def look(pilot: Pilot[Any]) -> None:
        await press(pilot, "slash", *"mail", "enter")
        assert set(exported(pilot)["name"]) == {"mail", "mail-provider"}
        assert "2 of 7 services" in text(pilot)
        await press(pilot, "slash", *"x", "enter")
        assert "None of 7 services matches" in text(pilot)

    play(app(), look, "3")


def test_a_silent_callee_is_marked() -> None:
    async def look(pilot: Pilot[Any]) -> None:
        assert "◌ mail-provider" in text(pilot)
        page(pilot).return_to("=mail-provider")
        await press(pilot, "enter")
        assert "sends no span itself" in text(pilot)

    play(app(), look, "3")


def test_walking_through_the_services_and_back() -> None:
    async def look(pilot: Pilot[Any]) -> None:
        shown = page(pilot)
        assert isinstance(shown, Services)
        shown.return_to("=orders")
        await press(pilot, "enter")
        ways = shown.query_one(Ways)
        outgoing = {(way.neighbour, way.kind) for way in ways.hood.outgoing} if ways.hood else set()
        assert outgoing == {(edge[1], edge[2]) for edge in EDGES if edge[0] == "orders"}
        assert ways.way is not None
        first = ways.way.neighbour
        assert first == "payments"  # the busiest
        await press(pilot, "enter")
        assert shown.opened == "payments"
        await press(pilot, "left", "enter")
        assert shown.opened == "orders"
        await press(pilot, "escape")
        assert shown.opened == "payments"
        assert ways.way.neighbour == "orders"  # the cursor is where it was
        await press(pilot, "escape", "escape")
        assert shown.opened is None

    play(app(), look, "3")


def test_only_one_hop_is_drawn() -> None:
    async def look(pilot: Pilot[Any]) -> None:
        page(pilot).return_to("=mail")
        await press(pilot, "enter")
        drawn = text(pilot)
        assert "orders" in drawn
        assert "mail-provider" in drawn
        assert "stock" not in drawn
        assert set(exported(pilot)["source"]) | set(exported(pilot)["target"]) == {
            "orders", "mail", "mail-provider",
        }  # fmt: skip

    play(app(), look, "3")


def test_hotspots_are_ranked_and_enter_shows_the_parts() -> None:
    async def look(pilot: Pilot[Any]) -> None:
        shown = page(pilot)
        assert isinstance(shown, Coupling)
        assert exported(pilot).columns[:2] == ["source", "target"]  # of the matrix
        await press(pilot, "tab")
        assert exported(pilot)["kind"].to_list() == ["hub", "bidirectional"]
        await press(pilot, "enter")
        drawn = text(pilot)
        for said in ("hub", "0.56", "betweenness", "0.31", "it starts work in many services"):
            assert said in drawn
        edges = exported(pilot)
        assert all("orders" in pair for pair in edges.select("source", "target").iter_rows())
        await press(pilot, "escape")
        assert shown.opened is None

    play(app(), look, "4")


def test_the_matrix_tells_the_pair_and_leads_to_the_service() -> None:
    async def look(pilot: Pilot[Any]) -> None:
        shown = page(pilot)
        assert isinstance(shown, Coupling)
        assert shown.heat.pair == ("ship", "stock")  # the most calls
        assert "ship → stock 352 calls · 3 errors" in text(pilot)
        await press(pilot, "v", "v")
        assert "errors" in text(pilot)
        await press(pilot, "enter")
        assert home(pilot) == "services"
        assert page(pilot).opened == "ship"  # type: ignore[attr-defined]
        await press(pilot, "escape")
        assert home(pilot) == "coupling"

    play(app(), look, "4")


def test_where_there_is_little_room_tab_changes_between_matrix_and_list() -> None:
    async def look(pilot: Pilot[Any]) -> None:
        assert "from \\ to" in text(pilot)
        assert "bidirectional" not in text(pilot)
        await press(pilot, "tab")
        assert "from \\ to" not in text(pilot)
        assert "bidirectional" in text(pilot)
        await press(pilot, "tab")
        assert "from \\ to" in text(pilot)

    play(app(), look, "4", size=(80, 24))


def test_findings_are_grouped_as_in_the_reports_and_the_badge_counts_the_groups() -> None:
    groups = grouped(findings())
    badge = next(entry for entry in PAGES if entry.id == "findings").badge(world())
    assert badge == len(groups) == 3

    async def look(pilot: Pilot[Any]) -> None:
        assert exported(pilot)["kind"].to_list() == [group.kind for group in groups]
        await press(pilot, "enter")
        drawn = text(pilot)
        for said in ("Why: consumer-error", "+ no retry was seen", "- payments handles others",
                     "would settle it: the dead-letter queue", "ord-000013"):  # fmt: skip
            assert said in drawn
        await press(pilot, "down", "enter")
        assert isinstance(pilot.app.screen, InstanceScreen)
        assert pilot.app.screen.identifier == "ord-000013"
        await press(pilot, "escape")
        shown = page(pilot)
        assert isinstance(shown, Findings)
        assert shown.opened is not None
        assert shown.detail.rows.cursor_key == "ord-000013"

    play(app(), look, "5")


def test_the_instances_of_a_finding_as_a_filter() -> None:
    async def look(pilot: Pilot[Any]) -> None:
        assert home(pilot) == "instances"
        assert sorted(exported(pilot)["id"]) == ["ord-000001", "ord-000013"]

    play(app(), look, "5", "i")


def test_a_filter_that_names_instances_has_room() -> None:
    where = naming([f"instance number {at}" for at in range(5_000)])
    assert len(where) < 10_000
    assert naming(['a"b\\c', "d"]) == 'id:"a\\"b\\\\c","d"'


def test_alerts_tell_phase_and_outcomes() -> None:
    async def look(pilot: Pilot[Any]) -> None:
        assert exported(pilot)["phase"].to_list() == ["firing", "pending", "silenced"]
        assert "✖chat ✓pager" in text(pilot)
        assert "1 not delivered" in text(pilot)
        await press(pilot, "enter")
        assert exported(pilot)["outcome"].to_list() == ["delivered", "refused", "again"]
        assert "404 no such hook" in text(pilot)

    play(app(), look, "6")


def test_a_silence_names_who_and_why() -> None:
    async def look(pilot: Pilot[Any]) -> None:
        assert "by ann: known, see #12" in text(pilot)

    play(app(), look, "6", "end", "enter")


def test_the_command_that_silences_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []

    def copy(what: str, write: object) -> str:
        taken.append(what)
        return "copied"

    monkeypatch.setattr("tui.dashboard.clipboard.copy", copy)

    async def look(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        assert taken[0].startswith("choreoscope alert silence kind=stuck workflow=order-fulfilment")

    play(app(), look, "6", "x")


def test_the_log_follows_until_the_cursor_leaves_the_end() -> None:
    async def look(pilot: Pilot[Any]) -> None:
        log = page(pilot)
        assert isinstance(log, Log)
        assert log.rows.view is not None
        assert log.rows.cursor == len(log.rows.view) - 1
        shown = pilot.app
        assert isinstance(shown, Dashboard)
        shown.journal.note("error", "source", "the newest", NOW + 1)
        log.arrange_soon()
        await settled(pilot)
        assert log.rows.cursor == len(log.rows.view) - 1
        assert exported(pilot)["message"].to_list()[-1] == "the newest"
        await press(pilot, "up")
        assert not log.following
        shown.journal.note("note", "source", "one more", NOW + 2)
        log.arrange_soon()
        await settled(pilot)
        assert log.rows.cursor == len(log.rows.view) - 3

    play(app(), look, "7")


def test_another_snapshot_changes_what_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.dashboard.app.QUIET_S", 0.0)

    async def look(pilot: Pilot[Any]) -> None:
        shown = pilot.app
        assert isinstance(shown, Dashboard)
        assert isinstance(shown.feed, FakeFeed)
        more = services().with_columns(pl.col("spans") + pl.when(pl.col("spans") > 0).then(7))
        page(pilot).return_to("=orders")
        await press(pilot, "enter")
        assert "1,000 spans" in text(pilot)
        shown.feed.push(world(services=more, generation=2))
        await settled(pilot)
        assert "1,007 spans" in text(pilot)
        bare = more.filter(pl.col("name") != "orders")
        edges = world().service_edges.filter(pl.lit(False))
        shown.feed.push(world(services=bare, service_edges=edges, generation=3))
        await settled(pilot)
        assert "no longer there" in text(pilot)
        await press(pilot, "escape")
        assert "6 of 6 services" in text(pilot)

    play(app(), look, "3")


VIEWS = {
    "workflows": ("2",), "workflow": ("2", "enter"), "services": ("3",),
    "service": ("3", "enter"), "coupling": ("4",), "hotspot": ("4", "tab", "enter"),
    "findings": ("5",), "finding": ("5", "enter"), "alerts": ("6",), "alert": ("6", "enter"),
    "log": ("7",),
}  # fmt: skip


async def visit(pilot: Pilot[Any], keys: tuple[str, ...]) -> None:
    """The view of those keys, from wherever one is."""
    await press(pilot, *keys)
    if isinstance(page(pilot), DrillPage) and len(keys) > 1:
        assert page(pilot).opened is not None  # type: ignore[attr-defined]


def _hostile(number: int) -> Callable[[str], str]:
    values = [value for value in HOSTILE.values() if len(value) < 1000]

    def rename(name: str) -> str:
        return values[(sum(map(ord, name)) + number) % len(values)] + "\x1b[2J" + name

    return rename


@pytest.mark.parametrize("number", [0, 17, 40])
def test_hostile_names_change_nothing_but_the_text(number: int) -> None:
    """No control character on the screen or in what is copied, and the lines stay in place."""

    async def look(pilot: Pilot[Any]) -> None:
        tiles = lines(pilot.app)[:4]
        for keys in VIEWS.values():
            await visit(pilot, keys)
            copied = [copy.read() for copy in page(pilot).copies() if copy.title != "key"]
            for written in (*lines(pilot.app), *copied):
                assert not raw_controls(written), (keys, written)
            assert lines(pilot.app)[:4] == tiles
            if len(keys) > 1:
                await press(pilot, "escape")

    play(app(world(_hostile(number))), look)


def test_huge_names_are_cut() -> None:
    async def look(pilot: Pilot[Any]) -> None:
        for keys in VIEWS.values():
            await visit(pilot, keys)
            assert all(cell_len(line) <= 80 for line in lines(pilot.app))
            if len(keys) > 1:
                await press(pilot, "escape")

    play(app(world(lambda name: name + "x漢" * 10_000)), look, size=(80, 24))


def test_what_is_exported_is_of_the_snapshot_that_is_shown() -> None:
    async def look(pilot: Pilot[Any]) -> None:
        for key in "234567":
            await press(pilot, key)
            assert page(pilot).snapshot is pilot.app.shown  # type: ignore[attr-defined]

    play(app(), look)


def test_a_lone_surrogate_is_text() -> None:
    bad = (replace(finding(message="file\udcff.json")),)

    async def look(pilot: Pilot[Any]) -> None:
        assert "udcff" in text(pilot)

    play(app(world(findings=bad)), look, "5")


def test_a_place_is_kept_as_json() -> None:
    from tui.dashboard.screens.drill import drilled

    assert json.loads(drilled("a\x1d]b", "c")[1:]) == ["a\x1d]b", "c"]


def test_keys_of_the_drawings_can_be_others_and_clashes_are_told() -> None:
    from tui.dashboard.keys import KeymapError, check

    chosen = {"heat.measure": "V", "ways.walk": "right_parenthesis", "alert-silence": "Z"}
    assert check(chosen, Dashboard) == chosen
    with pytest.raises(KeymapError, match="coupling-other"):
        check({"heat.measure": "tab"}, Dashboard)
