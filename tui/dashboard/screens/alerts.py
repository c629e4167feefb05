"""Alerts: pending, firing, silenced; what was told to whom, and what could not be told."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual.binding import Binding, BindingType

from analyzer.escape import escape
from analyzer.reporters.style import SEVERITY_GLYPHS, Style
from analyzer.reporters.units import count, moment
from tui.dashboard.feed import Silencing
from tui.dashboard.menu import Menu
from tui.dashboard.rows import Cell, Cells, Column, counts, texts
from tui.dashboard.screens.base import Copy, Page
from tui.dashboard.screens.drill import Detail, DrillPage, Made
from tui.dashboard.screens.findings import naming
from tui.dashboard.screens.frames import (
    SEVERITY_TONES,
    ages,
    frame_of_rows,
    moments,
    severities,
    severity_rank,
)
from tui.dashboard.screens.sheet import facts
from tui.dashboard.screens.table import By
from tui.dashboard.silencing import LENGTH, Silencer, Wanted, silence, unsilence
from tui.dashboard.theme import Part, foreign

if TYPE_CHECKING:
    import polars as pl

    from analyzer.alerts.engine import Alert
    from analyzer.alerts.incident import Incident
    from analyzer.alerts.outbox import Outcome
    from tui.alerting import Desk
    from tui.dashboard.feed import Snapshot

PHASES: dict[str, tuple[tuple[str, str], str]] = {  # glyphs, tone
    "firing": (("■", "#"), "error"),
    "pending": (("◌", "o"), "warning"),
    "silenced": (("–", "-"), "dim"),
}
OUTCOMES: dict[str, tuple[tuple[str, str], str]] = {
    "delivered": (("✓", "+"), "success"),
    "again": (("↺", "~"), "warning"),
    "given-up": (("✖", "x"), "error"),
    "refused": (("✖", "x"), "error"),
}
SILENCED_BY = ("kind", "workflow", "service", "step", "cause")


def phase_of(alert: Alert) -> str:
    """firing, pending or silenced."""
    return "silenced" if alert.silence else alert.phase.value


def latest(deliveries: Sequence[Outcome]) -> dict[str, dict[str, Outcome]]:
    """By alert and target, what became of the last delivery."""
    found: dict[str, dict[str, Outcome]] = {}
    for one in sorted(deliveries, key=lambda one: one.at_ns):
        found.setdefault(one.key, {})[one.target] = one
    return found


def silence_command(incident: Incident) -> str:
    """What silences it for two hours, to be pasted into a shell.

    A value is taken as a glob: what would match more or other than itself is written as `?`.
    Characters that no terminal should be sent become `?` too.
    """
    return Wanted(matchers(incident), LENGTH, "seen on the dashboard").command


def matchers(incident: Incident) -> str:
    """FIELD=GLOB words that match it, quoted as for a shell."""
    match = {name: str(getattr(incident, name)) for name in SILENCED_BY}
    words = [shlex.quote(f"{name}={_literal(value)}") for name, value in match.items() if value]
    return " ".join(words)


def _literal(value: str) -> str:
    return "".join("?" if c in "*?[]" or escape(c) != c else c for c in value)


def frame_of(snapshot: Snapshot) -> pl.DataFrame:
    """One row an alert."""
    import polars as pl

    types = {
        "key": pl.String, "phase": pl.String, "severity": pl.String, "kind": pl.String,
        "cause": pl.String, "workflow": pl.String, "service": pl.String, "step": pl.String,
        "owner": pl.String, "instances": pl.Int64, "since_ns": pl.Int64, "first_ns": pl.Int64,
        "targets": pl.List(pl.String), "outcomes": pl.List(pl.String), "summary": pl.String,
        "silence": pl.String,
    }  # fmt: skip
    told = latest(snapshot.deliveries)
    if "deliveries" in snapshot.unsaid:
        rows = [_row(alert, None) for alert in snapshot.alerts]
    else:
        rows = [_row(alert, told.get(alert.incident.key, {})) for alert in snapshot.alerts]
    return frame_of_rows(rows, types)


def _row(alert: Alert, told: Mapping[str, Outcome] | None) -> tuple[Any, ...]:
    one = alert.incident
    targets = None if told is None else sorted(told)
    outcomes = [told[name].outcome for name in targets or ()] if told else []
    return (
        one.key, phase_of(alert), one.severity.value, one.kind, one.cause, one.workflow,
        one.service, one.step, one.owner, one.instances, one.since_ns, alert.first_ns,
        targets, outcomes, one.summary, alert.silence,
    )  # fmt: skip


class _Cells:
    """The cells that need glyphs."""

    def __init__(self, drawing: Style) -> None:
        self.drawing = drawing

    def glyphs(self, column: str, known: Mapping[str, tuple[tuple[str, str], str]]) -> Cells:
        """A glyph and the word."""

        def cells(frame: pl.DataFrame, now_ns: int) -> list[Cell]:
            return [self._glyph(name, known) for name in frame[column].to_list()]

        return cells

    def _glyph(self, name: str, known: Mapping[str, tuple[tuple[str, str], str]]) -> Cell:
        glyphs, tone = known.get(name, (("?", "?"), "dim"))
        return f"{self.drawing.pick(glyphs)} {name}", tone  # type: ignore[return-value]

    def told(self, frame: pl.DataFrame, now_ns: int) -> list[Cell]:
        rows = frame.select("targets", "outcomes").iter_rows()
        return [self._told(targets, outcomes) for targets, outcomes in rows]

    def _told(self, targets: list[str] | None, outcomes: list[str]) -> Cell:
        if targets is None:
            return "?", "dim"
        if not targets:
            return "nobody", "dim"
        known = [OUTCOMES.get(one, (("?", "?"), "dim")) for one in outcomes]
        pairs = zip(targets, known, strict=True)
        text = " ".join(f"{self.drawing.pick(glyphs)}{name}" for name, (glyphs, _) in pairs)
        tones = [tone for _, tone in known]
        worst = next((t for t in ("error", "warning", "dim") if t in tones), "success")
        return text, worst  # type: ignore[return-value]


def _phase_rank(now_ns: int = 0) -> pl.Expr:
    import polars as pl

    return pl.col("phase").cast(pl.Enum(list(PHASES))).to_physical()


class AlertDetail(Detail):
    """One alert: what, since when, silenced by whom; every delivery of it under that."""

    def columns(self) -> Sequence[Column]:
        """Of its deliveries."""
        cells = _Cells(self.drawing)
        return (
            Column("at", "AT (UTC)", moments("at_ns"), 24, 19, sort="at_ns", descending=True),
            Column("target", "TARGET", texts("target"), 18, 8, grow=1, sort="target"),
            Column("change", "TOLD", texts("change"), 10, 7, sort="change"),
            Column("outcome", "OUTCOME", cells.glyphs("outcome", OUTCOMES), 12, 11,
                   sort="outcome"),
            Column("detail", "DETAIL", texts("detail"), 40, 8, grow=3, wide=120, rank=1),
        )  # fmt: skip

    def build(self, snapshot: Snapshot, key: str) -> Made | None:
        """That alert, as it is now."""
        found = [alert for alert in snapshot.alerts if alert.incident.key == key]
        if not found:
            return None
        frame = deliveries_frame(one for one in snapshot.deliveries if one.key == key)
        parts = _parts(found[0], snapshot, self.drawing, frame.height)
        return Made(parts, frame, "row", snapshot.as_of_ns)

    def copies(self) -> Sequence[Copy]:
        """As it is shown, and the command that silences it."""
        return (*super().copies(), *self.query_ancestor(Alerts).silencing())


def deliveries_frame(outcomes: Any) -> pl.DataFrame:
    """One row a delivery, the newest first."""
    import polars as pl

    names = ("at_ns", "target", "change", "outcome", "detail", "key")
    types: dict[str, Any] = {"at_ns": pl.Int64, **dict.fromkeys(names[1:], pl.String)}
    rows = sorted((tuple(getattr(one, name) for name in names) for one in outcomes), reverse=True)
    frame = frame_of_rows(rows, types).with_row_index("row")
    return frame.with_columns(pl.col("row").cast(pl.String))


def _parts(alert: Alert, snapshot: Snapshot, drawing: Style, told: int) -> list[Part]:
    one, phase = alert.incident, phase_of(alert)
    glyphs, tone = PHASES[phase]
    severity = one.severity.value
    mark = drawing.pick(SEVERITY_GLYPHS[severity])
    parts: list[Part] = [("Alerts › ", "dim"), (f"{drawing.pick(glyphs)} {phase} ", tone + " bold")]
    parts += [(f"{mark} {severity} ", SEVERITY_TONES[severity]), (foreign(one.kind, 40), "bold")]
    parts += ["\n", foreign(one.summary, 800), "\n"]
    parts += facts(
        ("workflow", foreign(one.workflow, 80)),
        ("to act", foreign(one.owner or one.service, 80)),
        ("step", foreign(one.step, 80)),
        ("cause", foreign(one.cause, 60)),
    )
    parts += facts(
        ("", count(one.instances, "instance")),
        ("since", moment(one.since_ns)),
        ("fired", moment(alert.fired_ns) if alert.fired_ns else "not yet"),
        ("last told", moment(alert.sent_ns) if alert.sent_ns and told else "never"),
    )
    parts += [part for reason in one.details[:6] for part in _reason(reason)]
    if one.examples:
        names = ", ".join(foreign(name, 40) for name in one.examples[:8])
        parts += [("instances ", "dim"), names, "\n"]
    parts += _silence(alert, snapshot)
    if not told:
        parts.append(("no delivery of it is known\n", "dim"))
    return parts


def _reason(reason: str) -> list[Part]:
    return [("  + ", "success"), f"{foreign(reason, 300)}\n"]


def _silence(alert: Alert, snapshot: Snapshot) -> list[Part]:
    if not alert.silence:
        return [("silence it: ", "dim"), (foreign(silence_command(alert.incident), 600), "accent"),
                "\n"]  # fmt: skip
    for one in snapshot.silences:
        if one.id == alert.silence:
            by, reason = foreign(one.by, 60), foreign(one.reason, 200)
            return [("silenced ", "warning"), f"until {moment(one.until_ns)} by {by}: {reason}\n"]
    return [("silenced\n", "warning")]


class Alerts(DrillPage):
    """A row an alert."""

    TITLE = "Alerts"
    KEY = "key"
    NOUN = "alerts"
    PARTS = ("alerts", "silences", "deliveries")
    HELP = "Alerts and what was told. Enter shows the deliveries; x silences one, or ends that."
    HINT = (
        "An alert would be here while a fault lasts.\n"
        "`choreoscope serve` tells targets of it; `choreoscope alert test` tries them."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "silence", "Silence", id="alert-silence"),
        Binding("i", "instances", "Instances", id="to-instances"),
    ]

    def columns(self) -> Sequence[Column]:
        """With cells that know the glyphs."""
        cells = _Cells(self.drawing)
        return (
            Column("phase", "PHASE", cells.glyphs("phase", PHASES), 11, 9, sort=_phase_rank),
            Column("severity", "SEVERITY", severities(self.drawing), 10, 9, rank=4,
                   sort=severity_rank),
            Column("kind", "KIND", texts("kind"), 16, 10, wide=26, sort="kind"),
            Column("workflow", "WORKFLOW", texts("workflow"), 24, 10, grow=1, wide=40, rank=2,
                   middle=True, sort="workflow"),
            Column("service", "TO ACT", texts("service"), 16, 8, wide=30, rank=3, middle=True,
                   sort="service"),
            Column("since", "SINCE", ages("since_ns"), 7, 6, align="right", sort="since_ns"),
            Column("for", "FOR", ages("first_ns"), 7, 6, align="right", rank=1, sort="first_ns"),
            Column("instances", "INST", counts("instances"), 6, 4, align="right",
                   sort="instances", descending=True),
            Column("told", "TOLD", cells.told, 18, 8, grow=1, wide=60),
        )  # fmt: skip

    def make_detail(self) -> Detail:
        """One alert."""
        return AlertDetail(self.drawing)

    def frame(self, snapshot: Snapshot) -> pl.DataFrame:
        """One row an alert."""
        return frame_of(snapshot)

    def order(self, now_ns: int) -> By:
        """Firing ones first, the worst first."""
        import polars as pl

        return [(_phase_rank(), False), (severity_rank(), False), (pl.col("instances"), True)]

    def said(self) -> list[Part]:
        """Deliveries that failed."""
        every = self.snapshot.deliveries if self.snapshot else ()
        last = [one for by_target in latest(every).values() for one in by_target.values()]
        failed = sum(one.outcome in ("given-up", "refused") for one in last)
        waiting = sum(one.outcome == "again" for one in last)
        parts: list[Part] = []
        if failed:
            parts.append((f" · {failed:,} not delivered", "error"))
        if waiting:
            parts.append((f" · {waiting:,} tried again", "warning"))
        return parts

    def _current(self) -> Alert | None:
        key = self.chosen
        alerts = self.snapshot.alerts if self.snapshot else ()
        return next((alert for alert in alerts if alert.incident.key == key), None)

    def silencing(self) -> tuple[Copy, ...]:
        """The command that silences the alert under the cursor."""
        alert = self._current()
        if alert is None:
            return ()
        return (Copy("command that silences it", silence_command(alert.incident)),)

    @property
    def _desk(self) -> Callable[[], Desk] | None:
        """Opens the book of silences; None where this source has none."""
        feed = getattr(self.app, "feed", None)
        return feed.desk() if isinstance(feed, Silencing) else None

    def action_silence(self) -> None:
        """Ask what to silence, or whether to end it; copy the command where nobody can do it."""
        alert, make = self._current(), self._desk
        if alert is None:
            return
        if make is None:
            self.notify("nobody to ask: no `serve` watches over this source", markup=False)
            self._copy(silence_command(alert.incident))
        elif alert.silence:
            lines = [f"end the silence {alert.silence}", "leave it"]
            ended = partial(self._ended, make, alert.silence)
            self.app.push_screen(Menu("This alert is silenced", lines), ended)
        else:
            shown = self.snapshot.alerts if self.snapshot else ()
            dialog = Silencer(matchers(alert.incident), shown)
            self.app.push_screen(dialog, partial(self._wanted, make))

    def _wanted(self, make: Callable[[], Desk], wanted: Wanted | None) -> None:
        if wanted is not None:
            self._ask(partial(silence, make, wanted), wanted.command)

    def _ended(self, make: Callable[[], Desk], name: str, chosen: int | None) -> None:
        if chosen == 0:
            self._ask(partial(unsilence, make, name), f"choreoscope alert unsilence {name}")

    def _ask(self, work: Callable[[], tuple[bool, str]], command: str) -> None:
        """In a worker; what could not be done is copied as a command."""

        def ask() -> None:
            done, said = work()
            severity: Literal["information", "error"] = "information" if done else "error"
            self.app.notify(foreign(said), severity=severity, markup=False)
            if not done:
                self._copy(command)

        self.run_worker(ask, thread=True, group="silence")

    def _copy(self, command: str) -> None:
        self.post_message(Page.CopyText(command))

    def action_instances(self) -> None:
        """The instances that the alert names."""
        alert = self._current()
        if alert is None or not alert.incident.examples:
            self.notify("this alert names no instance", markup=False)
        else:
            self.post_message(Page.GoTo("instances", naming(alert.incident.examples)))

    def copies(self) -> Sequence[Copy]:
        """And the command that silences it."""
        own = super().copies()
        return own if self.opened is not None else (*own, *self.silencing())
