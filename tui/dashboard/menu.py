"""Small dialogs: choose one of several, type a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static

from tui.dashboard.theme import foreign

CSS = """
{name} {{ align: center middle; background: $background 60%; }}
{name} > Vertical {{ width: auto; min-width: 36; max-width: 90%; height: auto; max-height: 90%;
    border: round $primary; background: $surface; padding: 0 1; }}
{name} Static {{ width: auto; text-style: bold; }}
"""


class Menu(ModalScreen["int | None"]):
    """Gives the place of the chosen line; None where none was. Digits choose too."""

    DEFAULT_CSS = (
        CSS.format(name="Menu") + "Menu OptionList { height: auto; width: auto; min-width: 34;"
        " max-height: 20; border: none; background: $surface; padding: 0; }"
        "Menu OptionList:focus { border: none; }"
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Close", id="menu-close"),
        Binding("j", "move(1)", "Down", show=False, id="menu-down"),
        Binding("k", "move(-1)", "Up", show=False, id="menu-up"),
    ]

    def __init__(self, title: str, lines: Sequence[str], chosen: int = 0) -> None:
        super().__init__()
        self._title, self._lines, self._chosen = title, lines, chosen

    def compose(self) -> ComposeResult:
        """Title and lines; both may be foreign."""
        with Vertical():
            yield Static(Content(foreign(self._title)), markup=False)
            shown = [
                Content(f"{at + 1 if at < 9 else ' '} {foreign(line, 100)}")
                for at, line in enumerate(self._lines)
            ]
            yield OptionList(*shown)

    def on_mount(self) -> None:
        """The line that holds at present."""
        self.query_one(OptionList).highlighted = self._chosen

    def on_key(self, event: events.Key) -> None:
        """Digits choose."""
        if event.key.isdigit():
            event.stop()  # else it would open a tab as well
            if 0 < int(event.key) <= len(self._lines):
                self.dismiss(int(event.key) - 1)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_index)

    def action_move(self, by: int) -> None:
        """As the arrows."""
        options = self.query_one(OptionList)
        (options.action_cursor_down if by > 0 else options.action_cursor_up)()

    def action_leave(self) -> None:
        """Nothing."""
        self.dismiss(None)


class Ask(ModalScreen["str | None"]):
    """Gives the text that was typed; None where it was left."""

    DEFAULT_CSS = CSS.format(name="Ask") + "Ask Input { width: 60; max-width: 100%; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Close", id="ask-close")]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        """Title and text."""
        with Vertical():
            yield Static(Content(foreign(self._title)), markup=False)
            yield Input(self._text, select_on_focus=False)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_leave(self) -> None:
        """Nothing."""
        self.dismiss(None)
