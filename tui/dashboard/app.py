"""The dashboard: a header that is always live, tiles, tabs, a page, and what is over it."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Footer, Static

from analyzer.reporters.style import Style
from tui.dashboard.errors import SettingError
from tui.dashboard.feed import Feed, Snapshot
from tui.dashboard.header import Header, trouble
from tui.dashboard.history import History, Place
from tui.dashboard.journal import Journal
from tui.dashboard.menu import Ask, Menu
from tui.dashboard.notice import LEAST, Notice, notice, too_small
from tui.dashboard.over import InstanceScreen
from tui.dashboard.screens.base import Copy, Page
from tui.dashboard.screens.registry import PAGES, Entry
from tui.dashboard.sent import Sent
from tui.dashboard.tabs import Tabs
from tui.dashboard.theme import content, foreign
from tui.dashboard.tiles import Tally, Tiles, tally

QUIET_S = 2.0  # after a key press nothing moves under the cursor for so long
FLAT = (100, 28)  # with fewer columns or lines the tiles are one line
ASCII_KEYS = {"⏎": "enter", "↑": "up", "↓": "down", "←": "left", "→": "right", "⌫": "backspace"}


class Dashboard(App[int]):
    """Shows one feed. `where`: the first filter; `ascii`: no other characters of our own.

    `keys`: other keys by the id of their action. `open_url`: a template with {trace_id}.
    `theme`: one of Textual's; "" = its default. Raises SettingError.
    """

    TITLE = "choreoscope"
    ENABLE_COMMAND_PALETTE = True
    CSS = """
    #trouble { height: 1; display: none; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #trouble.-shown { display: block; }
    #content { height: 1fr; }
    #content > Page { height: 1fr; display: none; }
    #content > Page.-open { display: block; }
    #small { display: none; width: 1fr; height: 1fr; content-align: center middle; }
    .-ascii ModalScreen > Vertical { border: ascii $primary; }
    FooterKey.-command-palette { margin: 0; padding-right: 1; }
    Screen.-small > * { display: none; }
    Screen.-small > #small { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                entry.key, f"page('{entry.id}')", entry.title, show=False, id=f"page-{entry.id}"
            )
            for entry in PAGES
        ),
        Binding("space", "pause", "Pause", id="pause"),
        Binding("y", "copy", "Copy", id="copy"),
        Binding("e", "export", "Export", show=False, id="export"),
        Binding("O", "open_trace", "Open trace", show=False, id="open-trace"),
        Binding("left_square_bracket", "history(-1)", "Back", show=False, id="back"),
        Binding("right_square_bracket", "history(1)", "Forward", show=False, id="forward"),
        Binding("escape", "escape", "Back", show=False, id="escape"),
        Binding("ctrl+o", "jump", "Jump", show=False, id="jump"),
        Binding("question_mark", "help", "Keys", id="help"),
        Binding("q", "quit", "Quit", id="quit"),
    ]

    class Told(Message):
        """The feed has something new."""

    class Counted(Message):
        """The numbers of a snapshot are known: it can be shown."""

        def __init__(self, snapshot: Snapshot, counted: Tally) -> None:
            super().__init__()
            self.snapshot, self.tally = snapshot, counted

    class Waiting(Message):
        """So many instances have changed behind the pause."""

        def __init__(self, changes: int) -> None:
            super().__init__()
            self.changes = changes

    def __init__(
        self,
        feed: Feed,
        *,
        where: str = "",
        ascii: bool = False,
        keys: Mapping[str, str] | None = None,
        open_url: str = "",
        theme: str = "",
    ) -> None:
        super().__init__()
        self.feed = feed
        self.drawing = Style(unicode=not ascii)
        self.trace_url = open_url
        self.journal = Journal()
        self.shown: Snapshot | None = None  # of the tiles and of the page
        self.paused: int | None = None  # changes that wait
        self.history = History(Place(PAGES[0].id, where))
        self._latest: Snapshot | None = None
        self._counting = False
        self._pressed = -QUIET_S
        self._later: Timer | None = None
        self._told = False
        self._sent = Sent()
        self._configure(keys or {}, open_url, theme)

    def _configure(self, keys: Mapping[str, str], open_url: str, theme: str) -> None:
        if open_url and ("{trace_id}" not in open_url or not open_url.startswith("http")):
            told = "such as https://jaeger.example/trace/{trace_id}"
            raise SettingError(f"watch.open_url must be a URL with {{trace_id}}, {told}")
        if keys:
            from tui.dashboard.keys import check

            self.set_keymap(check(keys, type(self)))
        if theme and theme not in self.available_themes:
            there = ", ".join(sorted(self.available_themes))
            raise SettingError(f"watch.theme: there is no {theme!r}; there are {there}")
        if theme:
            self.theme = theme

    # -- the frame -----------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Header, trouble, tiles, tabs, content, footer."""
        yield Header(self.drawing, id="header")
        yield Static("", id="trouble", markup=False)
        yield Tiles(self.drawing, id="tiles")
        yield Tabs(PAGES, id="tabs")
        with Vertical(id="content"):
            yield Notice(id="notice")
        yield Footer(show_command_palette=True, compact=True)
        yield Static("", id="small", markup=False)

    def on_mount(self) -> None:
        """Start the feed when the first frame is on the screen."""
        self.set_class(not self.drawing.unicode, "-ascii")
        self.query_one(Tabs).tell(self.history.here.page, {})
        self._show_status()
        self.app_resume_signal.subscribe(self, lambda _: self._sent.forget())
        self.set_interval(1.0, self._show_status)
        self.call_after_refresh(self.feed.start, self._tell)

    def on_unmount(self) -> None:
        """The feed's thread ends with the screen."""
        self.feed.stop()

    def on_resize(self, _: events.Resize) -> None:
        """Not by the event: a browser's first one may come after the next."""
        self._sent.forget()
        self.call_later(self._fit)

    def _display(self, screen: Screen[object], renderable: object) -> None:
        """Textual sends whole lines, and all of them after a layout: what changed is enough."""
        super()._display(screen, self._sent.changed(renderable))  # type: ignore[arg-type]

    def action_redraw(self) -> None:
        """Send everything again: something else wrote on the terminal."""
        self._sent.forget()
        self.refresh(layout=True)

    def _fit(self) -> None:
        """Flat tiles where there is little room, a word where there is none."""
        columns, lines = self.size
        screen = self.screen_stack[0]
        screen.query_one(Tiles).set_class(columns < FLAT[0] or lines < FLAT[1], "-flat")
        small = columns < LEAST[0] or lines < LEAST[1]
        if self.page is not None and screen.has_class("-small") and not small:
            self.call_after_refresh(self.page.focus_first)  # what was hidden has lost it
        screen.set_class(small, "-small")
        if small:
            screen.query_one("#small", Static).update(too_small(columns, lines))

    def get_key_display(self, binding: Binding) -> str:
        """As Textual has it, or in ASCII."""
        shown = super().get_key_display(binding)
        return shown if self.drawing.unicode else ASCII_KEYS.get(shown, shown)

    async def on_event(self, event: events.Event) -> None:
        """A key press holds the list still for a while."""
        if isinstance(event, events.Key):
            self._pressed = time.monotonic()
        await super().on_event(event)

    # -- the feed ------------------------------------------------------------------------------

    def _tell(self) -> None:
        """From the feed's thread: at most one message is on its way."""
        if not self._told:
            self._told = True
            self.post_message(self.Told())

    @on(Told)
    def _on_told(self) -> None:
        self._told = False
        self._latest = self.feed.snapshot
        self.journal.status(self.feed.status)
        if self._latest is not None:
            self.journal.snapshot(self._latest)
        self._show_status()
        self._offer()

    def _show_status(self) -> None:
        status = self.feed.status
        overflow = self._latest.overflow if self._latest else 0
        headers = [found for screen in self.screen_stack for found in screen.query(Header)]
        for header in headers[-1:]:  # one that is hidden would have the whole screen painted
            header.tell(status, self.paused, overflow)
        main = self.screen_stack[0]
        if not main.query(Notice):  # it is being taken down
            return
        said = trouble(status, overflow)
        line = main.query_one("#trouble", Static)
        line.set_class(bool(said) and self.shown is not None, "-shown")
        line.update(content(*said, drawing=self.drawing), layout=False)
        self._show_notice()

    def _show_notice(self) -> None:
        main = self.screen_stack[0]
        said = notice(self.feed.status, self.shown, self.drawing)
        place = main.query_one(Notice)
        place.display = said is not None
        for page in main.query(Page):
            page.set_class(said is None and page.id == self.history.here.page, "-open")
        if said is not None:
            place.update(said)

    def _offer(self) -> None:
        """Show the latest snapshot, unless it is held back; then later."""
        latest = self._latest
        if latest is None or latest is self.shown or self._counting:
            return
        if self.paused is not None and self.shown is not None:
            count = partial(self._count_changes, self.shown, latest)
            self.run_worker(count, thread=True, group="changes", exclusive=True)
            return
        quiet = self._pressed + QUIET_S - time.monotonic()
        if quiet > 0 and self.shown is not None:
            if self._later is None:
                self._later = self.set_timer(quiet + 0.05, self._after_quiet)
            return
        self._counting = True
        self.run_worker(partial(self._count, latest), thread=True, group="count")

    def _after_quiet(self) -> None:
        self._later = None
        self._offer()

    def _count(self, snapshot: Snapshot) -> None:
        self.post_message(self.Counted(snapshot, tally(snapshot)))

    def _count_changes(self, shown: Snapshot, latest: Snapshot) -> None:
        names = ["id", "state", "steps", "spans", "end_ns", "deadline_ns"]
        before, after = shown.instances.select(names), latest.instances.select(names)
        new = after.join(before, on=names, how="anti", nulls_equal=True).height
        gone = before.join(after, on="id", how="anti").height
        self.post_message(self.Waiting(new + gone))

    @on(Waiting)
    def _on_waiting(self, event: Waiting) -> None:
        if self.paused is not None:
            self.paused = event.changes
            self._show_status()

    @on(Counted)
    def _on_counted(self, event: Counted) -> None:
        self._counting = False
        first = self.shown is None
        if first and not self.is_headless:
            gc.freeze()  # modules and widgets stay: looking through them takes 40 ms at a time
        self.shown = event.snapshot
        self._show_status()
        main = self.screen_stack[0]
        main.query_one(Tiles).tell(event.tally)
        made = ((entry.id, entry.badge(event.snapshot)) for entry in PAGES)
        self._badges = {page: number for page, number in made if number}
        main.query_one(Tabs).tell(self.history.here.page, self._badges)
        self._show_notice()
        if first and not self._page(self.history.here.page):
            self._visit(self.history.here)
        elif current := self._page(self.history.here.page):
            current.show(event.snapshot)
        self._offer()

    # -- pages ---------------------------------------------------------------------------------

    _badges: Mapping[str, int] = {}

    def _page(self, id: str) -> Page | None:
        found = self.screen_stack[0].query(f"#content > #{id}")
        return found.first(Page) if found else None

    @property
    def page(self) -> Page | None:
        """The open one; None before there is anything to show."""
        return self._page(self.history.here.page)

    def _visit(self, place: Place) -> None:
        """Make the screen what the place says."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        page = self._page(place.page)
        if page is None:
            if self.shown is None:
                return
            page = _entry(place.page).load()(id=place.page)
            page.drawing = self.drawing
            page.search(place.where)
            self.call_later(self._mount_page, page, place)
        else:
            self._mounted(page, place)
        self.screen_stack[0].query_one(Tabs).tell(place.page, self._badges)
        self._show_status()

    async def _mount_page(self, page: Page, place: Place) -> None:
        await self.screen_stack[0].query_one("#content").mount(page)
        if self._exit or not page.is_attached:  # closed meanwhile
            return
        self._show_notice()
        self._mounted(page, place)

    def _mounted(self, page: Page, place: Place) -> None:
        if place.where != page.where:
            page.search(place.where)
        if place.key is not None:
            page.return_to(place.key)
        if self.shown is not None and page.snapshot is not self.shown:
            page.show(self.shown)
        self.call_after_refresh(page.focus_first)  # what is not displayed takes no focus
        if place.instance is not None:
            self._open_instance(place.instance)

    def _note(self) -> None:
        """The present place, as it is left."""
        page, here = self.page, self.history.here
        if page is not None and here.instance is None:
            self.history.note(Place(here.page, page.where, page.place))

    def go(self, place: Place) -> None:
        """Go there, and remember where we were."""
        self._note()
        self.history.go(place)
        self._visit(place)

    def action_page(self, id: str) -> None:
        """Another tab, as it was left."""
        here = self.history.here
        if id == here.page and here.instance is None:
            return
        page = self._page(id)
        self.go(Place(id, page.where if page else "", page.place if page else None))

    def action_history(self, by: int) -> None:
        """Back or forward."""
        self._note()
        place = self.history.step(by)
        if place is None:
            self.bell()
        else:
            self._visit(place)

    def action_escape(self) -> None:
        """Back; at the beginning it clears the filter."""
        self._note()
        place = self.history.step(-1)
        if place is not None:
            self._visit(place)
        elif self.page is not None and self.page.where:
            self.page.search("")

    @on(Tabs.Chosen)
    def _chosen(self, event: Tabs.Chosen) -> None:
        self.action_page(event.page)

    @on(Tiles.Asked)
    def _asked(self, event: Tiles.Asked) -> None:
        self._go_to_all(Place(PAGES[0].id, event.where))

    @on(Page.GoTo)
    def _go_to(self, event: Page.GoTo) -> None:
        self._go_to_all(Place(event.page, event.where, event.key))

    def _go_to_all(self, place: Place) -> None:
        """There, with every row that was promised."""
        page = self._page(place.page)
        if page is not None:
            page.widen()
        self.go(place)

    @on(Page.OpenInstance)
    def _instance_asked(self, event: Page.OpenInstance) -> None:
        self._note()
        here = self.history.here
        self.history.go(Place(here.page, here.where, here.key, event.identifier))
        self._open_instance(event.identifier)

    def _open_instance(self, identifier: str) -> None:
        screen = InstanceScreen(self.feed, identifier, self.drawing)
        self.push_screen(screen)
        self.call_after_refresh(self._show_status)

    # -- actions -------------------------------------------------------------------------------

    def action_pause(self) -> None:
        """Hold the list; the header stays live, and nothing stops being collected."""
        self.paused = 0 if self.paused is None else None
        self._show_status()
        self._offer()

    def _copies(self) -> Sequence[Copy]:
        if isinstance(self.screen, InstanceScreen):
            return self.screen.copies()
        return self.page.copies() if self.page else ()

    def action_copy(self) -> None:
        """Choose what to copy."""
        copies = list(self._copies())
        if not copies:
            self.notify("there is nothing to copy here", markup=False)
            return
        chosen = partial(self._copy_chosen, copies)
        self.push_screen(Menu("Copy", [copy.title for copy in copies]), chosen)

    def _copy_chosen(self, copies: Sequence[Copy], chosen: int | None) -> None:
        if chosen is not None:
            self._copy_soon(copies[chosen].read)

    @on(Page.CopyText)
    def _copy_asked(self, event: Page.CopyText) -> None:
        self._copy_soon(lambda: event.text)

    def _copy_soon(self, read: Callable[[], str]) -> None:
        self.run_worker(lambda: self._copy(read()), thread=True, group="copy")

    def _copy(self, text: str) -> None:
        from tui.dashboard.clipboard import copy

        self.notify(copy(text, self._write), markup=False)

    def _write(self, sequence: str) -> None:
        if self._driver is not None:
            self._driver.write(sequence)

    def action_export(self) -> None:
        """Ask for a file, then write what is shown to it."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        if isinstance(self.screen, InstanceScreen):
            name = f"choreoscope-instance-{stamp}.json"
            self.push_screen(Ask("Export to (.json)", name), self._export_document)
        elif self.page is not None and self.page.export() is not None:
            name = f"choreoscope-{self.history.here.page}-{stamp}.csv"
            self.push_screen(Ask("Export to (.csv, .json, .parquet)", name), self._export_frame)
        else:
            self.notify("there is nothing to export here", markup=False)

    def _export_frame(self, name: str | None) -> None:
        frame = self.page.export() if self.page else None
        if name and frame is not None:
            from tui.dashboard.export import export

            self._write_file(Path(name).expanduser(), partial(export, frame), "rows")

    def _export_document(self, name: str | None) -> None:
        text = self.screen.export_text() if isinstance(self.screen, InstanceScreen) else None
        if name and text is not None:
            written = partial(_write_text, text)
            self._write_file(Path(name).expanduser(), written, "characters")

    def _write_file(self, path: Path, write: partial[int], noun: str) -> None:
        def work() -> None:
            if path.exists():
                said, severity = f"{path} is there already", "error"
            else:
                said, severity = _attempt(path, write, noun)
            self.notify(foreign(said), severity=severity, markup=False)  # type: ignore[arg-type]

        self.run_worker(work, thread=True, group="export")

    def action_open_trace(self) -> None:
        """In the browser, by the template of the configuration."""
        over = isinstance(self.screen, InstanceScreen)
        source: InstanceScreen | Page | None = self.screen if over else self.page  # type: ignore[assignment]
        trace = source.trace_id() if source else None
        if not self.trace_url:
            said = "no open_url in [watch] of choreoscope.toml, e.g. "
            self.notify(said + "https://jaeger.example/trace/{trace_id}", markup=False)
        elif not trace or not trace.isalnum():
            self.notify("there is no trace here", markup=False)
        else:
            url = self.trace_url.replace("{trace_id}", trace)
            self._browse(url)

    def _browse(self, url: str) -> None:
        """Open it; over ssh, where a browser would open elsewhere, say and copy it."""
        if os.environ.get("SSH_CONNECTION") and not self.is_web:
            self._copy(url)
            self.notify(foreign(url), markup=False)
        else:
            super().open_url(url)

    def action_help(self) -> None:
        """The keys of what has the focus, beside it."""
        if self.screen.query("HelpPanel"):
            self.action_hide_help_panel()
        else:
            self.action_show_help_panel()

    def action_jump(self) -> None:
        """Anywhere by one key: tabs, the filter, instances that were open."""
        places = [Place(entry.id) for entry in PAGES]
        titles = [entry.title for entry in PAGES]
        for place in self.history.instances():
            places.append(place)
            titles.append(f"instance {place.instance}")
        self.push_screen(Menu("Jump to", titles), partial(self._jumped, places))

    def _jumped(self, places: Sequence[Place], chosen: int | None) -> None:
        if chosen is None:
            return
        if places[chosen].instance is None:
            self.action_page(places[chosen].page)
        else:
            self.go(places[chosen])

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: every action that has a key here, and the themes."""
        yield SystemCommand("Theme", "another one", self.action_change_theme)
        yield SystemCommand("Redraw", "send the whole screen again", self.action_redraw)
        seen = set()
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.description and binding.action not in seen and not binding.system:
                seen.add(binding.action)
                run = partial(self.run_action, binding.action, active.node)
                yield SystemCommand(binding.description, f"key {active.binding.key}", run)


def _entry(id: str) -> Entry:
    return next(entry for entry in PAGES if entry.id == id)


def _write_text(text: str, path: Path) -> int:
    path.write_text(text, encoding="utf-8", errors="replace")
    return len(text)


def _attempt(path: Path, write: partial[int], noun: str) -> tuple[str, str]:
    try:
        return f"{write(path):,} {noun} written to {path.resolve()}", "information"
    except (OSError, ValueError) as error:
        return f"not written: {error}", "error"
