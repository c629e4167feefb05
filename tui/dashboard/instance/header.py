"""The lines above the tabs: which instance, where it stands, what it waits for."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from analyzer.escape import escape
from analyzer.reporters.style import STATE_COLOURS, STATE_GLYPHS, Style
from analyzer.reporters.units import count, duration
from tui.dashboard.instance.model import Model
from tui.dashboard.instance.pieces import Line, Piece, cells, short

ROOMY = 100  # cells; less has no room for the way back
STATE_TONES = {"red": "error", "yellow": "warning", "green": "success", "magenta": "special",
               "cyan": "accent", "blue": "accent", "dim": "dim"}  # fmt: skip


def header(model: Model, style: Style, width: int) -> list[Line]:
    """One or two lines."""
    found, progress = model.instance, model.document["progress"]
    state = str(found["state"])
    tone = STATE_TONES.get(STATE_COLOURS.get(state, ""), "")
    usual = progress["usual_steps"]
    # more than is usual is no "17 of 13"
    of = f" of {usual}" if usual and usual >= progress["steps"] else ""
    steps = f"{progress['steps']:,}{of} {'step' if progress['steps'] == 1 and not of else 'steps'}"
    crumb = ("Instances › " if style.unicode else "Instances > ") if width >= ROOMY else ""
    around: Line = [
        (crumb, "dim"),
        (f"{style.pick(STATE_GLYPHS.get(state, ('?', '?')))} {escape(state)} ", tone),
        (f"  {steps}", ""),
        (f"  {_trace(found['trace_ids'], style)}", "dim"),
    ]
    room = max(width - cells(around) - 2, 16)
    workflow = short(found["workflow"] or "", room // 2, style)
    name = short(found["instance"], max(room - cell_len(workflow), 8), style)
    line = [*around[:2], (name, "bold"), (f"  {workflow}", "accent"), *around[2:]]
    waiting = _waiting(model, style, width)
    return [line, waiting] if waiting else [line]


def _trace(traces: Sequence[str], style: Style) -> str:
    linked = f" (+{len(traces) - 1:,} linked)" if len(traces) > 1 else ""
    return f"trace {escape(traces[0])[:8]}{style.own('…')}{linked}" if traces else "no trace"


def _waiting(model: Model, style: Style, width: int) -> Line:
    waiting = model.instance["waiting_for"]
    if not any(waiting.values()):
        cause = model.instance["cause"]
        return [(f"cause: {short(cause, width - 8, style)}", "warning")] if cause else []
    late = next((e["overdue_s"] for e in model.document["expected"] if e["overdue_s"]), None)
    tail = style.own(f", overdue by {duration(late * 1e9)}") if late else ""
    said = f"{waiting['service'] or '?'}: {waiting['step'] or waiting['destination'] or '?'}"
    return [("waits for ", "dim"), (short(said, max(width - 30, 12), style), "warning"),
            (tail, "warning")]  # fmt: skip


def tabs(
    titles: Sequence[str], chosen: int, model: Model | None, style: Style, notes: Sequence[str]
) -> tuple[Line, list[tuple[int, int]]]:
    """The line of tabs, and the cells [left, right) of each one; then activity and settings."""
    line: Line = []
    spots = []
    for at, title in enumerate(titles):
        left = cells(line)
        shown: Piece = (f"[{title}]", "tab") if at == chosen else (f" {title} ", "dim")
        line.append(shown)
        spots.append((left, cells(line)))
    if model is not None:
        told = model.document["activity"]
        said = [f"{duration(told['active_ns'])} active", f"{duration(told['waiting_ns'])} waiting"]
        said += [*notes, *_left_out(model)]
        line.append((style.own("  " + " · ".join(said)), "dim"))
    return line, spots


def _left_out(model: Model) -> list[str]:
    number = model.document["omitted"]["attributes"]
    return [f"{count(number, 'attribute')} not loaded"] if number else []
