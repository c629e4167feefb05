"""`watch --connect` shows, page by page, what `watch` shows; also across versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from textual.pilot import Pilot

from analyzer.alerts.outbox import Outbox
from analyzer.alerts.silences import Silence
from analyzer.conformance.declared import Declared
from analyzer.conformance.file import parse
from analyzer.monitor.monitor import Look, Settings
from analyzer.monitor.transfer import CORE, CORE_COLUMNS, FORMAT, SHAPES, Message, decoded, encoded
from tests.dashboard.fake import FakeFeed, lines, settled
from tests.dashboard.feeds.test_connect import Server
from tests.dashboard.feeds.watching import running
from tests.dashboard.screens.world import play, press
from tui.dashboard.app import Dashboard
from tui.dashboard.feed import Snapshot
from tui.dashboard.feeds.connect import ConnectFeed, snapshot_of
from tui.dashboard.feeds.made import document, of_look
from tui.dashboard.journal import Journal
from tui.dashboard.screens.registry import PAGES

EXPECTED = """
workflows:
  order:
    starts: {{service: {service}, step: "{step}"}}
    steps:
      - {{step: "{other}", service: {place}, within: 1ms}}
"""
Body = dict[str, Any]


class World:
    """A server that has looked once at a store with faults, keys and expectations."""

    def __init__(self, folder: Path) -> None:
        self.server = Server(folder)
        first = self.server.monitor.look()
        self.server.monitor.settings = Settings(declared=_declared(first))
        self.look = self.server.monitor.look()

    @property
    def outbox(self) -> Outbox:
        return self.server.outbox

    def body(self) -> Body:
        """The message's fields, as they are sent."""
        envelope = msgspec.msgpack.decode(encoded(self.look, self.outbox, "s"))
        return dict(envelope["body"])

    def over(self) -> Snapshot:
        """What a dashboard that connects to it gets."""
        with self.server.open() as url, running(ConnectFeed(url)) as watch:
            watch.until(lambda: bool(watch.generations))
            found = watch.feed.snapshot
        assert found is not None
        return found

    def read(self, body: Body) -> Snapshot:
        """What a dashboard makes of a message with those fields."""
        sent = {"format": FORMAT, "version": "9.9.9", "body": body}
        return snapshot_of(decoded(msgspec.msgpack.encode(sent)), 1)


