"""The first line: the source and how it is doing. Live also while the list is paused."""

from __future__ import annotations

from textual.widgets import Static

from analyzer.reporters.style import DEFAULT, Style
from analyzer.reporters.units import duration
from tui.dashboard.feed import Phase, Status
from tui.dashboard.theme import PHASES, Part, content, foreign, size


class Header(Static):
    """Source, phase, rate, lag, what was dropped, memory."""

    DEFAULT_CSS = """
    Header { height: 1; padding: 0 1; background: $panel; color: $foreground;
             text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, drawing: Style = DEFAULT, *, id: str | None = None) -> None:
        super().__init__(markup=False, id=id)
        self.drawing = drawing
        self._told: list[Part] = []

    def tell(self, status: Status, paused: int | None = None, overflow: int = 0) -> None:
        """Show that status; `paused`: changes that wait, None where the list is not paused."""
        told = parts(status, self.drawing, paused, overflow)
        if told == self._told:
            return
        self._told = told
        # One line, whatever it says: a layout paints everything.
        self.update(content(*told, drawing=self.drawing), layout=False)


def parts(status: Status, drawing: Style, paused: int | None, overflow: int) -> list[Part]:
    """The line in pieces; what is unknown is left out."""
    glyphs, tone = PHASES[status.phase]
    shown: list[Part] = [(foreign(status.source, 48), "bold"), "  "]
    shown.append((f"{drawing.pick(glyphs)} {status.phase.value.upper()}", tone + " bold"))
    if status.phase is Phase.LOADING and status.progress is not None:
        shown.append(f" {status.progress:.0%}")
    if paused is not None:
        shown.append(("  PAUSED", "warning bold"))
        shown.append((f" +{paused:,} changes waiting", "warning"))
    if status.spans_per_s is not None:
        shown.append(f"  {status.spans_per_s:,.0f} spans/s")
    if status.lag_s is not None:
        shown.append(f"  lag {duration(round(status.lag_s * 1e9))}")
    lost = status.dropped + overflow
    shown.append((f"  dropped {status.dropped:,}", "warning bold" if status.dropped else "dim"))
    if overflow:
        shown.append((f"  given up {overflow:,}", "warning bold"))
    if status.memory_bytes:
        shown.append((f"  mem {size(status.memory_bytes)}", "warning" if lost else "dim"))
    return shown


def trouble(status: Status, overflow: int) -> list[Part]:
    """A second line for what a person has to know; empty where all is well."""
    message = foreign(status.message)
    if status.phase is Phase.FAILED:
        return [("failed: ", "error bold"), message or "for a reason unknown"]
    if status.phase is Phase.DISCONNECTED:
        said = message or "no connection; trying again"
        return [("disconnected: ", "error bold"), said, (" - what is shown is old", "dim")]
    if status.phase is Phase.STALE:
        return [("stale: ", "warning bold"), message or "no span has come for a while"]
    if status.dropped or overflow:
        told = f"{status.dropped:,} spans dropped"
        told += f", {overflow:,} instances given up for want of memory" if overflow else ""
        return [("overloaded: ", "warning bold"), told, ". " + message if message else ""]
    return []
