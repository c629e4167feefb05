"""The widgets: a few lines that stand still, and a sheet of any length with a cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from tui.dashboard.instance.model import Row
from tui.dashboard.instance.pieces import TONES, Line
from tui.dashboard.instance.sheet import Sheet

# No alpha: what is painted over another style is not blended.
CSS = """
    & .lines--error { color: $text-error; }
    & .lines--warning { color: $text-warning; }
    & .lines--success { color: $text-success; }
    & .lines--accent { color: $text-primary; }
    & .lines--special { color: $text-secondary; }
    & .lines--dim { text-style: dim; }
    & .lines--bold { text-style: bold; }
    & .lines--tab { text-style: bold reverse; }
    & .lines--cursor { background: $primary-muted; text-style: bold; }
    & .lines--cursor-blurred { background: $surface; }
"""
CLASSES = {f"lines--{tone}" for tone in (*TONES, "tab", "cursor", "cursor-blurred")}


class _Painter:
    """Lines -> strips in the styles of a widget's theme, which are asked for once."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._base: RichStyle | None = None
        self._styles: dict[tuple[str, str], RichStyle] = {}

    def forget(self) -> None:
        """Another theme."""
        self._base = None
        self._styles.clear()

    def strip(self, line: Line, width: int, x: int = 0, under: str = "") -> Strip:
        """`width` cells of the line from cell `x` on; `under` is a tone beneath all others."""
        segments = [Segment(text, self._style(tone, under)) for text, tone in line]
        length = sum(cell_len(text) for text, _ in line)
        if length - x < width:
            segments.append(Segment(" " * (width + x - length), self._style("", under)))
        strip = Strip(segments, max(length, width + x))
        return strip.crop(x, x + width) if x or length > width else strip

    def _style(self, tone: str, under: str) -> RichStyle:
        found = self._styles.get((tone, under))
        if found is None:
            found = self._base_style
            for name in (under, tone):
                if name:
                    found += self._widget.get_component_rich_style(f"lines--{name}", partial=True)
            self._styles[tone, under] = found
        return found

    @property
    def _base_style(self) -> RichStyle:
        if self._base is None:
            self._base = self._widget.rich_style
        return self._base


