"""The Instance screen: loads one instance in a worker, shows it in six tabs over one cursor."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.worker import get_current_worker

from analyzer.escape import escape, json_text
from analyzer.reporters.style import DEFAULT, Style
from tui.dashboard.instance.detail import detail, fitting
from tui.dashboard.instance.events_tab import EventsSheet
from tui.dashboard.instance.graph_tab import GraphSheet
from tui.dashboard.instance.header import header, tabs
from tui.dashboard.instance.model import Model, model_of
from tui.dashboard.instance.pieces import Line, plain
from tui.dashboard.instance.sequence_tab import SequenceSheet
from tui.dashboard.instance.sheet import Sheet
from tui.dashboard.instance.tree_tab import TreeSheet
from tui.dashboard.instance.waterfall_tab import LanesSheet
from tui.dashboard.instance.why_tab import WhySheet
from tui.dashboard.instance.widgets import Lines, SheetView
from tui.dashboard.screens.base import Copy, Page

if TYPE_CHECKING:
    from tui.dashboard.feed import Feed, Snapshot

SHEETS: tuple[type[Sheet], ...] = (
    LanesSheet, TreeSheet, GraphSheet, SequenceSheet, EventsSheet, WhySheet,
)  # fmt: skip
OFTEN_S = 2.0  # between two loads of a live instance; longer where loading takes long
LOOK_S = 1.0  # between two looks at the feed
SMALL = 1_000  # rows that a tab is made of at once, without a worker


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What the worker brings: a model with its first sheet, or what went wrong."""

    model: Model | None = None
    lanes: LanesSheet | None = None
    error: str = ""
    took_s: float = 0.0


