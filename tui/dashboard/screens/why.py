"""The pane beside the instances: where one stands, and why, with evidence for and against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual.containers import VerticalScroll
from textual.widgets import Static

from analyzer.reporters.style import DEFAULT, Style
from analyzer.reporters.units import duration, moment
from tui.dashboard.theme import STATE_TONES, Part, content, foreign, state_glyph

if TYPE_CHECKING:
    from analyzer.finding import Cause, Finding

FINDINGS = 5  # of one instance
REASONS = 6  # of one cause, on each side


def index(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """The findings by the instances that they name, worst first as they come."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        names = {finding.instance, *finding.members} if finding.instance else finding.members
        for name in names:
            if name is not None:
                found.setdefault(name, []).append(finding)
    return found


def why(
    row: Mapping[str, Any], findings: Sequence[Finding], now_ns: int, steps: str, drawing: Style
) -> list[Part]:
    """The text for one instance: a row of INSTANCES, and what was found out about it."""
    state = str(row["state"])
    parts: list[Part] = [
        (
            f"{state_glyph(state, drawing)} {state.upper()} ",
            STATE_TONES.get(state, "dim") + " bold",
        ),
        (f"{foreign(row['id'], 60)}\n", "bold"),
        (f"{foreign(row['workflow'] or '—', 80)} · {steps}\n", "dim"),
        *_waiting(row, now_ns),
    ]
    for finding in findings[:FINDINGS]:
        parts += ["\n", *_finding(finding, drawing)]
    if len(findings) > FINDINGS:
        parts.append((f"\n+{len(findings) - FINDINGS:,} more findings\n", "dim"))
    if not findings:
        faulty = STATE_TONES.get(state) in ("error", "warning", "special")
        said = "No finding says why." if faulty else "Nothing wrong was found."
        parts.append((f"\n{said}\n", "dim"))
    return [*parts, *_facts(row)]


def _waiting(row: Mapping[str, Any], now_ns: int) -> list[Part]:
    what = row["waiting_step"] or row["waiting_destination"] or row["waiting_service"]
    parts: list[Part] = []
    if what:
        parts += [("\nwaiting for ", "dim"), (f"{foreign(what, 80)}\n", "bold")]
        if row["waiting_service"] and what != row["waiting_service"]:
            parts.append((f"  from {foreign(row['waiting_service'], 60)}\n", "dim"))
        if row["since_ns"] is not None:
            parts.append((f"  since {moment(row['since_ns'])}\n", "dim"))
    if row["deadline_ns"] is not None:
        over = now_ns - row["deadline_ns"]
        said = f"  overdue +{duration(over)}\n" if over > 0 else f"  due in {duration(-over)}\n"
        parts.append((said, "warning" if over > 0 else "dim"))
    return parts


def _finding(finding: Finding, drawing: Style) -> list[Part]:
    tone = {"error": "error", "warning": "warning"}.get(finding.severity.value, "accent")
    parts: list[Part] = [(f"{foreign(finding.kind, 40)} ", tone + " bold")]
    parts.append((f"confidence {finding.confidence:.2f}\n", "dim"))
    parts.append(f"{foreign(finding.message)}\n")
    if finding.instances > 1:
        parts.append((f"with {finding.instances - 1:,} others\n", "dim"))
    if finding.owner or finding.service:
        parts.append((f"to act: {foreign(finding.owner or finding.service, 80)}\n", ""))
    for cause in finding.causes:
        parts += _cause(cause, drawing)
    for need in finding.needs:
        parts.append((f"  would settle it: {foreign(need, 200)}\n", "accent"))
    return parts


def _cause(cause: Cause, drawing: Style) -> list[Part]:
    parts: list[Part] = [(f"Why: {foreign(cause.cause, 60)}", "bold")]
    parts.append((f"  {cause.confidence:.2f}\n", "dim"))
    for sign, tone, reasons in (("+", "success", cause.supports), ("-", "error", cause.against)):
        for reason in reasons[:REASONS]:
            parts += [(f"  {sign} ", tone), f"{foreign(reason, 200)}\n"]
        if len(reasons) > REASONS:
            parts.append((f"  {sign} +{len(reasons) - REASONS:,} more\n", "dim"))
    return parts


def _facts(row: Mapping[str, Any]) -> list[Part]:
    parts: list[Part] = []
    for title, values in (("keys", row["keys"]), ("services", row["services"]),
                          ("traces", row["trace_ids"])):  # fmt: skip
        if values:
            shown = ", ".join(foreign(value, 60) for value in values[:4])
            more = f" +{len(values) - 4:,}" if len(values) > 4 else ""
            parts.append((f"\n{title} {shown}{more}", "dim"))
    return parts


class Why(VerticalScroll, can_focus=False):
    """The pane; it is hidden where the screen is narrow."""

    DEFAULT_CSS = """
    Why { width: 42; border-left: solid $panel; padding: 0 1; scrollbar-size-vertical: 1; }
    Why Static { width: 1fr; }
    """

    def __init__(self, drawing: Style = DEFAULT) -> None:
        super().__init__()
        self.drawing = drawing
        self._text = Static("", markup=False)
        self._parts: Sequence[Part] = ()
        self._of: object = None
        self.plain = ""

    def compose(self) -> Any:
        """One text."""
        yield self._text

    def tell(self, parts: Sequence[Part], of: object = None) -> None:
        """Show that text; from its beginning, where it is `of` another instance.

        A layout repaints the whole screen: there is one only where the text is longer or shorter.
        """
        if of != self._of:
            self._of = of
            self.scroll_home(animate=False)
        if parts == self._parts:
            return
        self._parts = parts
        shown = content(*parts, drawing=self.drawing)
        self.plain = shown.plain
        self._text.update(shown, layout=False)
        width, height = self._text.size
        if not width or self._text.visual.get_height({}, width) != height:
            self._text.refresh(layout=True)
