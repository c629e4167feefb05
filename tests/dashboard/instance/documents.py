"""Documents that the screen is tested with, recorded from a simulated system.

`python -m tests.dashboard.instance.documents` records them anew; a test holds them to the schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from analyzer.reporters.style import DEFAULT, Style
from tui.dashboard.feed import Snapshot
from tui.dashboard.instance.view import InstanceView

SOURCE = (
    "sim:electronics?instances=60&seed=5&shape=link"
    "&faults=lost:0.05,handler-error:0.05,broken-propagation:0.2"
)
STATES = ("stuck", "complete", "orphaned", "failed")
FOLDER = Path(__file__).parent / "data"
ASCII = Style(unicode=False)


def recorded(state: str) -> dict[str, Any]:
    """The document of an instance in that state."""
    text = (FOLDER / f"{state}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def wide(steps: int) -> dict[str, Any]:
    """A document of so many steps: a chain with calls hanging off it, one step in ten failed."""
    template = recorded("failed")
    first = template["steps"][0]
    made, edges = [], []
    for number in range(steps):
        start = first["start_ns"] + number * 1_000_000
        made.append(
            first
            | {"id": number, "step": f"step {number % 50}", "service": f"service-{number % 7}"}
            | {"start_ns": start, "end_ns": start + 900_000, "error": number % 10 == 9}
        )
        if number:
            kind = {"kind": "event", "tier": "E2"} if number % 3 else {"kind": "sync", "tier": "E1"}
            source = number - 1 if number % 5 else max(number - 5, 0)
            edges.append(
                kind | {"source": source, "target": number, "confidence": 0.99}
                | {"wait_s": 0.0001, "skew_s": 0.0}
            )  # fmt: skip
    path = [{"kind": "work", "step": s["id"], "source": None, "start_ns": s["start_ns"],
             "end_ns": s["end_ns"]} for s in made[::2]]  # fmt: skip
    return template | {
        "steps": made,
        "edges": edges,
        "critical_path": path,
        "events": [],
        "progress": {"steps": steps, "usual_steps": None},
    }


class OneFeed:
    """A feed that knows one instance; what is raised stands in for trouble."""

    def __init__(self, document: Mapping[str, Any] | Exception) -> None:
        self.document = document
        self.asked: list[str] = []
        self.snapshot: Snapshot | None = None

    def instance(self, identifier: str) -> Mapping[str, Any]:
        self.asked.append(identifier)
        if isinstance(self.document, Exception):
            raise self.document
        return self.document


class OneInstance(App[None]):
    """The screen alone."""

    def __init__(self, document: Mapping[str, Any] | Exception, drawing: Style = DEFAULT) -> None:
        super().__init__()
        self.feed = OneFeed(document)
        self.drawing = drawing

    def compose(self) -> ComposeResult:
        yield InstanceView(self.feed, "ord-1", drawing=self.drawing)  # type: ignore[arg-type]

    @property
    def view(self) -> InstanceView:
        return self.query_one(InstanceView)


async def settled(pilot: Pilot[None], *keys: str) -> None:
    """Wait for the worker; press keys; wait again."""
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
    if keys:
        await pilot.press(*keys)
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()


def screen_text(app: App[None]) -> str:
    """What stands on the screen."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


def _record() -> None:
    from analyzer import analyze
    from analyzer.escape import json_text
    from analyzer.reporters.instance_json import document

    analysis = analyze(SOURCE)
    FOLDER.mkdir(exist_ok=True)
    for state in STATES:
        identifier = analysis.instances.filter(state=state)["id"].sort()[0]
        text = json_text(document(analysis.instance(identifier)), indent=1)
        (FOLDER / f"{state}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    _record()
