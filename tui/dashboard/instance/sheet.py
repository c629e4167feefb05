"""What every tab is: lines that are made when they are looked at."""

from __future__ import annotations

from analyzer.reporters.style import DEFAULT, Style
from analyzer.reporters.units import duration
from tui.dashboard.instance.model import Model, Row
from tui.dashboard.instance.pieces import Line, cut, plain

COPIED = 10_000  # lines of a tab that are copied as text


class Sheet:
    """Lines of one tab; a line may stand for a row of the model.

    `count` and `line` must be cheap whatever the size: what costs is done in `__init__`, in a
    worker.
    """

    TITLE = ""

    def __init__(self, model: Model, style: Style = DEFAULT) -> None:
        self.model = model
        self.style = style

    def head(self, width: int) -> list[Line]:
        """Lines that stay above the others."""
        return []

    def count(self, width: int) -> int:
        """Number of lines at that width."""
        raise NotImplementedError

    def line(self, at: int, width: int) -> Line:
        """One line; `width` is what `wide` said."""
        raise NotImplementedError

    def wide(self, width: int) -> int:
        """Cells that the lines take, where they are wider than the screen."""
        return width

    def row(self, at: int) -> Row | None:
        """What a line stands for: the cursor stops there."""
        return None

    def find(self, key: str) -> int | None:
        """The line of the row of that key."""
        return None

    def toggle(self, at: int) -> bool:
        """Enter on a line; whether anything changed."""
        return False

    def text(self, width: int) -> str:
        """All of it, as it would stand on a screen of that width."""
        wide = self.wide(width)
        lines = [*self.head(wide)]
        total = self.count(wide)
        lines += [self.line(at, wide) for at in range(min(total, COPIED))]
        if total > COPIED:
            lines.append([(f"+{total - COPIED:,} more lines", "dim")])
        return "".join(plain(cut(line, wide)) + "\n" for line in lines)

    def own(self, text: str) -> str:
        """Our own typography, in ASCII where nothing else can be shown."""
        return self.style.own(text if self.style.unicode else text.replace("≤", "<="))

    def owned(self, lines: list[Line]) -> list[Line]:
        """The same for lines, foreign text included: the ellipsis of what was cut is in it."""
        if self.style.unicode:
            return lines
        return [[(self.own(text), tone) for text, tone in line] for line in lines]

    # -- words that several tabs use -----------------------------------------------------------

    def glyph(self, row: Row) -> str:
        """Its sign: never colour alone."""
        signs = {
            "expected": ("◌", "o"),
            "not-reached": ("○", "-"),
            "missing": ("~", "~"),
            "step": ("✖", "x") if row.error else ("●", "*"),
        }
        return self.style.pick(signs[row.kind])

    def took(self, row: Row) -> str:
        """How long the step took."""
        if row.start_ns is None or row.end_ns is None:
            return "" if row.kind == "missing" else self.style.own("—")
        return self.style.own(duration(row.end_ns - row.start_ns))

    def at(self, time_ns: int) -> str:
        """A time, from the instance's beginning on."""
        since = time_ns - self.model.start_ns
        return self.style.own(f"+{duration(since)}") if since else "0"

    def due(self, row: Row) -> str:
        """`expected <=2.1s, +46m` of an absent step."""
        return self.own(due(row))


TONES = {"expected": "warning", "not-reached": "dim", "missing": "dim"}


def tone(row: Row) -> str:
    """The tone of a row's name."""
    return "error" if row.error else TONES.get(row.kind, "")


def due(row: Row) -> str:
    """When an absent step was due, and how late it is."""
    if row.kind == "not-reached":
        return "(not reached)"
    soon, late = row.data["p99_s"], row.data["overdue_s"]
    said = "expected" + (f" ≤{duration(soon * 1e9)}" if soon is not None else "")
    return said + (f", +{duration(late * 1e9)}" if late else "")
