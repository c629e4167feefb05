"""Findings by cause, the worst first; enter tells why, and which instances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from analyzer.finding import Finding
from analyzer.reporters.groups import Group, grouped
from analyzer.reporters.style import SEVERITY_GLYPHS, Style
from analyzer.reporters.units import count, duration, moment, percent
from tui.dashboard.rows import Column, counts, texts
from tui.dashboard.screens.base import Page
from tui.dashboard.screens.drill import Detail, DrillPage, Made
from tui.dashboard.screens.frames import (
    SEVERITY_TONES,
    ages,
    frame_of_rows,
    severities,
    severity_rank,
    shares,
    states,
)
from tui.dashboard.screens.sheet import causes, facts, quoted
from tui.dashboard.theme import Part, foreign

if TYPE_CHECKING:
    import polars as pl

    from tui.dashboard.feed import Snapshot

MESSAGES = 4  # of one group
MOST = 1_000  # instances of one group


def key_of(group: Group) -> str:
    """What the findings of a group share."""
    worst = group.worst
    return "\x1f".join((worst.severity.value, worst.kind, worst.cause, worst.service or ""))


def frame_of(findings: Sequence[Finding]) -> pl.DataFrame:
    """One row a group, the worst first."""
    import polars as pl

    types = {
        "key": pl.String, "severity": pl.String, "kind": pl.String, "cause": pl.String,
        "service": pl.String, "instances": pl.Int64, "findings": pl.Int64,
        "confidence": pl.Float64, "since_ns": pl.Int64, "overdue_s": pl.Float64,
        "message": pl.String, "rank": pl.Int64,
    }  # fmt: skip
    rows = [_row(at, group) for at, group in enumerate(grouped(findings))]
    return frame_of_rows(rows, types)


def _row(rank: int, group: Group) -> tuple[Any, ...]:
    worst = group.worst
    return (
        key_of(group), worst.severity.value, worst.kind, worst.cause, worst.owner or worst.service,
        group.instances, len(group.findings), worst.confidence, group.since_ns, group.overdue_s,
        worst.message, rank,
    )  # fmt: skip


def members(snapshot: Snapshot, names: Sequence[str]) -> pl.DataFrame:
    """The instances of those ids, in that order; those that have gone keep their id."""
    import polars as pl

    asked = frame_of_rows([(name,) for name in names[:MOST]], {"id": pl.String})
    wanted = ("id", "state", "workflow", "waiting_step", "waiting_service", "start_ns",
              "deadline_ns", "steps", "trace_ids")  # fmt: skip
    known = snapshot.instances.select(wanted)
    return asked.unique(maintain_order=True).join(known, on="id", how="left", maintain_order="left")


def instance_columns(drawing: Style) -> tuple[Column, ...]:
    """Of a table of `members`."""
    return (
        Column("state", "STATE", states(drawing), 15, 8, sort="state"),
        Column("instance", "INSTANCE", texts("id"), 30, 10, grow=2, wide=48, sort="id"),
        Column("workflow", "WORKFLOW", texts("workflow"), 26, 10, grow=1, wide=40, rank=2,
               middle=True, sort="workflow"),
        Column("waiting", "WAITING FOR", texts("waiting_step"), 24, 10, grow=1, wide=48, rank=1,
               middle=True, sort="waiting_step"),
        Column("age", "AGE", ages("start_ns"), 7, 6, align="right", sort="start_ns"),
        Column("steps", "STEPS", counts("steps"), 6, 5, align="right", rank=3, sort="steps",
               descending=True),
    )  # fmt: skip


class GroupDetail(Detail):
    """Message, causes with evidence, what is missing; its instances under it."""

    def columns(self) -> Sequence[Column]:
        """Of its instances."""
        return instance_columns(self.drawing)

    def build(self, snapshot: Snapshot, key: str) -> Made | None:
        """That group, as it is now."""
        for group in grouped(snapshot.findings):
            if key_of(group) == key:
                frame = members(snapshot, group.examples)
                parts = _parts(group, frame.height, snapshot.as_of_ns, self.drawing)
                return Made(parts, frame, "id", snapshot.as_of_ns)
        return None

    def opened(self, row: str) -> Message | None:
        """The instance."""
        return Page.OpenInstance(row)


def _parts(group: Group, named: int, now_ns: int, drawing: Style) -> list[Part]:
    worst = group.worst
    tone = SEVERITY_TONES[worst.severity.value]
    glyph = drawing.pick(SEVERITY_GLYPHS[worst.severity.value])
    parts: list[Part] = [("Findings › ", "dim"), (f"{glyph} {foreign(worst.kind, 40)}", tone)]
    parts += [("  " + foreign(worst.cause, 60), "bold"), "\n"]
    parts += facts(
        ("", count(group.instances, "instance")),
        ("confidence", percent(worst.confidence)),
        ("since", moment(group.since_ns) if group.since_ns is not None else ""),
        ("overdue", duration(group.overdue_s * 1e9) if group.overdue_s else ""),
        ("to act", foreign(worst.owner or worst.service or "", 80)),
    )
    for finding in group.findings[:MESSAGES]:
        parts += [foreign(finding.message, 600), "\n"]
    rest = len(group.findings) - MESSAGES
    if rest > 0:
        parts.append((f"+{rest:,} more like these\n", "dim"))
    parts += causes(worst)
    for title, found in (("workflow", group.workflows), ("destination", group.destinations)):
        shown = ", ".join(f"{foreign(name, 60)} {number:,}" for name, number in found.items())
        parts += [(f"{title} ", "dim"), foreign(shown, 300), "\n"] if shown else []
    if named < group.instances:
        parts.append((f"{named:,} of {group.instances:,} instances are named\n", "dim"))
    return parts


class Findings(DrillPage):
    """A row a group."""

    TITLE = "Findings"
    KEY = "key"
    NOUN = "causes"
    PARTS = ("findings",)
    HELP = "What is wrong, grouped by cause. Enter tells why; enter there opens an instance."
    HINT = "Nothing wrong was found.\nWhat is stuck, lost, failed or badly coupled would be here."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "instances", "Instances", id="to-instances"),
    ]

    def columns(self) -> Sequence[Column]:
        """With cells that know the glyphs."""
        return (
            Column("severity", "SEVERITY", severities(self.drawing), 10, 9, sort=severity_rank),
            Column("kind", "KIND", texts("kind"), 20, 10, wide=26, sort="kind"),
            Column("cause", "CAUSE", texts("cause"), 20, 10, rank=2, wide=26, sort="cause"),
            Column("service", "TO ACT", texts("service"), 18, 8, wide=30, middle=True,
                   sort="service"),
            Column("instances", "INST", counts("instances"), 7, 4, align="right",
                   sort="instances", descending=True),
            Column("since", "SINCE", ages("since_ns"), 7, 6, align="right", rank=1,
                   sort="since_ns"),
            Column("confidence", "CONF", shares("confidence"), 6, 5, align="right", rank=4,
                   sort="confidence", descending=True),
            Column("message", "MESSAGE", texts("message"), 30, 16, grow=1, wide=120, rank=3,
                   sort="message"),
        )  # fmt: skip

    def make_detail(self) -> Detail:
        """One group."""
        return GroupDetail(self.drawing)

    def frame(self, snapshot: Snapshot) -> pl.DataFrame:
        """One row a group, as the reports group them."""
        return frame_of(snapshot.findings)

    def action_instances(self) -> None:
        """The instances of the group, on their page, as far as a filter can name them."""
        key = self.chosen
        if key is None or self.snapshot is None:
            return
        found = next((g for g in grouped(self.snapshot.findings) if key_of(g) == key), None)
        if found is None or not found.examples:
            self.notify("these findings name no instance", markup=False)
        else:
            self.post_message(Page.GoTo("instances", naming(found.examples)))

    def trace_id(self) -> str | None:
        """Of the instance under the cursor, or of the group's worst finding."""
        if self.snapshot is None:
            return None
        key = self.chosen
        for group in grouped(self.snapshot.findings):
            if key_of(group) == key:
                return next((trace for f in group.findings for trace in f.trace_ids), None)
        return None


def naming(names: Sequence[str], room: int = 8_000) -> str:
    """A filter that names those instances, as many as a filter has room for."""
    chosen: list[str] = []
    for name in names:
        room -= len(quoted(name)) + 1
        if room < 0:
            break
        chosen.append(quoted(name))
    return f"id:{','.join(chosen)}"
