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
        """The names; the open one stands out without colour too. What is too narrow for all of them
        goes without numbers, then with the keys of the others."""
        ways = (self._named(" "), self._named(""), self._named("", badges=False), self._keys())
        width = self.size.width
        texts = next((way for way in ways if sum(map(len, way)) <= width), ways[-1])
        parts: list[Part] = []
        at, self._ends = 0, []
        for entry, text in zip(self._entries, texts, strict=True):
            parts.append((text, "bold reverse" if entry.id == self._current else ""))
            at += len(text)
            self._ends.append((at, entry.id))
        return content(*parts)

    def _named(self, after: str, *, badges: bool = True) -> list[str]:
        told = {page: f"({number:,})" for page, number in self._badges.items() if badges and number}
        return [f" {one.key} {one.title}{told.get(one.id, '')}{after}" for one in self._entries]

    def _keys(self) -> list[str]:
        return [
            f" {one.key} {one.title if one.id == self._current else ''}".rstrip() + " "
            for one in self._entries
        ]

    def on_click(self, event: events.Click) -> None:
        """Open that page."""
        for end, page in self._ends:
            if event.x - 1 < end:
                self.post_message(self.Chosen(page))
                return