class Lines(Widget):
    """Lines that stand still: header, detail."""

    DEFAULT_CSS = "Lines { height: auto; color: $foreground; background: $background;" + CSS + "}"
    COMPONENT_CLASSES: ClassVar[set[str]] = CLASSES

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lines: Sequence[Line] = ()
        self._paint = _Painter(self)

    def put(self, lines: Sequence[Line]) -> None:
        """Show these."""
        resized = len(lines) != len(self.lines) and self.styles.is_auto_height
        self.lines = lines
        self.refresh(layout=resized)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One cell a line."""
        return len(self.lines)

    def render_line(self, y: int) -> Strip:
        """One of them."""
        line = self.lines[y] if y < len(self.lines) else []
        return self._paint.strip(line, self.size.width)

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        self._paint.forget()


class SheetView(ScrollView, can_focus=True):
    """A sheet; only the lines on the screen are made."""

    DEFAULT_CSS = (
        "SheetView { height: 1fr; color: $foreground; background: $background;"
        "scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1;" + CSS + "}"
    )
    COMPONENT_CLASSES: ClassVar[set[str]] = CLASSES
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False, id="instance.down"),
        Binding("up,k", "move(-1)", "Up", show=False, id="instance.up"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="instance.page-down"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, id="instance.page-up"),
        Binding("home", "go(0)", "First", show=False, id="instance.first"),
        Binding("end,G", "go(-1)", "Last", show=False, id="instance.last"),
        Binding("right", "sideways(1)", "Right", show=False, id="instance.right"),
        Binding("left", "sideways(-1)", "Left", show=False, id="instance.left"),
        Binding("enter", "unfold", "Fold", show=False, id="instance.toggle"),
    ]

    @dataclass
    class Sideways(Message):
        """Left (-1) or right (1), where there is nothing to scroll."""

        by: int

    def __init__(self, moved: Callable[[], None], *, id: str | None = None) -> None:
        """`moved` is called when the cursor is on another row: a message would cost a frame."""
        super().__init__(id=id)
        self.sheet: Sheet | None = None
        self.cursor = 0  # line of the sheet
        self._moved = moved
        self._heads: list[Line] | None = None
        self._paint = _Painter(self)

    # -- what is shown -------------------------------------------------------------------------

    def show(self, sheet: Sheet, key: str | None) -> None:
        """Show another sheet, the cursor on the row of that key where it has one."""
        found = sheet.find(key) if key is not None else None
        self.sheet = sheet
        self._measure()
        self.cursor = self._nearest(found or 0, 1)
        if found is None:
            self.scroll_to(y=0, animate=False, force=True)
        self._reveal()
        self.refresh()
        self._moved()

    def repaint(self) -> None:
        """The same lines look otherwise."""
        self._heads = None
        self.refresh()

    def changed(self, key: str | None) -> None:
        """The sheet shows other lines: stay on that row."""
        if self.sheet is not None:
            self.show(self.sheet, key)

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        if self.sheet is None or self.cursor >= self.sheet.count(self._wide):
            return None
        return self.sheet.row(self.cursor)

    @property
    def _wide(self) -> int:
        """Cells that a line takes."""
        return self.sheet.wide(self.size.width) if self.sheet else self.size.width

    @property
    def _head(self) -> list[Line]:
        if self._heads is None:
            self._heads = self.sheet.head(self._wide) if self.sheet else []
        return self._heads

    @property
    def _page(self) -> int:
        return max(self.size.height - len(self._head), 1)

    def _measure(self) -> None:
        self._heads = None
        lines = self.sheet.count(self._wide) if self.sheet else 0
        self.virtual_size = Size(self._wide, lines + len(self._head))

    def on_resize(self) -> None:
        """Lines are as wide as the screen."""
        self._measure()
        self._reveal()

    def render_line(self, y: int) -> Strip:
        """A line of the head, or one of the sheet."""
        width, wide, x = self.size.width, self._wide, self.scroll_offset.x
        head = self._head
        if y < len(head):
            return self._paint.strip(head[y], width, x)
        at = self.scroll_offset.y + y - len(head)
        if self.sheet is None or at >= self.sheet.count(wide):
            return self._paint.strip([], width)
        under = ""
        if at == self.cursor and self.sheet.row(at) is not None:
            under = "cursor" if self.has_focus else "cursor-blurred"
        return self._paint.strip(self.sheet.line(at, wide), width, x, under)

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        self._paint.forget()

    def on_focus(self) -> None:
        """The cursor's line looks otherwise."""
        self._repaint(self.cursor)

    def on_blur(self) -> None:
        """As above."""
        self._repaint(self.cursor)

    # -- the cursor ----------------------------------------------------------------------------

    def move_to(self, line: int, by: int = 1) -> None:
        """Put the cursor on the nearest row in that direction, and show it."""
        if self.sheet is None:
            return
        before, self.cursor = self.cursor, self._nearest(line, by)
        if self.row is None:  # text without rows: there is only scrolling
            self.scroll_to(y=self.cursor, animate=False)
            return
        if before != self.cursor:
            self._repaint(before)
            self._repaint(self.cursor)
            self._moved()
        self._reveal()

    def _nearest(self, line: int, by: int) -> int:
        """The nearest line of a row: on from `line` in the direction of `by`, else back."""
        assert self.sheet is not None
        total = self.sheet.count(self._wide)
        line = min(max(line, 0), max(total - 1, 0))
        step = 1 if by >= 0 else -1
        for way in (step, -step):
            at = line
            while 0 <= at < total and abs(at - line) < 1000:  # a connector is never that long
                if self.sheet.row(at) is not None:
                    return at
                at += way
        return line

    def _reveal(self) -> None:
        """Scroll just so far that the cursor is on the screen."""
        if self.row is None:
            return
        top, page = self.scroll_offset.y, self._page
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + page:
            self.scroll_to(y=self.cursor - page + 1, animate=False, force=True)

    def _repaint(self, line: int) -> None:
        y = line - self.scroll_offset.y + len(self._head)
        if 0 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def action_move(self, by: int) -> None:
        """One row up or down."""
        at = self.cursor if self.row is not None else self.scroll_offset.y
        self.move_to(at + by, by)

    def action_page(self, by: int) -> None:
        """One page."""
        self.action_move(by * max(self._page - 1, 1))

    def action_go(self, line: int) -> None:
        """The first row, or the last (-1)."""
        if self.sheet is not None:
            last = self.sheet.count(self._wide) - 1
            self.move_to(last if line < 0 else line, -1 if line < 0 else 1)

    def action_sideways(self, by: int) -> None:
        """Scroll; the waterfall moves its time axis instead."""
        if self._wide > self.size.width:
            self.scroll_to(x=self.scroll_offset.x + by * 16, animate=False)
        else:
            self.post_message(self.Sideways(by))

    def action_unfold(self) -> None:
        """Fold a branch of the tree, or unfold it."""
        row = self.row
        if self.sheet is not None and row is not None and self.sheet.toggle(self.cursor):
            self.changed(row.key)

    def on_click(self, event: events.Click) -> None:
        """The cursor; on the cursor's row: fold."""
        line = event.y - len(self._head) + self.scroll_offset.y
        if event.y < len(self._head) or self.sheet is None:
            return
        if line < self.sheet.count(self._wide) and self.sheet.row(line) is not None:
            if line == self.cursor:
                self.action_unfold()
            else:
                self.move_to(line)
