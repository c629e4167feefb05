"""Git-log lanes of rows: solid between parent and child, dotted where other evidence joins."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from analyzer.reporters.style import Style
from tui.dashboard.instance.model import Model

MOST = 4_000  # rows; more are drawn as depths, which takes no seconds to lay out
WIDEST = 200  # lanes; a fan-out of hundreds is no picture either
_MARK = "\x01"


@dataclass(frozen=True, slots=True)
class Lane:
    """A line of the drawing; `row` is None where it only leads on to the next ones."""

    row: int | None
    text: str


@dataclass(frozen=True)
class Lanes:
    """All lines, and the line of each row."""

    lines: Sequence[Lane]
    place: dict[int, int]
    width: int
    simplified: bool = False


def draw(model: Model, glyphs: Sequence[str], style: Style, only: Collection[int] | None) -> Lanes:
    """The lanes of all rows, or of those whose number is in `only`. A worker's task."""
    shown = [at for at in range(len(model.rows)) if only is None or at in only]
    lines = _drawn(model, glyphs, style, shown) if len(shown) <= MOST else None
    simplified = lines is None
    if lines is None:
        lines = _depths(model, glyphs, style, shown)
    place = {lane.row: line for line, lane in enumerate(lines) if lane.row is not None}
    width = max((cell_len(lane.text) for lane in lines), default=0)
    return Lanes(lines, place, width, simplified)


def _drawn(
    model: Model, glyphs: Sequence[str], style: Style, shown: Sequence[int]
) -> list[Lane] | None:
    from renderdag import Ancestor, GraphRowRenderer

    output = GraphRowRenderer().output().with_min_row_height(1)
    renderer = output.build_box_drawing() if style.unicode else output.build_ascii()
    there, lines = set(shown), list[Lane]()
    for at in shown:
        after = [
            Ancestor.parent(to) if _solid(model, at, to) else Ancestor.ancestor(to)
            for to in model.rows[at].after
            if to in there
        ]
        drawn = renderer.next_row(at, after, glyphs[at], _MARK).rstrip("\n").split("\n")
        for text in drawn:
            own = text.endswith(_MARK)
            lines.append(Lane(at if own else None, text.rstrip(_MARK).rstrip()))
        if len(lines[-1].text) > 2 * WIDEST:
            return None
    return lines


def _solid(model: Model, source: int, target: int) -> bool:
    return any(join.source == source and join.solid for join in model.rows[target].joins)


def _depths(model: Model, glyphs: Sequence[str], style: Style, shown: Sequence[int]) -> list[Lane]:
    """Indented by the number of steps before it, up to eight."""
    depth: list[int] = []
    for row in model.rows:
        depth.append(min(depth[row.joins[0].source] + 1, 8) if row.joins else 0)
    dot = style.pick(("·", "."))
    return [Lane(at, dot * depth[at] + glyphs[at]) for at in shown]
