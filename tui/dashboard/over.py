"""The screen over the pages: one instance, whose view is made by `tui.dashboard.instance`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Footer

from analyzer.reporters.style import Style
from tui.dashboard.feed import Feed
from tui.dashboard.header import Header
from tui.dashboard.screens.base import Copy

if TYPE_CHECKING:
    from tui.dashboard.instance.view import InstanceView


class InstanceScreen(Screen[None]):
    """Header, the view, footer; esc goes back through the history of the app."""

    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, feed: Feed, identifier: str, drawing: Style) -> None:
        super().__init__()
        self.feed, self.identifier, self.drawing = feed, identifier, drawing
        self._view: InstanceView | None = None

    def compose(self) -> ComposeResult:
        """Imported here: not before the first paint."""
        from tui.dashboard.instance.view import InstanceView

        self._view = InstanceView(self.feed, self.identifier)
        yield Header(self.drawing)
        yield self._view
        yield Footer(compact=True)

    def copies(self) -> Sequence[Copy]:
        """What the view gives; the id also while it is loading."""
        given = self._view.copies() if self._view is not None else ()
        return given or (Copy("instance id", self.identifier),)

    def export_text(self) -> str | None:
        """The whole instance as JSON; None before it is there."""
        return (self._view.export_text() or None) if self._view is not None else None

    def trace_id(self) -> str | None:
        """Of the step under the cursor."""
        return self._view.trace_id() if self._view is not None else None
