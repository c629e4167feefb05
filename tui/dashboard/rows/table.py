"""The widget: a header, a cursor on a key, marks, and only visible rows made into text."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from analyzer.reporters.style import DEFAULT, Style
from tui.dashboard.rows.column import Cell, Column, widths
from tui.dashboard.rows.paint import fit, line, titles
from tui.dashboard.rows.view import View

if TYPE_CHECKING:
    import polars as pl

BLOCK = 32  # rows that are made into cells at once: about a screen
BLOCKS = 16  # kept
STRIPS = 512  # painted lines kept
GUTTER = 2  # cursor and mark
TONES = ("error", "warning", "success", "accent", "special", "dim", "bold")


class Rows(ScrollView, can_focus=True):
    """A table over `View`s. Foreign text in cells is escaped here, once."""

    DEFAULT_CSS = """
    Rows {
        height: 1fr;
        color: $foreground;
        background: $background;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 1;
        overflow-x: hidden;
        overflow-y: auto;
        & .rows--header { text-style: bold dim; }
        & .rows--heading { color: $text-accent; text-style: bold; }
        & .rows--cursor { background: $primary 30%; text-style: bold; }
        & .rows--cursor-blurred { background: $primary 15%; }
        & .rows--error { color: $text-error; }
        & .rows--warning { color: $text-warning; }
        & .rows--success { color: $text-success; }
        & .rows--accent { color: $text-accent; }
        & .rows--special { color: $text-secondary; }
        & .rows--dim { text-style: dim; }
        & .rows--bold { text-style: bold; }
    }
    Rows.-wide { overflow-x: auto; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "rows--header",
        "rows--heading",
        "rows--cursor",
        "rows--cursor-blurred",
        *(f"rows--{tone}" for tone in TONES),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False, id="rows.down"),
        Binding("up,k", "move(-1)", "Up", show=False, id="rows.up"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="rows.page-down"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, id="rows.page-up"),
        Binding("home", "go(0)", "First", show=False, id="rows.first"),
        Binding("end,G", "go(-1)", "Last", show=False, id="rows.last"),
        Binding("right", "sideways(1)", "Right", show=False, id="rows.right"),
        Binding("left", "sideways(-1)", "Left", show=False, id="rows.left"),
        Binding("enter", "open", "Open", id="rows.open"),
        Binding("m", "mark", "Mark", show=False, id="rows.mark"),
        Binding("s", "sort(1)", "Sort", id="rows.sort"),
        Binding("S", "reverse", "Reverse", show=False, id="rows.reverse"),
        Binding("w", "wide", "Wide", show=False, id="rows.wide"),
        Binding("c", "columns", "Columns", show=False, id="rows.columns"),
        Binding("right_curly_bracket", "group(1)", "Next group", show=False, id="rows.group-next"),
        Binding(
            "left_curly_bracket", "group(-1)", "Group before", show=False, id="rows.group-back"
        ),
    ]

    @dataclass
    class Moved(Message):
        """The cursor is on another key (None: there are no rows)."""

        rows: Rows
        key: str | None

    @dataclass
    class Opened(Message):
        """Enter, or a click on the cursor's row."""

        rows: Rows
        key: str

    @dataclass
    class Sorting(Message):
        """Another order is wanted: `rows.sorted_by`, `rows.descending`."""

        rows: Rows

    @dataclass
    class Marked(Message):
        """Marks were set or taken away."""

        rows: Rows

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        drawing: Style = DEFAULT,
        sorted_by: str = "",
        descending: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.declared = tuple(columns)
        self.columns = self.declared  # those that are wanted, in their order
        self.drawing = drawing
        self.sorted_by = sorted_by  # id of a column; "" = the screen's own order
        self.descending = descending
        self.is_wide = False
        self.marks: set[str] = set()
        self.nothing = ""  # what stands in the middle where there are no rows
        self.touched = False  # until then the cursor stays at the top
        self.view: View | None = None
        self.cursor = 0  # row of the view
        self.cursor_key: str | None = None
        self._blocks: OrderedDict[int, list[Sequence[Cell]]] = OrderedDict()
        self._keys: dict[int, Sequence[object]] = {}
        self._strips: OrderedDict[tuple[int, bool, bool], Strip] = OrderedDict()
        self._fitted: list[tuple[Column, int]] = []
        self._palette: dict[str, RichStyle] = {}

    # -- what is shown -------------------------------------------------------------------------

    def show(self, view: View, *, top: bool = False) -> None:
        """Show another view. The cursor stays on its key, and its line where it is on the screen.

        `top`, or a table that was not touched yet: the cursor is on the first row.
        """
        before = self.view.line(self.cursor) if self.view else 0
        offset = before - self.scroll_offset.y
        key = None if top or not self.touched else self.cursor_key
        found = view.find(key)
        self.view = view
        self._forget()
        if key is None or found is None:
            found = 0 if key is None else min(self.cursor, max(len(view) - 1, 0))
        moved = view.key_at(found) != self.cursor_key
        self.cursor, self.cursor_key = found, view.key_at(found)
        self._measure()
        inside = 0 <= offset < self._page
        target = view.line(found) - offset if key is not None and inside else self.scroll_offset.y
        self._scroll(0 if key is None else target)
        self.refresh()
        if moved:
            self.post_message(self.Moved(self, self.cursor_key))

    @property
    def selected(self) -> list[str]:
        """The marked keys, sorted; without marks the cursor's."""
        return sorted(self.marks) or ([self.cursor_key] if self.cursor_key is not None else [])

    def order_by(self, now_ns: int) -> list[tuple[pl.Expr, bool]]:
        """The order that the person asked for, as `arrange` takes it."""
        import polars as pl

        for column in self.declared:
            if column.id == self.sorted_by and column.sort is not None:
                made = pl.col(column.sort) if isinstance(column.sort, str) else column.sort(now_ns)
                return [(made, self.descending)]
        return []

    def plain(self, limit: int = 10_000) -> str:
        """The table as text, in the columns and widths that are on the screen."""
        if self.view is None:
            return ""
        dots = self.drawing.own("…")
        head = [fit(c.title, w, c.align, dots=dots) for c, w in self._fitted]
        lines = [" ".join(head).rstrip()]
        frame = self.view.slice(0, limit)
        made = [column.cells(frame, self.view.now_ns) for column, _ in self._fitted]
        for cells in zip(*made, strict=True):
            texts = [cell if isinstance(cell, str) else cell[0] for cell in cells]
            shown = [
                fit(text, width, column.align, middle=column.middle, dots=dots)
                for text, (column, width) in zip(texts, self._fitted, strict=True)
            ]
            lines.append(" ".join(shown).rstrip())
        if len(self.view) > limit:
            lines.append(f"+{len(self.view) - limit:,} more")
        return "\n".join(lines) + "\n"

    # -- painting ------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """The line `y` of the widget; the first is the header."""
        width = self.size.width
        x = self.scroll_offset.x
        if y == 0:
            return self._header().crop_extend(x, x + width, self._base)
        at = self.scroll_offset.y + y - 1
        if self.view is None or at >= self.view.lines:
            return self._nothing(y, width)
        return self._line(at).crop_extend(x, x + width, self._base)

    def _nothing(self, y: int, width: int) -> Strip:
        said = self.nothing.splitlines() if self.view is not None and not len(self.view) else []
        at = y - (self.size.height - len(said)) // 2
        text = said[at].center(width) if 0 <= at < len(said) else " " * width
        return Strip([Segment(text, self._base)]).adjust_cell_length(width, self._base)

    def _header(self) -> Strip:
        style = self._base + self._tone("header")
        arrow = self.drawing.pick(("↓", "v") if self.descending else ("↑", "^"))
        dots = self.drawing.own("…")
        parts = titles(self._fitted, self.sorted_by, arrow, style, dots)
        return Strip([Segment(" " * GUTTER, style), *parts])

    def _line(self, at: int) -> Strip:
        assert self.view is not None
        group = self.view.heading(at) if self.view.groups else None
        if group is not None:
            return self._heading(group.label, group.rows)
        row = self.view.row(at)
        is_cursor = row == self.cursor
        key = (row, is_cursor, is_cursor and self.has_focus)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._painted(row, is_cursor)
            if len(self._strips) > STRIPS:
                self._strips.popitem(last=False)
        return strip

    def _heading(self, label: str, rows: int) -> Strip:
        rule = self.drawing.own("──")
        text = f"{rule} {label} {self.drawing.own('·')} {rows:,} "
        width = self.size.width - GUTTER
        shown = fit(text, width, dots=self.drawing.own("…"))
        style = self._base + self._tone("heading")
        return Strip([Segment(" " * GUTTER + shown, style)])

    def _painted(self, row: int, is_cursor: bool) -> Strip:
        base = self._base
        if is_cursor:
            base = base + self._tone("cursor" if self.has_focus else "cursor-blurred")
        columns, key = self._cells(row)
        gutter = self.drawing.pick(("▌", ">")) if is_cursor else " "
        mark = self.drawing.pick(("✓", "*")) if key in self.marks else " "
        parts = line(self._fitted, columns, self._tone, base, self.drawing.own("…"))
        edge = base + self._tone("accent")
        return Strip([Segment(gutter + mark, edge), *parts])

    def _cells(self, row: int) -> tuple[list[Cell], str]:
        assert self.view is not None
        number, at = divmod(row, BLOCK)
        block = self._blocks.get(number)
        if block is None:
            frame = self.view.slice(number * BLOCK, (number + 1) * BLOCK)
            block = [column.cells(frame, self.view.now_ns) for column, _ in self._fitted]
            self._blocks[number] = block
            self._keys[number] = frame[self.view.key].to_list()
            if len(self._blocks) > BLOCKS:
                self._keys.pop(self._blocks.popitem(last=False)[0])
        return [cells[at] for cells in block], str(self._keys[number][at])

    @property
    def _base(self) -> RichStyle:
        """The widget's own style: walks up the tree, so it is asked for once a theme."""
        style = self._palette.get("")
        if style is None:
            style = self._palette[""] = self.rich_style
        return style

    def _tone(self, tone: str) -> RichStyle:
        style = self._palette.get(tone)
        if style is None:
            full = self.get_component_rich_style(f"rows--{tone}")  # blended with what is under it
            own = self.get_component_rich_style(f"rows--{tone}", partial=True)
            style = own + RichStyle(
                color=full.color if own.color else None,
                bgcolor=full.bgcolor if own.bgcolor else None,
            )
            self._palette[tone] = style
        return style

    def _forget(self) -> None:
        self._blocks.clear()
        self._keys.clear()
        self._strips.clear()

    def _repaint(self) -> None:
        self._strips.clear()
        self._palette.clear()
        self.refresh()

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        self._strips.clear()
        self._palette.clear()

    # -- size ----------------------------------------------------------------------------------

    @property
    def _page(self) -> int:
        """Lines of rows on the screen."""
        return max(self.size.height - 1, 1)

    def _measure(self) -> None:
        room = self.size.width - GUTTER - 1
        fitted = widths(self.columns, room, wide=self.is_wide)
        if fitted != self._fitted:
            self._fitted = fitted
            self._forget()
        total = GUTTER + sum(width + 1 for _, width in fitted)
        lines = self.view.lines if self.view else 0
        self.virtual_size = Size(total if self.is_wide else self.size.width, lines + 1)

    def on_resize(self) -> None:
        """The columns share another room."""
        self._measure()
        self._strips.clear()
        self._reveal()

    def on_focus(self) -> None:
        """The cursor's line looks otherwise."""
        self._refresh_row(self.cursor)

    def on_blur(self) -> None:
        """As above."""
        self._refresh_row(self.cursor)

    # -- the cursor ----------------------------------------------------------------------------

    def move_to(self, row: int) -> None:
        """Put the cursor on a row (the nearest that there is) and show it."""
        self.touched = True
        if self.view is None or not len(self.view):
            return
        row = min(max(row, 0), len(self.view) - 1)
        if row != self.cursor:
            before, self.cursor = self.cursor, row
            self.cursor_key = self.view.key_at(row)
            self._refresh_row(before)
            self._refresh_row(row)
            self.post_message(self.Moved(self, self.cursor_key))
        self._reveal()

    def move_to_key(self, key: str) -> bool:
        """Put the cursor on that key; whether there is such a row."""
        row = self.view.find(key) if self.view else None
        if row is None:
            return False
        self.move_to(row)
        return True

    def action_move(self, by: int) -> None:
        """One row up or down."""
        self.move_to(self.cursor + by)

    def action_page(self, by: int) -> None:
        """One page."""
        self.move_to(self.cursor + by * max(self._page - 1, 1))

    def action_go(self, row: int) -> None:
        """The first row, or the last (-1)."""
        self.move_to(row if row >= 0 or self.view is None else len(self.view) - 1)

    def action_group(self, by: int) -> None:
        """The first row of the next group, or of the one before."""
        starts = [group.start for group in self.view.groups] if self.view else []
        ahead = [at for at in starts if at > self.cursor]
        behind = [at for at in starts if at < self.cursor]
        if by > 0 and ahead:
            self.move_to(ahead[0])
        elif by < 0 and behind:
            self.move_to(behind[-1])

    def action_open(self) -> None:
        """Open what the cursor is on."""
        if self.cursor_key is not None:
            self.post_message(self.Opened(self, self.cursor_key))

    def action_mark(self) -> None:
        """Mark the row, or take the mark away, and go on."""
        if self.cursor_key is None:
            return
        self.marks ^= {self.cursor_key}
        self._repaint()
        self.post_message(self.Marked(self))
        self.action_move(1)

    def action_sideways(self, by: int) -> None:
        """Scroll to the left or right, where the table is wider than the screen."""
        self.scroll_to(x=self.scroll_offset.x + by * 16, animate=False)

    def action_wide(self) -> None:
        """Every column in full, or as many as fit."""
        self.is_wide = not self.is_wide
        self.set_class(self.is_wide, "-wide")
        self.scroll_to(x=0, animate=False)
        self._measure()
        self._repaint()

    def choose(self, ids: Sequence[str] | None) -> None:
        """Show these columns in that order; None: as they were declared.

        Where room is wanting the last ones go first: who chose knows what matters.
        """
        named = {column.id: column for column in self.declared}
        chosen = None if ids is None else [named[id] for id in ids]
        if chosen is None or [column.id for column in chosen] == list(named):
            self.columns = self.declared
        else:
            self.columns = tuple(replace(column, rank=at) for at, column in enumerate(chosen))
        self._measure()
        self._repaint()

    @property
    def fitting(self) -> set[str]:
        """The columns that there is room for."""
        return {column.id for column, _ in self._fitted}

    def action_columns(self) -> None:
        """Ask which columns, in which order."""
        from tui.dashboard.columns import ColumnMenu

        self.app.push_screen(ColumnMenu(self))

    # -- order ---------------------------------------------------------------------------------

    def sort(self, column: str, *, descending: bool | None = None) -> None:
        """Ask for another order; "" is the screen's own."""
        found = next((one for one in self.declared if one.id == column), None)
        self.sorted_by = column
        self.descending = (
            (found.descending if found else False) if descending is None else descending
        )
        self.refresh()
        self.post_message(self.Sorting(self))

    def action_sort(self, by: int) -> None:
        """By the next column that can be sorted by; after the last the screen's own order."""
        names = ["", *(column.id for column, _ in self._fitted if column.sort is not None)]
        at = names.index(self.sorted_by) if self.sorted_by in names else 0
        self.sort(names[(at + by) % len(names)])

    def action_reverse(self) -> None:
        """The other way round."""
        if self.sorted_by:
            self.sort(self.sorted_by, descending=not self.descending)

    # -- the mouse -----------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        """On the header: sort. On a row: the cursor; on the cursor's row: open."""
        if self.view is None:
            return
        if event.y == 0:
            self._sort_at(event.x + self.scroll_offset.x - GUTTER)
            return
        at = self.scroll_offset.y + event.y - 1
        if at >= self.view.lines or self.view.heading(at) is not None:
            return
        row = self.view.row(at)
        if row == self.cursor and self.touched and event.chain > 1:
            self.action_open()
        self.move_to(row)

    def _sort_at(self, x: int) -> None:
        for column, width in self._fitted:
            if 0 <= x <= width and column.sort is not None:
                if column.id == self.sorted_by:
                    self.action_reverse()
                else:
                    self.sort(column.id)
            x -= width + 1

    # -- scrolling -----------------------------------------------------------------------------

    def _refresh_row(self, row: int) -> None:
        if self.view is None:
            return
        y = self.view.line(row) - self.scroll_offset.y + 1
        if 0 < y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def _reveal(self) -> None:
        """Scroll no further than it takes to show the cursor (and its group's heading)."""
        if self.view is None:
            return
        at, top = self.view.line(self.cursor), self.scroll_offset.y
        first = at - 1 if at and self.view.heading(at - 1) is not None else at
        if first < top:
            self._scroll(first)
        elif at >= top + self._page:
            self._scroll(at - self._page + 1)

    def _scroll(self, y: int) -> None:
        if y != self.scroll_offset.y:
            self.scroll_to(y=max(y, 0), animate=False, immediate=True)