def _declared(look: Look) -> Declared:
    """What is expected of the largest workflow: one step, too soon to be held."""
    steps = look.analysis.workflows[0].steps
    text = EXPECTED.format(service=steps[0].service, step=steps[0].operation,
                           other=steps[-1].operation, place=steps[-1].service)  # fmt: skip
    return Declared(parse(text, "expectations.yaml"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = World(tmp_path_factory.mktemp("pages"))
    yield found
    found.server.store.close()
    found.outbox.close()


def dashboard(snapshot: Snapshot) -> Dashboard:
    made = Dashboard(FakeFeed(snapshot))
    made.journal = Journal(lambda: snapshot.at_ns)
    return made


def pages(
    snapshot: Snapshot, keys: str = "1234567", *, opened: bool = False
) -> dict[str, list[str]]:
    """Every page and what enter opens on it, as text."""
    found: dict[str, list[str]] = {}

    async def visit(pilot: Pilot[Any]) -> None:
        for entry in (entry for entry in PAGES if entry.key in keys):
            await press(pilot, entry.key)
            found[entry.id] = lines(pilot.app)
            if opened and entry.id not in ("instances", "log"):
                await press(pilot, "enter")
                found[entry.id + " opened"] = lines(pilot.app)
                await press(pilot, "escape")
            await settled(pilot)

    play(dashboard(snapshot), visit, size=(180, 50))
    return found


def test_every_page_is_the_same_over_a_connection(world: World) -> None:
    """Text by text: instances, workflows with drift, services, coupling, findings, alerts, log."""
    near = of_look(world.look, world.outbox)
    assert near.conformance is not None
    assert near.conformance.by_outcome["broken"] == 1
    assert near.findings
    assert near.alerts
    assert near.silences
    here, there = pages(near, opened=True), pages(world.over(), opened=True)
    assert here.keys() == there.keys()
    assert len(here) == 12
    for page, text in here.items():
        assert there[page] == text, page
    assert any("1 of 1" in line for line in here["workflows"])


def test_one_instance_is_the_same_over_a_connection(world: World) -> None:
    for name in world.look.analysis.instances["id"].to_list()[:5]:
        with world.server.open() as url:
            there = ConnectFeed(url).instance(name)
        assert there == document(world.look.analysis, name)


def test_suggested_keys_come_over_a_connection(world: World) -> None:
    """Of a look whose traces a key would join; sent even where the look has none."""
    from analyzer.analysis import DataNote

    note = DataNote("key", "order.id joins 40 traces", 40)
    analysis = replace(world.look.analysis, key_suggestions=(note,))
    sent = encoded(replace(world.look, analysis=analysis), world.outbox, "s")
    found = snapshot_of(decoded(sent), 1)
    assert found.key_suggestions == (note,)
    assert any("order.id joins" in line for line in pages(found, "7")["log"])


PARTS = sorted(set(Message.__dataclass_fields__) - set(CORE))


@pytest.mark.parametrize("part", PARTS)
def test_what_a_server_leaves_out_is_named(world: World, part: str) -> None:
    """And nothing else is lost: each field that is not needed for a look to be one."""
    body = world.body()
    del body[part]
    found = world.read(body)
    assert found.unsaid == (part,)
    assert found.instances.equals(world.look.analysis.instances)


SHOWN = {
    "workflows": "workflows", "findings": "findings", "alerts": "alerts", "hotspots": "coupling",
    "conformance": "workflows", "silences": "alerts", "deliveries": "alerts", "data_notes": "log",
    "key_suggestions": "log", "finished": "instances",
}  # fmt: skip


@pytest.mark.parametrize(("part", "page"), SHOWN.items())
def test_the_page_says_what_the_server_does_not(world: World, part: str, page: str) -> None:
    body = world.body()
    del body[part]
    here = next(entry for entry in PAGES if entry.id == page)
    shown = pages(world.read(body), f"{here.key}37")
    assert "his server does not say" in "\n".join(shown[page])
    assert "does not say" not in "\n".join(shown["services"])
    assert "this server does not say: " in "\n".join(shown["log"])


def _without(frame: pl.DataFrame, column: str) -> bytes:
    import io

    into = io.BytesIO()
    frame.drop(column).write_ipc_stream(into)
    return into.getvalue()


COLUMNS = [(table, one) for table, shape in SHAPES.items() for one in shape]


def test_a_table_without_a_column_is_shown(world: World) -> None:
    """The column is empty; without one that makes it a table, the table is not said."""
    for table, column in COLUMNS:
        body = world.body()
        body["tables"] = dict(body["tables"])
        frame = getattr(world.look.analysis, table)
        body["tables"][table] = _without(frame, column)
        if column in CORE_COLUMNS[table]:
            if table != "instances":
                assert world.read(body).unsaid == (table,)
            continue
        found = world.read(body)
        assert found.unsaid == (f"{table}.{column}",)
        assert getattr(found, table).drop(column).equals(frame.drop(column))


def test_pages_stand_without_the_columns_that_can_be_left_out(world: World) -> None:
    """Nobody's screen may fall over for the version of a server."""
    body = world.body()
    body["tables"] = dict(body["tables"])
    for table, shape in SHAPES.items():
        lost = [one for one in shape if one not in CORE_COLUMNS[table]]
        frame = getattr(world.look.analysis, table).drop(lost[:-1])
        body["tables"][table] = _without(frame, lost[-1])
    shown = pages(world.read(body), opened=True)
    assert "this server does not say: " in "\n".join(shown["log"])


def _more(value: Any) -> Any:
    """The same with a field nobody knows, in every map."""
    if isinstance(value, dict):
        return {key: _more(inner) for key, inner in value.items()} | {"of_tomorrow": {"x": [1]}}
    return [_more(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body | {"of_tomorrow": [1, {"x": None}]},
        lambda body: body | {"tables": body["tables"] | {"of_tomorrow": b"?"}},
        lambda body: (
            body
            | {name: _more(body[name]) for name in ("findings", "alerts", "silences", "hotspots")}
        ),
    ],
)
def test_what_is_not_known_is_left_aside(world: World, change: Callable[[Body], Body]) -> None:
    """Of a newer server: another field, another table, another field within a finding."""
    near, found = of_look(world.look, world.outbox), world.read(change(world.body()))
    assert found.unsaid == ()
    assert found.findings == near.findings
    assert found.alerts == near.alerts


def test_a_part_that_is_not_understood_is_not_said(world: World) -> None:
    """A severity of tomorrow: the findings are not said, all else is shown."""
    body = world.body()
    body["findings"] = [body["findings"][0] | {"severity": "apocalypse"}]
    found = world.read(body)
    assert found.unsaid == ("findings",)
    assert found.alerts


def test_one_of_today_is_read_by_one_that_knows_less(world: World) -> None:
    """The version before this one: its message had neither suggested keys nor expectations, and
    it read every other field by name."""
    before = msgspec.defstruct(
        "Before", [(name, Any) for name in Message.__dataclass_fields__
                   if name not in ("key_suggestions", "conformance")],
    )  # fmt: skip
    read: Any = msgspec.convert(world.body(), before)
    assert len(read.findings) == len(world.look.analysis.findings)


def test_a_silence_is_seen(world: World) -> None:
    found = world.over()
    assert [type(one) for one in found.silences] == [Silence]
