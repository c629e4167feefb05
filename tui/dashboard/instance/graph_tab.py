"""A box graph of a small instance: layers from top to bottom, edges solid or dotted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from analyzer.reporters.style import DEFAULT, Style
from tui.dashboard.instance.model import Model, Row
from tui.dashboard.instance.pieces import Line, short
from tui.dashboard.instance.sheet import Sheet, tone

MOST = 15  # boxes; of more nobody can follow the lines
BOX, GAP = 24, 3
HEIGHT = 4  # of a box with its border
Edge = tuple[object, object]  # rows, or places where a long line passes a layer
UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
_LINES = " ╵╷│╴╯╮┤╶╰╭├─┴┬┼"
_ASCII = " |||-++++++" + "+-+++"


@dataclass(frozen=True, slots=True)
class Cell:
    """Ways out of one character of the drawing."""

    ways: int = 0
    dotted: bool = True


class GraphSheet(Sheet):
    """Boxes in layers; a line that passes a layer has a place of its own in it."""

    TITLE = "Graph"

    def __init__(self, model: Model, style: Style = DEFAULT) -> None:
        super().__init__(model, style)
        self._lines: list[tuple[Line, int | None]] = []
        self._place: dict[int, int] = {}
        self._width = 0
        if len(model.rows) <= MOST:
            self._draw()
        else:
            said = f"{len(model.rows):,} steps are too many for boxes (at most {MOST}): see Lanes"
            self._lines = [([(said, "warning")], None)]

    def count(self, width: int) -> int:
        """Lines of the drawing."""
        return len(self._lines)

    def line(self, at: int, width: int) -> Line:
        """One of them."""
        return self._lines[at][0]

    def wide(self, width: int) -> int:
        """What the widest layer takes."""
        return max(width, self._width)

    def row(self, at: int) -> Row | None:
        """The first box of a layer stands for its line."""
        number = self._lines[at][1]
        return None if number is None else self.model.rows[number]

    def find(self, key: str) -> int | None:
        """The line of the box."""
        return self._place.get(self.model.number.get(key, -1))

    # -- layout --------------------------------------------------------------------------------

    def _draw(self) -> None:
        layers, edges = _layers(self.model)
        self._width = max((len(layer) for layer in layers), default=0) * (BOX + GAP)
        for depth, layer in enumerate(layers):
            self._boxes(layer)
            if depth + 1 < len(layers):
                self._between(layer, layers[depth + 1], edges)

    def _boxes(self, layer: Sequence[object]) -> None:
        drawn = [self._box(node) for node in layer]
        number = next((node for node in layer if isinstance(node, int)), None)
        for part in range(HEIGHT):
            line: Line = []
            for box in drawn:
                line += [*box[part], (" " * GAP, "")]
            self._lines.append((line, number if part == 1 else None))
        for node in layer:
            if isinstance(node, int):
                self._place[node] = len(self._lines) - HEIGHT + 1

    def _box(self, node: object) -> list[Line]:
        if not isinstance(node, int):  # a line on its way to a deeper layer
            assert isinstance(node, tuple)
            solid = _solid(self.model, node[0], node[1])
            way = self.style.pick(("│", "|") if solid else ("┆", ":"))
            text = " " * (BOX // 2) + way + " " * (BOX - BOX // 2 - 1)
            return [[(text, "dim")]] * HEIGHT
        row, inner = self.model.rows[node], BOX - 2
        own = tone(row) or ("accent" if row.critical else "success")
        absent = row.kind != "step"
        top = self.style.pick(("┄", ".") if absent else ("─", "-"))
        side = self.style.pick(("┆", ":") if absent else ("│", "|"))
        corners = self.style.pick(("╭╮╰╯", "++++"))
        name = self._padded(f"{self.glyph(row)} ", row.operation, "", inner)
        took = self.took(row) if row.kind == "step" else ""
        where = self._padded("", row.service, f" {took}" if took else "", inner)
        return [
            [(corners[0] + top * inner + corners[1], own)],
            [(side, own), (name, tone(row) or "bold"), (side, own)],
            [(side, own), (where, "dim"), (side, own)],
            [(corners[2] + top * inner + corners[3], own)],
        ]

    def _padded(self, before: str, text: str, after: str, width: int) -> str:
        shown = short(text, width - cell_len(before) - cell_len(after), self.style)
        return before + shown + " " * (width - cell_len(before + shown + after)) + after

    def _between(
        self,
        above: Sequence[object],
        below: Sequence[object],
        edges: Sequence[Edge],
    ) -> None:
        """A band with a track for each edge that has to go sideways."""
        spots = {node: at * (BOX + GAP) + BOX // 2 for at, node in enumerate(above)}
        ends = {node: at * (BOX + GAP) + BOX // 2 for at, node in enumerate(below)}
        here = [(a, b) for a, b in edges if a in spots and b in ends]
        sideways = [(a, b) for a, b in here if spots[a] != ends[b]]
        height = max(len(sideways), 1)
        band = [[Cell() for _ in range(max(self._width, 1))] for _ in range(height)]
        for a, b in here:
            solid = _solid(self.model, _end(a, 0), _end(b, 1))
            track = sideways.index((a, b)) if (a, b) in sideways else 0
            _route(band, spots[a], ends[b], track, solid=solid)
        for cells in band:
            text = "".join(self._sign(cell) for cell in cells).rstrip()
            self._lines.append(([(text, "dim")], None))

    def _sign(self, cell: Cell) -> str:
        if cell.dotted and cell.ways in (UP | DOWN, LEFT | RIGHT):
            return self.style.pick(("┆", ":") if cell.ways == UP | DOWN else ("┄", "."))
        return self.style.pick((_LINES[cell.ways], _ASCII[cell.ways]))


def _end(node: object, which: int) -> int:
    """The row that a node is, or that a passing line comes from (0) or goes to (1)."""
    if isinstance(node, tuple):
        return int(node[which])
    assert isinstance(node, int)
    return node


def _solid(model: Model, source: int, target: int) -> bool:
    return any(join.source == source and join.solid for join in model.rows[target].joins)


def _layers(model: Model) -> tuple[list[list[object]], list[Edge]]:
    """Rows by their longest chain of causes; long edges cut where they pass a layer."""
    depth: list[int] = []
    for row in model.rows:
        depth.append(max((depth[join.source] + 1 for join in row.joins), default=0))
    layers: list[list[object]] = [[] for _ in range(max(depth, default=-1) + 1)]
    for at, level in enumerate(depth):
        layers[level].append(at)
    edges: list[Edge] = []
    for at, row in enumerate(model.rows):
        for join in row.joins:
            last: object = join.source
            for level in range(depth[join.source] + 1, depth[at]):
                passing = (join.source, at, level)
                layers[level].append(passing)
                edges.append((last, passing))
                last = passing
            edges.append((last, at))
    return [_by_causes(layers, edges, level) for level in range(len(layers))], edges


def _by_causes(layers: list[list[object]], edges: Sequence[Edge], level: int) -> list[object]:
    """The layer in the order of the middle of what each came of (Sugiyama's barycentre)."""
    if level:
        places = {node: at for at, node in enumerate(layers[level - 1])}
        old = {node: at for at, node in enumerate(layers[level])}

        def middle(node: object) -> tuple[float, int]:
            found = [places[a] for a, b in edges if b == node and a in places]
            return (sum(found) / len(found) if found else len(places)), old[node]

        layers[level] = sorted(layers[level], key=middle)
    return layers[level]


def _route(band: list[list[Cell]], start: int, end: int, track: int, *, solid: bool) -> None:
    """Down from `start`, along the track, down to `end`."""

    def put(line: int, column: int, ways: int) -> None:
        old = band[line][column]
        band[line][column] = Cell(old.ways | ways, old.dotted and not solid)

    for line in range(track):
        put(line, start, UP | DOWN)
    for line in range(track + 1, len(band)):
        put(line, end, UP | DOWN)
    if start == end:
        put(track, start, UP | DOWN)
        return
    left, right = min(start, end), max(start, end)
    put(track, start, UP | (RIGHT if end > start else LEFT))
    put(track, end, DOWN | (LEFT if end > start else RIGHT))
    for column in range(left + 1, right):
        put(track, column, LEFT | RIGHT)
