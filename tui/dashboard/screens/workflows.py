"""Workflows: how each type fares; enter shows its steps, and from there its instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from analyzer.reporters.style import DEFAULT, Style, state_rank
from analyzer.reporters.units import count, duration, percent
from tui.dashboard.rows import Cell, Column, counts, texts
from tui.dashboard.screens.base import Page
from tui.dashboard.screens.drill import Detail, DrillPage, Made
from tui.dashboard.screens.frames import durations, frame_of_rows, shares
from tui.dashboard.screens.sheet import facts, quoted
from tui.dashboard.screens.table import By
from tui.dashboard.theme import STATE_TONES, Part, foreign, state_glyph

if TYPE_CHECKING:
    import polars as pl

    from analyzer.analysis import Workflow
    from analyzer.checks import CheckedWorkflow
    from tui.dashboard.feed import Snapshot

IN_FLIGHT = ("waiting", "running", "compensating")  # as the tile counts them
OVERDUE = ("stuck", "late")
IN_TIME = ("running", "waiting", "compensating", "late", "unknown")  # may complete yet
CHECKS = 8  # broken ones that are told


def states_of(workflow: Workflow, finished: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Instances by state, with those that have left the working set, worst first."""
    found = dict(workflow.by_state)
    for (name, state), number in finished.items():
        if name == workflow.name:
            found[state] = found.get(state, 0) + number
    return {state: found[state] for state in sorted(found, key=state_rank) if found[state]}


def completion(by_state: Mapping[str, int]) -> float | None:
    """Share of `complete` among those that are through, or should be; None where there is none."""
    through = sum(number for state, number in by_state.items() if state not in IN_TIME)
    return by_state.get("complete", 0) / through if through else None


def checked(snapshot: Snapshot, name: str) -> list[CheckedWorkflow]:
    """The declarations that instances of that workflow were held against."""
    found = snapshot.conformance.workflows if snapshot.conformance else ()
    return [one for one in found if name in one.seen_as or name == one.name]


def drift(snapshot: Snapshot, name: str) -> tuple[int, int] | None:
    """(expectations broken, expectations); None where nothing is declared of it."""
    checks = [check for one in checked(snapshot, name) for check in one.checks]
    return (sum(check.broken > 0 for check in checks), len(checks)) if checks else None


def frame_of(snapshot: Snapshot) -> pl.DataFrame:
    """One row a workflow."""
    p99 = _p99(snapshot)
    rows = [_row(snapshot, one, p99.get(one.name)) for one in snapshot.workflows]
    return frame_of_rows(rows, _schema())


def _row(snapshot: Snapshot, workflow: Workflow, p99: int | None) -> tuple[Any, ...]:
    states = states_of(workflow, snapshot.finished)
    done = workflow.by_state.get("complete", 0) > 0
    broken = drift(snapshot, workflow.name)
    return (
        workflow.name,
        sum(states.values()),
        sum(states.get(state, 0) for state in IN_FLIGHT),
        sum(states.get(state, 0) for state in OVERDUE),
        list(states),
        list(states.values()),
        completion(states),
        workflow.p50_ns if done else None,
        workflow.p95_ns if done else None,
        p99 if done else None,
        workflow.style,
        workflow.variants,
        list(workflow.starts_per_bin),
        broken[0] if broken else None,
        broken[1] if broken else None,
    )


def _schema() -> dict[str, Any]:
    import polars as pl

    return {
        "workflow": pl.String, "instances": pl.Int64, "in_flight": pl.Int64,
        "overdue": pl.Int64, "states": pl.List(pl.String), "state_counts": pl.List(pl.Int64),
        "completion": pl.Float64, "p50_ns": pl.Int64, "p95_ns": pl.Int64, "p99_ns": pl.Int64,
        "style": pl.String, "variants": pl.Int64, "starts": pl.List(pl.Int64),
        "broken": pl.Int64, "declared": pl.Int64,
    }  # fmt: skip