class InstanceView(Page):
    """One instance: `InstanceView(feed, id)`. Escape is the app's.

    `copies`, `copy_text`, `export_text` (the document as JSON) and `trace_id` are of what is shown.
    """

    TITLE = "Instance"
    DEFAULT_CSS = """
    InstanceView { height: 1fr; background: $background; }
    InstanceView #detail { border-top: solid $border-blurred; height: 9; }
    InstanceView.-ascii #detail { border-top: ascii $border-blurred; }
    InstanceView.-short #detail { height: 6; }
    InstanceView.-plain #detail { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "tab(1)", "Next tab", id="instance.tab"),
        Binding("shift+tab", "tab(-1)", "Tab before", show=False, id="instance.tab-back"),
        Binding("x", "critical", "Critical path", id="instance.critical"),
        Binding("z", "fold", "Fold gaps", id="instance.fold"),
        Binding("plus,equals_sign", "zoom(1)", "Zoom", key_display="+", id="instance.zoom"),
        Binding("minus", "zoom(-1)", "Zoom out", show=False, id="instance.zoom-out"),
        Binding("d", "detail", "Detail", id="instance.detail"),
        Binding("r", "reload", "Reload", show=False, id="instance.reload"),
    ]

    def __init__(
        self, feed: Feed, identifier: str, *, drawing: Style | None = None, id: str | None = None
    ) -> None:
        """`drawing`: glyphs; by default those of the screen that it stands on."""
        super().__init__(id=id)
        self.feed = feed
        self.identifier = identifier
        self._drawing = drawing
        self.model: Model | None = None
        self.chosen = 0  # number of the tab
        self.problem = ""  # why there is nothing newer
        self._sheets: dict[int, Sheet] = {}
        self._spots: list[tuple[int, int]] = []
        self._key: str | None = None  # the row under the cursor, over all tabs
        self._generation = -1
        self._next_load = 0.0
        self._with_detail = True

    def compose(self) -> ComposeResult:
        """Header, tabs, the sheet, the detail of a row."""
        given = self._drawing or getattr(self.screen, "drawing", None)
        self.drawing = given or DEFAULT
        yield Lines(id="header")
        yield Lines(id="tabs")
        yield SheetView(self._moved, id="sheet")
        yield Lines(id="detail")

    def on_mount(self) -> None:
        """Load it."""
        self.set_class(not self.drawing.unicode, "-ascii")
        self._arrange()
        self.action_reload()
        self.set_interval(LOOK_S, self._look)
        self._view.focus()

    @property
    def _view(self) -> SheetView:
        return self.query_one("#sheet", SheetView)

    # -- loading -------------------------------------------------------------------------------

    def _look(self) -> None:
        """Whether the feed has something newer."""
        if (snapshot := self.feed.snapshot) is not None:
            self.show(snapshot)

    def show(self, snapshot: Snapshot) -> None:
        """A newer snapshot: load the instance again, not too often."""
        super().show(snapshot)
        if snapshot.generation != self._generation and time.monotonic() >= self._next_load:
            self._generation = snapshot.generation
            self.action_reload()

    def action_reload(self) -> None:
        """Load it (again)."""
        self._next_load = float("inf")
        if (snapshot := self.feed.snapshot) is not None:
            self._generation = snapshot.generation
        self.run_worker(self._load, thread=True, exclusive=True, group="load", exit_on_error=False)
        self._arrange()

    def _load(self) -> None:
        worker, before = get_current_worker(), time.monotonic()
        loaded = self._read()
        if not worker.is_cancelled:
            took = time.monotonic() - before
            self.app.call_from_thread(self._loaded, replace(loaded, took_s=took))

    def _read(self) -> _Loaded:
        try:
            document = self.feed.instance(self.identifier)
        except (LookupError, OSError) as error:
            said = error.args[0] if error.args and isinstance(error, LookupError) else error
            return _Loaded(error=str(said) or type(error).__name__)
        try:
            model = model_of(document)
            return _Loaded(model, LanesSheet(model, self.drawing))
        except (KeyError, TypeError, ValueError) as error:  # of a server that is older than this
            return _Loaded(error=f"not a document of an instance as it should be: {error!r}")

    def _loaded(self, loaded: _Loaded) -> None:
        if not self.is_attached:
            return
        self._next_load = time.monotonic() + max(OFTEN_S, 10 * loaded.took_s)
        self.problem = loaded.error
        if loaded.model is not None and loaded.lanes is not None:
            if isinstance(old := self._sheets.get(0), LanesSheet):
                loaded.lanes.continue_from(old)
            self.model, self._sheets = loaded.model, {0: loaded.lanes}
            self._open()
        self._arrange()

    # -- tabs ----------------------------------------------------------------------------------

    def action_tab(self, by: int) -> None:
        """The next tab, or the one before."""
        self.choose((self.chosen + by) % len(SHEETS))

    def choose(self, tab: int) -> None:
        """Show that tab, the cursor on the same row."""
        self.chosen = tab
        self._open()
        self._arrange()

    def _open(self) -> None:
        """Show the tab; of a big instance it is made in a worker first."""
        model, tab = self.model, self.chosen
        if model is None:
            return
        if tab in self._sheets:
            self._view.show(self._sheets[tab], self._key)
        elif len(model.rows) <= SMALL:
            self._made(model, tab, SHEETS[tab](model, self.drawing))
        else:
            self.run_worker(
                lambda: self._make(model, tab), thread=True, group="tab", exit_on_error=False
            )

    def _make(self, model: Model, tab: int) -> None:
        sheet = SHEETS[tab](model, self.drawing)
        self.app.call_from_thread(self._made, model, tab, sheet)

    def _made(self, model: Model, tab: int, sheet: Sheet) -> None:
        if model is self.model and self.is_attached:
            self._sheets[tab] = sheet
            if tab == self.chosen:
                self._view.show(sheet, self._key)
                self._arrange()

    @property
    def _lanes(self) -> LanesSheet | None:
        sheet = self._sheets.get(0)
        return sheet if isinstance(sheet, LanesSheet) else None

    # -- what stands around the sheet ----------------------------------------------------------

    def _arrange(self) -> None:
        """Header and tabs as they are now."""
        width = self.size.width or self.app.size.width
        lines = header(self.model, self.drawing, width) if self.model else [self._waiting()]
        if self.problem and self.model:
            lines.append([(f"no newer state: {escape(self.problem)[: width - 16]}", "error")])
        self.query_one("#header", Lines).put(lines)
        titles = [sheet.TITLE for sheet in SHEETS]
        line, self._spots = tabs(titles, self.chosen, self.model, self.drawing, self._notes())
        self.query_one("#tabs", Lines).put([line])

    def _waiting(self) -> Line:
        if self.problem:
            return [(f"{escape(self.problem)[:400]}  (r tries again)", "error")]
        return [(f"reading {escape(self.identifier)[:200]} {self.drawing.own('…')}", "dim")]

    def _notes(self) -> list[str]:
        lanes = self._lanes
        if lanes is None or self.chosen:
            return []
        notes = ["critical path only"] if lanes.critical_only else []
        notes += [] if lanes.folded else ["gaps not folded"]
        return notes + ([f"zoom {1 << lanes.zoom}×"] if lanes.zoom else [])

    def _moved(self) -> None:
        """The detail is of the row under the cursor."""
        row = self._view.row
        if row is not None:
            self._key = row.key
        self._show_detail()
        self.set_class(not self._with_detail or row is None, "-plain")

    def _show_detail(self) -> None:
        sheet, row = self._view.sheet, self._view.row
        lines = detail(sheet, row, self.size.width) if sheet and row else []
        room = 5 if self.has_class("-short") else 8  # its height without the line above
        self.query_one("#detail", Lines).put(fitting(lines, room))

    def on_resize(self, event: events.Resize) -> None:
        """Less detail on a small screen."""
        self.set_class(event.size.height < 30, "-short")
        self._arrange()
        self._show_detail()

    def on_click(self, event: events.Click) -> None:
        """On a tab: show it."""
        if event.widget is self.query_one("#tabs", Lines):
            for tab, (left, right) in enumerate(self._spots):
                if left <= event.x < right:
                    self.choose(tab)

    # -- keys of the waterfall -----------------------------------------------------------------

    def action_critical(self) -> None:
        """The critical path alone, or all rows."""
        if (lanes := self._lanes) is not None and self._to_lanes():
            lanes.critical_only = not lanes.critical_only
            self._changed()

    def action_fold(self) -> None:
        """Long waiting folded, or drawn to scale."""
        if (lanes := self._lanes) is not None and self._to_lanes():
            lanes.folded = not lanes.folded
            self._changed()

    def action_zoom(self, by: int) -> None:
        """Twice or half as wide, around the row under the cursor."""
        if (lanes := self._lanes) is not None and self._to_lanes():
            row = self._view.row
            around = row.start_ns if row else None
            if lanes.zoom_by(by, self._view.size.width, around):
                self._changed()

    def on_sheet_view_sideways(self, event: SheetView.Sideways) -> None:
        """Move the zoomed time axis."""
        event.stop()
        if (lanes := self._lanes) is not None and self.chosen == 0 and lanes.pan_by(event.by):
            self._view.repaint()

    def _to_lanes(self) -> bool:
        """These keys are of the lanes: from another tab they go there first."""
        if self.chosen:
            self.choose(0)
        return True

    def _changed(self) -> None:
        self._view.changed(self._key)
        self._arrange()

    def action_detail(self) -> None:
        """Show the detail, or give its room to the rows."""
        self._with_detail = not self._with_detail
        self.set_class(not self._with_detail or self._view.row is None, "-plain")

    # -- given away ----------------------------------------------------------------------------

    def focus_first(self) -> None:
        """The rows."""
        self._view.focus()

    @property
    def document(self) -> Mapping[str, Any] | None:
        """What is shown, decoded; None while loading."""
        return self.model.document if self.model else None

    @property
    def place(self) -> str | None:
        """The row under the cursor, for the history."""
        return self._key

    def return_to(self, place: str) -> None:
        """Put the cursor back on that row."""
        self._key = place
        self._view.changed(place)

    def copy_text(self) -> str:
        """The tab as text."""
        sheet = self._view.sheet
        if sheet is None or self.model is None:
            return ""
        width = self._view.size.width
        above = "".join(plain(line) + "\n" for line in header(self.model, self.drawing, width))
        return f"{above}\n{sheet.text(width)}"

    def export_text(self) -> str:
        """The document as JSON, as `show --format json` prints it."""
        return json_text(self.document, indent=2) + "\n" if self.document else ""

    def copies(self) -> Sequence[Copy]:
        """This tab, the ids, the document."""
        if self.model is None:
            return ()
        found = [Copy(f"{SHEETS[self.chosen].TITLE} as text", self.copy_text)]
        found.append(Copy("instance id", str(self.model.instance["instance"])))
        if trace := self.trace_id():
            found.append(Copy("trace id", trace))
        if span := self._field("span_id"):
            found.append(Copy("span id", span))
        return (*found, Copy("the instance as JSON", self.export_text))

    def trace_id(self) -> str | None:
        """The trace of the row under the cursor, else the instance's first."""
        if found := self._field("trace_id"):
            return found
        traces = self.model.instance["trace_ids"] if self.model else ()
        return str(traces[0]) if traces else None

    def _field(self, name: str) -> str | None:
        row = self._view.row
        found = row.data.get(name) if row else None
        return str(found) if found else None
