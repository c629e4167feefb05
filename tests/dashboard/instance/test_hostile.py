"""Names that attack a terminal: on every tab they change nothing but the text."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from rich.cells import cell_len
from textual.widget import Widget

from analyzer.reporters.instance_json import document
from analyzer.reporters.style import Style
from tests.dashboard.instance.documents import OneInstance, recorded, screen_text, settled
from tests.support.analysis_builder import hostile_shop
from tests.support.hostile import ALL, HOSTILE, raw_controls
from tui.dashboard.instance.detail import detail
from tui.dashboard.instance.model import model_of
from tui.dashboard.instance.view import SHEETS

SCREENS = ((Style(), 132), (Style(unicode=False), 60))
WORDS = "trace_id span_id start end time since deadline kind tier state severity fingerprint role"
OURS = {*WORDS.split(), "schema_version", "as_of", "finding"}


def poisoned(value: Any, name: str, key: str = "") -> Any:
    """The document with the name in the place of every foreign string."""
    if isinstance(value, dict):
        if key == "attributes":
            return {name: name, "exception.type": name, "exception.message": name}
        return {k: poisoned(v, name, k) for k, v in value.items()}
    if isinstance(value, list):
        return [poisoned(one, name, key) for one in value]
    return name if isinstance(value, str) and key not in OURS else value


@pytest.mark.parametrize("state", ["stuck", "failed"])
@pytest.mark.parametrize("name", list(ALL.values()), ids=list(ALL))
def test_no_line_holds_a_control_or_is_wider_than_the_screen(name: str, state: str) -> None:
    model = model_of(poisoned(recorded(state), name))
    for style, width in SCREENS:
        for kind in SHEETS:
            sheet = kind(model, style)
            wide = sheet.wide(width)
            lines = sheet.text(width).splitlines()
            assert len(lines) == len(sheet.head(wide)) + sheet.count(wide)
            assert max(map(cell_len, lines)) <= wide, kind.TITLE
            assert raw_controls("\n".join(lines)) == [], kind.TITLE
            assert style.unicode or not name.isascii() or "\n".join(lines).isascii()
            for row in model.rows:
                said = [text for line in detail(sheet, row, 80) for text, _ in line]
                assert raw_controls("".join(said)) == []
                assert "\n" not in "".join(said)


@pytest.mark.parametrize("name", list(HOSTILE.values()), ids=list(HOSTILE))
def test_the_whole_way_from_spans(name: str) -> None:
    analysis = hostile_shop(name)
    for identifier in analysis.instances["id"]:
        model = model_of(json.loads(json.dumps(document(analysis.instance(identifier)))))
        for kind in SHEETS:
            assert raw_controls(kind(model).text(80)) == []


# A few that have done it to others, through the app itself.
WORST = ("ansi clear screen", "osc 52 clipboard", "rich markup action", "rich markup", "c1 csi",
         "newlines", "bidi override", "long wide", "zalgo", "lone high surrogate")  # fmt: skip


@pytest.mark.parametrize("label", WORST)
def test_on_the_screen(label: str) -> None:
    """Every widget stays where it is with harmless names."""

    def places(app: OneInstance) -> list[tuple[str | None, Any]]:
        return [(w.id, w.region) for w in app.view.walk_children(Widget) if w.id != "header"]

    async def run() -> None:
        harmless = OneInstance(poisoned(recorded("stuck"), "harmless"))
        async with harmless.run_test(size=(100, 30)) as pilot:
            await settled(pilot)
            there = places(harmless)
        app = OneInstance(poisoned(recorded("stuck"), ALL[label]))
        async with app.run_test(size=(100, 30)) as pilot:
            await settled(pilot)
            for _ in SHEETS:
                text = screen_text(app)
                assert raw_controls(text) == []
                assert len(text.split("\n")) == 30
                await settled(pilot, "tab")
            assert places(app) == there
            assert raw_controls(app.view.copy_text()) == []
            assert json.loads(app.view.export_text().encode())["steps"]

    asyncio.run(run())
