"""The tabs of the pages that there are, with the numbers of what waits behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from tui.dashboard.screens.registry import Entry
from tui.dashboard.theme import Part, content


class Tabs(Widget):
    """One line: `1 Instances  5 Findings(9)`. A click opens."""

    DEFAULT_CSS = "Tabs { height: 1; padding: 0 1; }"

    @dataclass
    class Chosen(Message):
        """A tab was clicked."""

        page: str

    def __init__(self, entries: Sequence[Entry], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._entries = entries
        self._current = ""
        self._badges: Mapping[str, int] = {}
        self._ends: list[tuple[int, str]] = []

    def tell(self, current: str, badges: Mapping[str, int]) -> None:
        """Which one is open, and the numbers of the others."""
        if (current, badges) != (self._current, self._badges):
            self._current, self._badges = current, dict(badges)
            self.refresh()

    def render(self) -> Content:
        """The names; the open one stands out without colour too."""
        parts: list[Part] = []
        at, self._ends = 0, []
        for entry in self._entries:
            badge = f"({self._badges[entry.id]:,})" if self._badges.get(entry.id) else ""
            text = f" {entry.key} {entry.title}{badge} "
            parts.append((text, "bold reverse" if entry.id == self._current else ""))
            at += len(text)
            self._ends.append((at, entry.id))
        return content(*parts)

    def on_click(self, event: events.Click) -> None:
        """Open that page."""
        for end, page in self._ends:
            if event.x - 1 < end:
                self.post_message(self.Chosen(page))
                return
