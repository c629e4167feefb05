"""How a text report may draw: width, colour, glyphs; and the small plots it is made of."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from analyzer.escape import clip, clip_middle, escape
from analyzer.finding import Severity, State

# Own glyph for each state: never colour alone. Unicode, then ASCII.
STATE_GLYPHS: dict[str, tuple[str, str]] = {
    State.STUCK: ("■", "#"),
    State.FAILED: ("✖", "x"),
    State.DEAD_LETTERED: ("▼", "v"),
    State.ORPHANED: ("◆", "o"),
    State.LATE: ("▲", "!"),
    State.COMPENSATING: ("↺", "~"),
    State.COMPENSATED: ("↩", "<"),
    State.WAITING: ("◌", "w"),
    State.RUNNING: ("▶", ">"),
    State.UNKNOWN: ("?", "?"),
    State.COMPLETE: ("●", "."),
}
STATE_COLOURS: dict[str, str] = {
    State.STUCK: "red",
    State.FAILED: "red",
    State.DEAD_LETTERED: "red",
    State.ORPHANED: "magenta",
    State.LATE: "yellow",
    State.COMPENSATING: "yellow",
    State.COMPENSATED: "cyan",
    State.WAITING: "cyan",
    State.RUNNING: "blue",
    State.UNKNOWN: "dim",
    State.COMPLETE: "green",
}
SEVERITY_GLYPHS: dict[str, tuple[str, str]] = {
    Severity.ERROR: ("■", "#"),
    Severity.WARNING: ("▲", "!"),
    Severity.NOTE: ("·", "-"),
}
SEVERITY_COLOURS: dict[str, str] = {
    Severity.ERROR: "red",
    Severity.WARNING: "yellow",
    Severity.NOTE: "cyan",
}
_SGR = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
_SGR_CODE = re.compile(r"\x1b\[[0-9;]*m")
_ASCII = str.maketrans(
    {"…": "~", "·": "-", "—": "-", "→": ">", "×": "x", "µ": "u", "│": "|", "─": "-", "┄": "."}
)
_SPARKS = ("▁▂▃▄▅▆▇█", "._-=+*#@")
_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class Style:
    """What the output can show. The default suits a file: 80 columns, Unicode, no colour."""

    width: int = 80
    colour: bool = False
    unicode: bool = True

    def paint(self, text: str, *colours: str) -> str:
        """`text` in these colours, where there are colours."""
        codes = ";".join(_SGR[colour] for colour in colours if colour)
        return f"\x1b[{codes}m{text}\x1b[0m" if self.colour and codes and text else text

    def pick(self, glyphs: tuple[str, str]) -> str:
        """The Unicode glyph, or the ASCII one."""
        return glyphs[0] if self.unicode else glyphs[1]

    def own(self, text: str) -> str:
        """Our own typography, in ASCII where nothing else can be shown."""
        return text if self.unicode else text.translate(_ASCII)

    def state(self, state: str, text: str | None = None) -> str:
        """The glyph of a state (with `text` behind it), in its colour."""
        glyph = self.pick(STATE_GLYPHS.get(state, ("?", "?")))
        shown = glyph if text is None else f"{glyph} {text}"
        return self.paint(shown, STATE_COLOURS.get(state, "dim"))

    def heading(self, title: str, note: str = "") -> str:
        """A section's title, with a note beside it."""
        return f"{self.paint(title, 'bold')}  {self.paint(self.own(note), 'dim')}".rstrip()

    def cell(self, text: object, width: int, *, middle: bool = False) -> str:
        """A foreign string, escaped, cut (at its end, or in the middle) and padded to `width`."""
        cut = clip_middle if middle else clip
        shown = cut(escape(text), width, self.own("…"))
        return shown + " " * (width - cell_len(shown))

    def bar(self, share: float, width: int) -> str:
        """`share` (0..1) of `width` cells, to an eighth of a cell."""
        eighths = round(max(0.0, min(share, 1.0)) * width * 8)
        if not self.unicode:
            return "#" * max(round(eighths / 8), 1 if share > 0 else 0)
        full, rest = divmod(eighths, 8)
        return "█" * full + (_EIGHTHS[rest] if rest else "▏" * (share > 0 and not full))

    def spark(self, numbers: Sequence[int]) -> str:
        """One character a number; a blank is none at all."""
        top = max(numbers, default=0)
        levels = self.pick(_SPARKS)
        return "".join(" " if n == 0 else levels[(n * (len(levels) - 1)) // top] for n in numbers)

    def states_bar(self, by_state: Mapping[str, int], width: int) -> str:
        """A bar of the states' glyphs, worst first; every state that occurs has a cell."""
        cells = share_out({s: n for s, n in by_state.items() if n}, width)
        ordered = sorted(cells, key=state_rank)
        return "".join(
            self.paint(
                self.pick(STATE_GLYPHS.get(s, ("?", "?"))) * cells[s], STATE_COLOURS.get(s, "dim")
            )
            for s in ordered
        )

    def wrap(self, text: str, first: str, rest: str | None = None) -> list[str]:
        """Lines of at most `width`; `first` opens the first one, `rest` (blanks) the others."""
        indent = " " * cell_len(_SGR_CODE.sub("", first))
        lines = textwrap.wrap(
            text,
            max(self.width, 40),
            initial_indent=indent,
            subsequent_indent=indent if rest is None else rest,
            break_on_hyphens=False,
        )
        return [first + lines[0][len(indent) :], *lines[1:]] if lines else [first.rstrip()]


DEFAULT = Style()


def state_rank(state: str) -> int:
    """0 for the worst state, in the order of `State`."""
    names = [known.value for known in State]
    return names.index(state) if state in names else len(names)


def share_out(counts: Mapping[str, int], width: int) -> dict[str, int]:
    """`width` cells over `counts`, each at least one, the rest by largest remainder."""
    if not counts:
        return {}
    spare = max(width - len(counts), 0)
    total = sum(counts.values())
    exact = {name: number * spare / total for name, number in counts.items()}
    cells = {name: 1 + int(share) for name, share in exact.items()}
    left = width - sum(cells.values())
    by_remainder = sorted(counts, key=lambda name: (int(exact[name]) - exact[name], name))
    for name in by_remainder[: max(left, 0)]:
        cells[name] += 1
    return cells


def prose(text: object, limit: int = 400) -> str:
    """A foreign string for running text: escaped; what is cut off is counted."""
    shown = escape(text)
    if len(shown) <= limit + 24:  # saying what is missing takes as much room
        return shown
    return f"{shown[:limit]}… (+{len(shown) - limit:,} characters)"


def name(text: object) -> str:
    """A foreign name for running text: escaped, and no longer than a line."""
    return prose(text, 60)


def states_line(by_state: Mapping[str, int]) -> str:
    """`4 stuck, 1 failed`, worst first."""
    ordered = sorted(by_state, key=state_rank)
    return ", ".join(f"{by_state[s]:,} {name(s)}" for s in ordered if by_state[s])


def more(hidden: int, noun: str, tail: str = "") -> list[str]:
    """`+N more nouns`, where something was left out."""
    return [f"+{hidden:,} more {noun}{'s' if hidden > 1 else ''}{tail}"] if hidden > 0 else []


def joined(parts: Iterable[str], limit: int = 5, length: int = 60) -> str:
    """The first of them, escaped, and how many more there are."""
    every = list(parts)
    shown = ", ".join(prose(part, length) for part in every[:limit])
    return f"{shown} +{len(every) - limit:,} more" if len(every) > limit else shown


def fit_columns(needs: Sequence[int], room: int, least: int = 8) -> list[int]:
    """Widths for columns that need `needs` cells: all of it, or the widest cut to share `room`."""
    widths = [max(need, 1) for need in needs]
    while sum(widths) > room and max(widths) > least:
        widest = max(widths)
        widths[widths.index(widest)] = widest - 1
    return widths


def need(cells: Iterable[object], title: str, most: int = 60) -> int:
    """Cells that a column takes for these values and its title, at most `most`."""
    widest = max((cell_len(clip(escape(cell), most)) for cell in cells), default=0)
    return max(widest, len(title))
