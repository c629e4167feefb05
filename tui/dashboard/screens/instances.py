"""The home page: every workflow instance, the ones that need somebody first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widget import Widget

from analyzer.reporters.style import DEFAULT, Style
from analyzer.reporters.units import duration
from tui.dashboard.menu import Menu
from tui.dashboard.rows import Cell, Column, Rows, counts, texts
from tui.dashboard.screens.base import Copy
from tui.dashboard.screens.table import Arranged, By, TablePage
from tui.dashboard.screens.why import Why, index, why
from tui.dashboard.theme import STATE_TONES, Part, content, state_glyph

if TYPE_CHECKING:
    import polars as pl

    from analyzer.finding import Finding
    from tui.dashboard.completion import Values
    from tui.dashboard.feed import Snapshot

SECOND = 1_000_000_000
# Who has to look first; a failed one has ended, a stuck one can still be helped.
ORDER = ("stuck", "late", "orphaned", "failed", "dead-lettered", "compensating", "waiting",
         "running", "unknown", "compensated", "complete")  # fmt: skip
FAULTY = ("stuck", "late", "orphaned", "failed", "dead-lettered")
OPEN = ("stuck", "late", "waiting", "running", "compensating")
RANGES: tuple[tuple[str, int], ...] = (
    ("all", 0), ("5m", 300), ("15m", 900), ("30m", 1800), ("1h", 3600), ("6h", 21_600),
    ("24h", 86_400), ("7d", 604_800),
)  # fmt: skip
GROUPS = ("", "waiting-for", "cause", "workflow", "state")
PANE_S = 0.12  # after the last move of the cursor
DETAIL = 110  # columns; with fewer there is no room for the pane


class _Cells:
    """The cells of the columns that are made of more than one value."""

    def __init__(self) -> None:
        self.drawing: Style = DEFAULT
        self.usual: Mapping[str, int] = {}  # steps of a workflow

    def states(self, frame: pl.DataFrame, now_ns: int) -> list[Cell]:
        return [
            (f"{state_glyph(state, self.drawing)} {state}", STATE_TONES.get(state, "dim"))  # type: ignore[misc]
            for state in frame["state"].to_list()
        ]

    def steps(self, frame: pl.DataFrame, now_ns: int) -> list[Cell]:
        rows = frame.select("workflow", "steps", "state").iter_rows()
        return [self.step(*row) for row in rows]

    def step(self, workflow: str | None, steps: int, state: str) -> str:
        """k of n; see `of`."""
        return f"{steps}/{self.of(workflow, steps, state) or '?'}"

    def of(self, workflow: str | None, steps: int, state: str) -> int | None:
        """Steps that it usually takes; None where that says nothing of this one.

        So where nothing was learned, where the beginning is not known, and where there are more
        steps already: it took another course.
        """
        usual = self.usual.get(workflow or "")
        return None if usual is None or state == "orphaned" or steps > usual else usual

    def progress(self, workflow: str | None, steps: int, state: str) -> str:
        """The same in words."""
        usual = self.of(workflow, steps, state)
        if usual is None:
            return f"{steps:,} step{'' if steps == 1 else 's'}"
        return f"{steps:,} of {usual:,} steps"


def _waiting(frame: pl.DataFrame, now_ns: int) -> list[Cell]:
    names = ("waiting_step", "waiting_destination", "waiting_service")
    return [
        step or destination or service or ("—", "dim")
        for step, destination, service in frame.select(names).iter_rows()
    ]


def _ages(frame: pl.DataFrame, now_ns: int) -> list[Cell]:
    return [duration(max(now_ns - start, 0)) for start in frame["start_ns"].to_list()]


def _overdue(frame: pl.DataFrame, now_ns: int) -> list[Cell]:
    return [
        ("+" + duration(now_ns - deadline), "warning")
        if deadline is not None and deadline < now_ns
        else ("—", "dim")
        for deadline in frame["deadline_ns"].to_list()
    ]


def _late(now_ns: int) -> pl.Expr:
    import polars as pl

    over = now_ns - pl.col("deadline_ns")
    return pl.when(over > 0).then(over)


def _rank(now_ns: int = 0) -> pl.Expr:
    import polars as pl

    ranks = pl.Enum(ORDER)
    return pl.col("state").cast(ranks, strict=False).to_physical()


def columns(cells: _Cells) -> tuple[Column, ...]:
    """As the drawing of docs/dashboard.md shows them."""
    return (
        Column("state", "STATE", cells.states, 12, 9, wide=17, sort=_rank),
        Column("workflow", "WORKFLOW", texts("workflow"), 16, 10, grow=1, wide=40, rank=2,
               middle=True, sort="workflow"),
        Column("instance", "INSTANCE", texts("id"), 16, 10, grow=1, wide=48, sort="id"),
        Column("waiting", "WAITING FOR", _waiting, 18, 10, grow=2, wide=48, middle=True,
               sort="waiting_step"),
        Column("age", "AGE", _ages, 7, 6, align="right", sort="start_ns"),
        Column("overdue", "OVERDUE", _overdue, 8, 7, align="right", rank=1, sort=_late,
               descending=True),
        Column("steps", "STEP", cells.steps, 6, 5, align="right", rank=3, sort="steps",
               descending=True),
        Column("errors", "ERR", counts("errors", "error"), 5, 5, align="right", rank=4,
               sort="errors", descending=True),
        Column("cause", "CAUSE", texts("cause"), 16, 8, rank=5, wide=24, sort="cause"),
    )  # fmt: skip


@dataclass(frozen=True)
class Extra:
    """What the worker makes beside the view."""

    usual: Mapping[str, int]
    findings: Mapping[str, Sequence[Finding]]


class Instances(TablePage):
    """The table, and why the one under the cursor is as it is."""

    TITLE = "Instances"
    KEY = "id"
    NOUN = "instances"
    PARTS = ("instances", "findings", "finished")
    HELP = "Every workflow instance. Enter opens one: its steps, its waiting, its causes."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "group", "Group", id="group"),
        Binding("t", "range", "Time range", show=False, id="range"),
        Binding("F", "faults", "Faults only", id="faults"),
    ]

    def __init__(self, *, where: str = "", id: str | None = None) -> None:
        super().__init__(where=where, id=id)
        self.cells = _Cells()
        self.group = ""
        self.range_s = 0
        self.faults = False
        self._why: Why | None = None
        self._soon: Timer | None = None
        self._extra: tuple[Snapshot, Extra] | None = None

    def columns(self) -> Sequence[Column]:
        """With cells that know the glyphs and the usual steps."""
        self.cells.drawing = self.drawing
        return columns(self.cells)

    def aside(self) -> Sequence[Widget]:
        """The pane."""
        self._why = Why(self.drawing)
        self._fit()
        return (self._why,)

    # -- in the worker -------------------------------------------------------------------------

    def frame(self, snapshot: Snapshot) -> pl.DataFrame:
        """All of them."""
        return snapshot.instances

    def order(self, now_ns: int) -> By:
        """Who needs somebody first, then the oldest."""
        import polars as pl

        return [(_rank(), False), (pl.col("start_ns"), False)]

    def condition(self, snapshot: Snapshot) -> pl.Expr | None:
        """Faults only; of the time range what ended in it or is open still."""
        import polars as pl

        parts = []
        if self.faults:
            parts.append(pl.col("state").is_in(FAULTY))
        if self.range_s:
            first = snapshot.as_of_ns - self.range_s * SECOND
            parts.append((pl.col("end_ns") >= first) | pl.col("state").is_in(OPEN))
        return pl.all_horizontal(parts) if parts else None

    def grouping(self) -> tuple[pl.Expr, pl.Expr] | None:
        """By what they wait for, by cause, workflow or state."""
        import polars as pl

        if not self.group:
            return None
        names = {"waiting-for": ["waiting_step", "waiting_destination", "waiting_service"]}
        same = pl.coalesce(names.get(self.group, [self.group]))
        service = pl.col("waiting_service").first()
        label = same.first().fill_null("—")
        if self.group == "waiting-for":
            label = pl.concat_str(label, pl.lit(" from ") + service, ignore_nulls=True)
        return same, label

    def compile(self, where: str, now_ns: int) -> pl.Expr:
        """The language of `--where`."""
        from analyzer.where import compile_where

        return compile_where(where, now_ns)

    def values(self, snapshot: Snapshot) -> Values:
        """What occurs."""
        from tui.dashboard.completion import values_of

        return values_of(snapshot.instances)

    def extra(self, snapshot: Snapshot) -> Extra:
        """Findings by instance, usual numbers of steps."""
        if self._extra is None or self._extra[0] is not snapshot:
            made = Extra(usual_steps(snapshot), index(snapshot.findings))
            self._extra = (snapshot, made)
        return self._extra[1]

    # -- on the event loop ---------------------------------------------------------------------

    def present(self, arranged: Arranged) -> None:
        """Before the rows come."""
        self.cells.usual = arranged.extra.usual

    def presented(self) -> None:
        """The pane is painted with the rows, not after them."""
        self._explain()

    def said(self) -> list[Part]:
        """What else limits the rows."""
        parts: list[Part] = []
        if self.group:
            parts.append(f" · group {self.group}")
        if self.faults:
            parts.append((" · faults only", "warning"))
        if self.range_s:
            title = next(title for title, seconds in RANGES if seconds == self.range_s)
            parts.append((f" · last {title}", "warning"))
        return parts

    def on_resize(self) -> None:
        """No pane where there is no room; one that comes back has something to say."""
        self._fit()
        if self._ready:
            self._explain()

    def _fit(self) -> None:
        if self._why is not None:
            self._why.display = self.app.size.width > DETAIL

    @on(Rows.Moved)
    def _moved(self, event: Rows.Moved) -> None:
        event.stop()
        if self._soon is not None:
            self._soon.stop()
        self._soon = self.set_timer(PANE_S, self._explain)  # a held key does not wait for the pane

    @on(Rows.Opened)
    def _opened(self, event: Rows.Opened) -> None:
        event.stop()
        self.post_message(self.OpenInstance(event.key))

    def _explain(self) -> None:
        row, findings = self._current()
        if self._why is None or not self._why.display:
            return
        if row is None or self.snapshot is None:
            self._why.tell([])
            return
        steps = self.cells.progress(row["workflow"], row["steps"], row["state"])
        told = why(row, findings, self.snapshot.as_of_ns, steps, self.drawing)
        self._why.tell(told, row["id"])

    def _current(self) -> tuple[dict[str, Any] | None, Sequence[Finding]]:
        view = self.rows.view
        if view is None or not len(view) or self._extra is None:
            return None, ()
        row = view.slice(self.rows.cursor, self.rows.cursor + 1).row(0, named=True)
        return row, self._extra[1].findings.get(str(row["id"]), ())

    def action_group(self) -> None:
        """The next way to group, then none."""
        self.group = GROUPS[(GROUPS.index(self.group) + 1) % len(GROUPS)]
        self.arrange_soon()

    def action_faults(self) -> None:
        """Only what is wrong, or everything."""
        self.faults = not self.faults
        self.arrange_soon(top=True)

    def widen(self) -> None:
        """All states and times."""
        if self.faults or self.range_s:
            self.faults, self.range_s = False, 0
            if self._ready:
                self.arrange_soon(top=True)

    def _nothing(self, done: Arranged) -> str:
        said = super()._nothing(done)
        if done.total and self.faults:
            said += "\nF shows what is not at fault, too"
        if done.total and self.range_s:
            said += "\nt chooses another time"
        return said

    def action_range(self) -> None:
        """Choose how far back."""
        titles = [title if title == "all" else f"last {title}" for title, _ in RANGES]
        chosen = [seconds for _, seconds in RANGES].index(self.range_s)
        self.app.push_screen(Menu("Time range", titles, chosen), self._ranged)

    def _ranged(self, chosen: int | None) -> None:
        if chosen is not None:
            self.range_s = RANGES[chosen][1]
            self.arrange_soon(top=True)

    def copies(self) -> Sequence[Copy]:
        """The id, why, the trace, the table."""
        row, findings = self._current()
        if row is None or self.snapshot is None:
            return ()
        steps = self.cells.progress(row["workflow"], row["steps"], row["state"])
        told = why(row, findings, self.snapshot.as_of_ns, steps, self.drawing)
        copies = list(super().copies())
        copies.insert(1, Copy("why", content(*told, drawing=self.drawing).plain + "\n"))
        if row["trace_ids"]:
            copies.insert(2, Copy("trace id", row["trace_ids"][0]))
        return copies

    def trace_id(self) -> str | None:
        """Its first trace."""
        row, _ = self._current()
        return str(row["trace_ids"][0]) if row and row["trace_ids"] else None


def usual_steps(snapshot: Snapshot) -> dict[str, int]:
    """Steps that an instance of each workflow usually takes; absent where it is unknown.

    The median of the complete ones; without them the steps that most of the instances have.
    """
    import polars as pl

    done = snapshot.instances.filter(
        pl.col("state") == "complete", pl.col("workflow").is_not_null()
    )
    medians = done.group_by("workflow").agg(pl.col("steps").median().round().cast(pl.Int64))
    found = {
        workflow.name: sum(
            round(step.occurrences / step.instances)
            for step in workflow.steps
            if step.share >= 0.5 and step.instances
        )
        for workflow in snapshot.workflows
    }
    known = {name: number for name, number in found.items() if number}
    return known | {str(name): int(number) for name, number in medians.iter_rows()}
