"""The neighbourhood of a service as text: incoming left, the service, outgoing right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Static

from analyzer.reporters.style import DEFAULT, Style
from analyzer.reporters.units import count, duration
from tui.dashboard.rows.paint import fit
from tui.dashboard.screens.base import Copy
from tui.dashboard.screens.drill import Detail, DrillPage
from tui.dashboard.screens.frames import component_style
from tui.dashboard.screens.hood_data import SILENT, Neighbourhood, Way, neighbourhood
from tui.dashboard.screens.sheet import facts
from tui.dashboard.theme import Part, content, foreign

if TYPE_CHECKING:
    import polars as pl

    from tui.dashboard.feed import Snapshot

HEIGHT = 3  # lines of one way: its name and edge, its figures, nothing
NAME = 20  # cells of a neighbour's name at most


class Ways(ScrollView, can_focus=True):
    """The drawing, with a cursor on one of the ways. Only visible lines become text."""

    DEFAULT_CSS = """
    Ways {
        height: 1fr;
        color: $foreground;
        background: $background;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        & .ways--dim { color: $text-muted; }
        & .ways--name { text-style: bold; }
        & .ways--error { color: $text-error; }
        & .ways--box { color: $text-accent; }
        & .ways--cursor { background: $primary 30%; text-style: bold; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "ways--dim", "ways--name", "ways--error", "ways--box", "ways--cursor",
    }  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False, id="ways.down"),
        Binding("up,k", "move(-1)", "Up", show=False, id="ways.up"),
        Binding("pagedown", "move(5)", "Page down", show=False, id="ways.page-down"),
        Binding("pageup", "move(-5)", "Page up", show=False, id="ways.page-up"),
        Binding("home", "go(0)", "First", show=False, id="ways.first"),
        Binding("end,G", "go(-1)", "Last", show=False, id="ways.last"),
        Binding("left,h", "side(0)", "Incoming", show=False, id="ways.left"),
        Binding("right,l", "side(1)", "Outgoing", show=False, id="ways.right"),
        Binding("enter", "walk", "Walk on", id="ways.walk"),
    ]

    def __init__(self, drawing: Style = DEFAULT) -> None:
        super().__init__()
        self.drawing = drawing
        self.hood: Neighbourhood | None = None
        self.side, self.at = 1, 0
        self._palette: dict[str, RichStyle] = {}

    def show(self, hood: Neighbourhood | None, *, top: bool) -> None:
        """Draw that; the cursor stays on its way, where it is still there."""
        before = None if top else self.way
        self.hood = hood
        if before is None:
            self.side, self.at = (1 if hood and hood.outgoing else 0), 0
            self.scroll_home(animate=False)
        else:
            self._find(before)
        self._measure()
        self.refresh()

    def _find(self, before: Way) -> None:
        same = (before.neighbour, before.kind, before.destination)
        for at, way in enumerate(self._ways):
            if (way.neighbour, way.kind, way.destination) == same:
                self.at = at
                return
        self.at = min(self.at, max(len(self._ways) - 1, 0))

    @property
    def _ways(self) -> Sequence[Way]:
        return self.hood.sides[self.side] if self.hood else ()

    @property
    def way(self) -> Way | None:
        """The one under the cursor."""
        return self._ways[self.at] if self.at < len(self._ways) else None

    def walk_to(self, neighbour: str) -> None:
        """Put the cursor on the first way to or from that one."""
        for side, ways in enumerate(self.hood.sides if self.hood else ()):
            for at, way in enumerate(ways):
                if way.neighbour == neighbour:
                    self.side, self.at = side, at
                    self._reveal()
                    return

    # -- painting ------------------------------------------------------------------------------

    def _measure(self) -> None:
        most = max((len(side) for side in self.hood.sides), default=0) if self.hood else 0
        self.virtual_size = Size(self.size.width, max(most, 1) * HEIGHT + 1)

    def on_resize(self) -> None:
        """Other widths."""
        self._measure()

    def _widths(self) -> tuple[int, int]:
        """Of a side, of the box."""
        width = self.size.width - 1
        name = cell_len(fit(self.hood.name, 1).strip()) if self.hood else 0
        box = max(min(width // 5, 26), 14) if name else 14
        return (width - box) // 2, box

    def render_line(self, y: int) -> Strip:
        """Line `y` of what is visible."""
        width, base = self.size.width, self.rich_style
        at = y + self.scroll_offset.y
        if self.hood is None or at >= self.virtual_size.height:
            return Strip.blank(width, base)
        side, box = self._widths()
        row, line = divmod(at - 1, HEIGHT)
        parts = [
            *self._half(0, row, line, side, base),
            self._box(at, box, base),
            *self._half(1, row, line, side, base),
        ]
        return Strip(parts).crop_extend(0, width, base)

    def _part(self, name: str) -> RichStyle:
        if name not in self._palette:
            self._palette[name] = component_style(self, f"ways--{name}")
        return self._palette[name]

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        self._palette.clear()

    def _half(self, side: int, row: int, line: int, width: int, base: RichStyle) -> list[Segment]:
        if row < 0:
            return [self._title(side, width, base)]
        assert self.hood is not None
        ways = self.hood.sides[side]
        if line == HEIGHT - 1 or row >= len(ways):
            said = " nothing was seen" if not ways and (row, line) == (0, 0) else ""
            return [Segment(fit(said, width), base + self._part("dim"))]
        way, here = ways[row], (side, row) == (self.side, self.at)
        if here:
            base = base + self._part("cursor")
        mark = self.drawing.pick(("▌", ">")) if here else " "
        inner = width - 2
        if line == 1:
            text = fit(self.drawing.own(way.figures), inner - 2, dots=self.drawing.own("…"))
            tone = self._part("error" if way.errors else "dim")
            return [Segment(mark + "  " + text + " ", base + tone)]
        return [Segment(mark, base), *self._way(way, side, inner, base), Segment(" ", base)]

    def _title(self, side: int, width: int, base: RichStyle) -> Segment:
        assert self.hood is not None
        word = ("INCOMING", "OUTGOING")[side]
        number = len({way.neighbour for way in self.hood.sides[side]})
        return Segment(fit(f" {word} {number:,}", width), base + self._part("dim"))

    def _way(self, way: Way, side: int, width: int, base: RichStyle) -> list[Segment]:
        """`orders ── event orders.placed ──▶`, or the arrow first."""
        dots = self.drawing.own("…")
        silent = self.drawing.pick(SILENT) + " " if way.silent else ""
        name = fit(silent + way.neighbour, min(NAME, width // 2), dots=dots).rstrip()
        dash = self.drawing.pick(("─", "-") if way.kind == "sync" else ("┄", "."))
        head = self.drawing.pick(("▶", ">"))
        room = width - cell_len(name) - 6
        label = fit(way.label, room, dots=dots).rstrip()
        rest = dash * (room - cell_len(label))
        line = f"{dash}{dash} {label} {rest}{head}"
        names, lines = base + self._part("name"), base + self._part("box")
        if side == 0:
            return [Segment(name + " ", names), Segment(line, lines)]
        return [Segment(line + " ", lines), Segment(name, names)]

    def _box(self, at: int, width: int, base: RichStyle) -> Segment:
        assert self.hood is not None
        frame = self.drawing.pick(("╭─╮│╰╯", "+-+|++"))
        inner = width - 2
        style = base + self._part("box")
        if at == 1:
            return Segment(frame[0] + frame[1] * inner + frame[2], style)
        if at == 2:
            name = fit(self.hood.name, inner, dots=self.drawing.own("…")).strip()
            pad = inner - cell_len(name)
            text = " " * (pad // 2) + name + " " * (pad - pad // 2)
            return Segment(frame[3] + text + frame[3], style + self._part("name"))
        if at == 3:
            return Segment(frame[4] + frame[1] * inner + frame[5], style)
        return Segment(" " * width, base)

    # -- the cursor ----------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Another way on this side."""
        self._to(self.at + by)

    def action_go(self, at: int) -> None:
        """The first, or the last (-1)."""
        self._to(at if at >= 0 else len(self._ways) - 1)

    def action_side(self, side: int) -> None:
        """The ways in, or the ways out."""
        if self.hood and self.hood.sides[side]:
            self.side = side
            self._to(self.at)

    def _to(self, at: int) -> None:
        self.at = min(max(at, 0), max(len(self._ways) - 1, 0))
        self._reveal()

    def _reveal(self) -> None:
        first, last = self.at * HEIGHT, (self.at + 1) * HEIGHT
        top, page = self.scroll_offset.y, max(self.size.height, 1)
        if first < top:
            self.scroll_to(y=first, animate=False, immediate=True)
        elif last >= top + page:
            self.scroll_to(y=last - page + 1, animate=False, immediate=True)
        self.refresh()

    def action_walk(self) -> None:
        """To that neighbour."""
        if self.way is not None:
            self.query_ancestor(DrillPage).open(self.way.neighbour)

    def on_click(self, event: events.Click) -> None:
        """The cursor; a second click walks."""
        if self.hood is None:
            return
        row = (event.y + self.scroll_offset.y - 1) // HEIGHT
        side, box = self._widths()
        chosen = 0 if event.x < side else 1 if event.x >= side + box else None
        if chosen is not None and 0 <= row < len(self.hood.sides[chosen]):
            self.side, self.at = chosen, row
            self._reveal()
            if event.chain > 1:
                self.action_walk()

    def plain(self) -> str:
        """The whole drawing as text."""
        if self.hood is None:
            return ""
        lines = []
        for side, word in enumerate(("INCOMING", "OUTGOING")):
            lines.append(word)
            for way in self.hood.sides[side]:
                names = (way.neighbour, self.hood.name)
                source, target = names if side == 0 else names[::-1]
                said = f"{foreign(source)} -> {foreign(target)}  {foreign(way.label)}"
                lines.append(f"  {said}  {self.drawing.own(way.figures)}")
        return "\n".join(lines) + "\n"


class Hood(Detail):
    """What is known of the service, and the drawing under it."""

    DEFAULT_CSS = "Hood > #facts { height: auto; padding: 0 1; margin-bottom: 1; }"

    def compose(self) -> ComposeResult:
        """The figures, the drawing."""
        yield Static("", id="facts", markup=False)
        yield Ways(self.drawing)

    @property
    def ways(self) -> Ways:
        """The drawing."""
        return self.query_one(Ways)

    def build(self, snapshot: Snapshot, key: str) -> Neighbourhood | None:
        """One hop, never the whole."""
        return neighbourhood(snapshot, key)

    def tell(self, made: Any, *, top: bool = False) -> None:
        """Draw it."""
        self.made = made
        told = self._facts(made) if made else [("It is no longer there.", "bold")]
        shown = content(*told, drawing=self.drawing)
        self.query_one("#facts", Static).update(shown.rstrip("\n"))
        self.ways.show(made, top=top)
        if made and self._wanted:
            self.ways.walk_to(self._wanted)
            self._wanted = ""

    def _facts(self, hood: Neighbourhood) -> list[Part]:
        row = hood.row
        parts: list[Part] = [("Services › ", "dim"), (f"{foreign(hood.name, 200)}\n", "bold")]
        if not row:
            return parts
        if not row["spans"]:
            parts += [(self.drawing.pick(SILENT), "warning"), " called, but sends no span itself\n"]
        seen = row["last_ns"]
        return parts + facts(
            ("", count(row["spans"], "span")),
            ("", count(row["instances"], "instance")),
            ("", count(row["errors"], "error")),
            ("ca", row["ca"]),
            ("ce", row["ce"]),
            ("instability", "" if row["instability"] is None else f"{row['instability']:.2f}"),
            ("seen", "" if seen is None else f"{duration(max(hood.now_ns - seen, 0))} ago"),
        )

    def focus_first(self) -> None:
        """The drawing."""
        self.ways.focus()

    @property
    def place(self) -> str:
        """The neighbour under the cursor."""
        return self.ways.way.neighbour if self.is_mounted and self.ways.way else ""

    def copies(self) -> Sequence[Copy]:
        """Its ways, one a line, and its name."""
        if self.made is None:
            return ()
        return (Copy("neighbourhood as text", self.ways.plain()), Copy("key", self.made.name))

    def export(self) -> pl.DataFrame | None:
        """Its edges."""
        return None if self.made is None else self.made.edges
