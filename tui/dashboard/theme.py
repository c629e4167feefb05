"""Text of our own: parts with theme styles, glyphs of phases, and sizes."""

from __future__ import annotations

from textual.content import Content

from analyzer.escape import clip, escape
from analyzer.reporters.style import STATE_GLYPHS, Style
from tui.dashboard.feed import Phase

# Theme variables, so that they can be read on light and dark, and without colour.
STYLES: dict[str, str] = {
    "": "",
    "error": "$text-error",
    "warning": "$text-warning",
    "success": "$text-success",
    "accent": "$text-accent",
    "special": "$text-secondary",
    "dim": "dim",
    "bold": "bold",
}
# Tones of the states, as `rows` and STYLES name them.
STATE_TONES: dict[str, str] = {
    "stuck": "error",
    "failed": "error",
    "dead-lettered": "error",
    "orphaned": "special",
    "late": "warning",
    "compensating": "warning",
    "compensated": "accent",
    "waiting": "accent",
    "running": "accent",
    "unknown": "dim",
    "complete": "success",
}
PHASES: dict[Phase, tuple[tuple[str, str], str]] = {  # glyphs, tone
    Phase.LOADING: (("◌", "o"), "accent"),
    Phase.LIVE: (("●", "*"), "success"),
    Phase.ENDED: (("■", "#"), "dim"),
    Phase.STALE: (("◐", "~"), "warning"),
    Phase.DISCONNECTED: (("✖", "x"), "error"),
    Phase.FAILED: (("✖", "x"), "error"),
}
Part = str | tuple[str, str]  # text, or text and its tone; ours, or escaped already


def content(*parts: Part, drawing: Style | None = None) -> Content:
    """Parts with tones as content; in ASCII where `drawing` has nothing else."""
    shown = []
    for part in parts:
        text, tone = (part, "") if isinstance(part, str) else part
        shown.append((drawing.own(text) if drawing else text, _style(tone)))
    return Content.assemble(*shown)


def _style(tone: str) -> str:
    return " ".join(STYLES.get(one, one) for one in tone.split())


def foreign(text: object, cells: int = 400) -> str:
    """A foreign text for running text."""
    return clip(escape(text), cells)


def state_glyph(state: str, drawing: Style) -> str:
    """Each state's own."""
    return drawing.pick(STATE_GLYPHS.get(state, ("?", "?")))


def size(count: int) -> str:
    """Bytes for people: 212M."""
    if count < 1 << 20:
        return f"{count / 1024:.0f}K"
    return f"{count / (1 << 20):.0f}M" if count < 1 << 30 else f"{count / (1 << 30):.1f}G"
