"""The dialog that silences alerts: of what, how long, why."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from analyzer.reporters.units import count, moment
from tui.dashboard.menu import CSS
from tui.dashboard.theme import Part, content, foreign

if TYPE_CHECKING:
    from analyzer.alerts.engine import Alert
    from analyzer.alerts.silences import Silence
    from tui.alerting import Desk

T = TypeVar("T")
LENGTH = "2h"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A silence that somebody wants: as `choreoscope alert silence` takes it."""

    match: str  # FIELD=GLOB words, quoted as for a shell
    length: str
    reason: str

    def parsed(self) -> tuple[dict[str, str], int]:
        """Fields and globs, seconds. Raises ValueError, which says what would be right."""
        from tui.alerting import wanted

        return wanted(shlex.split(self.match), self.length)

    def silence(self) -> Silence:
        """As it would be from now on. Raises ValueError as well."""
        from analyzer.alerts.silences import silence_for
        from tui.alerting import user

        return silence_for(*self.parsed(), user(), self.reason, time.time_ns())

    @property
    def command(self) -> str:
        """To be pasted into a shell."""
        rest = f"--for {shlex.quote(self.length)} --reason {shlex.quote(self.reason)}"
        return f"choreoscope alert silence {self.match} {rest}"


class Silencer(ModalScreen["Wanted | None"]):
    """Gives what is wanted when enter is pressed and it can be; None where it was left."""

    DEFAULT_CSS = (
        CSS.format(name="Silencer") + "Silencer Vertical { width: 78; max-width: 96%; }"
        "Silencer Label { text-style: dim; } Silencer #said { height: auto; text-style: none; }"
        "Silencer Input { height: 1; border: none; padding: 0; background: $boost; }"
        "Silencer Input:focus { border: none; background: $primary 30%; }"
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave", id="silence-leave"),
    ]

    def __init__(self, match: str, alerts: Sequence[Alert]) -> None:
        super().__init__()
        self._match, self._alerts = match, alerts

    def compose(self) -> ComposeResult:
        """Three fields, and what would come of them."""
        with Vertical():
            yield Static("Silence alerts", markup=False)
            yield Label("alerts with FIELD=GLOB ...", markup=False)
            yield Input(self._match, id="match", select_on_focus=False)
            yield Label("for so long: 30m, 2h, 1d", markup=False)
            yield Input(LENGTH, id="length", select_on_focus=False)
            yield Label("because (others will read it)", markup=False)
            yield Input(id="reason")
            yield Static("", id="said", markup=False)

    def on_mount(self) -> None:
        """All but the reason is there already."""
        self.query_one("#reason", Input).focus()

    @property
    def wanted(self) -> Wanted:
        """What stands in the fields."""
        values = (self.query_one(f"#{name}", Input).value for name in ("match", "length", "reason"))
        return Wanted(*values)

    @on(Input.Changed)
    def _changed(self) -> None:
        self._tell(self._preview() if self.wanted.reason else ["enter silences, esc leaves"])

    def _preview(self) -> list[Part]:
        from analyzer.alerts.silences import silenced

        try:
            silence = self.wanted.silence()
        except ValueError as error:
            return [(foreign(error), "warning")]
        now = silence.from_ns
        held = sum(bool(silenced(one.incident, [silence], now)) for one in self._alerts)
        told = f"holds back {held:,} of {count(len(self._alerts), 'alert')} that are here now"
        return [
            told,
            f", until {moment(silence.until_ns)}",
            ("\nenter silences, esc leaves", "dim"),
        ]

    def _tell(self, parts: Sequence[Part]) -> None:
        self.query_one("#said", Static).update(content(*parts))

    @on(Input.Submitted)
    def _submitted(self) -> None:
        try:
            self.wanted.silence()
        except ValueError as error:
            self._tell([(foreign(error), "error")])
        else:
            self.dismiss(self.wanted)

    def action_leave(self) -> None:
        """Nothing."""
        self.dismiss(None)


def silence(make: Callable[[], Desk], wanted: Wanted) -> tuple[bool, str]:
    """(whether it was done, what to say of it). Slow: call it in a worker."""
    from tui.alerting import user

    match, seconds = wanted.parsed()
    done, said = _at(make, lambda desk: desk.silence(match, seconds, user(), wanted.reason))
    if done is None:
        return False, f"not silenced: {said}"
    return True, f"silenced until {moment(done.until_ns)} as {done.id}"


def unsilence(make: Callable[[], Desk], name: str) -> tuple[bool, str]:
    """The same for the end of a silence."""

    def end(desk: Desk) -> str:
        desk.unsilence(name)
        return name

    done, said = _at(make, end)
    if done is None:
        return False, f"not ended: {said}"
    return True, f"the silence {name} has ended"


def _at(make: Callable[[], Desk], ask: Callable[[Desk], T]) -> tuple[T | None, str]:
    from tui.exits import Stop

    try:
        desk = make()
        try:
            return ask(desk), ""
        finally:
            desk.close()
    except Stop as error:
        return None, str(error)
