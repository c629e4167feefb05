"""A text that scrolls: what stands over the table of a detail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from analyzer.finding import Cause, Finding
from analyzer.reporters.style import DEFAULT, Style
from analyzer.reporters.units import percent
from tui.dashboard.theme import Part, content, foreign

REASONS = 8  # of one cause, on each side


class Sheet(VerticalScroll):
    """One text; it takes the focus so that it can be scrolled by keys."""

    DEFAULT_CSS = """
    Sheet { padding: 0 1; scrollbar-size-vertical: 1; }
    Sheet Static { width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False, id="sheet.down"),
        Binding("k", "scroll_up", "Up", show=False, id="sheet.up"),
    ]

    def __init__(self, drawing: Style = DEFAULT) -> None:
        super().__init__()
        self.drawing = drawing
        self._text = Static("", markup=False)
        self.plain = ""

    def compose(self) -> ComposeResult:
        """One text."""
        yield self._text

    def tell(self, parts: Sequence[Part], *, top: bool = False) -> None:
        """Show that text."""
        shown = content(*parts, drawing=self.drawing)
        shown = shown.rstrip("\n")
        self.plain = shown.plain
        self._text.update(shown)
        if top:
            self.scroll_home(animate=False)


def facts(*pairs: tuple[str, object]) -> list[Part]:
    """`name value` pairs in one line; values of ours, or escaped. Empty ones are left out."""
    parts: list[Part] = []
    for name, value in pairs:
        if value not in (None, ""):
            parts += [(" · " if parts else "", "dim"), (f"{name} " if name else "", "dim")]
            parts.append(str(value))
    return [*parts, "\n"]


def causes(finding: Finding) -> list[Part]:
    """Why, likeliest first, with what speaks for and against each; and what is missing."""
    parts: list[Part] = []
    for cause in finding.causes:
        parts += _cause(cause)
    for need in finding.needs:
        parts.append((f"  would settle it: {foreign(need, 300)}\n", "accent"))
    return parts


def _cause(cause: Cause) -> list[Part]:
    parts: list[Part] = [(f"Why: {foreign(cause.cause, 60)}", "bold")]
    parts.append((f"  {percent(cause.confidence)}\n", "dim"))
    for sign, tone, reasons in (("+", "success", cause.supports), ("-", "error", cause.against)):
        for reason in reasons[:REASONS]:
            parts += [(f"  {sign} ", tone), f"{foreign(reason, 300)}\n"]
        if len(reasons) > REASONS:
            parts.append((f"  {sign} +{len(reasons) - REASONS:,} more\n", "dim"))
    return parts


def quoted(value: str) -> str:
    """A value for a filter, taken as it is."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
