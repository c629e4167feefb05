"""The screen over the pages: one instance, whose view is made by `tui.dashboard.instance`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Static

from analyzer.reporters.style import Style
from tui.dashboard.feed import Feed
from tui.dashboard.header import Header
from tui.dashboard.screens.base import Copy
from tui.dashboard.theme import foreign


class InstanceScreen(Screen[None]):
    """Header, the view, footer; esc goes back through the history of the app."""

    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, feed: Feed, identifier: str, drawing: Style) -> None:
        super().__init__()
        self.feed, self.identifier, self.drawing = feed, identifier, drawing
        self._view: Any = None

    def compose(self) -> ComposeResult:
        """Imported here: not before the first paint."""
        yield Header(self.drawing)
        self._view = self._made()
        yield self._view
        yield Footer(compact=True)

    def _made(self) -> Widget:
        import importlib

        try:
            module = importlib.import_module("tui.dashboard.instance.view")
        except ModuleNotFoundError:
            return Static(f"instance {foreign(self.identifier)}: not there yet", markup=False)
        made: Widget = module.InstanceView(self.feed, self.identifier)
        return made

    def copies(self) -> Sequence[Copy]:
        """The id, and the view as text."""
        text = getattr(self._view, "copy_text", lambda: None)()
        own = Copy("instance id", self.identifier)
        return (Copy("this view as text", text), own) if text else (own,)

    def export_text(self) -> str | None:
        """The whole instance as JSON."""
        text = getattr(self._view, "export_text", lambda: None)()
        return None if text is None else str(text)

    def trace_id(self) -> str | None:
        """Of the step under the cursor."""
        found = getattr(self._view, "trace_id", None)
        made = found() if callable(found) else found
        return None if made is None else str(made)