def _p99(snapshot: Snapshot) -> dict[str, int]:
    """As p50 and p95 of `Workflow`: of complete instances, the nearest that there is."""
    import polars as pl

    took = (pl.col("end_ns") - pl.col("start_ns")).quantile(0.99, "nearest")
    done = snapshot.instances.filter(pl.col("state") == "complete")
    found = done.group_by("workflow").agg(took.cast(pl.Int64))
    return {str(name): ns for name, ns in found.iter_rows()}


class _Cells:
    """The cells that need glyphs."""

    def __init__(self, drawing: Style) -> None:
        self.drawing = drawing

    def states(self, frame: pl.DataFrame, now_ns: int) -> list[Cell]:
        rows = frame.select("states", "state_counts").iter_rows()
        return [self._states(names, numbers) for names, numbers in rows]

    def _states(self, names: list[str], numbers: list[int]) -> Cell:
        shown = [
            f"{state_glyph(state, self.drawing)}{number:,}"
            for state, number in zip(names, numbers, strict=True)
        ]
        return " ".join(shown), STATE_TONES.get(names[0], "dim") if names else "dim"  # type: ignore[return-value]

    def starts(self, frame: pl.DataFrame, now_ns: int) -> list[Cell]:
        return [(self.drawing.spark(numbers), "accent") for numbers in frame["starts"].to_list()]

    def drift(self, frame: pl.DataFrame, now_ns: int) -> list[Cell]:
        rows = frame.select("broken", "declared").iter_rows()
        return [_drift(broken, declared) for broken, declared in rows]


def _drift(broken: int | None, declared: int | None) -> Cell:
    if declared is None:
        return "—", "dim"
    return (f"{broken} of {declared}", "error") if broken else ("none", "success")


class Steps(Detail):
    """The steps of one workflow; enter goes to its instances."""

    COLUMNS = (
        Column("step", "STEP", texts("operation"), 30, 12, grow=2, wide=60, middle=True,
               sort="operation"),
        Column("service", "SERVICE", texts("service"), 18, 8, grow=1, wide=30, middle=True,
               sort="service"),
        Column("kind", "KIND", texts("kind"), 8, 7, rank=3, sort="kind"),
        Column("share", "SHARE", shares("share"), 7, 6, align="right", sort="share",
               descending=True),
        Column("times", "TIMES", counts("occurrences"), 9, 6, align="right", sort="occurrences",
               descending=True),
        Column("errors", "ERR", counts("errors", "error"), 6, 4, align="right", sort="errors",
               descending=True),
        Column("p50", "P50 AT", durations("p50_ns"), 8, 6, align="right", rank=2, sort="p50_ns",
               descending=True),
        Column("p95", "P95 AT", durations("p95_ns"), 8, 6, align="right", rank=1, sort="p95_ns",
               descending=True),
    )  # fmt: skip

    def build(self, snapshot: Snapshot, key: str) -> Made | None:
        """The workflow's figures and steps."""
        import polars as pl

        found = [one for one in snapshot.workflows if one.name == key]
        if not found:
            return None
        names = ("operation", "service", "kind", "share", "instances", "occurrences", "errors",
                 "p50_ns", "p95_ns")  # fmt: skip
        rows = [tuple(getattr(step, name) for name in names) for step in found[0].steps]
        types = [pl.String] * 3 + [pl.Float64] + [pl.Int64] * 5
        frame = frame_of_rows(rows, dict(zip(names, types, strict=True)))
        step = pl.concat_str("service", "operation", "kind", separator="\x1f").alias("step")
        frame = frame.with_columns(step)
        return Made(self._parts(snapshot, found[0]), frame, "step", snapshot.as_of_ns)

    def _parts(self, snapshot: Snapshot, workflow: Workflow) -> list[Part]:
        states = states_of(workflow, snapshot.finished)
        done = workflow.by_state.get("complete", 0) > 0
        share = completion(states)
        p99 = _p99(snapshot).get(workflow.name)
        parts: list[Part] = [("Workflows › ", "dim"), (f"{foreign(workflow.name, 200)}\n", "bold")]
        for state, number in states.items():
            tone = STATE_TONES.get(state, "dim")
            parts += [(f"{state_glyph(state, self.drawing)} ", tone)]
            parts += [f"{number:,} {foreign(state, 30)}  "]
        parts.append("\n")
        parts += facts(
            ("", count(sum(states.values()), "instance")),
            ("complete", "" if share is None else percent(share)),
            ("p50", duration(workflow.p50_ns) if done else ""),
            ("p95", duration(workflow.p95_ns) if done else ""),
            ("p99", duration(p99) if done and p99 is not None else ""),
            ("", foreign(workflow.style, 40)),
            ("", count(workflow.variants, "variant")),
        )
        if any(workflow.starts_per_bin):
            parts += [("starts ", "dim"), (self.drawing.spark(workflow.starts_per_bin), "accent")]
            parts.append("\n")
        return [*parts, *_declared(snapshot, workflow.name)]

    def opened(self, row: str) -> Message | None:
        """All instances of the workflow."""
        page = self.query_ancestor(Workflows)
        return Page.GoTo("instances", f"wf:{quoted(page.opened or '')}")


