"""What stands where there is no table: loading, nothing yet, nothing at all, failed, too small."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from analyzer.reporters.style import Style
from tui.dashboard.feed import Phase, Snapshot, Status
from tui.dashboard.theme import Part, content, foreign

LEAST = (60, 16)  # columns and lines
BAR = 32


class Notice(Static):
    """A text in the middle of the screen."""

    DEFAULT_CSS = """
    Notice { height: 1fr; width: 1fr; content-align: center middle; padding: 1 2; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(markup=False, id=id)


def notice(status: Status, snapshot: Snapshot | None, drawing: Style) -> Content | None:
    """The text for that state; None where there are instances to show."""
    if snapshot is not None and snapshot.instances.height:
        return None
    if status.phase is Phase.LOADING:
        return content(*_loading(status, drawing), drawing=drawing)
    if status.phase is Phase.FAILED:
        message = foreign(status.message) or "for a reason unknown"
        return content(("This source cannot be shown.\n\n", "error bold"), message, drawing=drawing)
    if status.phase is Phase.DISCONNECTED:
        message = foreign(status.message) or "no connection"
        said: list[Part] = [(f"No connection to {foreign(status.source, 60)}.\n\n", "error bold")]
        return content(*said, message, "\n\nIt is tried again and again.", drawing=drawing)
    return content(*_empty(status, snapshot), drawing=drawing)


def _loading(status: Status, drawing: Style) -> list[Part]:
    said: list[Part] = [(f"Reading {foreign(status.source, 60)}", "bold")]
    if status.progress is not None:
        share = min(max(status.progress, 0.0), 1.0)
        full = drawing.bar(share, BAR)
        rest = drawing.pick(("░", ".")) * (BAR - len(full))
        said += ["\n\n", (full, "accent"), (rest, "dim"), f" {share:4.0%}"]
    if status.message:
        said += ["\n\n", (foreign(status.message), "dim")]
    return said


def _empty(status: Status, snapshot: Snapshot | None) -> list[Part]:
    if status.phase is Phase.ENDED or (snapshot is not None and not status.endpoints):
        told = "No workflow instance in" if status.phase is Phase.ENDED else "No instance yet in"
        return [(f"{told} {foreign(status.source, 60)}.", "bold"), _note(status)]
    said: list[Part] = [("No span has come yet.", "bold")]
    if status.endpoints:
        said.append("\n\nLet a service send its spans here:\n\n")
        said.extend((foreign(each, 100) + "\n", "accent bold") for each in status.endpoints)
        said.append(("\n(in the environment of the service; see docs/live.md)", "dim"))
    return [*said, _note(status)]


def _note(status: Status) -> Part:
    return (f"\n\n{foreign(status.message)}" if status.message else "", "dim")


def too_small(columns: int, lines: int) -> Content:
    """The terminal has less room than is needed."""
    needs = f"needs {LEAST[0]}x{LEAST[1]}, has {columns}x{lines}"
    return content(("Too small: ", "bold"), needs)
