"""The filter's line: what is typed, how many rows it keeps, and where it cannot be understood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.highlighter import Highlighter
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static

from analyzer.reporters.style import DEFAULT, Style
from tui.dashboard.completion import Completer, Values, completed, completions
from tui.dashboard.theme import Part, content, foreign

HINTS = 12  # completions that are shown


class Underline(Highlighter):
    """Underlines the part of the text that is wrong."""

    def __init__(self) -> None:
        self.span: tuple[int, int] | None = None

    def highlight(self, text: Text) -> None:
        """As rich wants it."""
        if self.span is not None:
            text.stylize("underline bold red", *self.span)


class FilterInput(Input):
    """The text; tab completes, enter and esc go back to the table."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", id="filter-complete"),
        Binding("enter,down", "leave", "To the table", id="filter-leave"),
        Binding("escape", "leave", "To the table", show=False, id="filter-escape"),
        Binding("ctrl+l", "clear", "Clear", id="filter-clear"),
    ]

    @dataclass
    class Left(Message):
        """The person is done with it."""

    def action_complete(self) -> None:
        """Take the first completion."""
        bar = self.query_ancestor(FilterBar)
        found = completions(self.value, bar.values)
        if found:
            self.value = completed(self.value, found[0])
            self.cursor_position = len(self.value)

    def action_leave(self) -> None:
        """Back to the table."""
        self.post_message(self.Left())

    def action_clear(self) -> None:
        """Everything again."""
        self.value = ""


class FilterBar(Vertical):
    """One line; a second one while typing, with completions or what is wrong."""

    DEFAULT_CSS = """
    FilterBar { height: auto; padding: 0 1; }
    FilterBar Horizontal { height: 1; }
    FilterBar #slash { width: 2; color: $text-muted; }
    FilterBar FilterInput { width: 1fr; background: $background; }
    FilterBar #counts {
        width: auto; max-width: 70%; padding: 0 0 0 1; color: $text-muted; text-wrap: nowrap;
    }
    FilterBar #hint { height: 1; display: none; text-wrap: nowrap; text-overflow: ellipsis; }
    FilterBar.-hinting #hint { display: block; }
    """

    @dataclass
    class Changed(Message):
        """Another filter is wanted."""

        where: str

    def __init__(self, drawing: Style = DEFAULT, *, where: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self.drawing = drawing
        self.values: Values = {}
        self._underline = Underline()
        self._first = where
        self._error = ""
        self._told: tuple[Part, ...] = ()
        self._unfinished = False  # the error is at the end: there may be more to come

    def compose(self) -> ComposeResult:
        """The line and its hint."""
        with Horizontal():
            yield Static("/", id="slash", markup=False)
            yield FilterInput(
                self._first,
                placeholder="filter: state:stuck wf:order-* age:>5m",
                highlighter=self._underline,
                suggester=Completer(lambda: self.values),
                select_on_focus=False,
                compact=True,
            )
            yield Static("", id="counts", markup=False)
        yield Static("", id="hint", markup=False)

    @property
    def input(self) -> FilterInput:
        """Where it is typed."""
        return self.query_one(FilterInput)

    @property
    def where(self) -> str:
        """As it is typed."""
        return self.input.value if self.is_mounted else self._first

    @property
    def is_half_typed(self) -> bool:
        """The last word is the beginning of a field's name, and may go on."""
        found = completions(self.input.value, {}) if self.input.has_focus else []
        word = self.input.value.split(" ")[-1]
        return bool(word) and any(name.endswith(":") for name in found)

    def set(self, where: str) -> None:
        """Another text; nothing is told where it is the same."""
        self.input.value = where
        self.input.cursor_position = len(where)

    def tell(self, *parts: Part) -> None:
        """How many are shown, of how many, in which order."""
        if parts != self._told:  # another width: the whole screen is painted again
            self._told = parts
            self.query_one("#counts", Static).update(content(*parts, drawing=self.drawing))

    def wrong(self, message: str = "", start: int = 0, end: int = 0) -> None:
        """Underline that part and say why; without a message all is well."""
        self._error = message
        self._unfinished = end >= len(self.input.value)
        self._underline.span = (start, end) if message else None
        self.input.refresh()
        self._hint()

    def _hint(self) -> None:
        hint = self.query_one("#hint", Static)
        focus = self.input.has_focus
        self.set_class(bool(self._error) or focus, "-hinting")
        every = completions(self.input.value, self.values) if focus else []
        found = [foreign(one, 40) for one in every]
        if self._error and not (found and self._unfinished):
            hint.update(content(("filter: ", "error bold"), foreign(self._error, 300)))
        elif focus:
            more = f"  +{len(found) - HINTS} more" if len(found) > HINTS else ""
            hint.update(content(("  ".join(found[:HINTS]) + more, "dim"), drawing=self.drawing))

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self._underline.span = None  # the token that was wrong may be another now
        self._hint()
        self.post_message(self.Changed(event.value))

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Completions are shown while typing."""
        self._hint()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        """... and no longer."""
        self._hint()
