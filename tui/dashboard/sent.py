"""What the terminal shows already, so that of an update only the changed cells are sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.console import COLOR_SYSTEMS, Console
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

BRIDGE = 4  # cells sent again rather than jumped over: a jump takes as many bytes
STYLES = 4096  # remembered; Textual makes one for each place of a text
UNKNOWN = "\0"  # what a cell shows that nothing was sent to
# Attributes that show on a blank too; the others and the colour of the ink do not.
DRAWN = frozenset(("4", "7", "9", "21", "51", "52", "53"))
OFF = {
    "1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "6": "25", "7": "27", "8": "28",
    "9": "29", "21": "24", "51": "54", "52": "54", "53": "55",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Pen:
    """A style as the terminal has it; the parameters of SGR. Each there is once: compare by `is`.

    `blank` stands for all pens with which a blank looks the same.
    """

    attributes: tuple[str, ...]
    ink: str
    paper: str
    link: str
    blank: object


PLAIN = Pen((), "39", "49", "", ((), "49"))


class Pens:
    """The pens of the styles that came by."""

    def __init__(self) -> None:
        self._of: dict[Style, Pen] = {}
        self._made: dict[tuple[str, str], Pen] = {}
        self._blanks: dict[object, object] = {}

    def of(self, style: Style | None, colors: ColorSystem) -> Pen:
        """The pen of a style."""
        if style is None:
            return PLAIN
        pen = self._of.get(style)
        if pen is None:
            if len(self._of) >= STYLES:
                self._of.clear()
            pen = self._of[style] = self._pen(style, colors)
        return pen

    def _pen(self, style: Style, colors: ColorSystem) -> Pen:
        link = f"id={style.link_id};{style.link}" if style.link else ""
        key = (Strip.render_ansi(style, colors), link)
        if key not in self._made:
            attributes, ink, paper = _parameters(key[0])
            if DRAWN.isdisjoint(attributes) and not link:
                look: object = ((), paper)
            else:
                look = key
            blank = self._blanks.setdefault(look, look)
            self._made[key] = Pen(attributes, ink, paper, link, blank)
        return self._made[key]


def _parameters(sgr: str) -> tuple[tuple[str, ...], str, str]:
    """`1;38;2;9;9;9;40` -> attributes, ink, paper."""
    attributes, ink, paper = [], "39", "49"
    left = [part for part in sgr.split(";") if part]
    while left:
        size = {"2": 5, "5": 3}[left[1]] if left[0] in ("38", "48") else 1
        one, left = left[:size], left[size:]
        number = int(one[0])
        if 30 <= number <= 39 or 90 <= number <= 97:
            ink = ";".join(one)
        elif 40 <= number <= 49 or 100 <= number <= 107:
            paper = ";".join(one)
        else:
            attributes.append(one[0])
    return tuple(attributes), ink, paper


@lru_cache(STYLES)
def change(before: Pen, after: Pen) -> str:
    """The sequence that takes the terminal from one pen to the other: the shorter way."""
    kept = [one for one in before.attributes if one in after.attributes]
    gone = {OFF.get(one, "0") for one in before.attributes if one not in kept}
    kept = [one for one in kept if OFF.get(one) not in gone]  # bold and dim end together
    new = [one for one in after.attributes if one not in kept]
    ink = [after.ink] if after.ink != before.ink else []
    paper = [after.paper] if after.paper != before.paper else []
    ways = [["0", *after.attributes, *_set(after.ink, "39"), *_set(after.paper, "49")]]
    if "0" not in gone:
        ways.append([*sorted(gone), *new, *ink, *paper])
    codes = min((";".join(way) for way in ways), key=len)
    link = f"\x1b]8;{after.link or ';'}\x1b\\" if after.link != before.link else ""
    return link + (f"\x1b[{codes}m" if codes else "")


def _set(color: str, default: str) -> list[str]:
    return [] if color == default else [color]


@lru_cache(STYLES)
def _is_simple(text: str) -> bool:
    """Whether every character takes one cell."""
    return text.isprintable() and all(get_character_cell_size(one) == 1 for one in text)


class Line:
    """One line of the terminal, cell by cell.

    A text that holds wide or combining characters is in its first cell, the others are empty:
    terminals disagree about its cells, so it is never sent in part.
    """

    def __init__(self, width: int) -> None:
        self.texts: list[str] = [UNKNOWN] * width
        self.pens: list[Pen] = [PLAIN] * width

    def put(self, x: int, texts: list[str], pens: list[Pen]) -> list[tuple[int, int]]:
        """Show these from cell `x` on; the runs of cells (begin, end) that changed."""
        end = x + len(texts)
        before, styled = self.texts[x:end], self.pens[x:end]
        if before == texts and styled == pens:
            return []
        self.texts[x:end], self.pens[x:end] = texts, pens
        changed = [
            at
            for at, (old, new, was, pen) in enumerate(zip(before, texts, styled, pens, strict=True))
            if old != new or (was is not pen and not (new == " " and was.blank is pen.blank))
        ]
        if changed and (_is_together(before) or _is_together(texts)):
            return [(x, end)]
        return self._runs([x + at for at in changed])

    def _runs(self, changed: Sequence[int]) -> list[tuple[int, int]]:
        runs: list[tuple[int, int]] = []
        begin = end = changed[0] if changed else 0
        for at in changed:
            if at > end and not self._is_bridge(end, at):
                runs.append((begin, end))
                begin = at
            end = at + 1
        return [*runs, (begin, end)] if changed else []

    def _is_bridge(self, begin: int, end: int) -> bool:
        pen = self.pens[begin - 1]
        return end - begin <= BRIDGE and all(one is pen for one in self.pens[begin:end])


def _is_together(texts: Sequence[str]) -> bool:
    """Whether some of the cells hold one text."""
    return set(map(len, texts)) != {1}


class Sent:
    """The terminal's cells, as they were sent."""

    def __init__(self) -> None:
        self._pens = Pens()
        self._lines: list[Line] = []
        self._size = (0, 0)

    def forget(self) -> None:
        """Nobody knows what the terminal shows: the next update of a cell is sent."""
        self._size = (0, 0)

    def changed(self, update: object) -> object:
        """The same update of Textual, that writes only what it changes; others as they are."""
        if isinstance(update, (LayoutUpdate, ChopsUpdate)):
            return _Changed(self, update)
        if update is not None:
            self.forget()
        return update

    def write(self, update: LayoutUpdate | ChopsUpdate, colors: ColorSystem) -> str:
        """The sequences for a terminal of those colours."""
        self._fit(*_size(update))
        sequences: list[str] = []
        pen, line = PLAIN, -1
        for x, y, strips in _pieces(update):
            for run in self._put(x, y, strips, colors):
                column = run[0] + 1
                sequences.append(f"\x1b[{column}G" if y == line else f"\x1b[{y + 1};{column}H")
                pen, line = self._run(y, run, pen, sequences), y
        sequences.append(change(pen, PLAIN))
        return "".join(sequences)

    def _fit(self, width: int, height: int) -> None:
        if self._size != (width, height):
            self._size = (width, height)
            self._lines = [Line(width) for _ in range(height)]

    def _put(
        self, x: int, y: int, strips: Iterable[Strip], colors: ColorSystem
    ) -> list[tuple[int, int]]:
        texts: list[str] = []
        pens: list[Pen] = []
        for strip in strips:
            for segment in strip:
                text, cells = segment.text, segment.cell_length
                if cells == len(text) and _is_simple(text):
                    texts.extend(text)
                elif cells:
                    texts.extend([text, *[""] * (cells - 1)])
                elif texts:
                    texts[-1] += text
                pens.extend([self._pens.of(segment.style, colors)] * cells)
        room = max(self._size[0] - x, 0)
        return self._lines[y].put(x, texts[:room], pens[:room]) if y < self._size[1] else []

    def _run(self, y: int, run: tuple[int, int], pen: Pen, sequences: list[str]) -> Pen:
        """Write a run; the pen that the terminal has after it."""
        line = self._lines[y]
        cells = slice(*run)
        for text, wanted in zip(line.texts[cells], line.pens[cells], strict=True):
            if wanted is not pen and not (text == " " and wanted.blank is pen.blank):
                sequences.append(change(pen, wanted))
                pen = wanted
            sequences.append(text)
        return pen


class _Changed(CompositorUpdate):
    """It is put into sequences when it is written, and only then: it may be dropped before."""

    def __init__(self, sent: Sent, update: LayoutUpdate | ChopsUpdate) -> None:
        self._sent, self._update = sent, update

    def render_segments(self, console: Console) -> str:
        """What Textual writes to the terminal."""
        colors = COLOR_SYSTEMS.get(console.color_system or "", ColorSystem.TRUECOLOR)
        return self._sent.write(self._update, colors)


def _size(update: LayoutUpdate | ChopsUpdate) -> tuple[int, int]:
    """Cells of the whole screen: width and height."""
    if isinstance(update, LayoutUpdate):
        return update.region.right, update.region.bottom
    return (update.chop_ends[0][-1] if update.chop_ends else 0), len(update.chops)


def _pieces(update: LayoutUpdate | ChopsUpdate) -> Iterator[tuple[int, int, Iterable[Strip]]]:
    """What the update puts where: column, line, strips."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            yield update.region.x, y, strips
        return
    for y, left, right in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and x < right and end > left:
                yield x, y, (strip if end <= right else strip.crop(0, right - x),)