def _declared(snapshot: Snapshot, name: str) -> list[Part]:
    broken = [c for one in checked(snapshot, name) for c in one.checks if c.broken]
    found = drift(snapshot, name)
    if found is None:
        return []
    parts: list[Part] = [("declared ", "dim"), f"{found[1] - found[0]} of {found[1]} held\n"]
    for check in broken[:CHECKS]:
        said = f"{foreign(check.subject, 100)}: {foreign(check.expected, 100)}"
        parts += [("  broken ", "error"), said, (f" in {check.broken:,}\n", "dim")]
    if len(broken) > CHECKS:
        parts.append((f"  +{len(broken) - CHECKS:,} more\n", "dim"))
    return parts


class Workflows(DrillPage):
    """A row a workflow, the ones with most that is overdue first."""

    TITLE = "Workflows"
    KEY = "workflow"
    NOUN = "workflows"
    PARTS = ("workflows", "conformance", "finished")
    HELP = "Every type of workflow. Enter shows its steps; enter there, or i, its instances."
    HINT = "A workflow is named after the first step of its instances.\nThere has been none."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "instances", "Instances", id="to-instances"),
    ]

    def columns(self) -> Sequence[Column]:
        """With cells that know the glyphs."""
        cells = _Cells(self.drawing or DEFAULT)
        return (
            Column("workflow", "WORKFLOW", texts("workflow"), 26, 12, grow=2, wide=60, middle=True,
                   sort="workflow"),
            Column("flight", "FLIGHT", counts("in_flight", "accent"), 7, 6, align="right",
                   sort="in_flight", descending=True),
            Column("states", "BY STATE", cells.states, 24, 10, grow=1, wide=40, rank=2,
                   sort="instances", descending=True),
            Column("complete", "DONE", shares("completion"), 7, 6, align="right",
                   sort="completion"),
            Column("p50", "P50", durations("p50_ns"), 6, 5, align="right", rank=1, sort="p50_ns",
                   descending=True),
            Column("p95", "P95", durations("p95_ns"), 6, 5, align="right", sort="p95_ns",
                   descending=True),
            Column("p99", "P99", durations("p99_ns"), 6, 5, align="right", rank=2, sort="p99_ns",
                   descending=True),
            Column("drift", "DRIFT", cells.drift, 8, 6, rank=3, sort="broken", descending=True),
            Column("style", "STYLE", texts("style"), 13, 8, rank=4, sort="style"),
            Column("variants", "VAR", counts("variants"), 4, 3, align="right", rank=5,
                   sort="variants", descending=True),
            Column("starts", "STARTS", cells.starts, 24, 24, rank=6),
        )  # fmt: skip

    def make_detail(self) -> Detail:
        """The steps."""
        return Steps(self.drawing)

    def frame(self, snapshot: Snapshot) -> pl.DataFrame:
        """One row a workflow."""
        return frame_of(snapshot)

    def order(self, now_ns: int) -> By:
        """Most stuck and late first, then most in flight, then the largest."""
        import polars as pl

        return [(pl.col(name), True) for name in ("overdue", "in_flight", "instances")]

    def action_instances(self) -> None:
        """The instances of the workflow under the cursor."""
        name = self.chosen
        if name is not None:
            self.post_message(Page.GoTo("instances", f"wf:{quoted(name)}"))
