"""Lines as (text, tone) pieces: made without a screen, painted or copied later."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from analyzer.escape import clip, clip_middle, escape
from analyzer.reporters.style import Style

Piece = tuple[str, str]  # text that is safe to print, tone
Line = list[Piece]
TONES = ("error", "warning", "success", "accent", "special", "dim", "bold")


def plain(line: Iterable[Piece]) -> str:
    """The text alone."""
    return "".join(text for text, _ in line).rstrip()


def cells(line: Iterable[Piece]) -> int:
    """Cells that it takes."""
    return sum(cell_len(text) for text, _ in line)


def cut(line: Line, width: int) -> Line:
    """The line, no wider than that."""
    kept: Line = []
    for text, tone in line:
        kept.append((clip(text, width, ""), tone))
        width -= cell_len(kept[-1][0])
        if width <= 0:
            break
    return kept


def cell(text: str, width: int, style: Style, *, middle: bool = False) -> str:
    """A foreign text, escaped, cut and padded to `width` cells."""
    shown = escape(text)
    if not (shown.isascii() and len(shown) <= width):
        shown = (clip_middle if middle else clip)(shown, width, style.own("…"))
    return shown + " " * (width - cell_len(shown))


def short(text: object, width: int, style: Style) -> str:
    """A foreign text, escaped and cut, not padded."""
    return clip_middle(escape(text), width, style.own("…"))


def wrapped(text: str, width: int, first: Line, rest: int | None = None) -> list[Line]:
    """`text` (escaped) over lines of `width` cells; `first` opens the first one.

    The others begin with `rest` blanks, by default as wide as `first`.
    """
    indent = cells(first) if rest is None else rest
    room = max(width - indent, 16)
    parts = [part for line in textwrap.wrap(text, room, break_on_hyphens=False)
             for part in _fitting(line, room)] or [""]  # fmt: skip
    return [[*first, (parts[0], "")]] + [[(" " * indent + part, "")] for part in parts[1:]]


def _fitting(text: str, room: int) -> list[str]:
    """Wide characters take two cells, which textwrap does not know."""
    parts = []
    while cell_len(text) > room:
        head = clip(text, room, "") or text[:1]
        parts.append(head)
        text = text[len(head) :].lstrip()
    return [*parts, text]


def toned(lines: Sequence[Line], tone: str) -> list[Line]:
    """The same lines; what has no tone gets this one."""
    return [[(text, own or tone) for text, own in line] for line in lines]
