"""The causal tree: each row under what it came of, branches that fold away."""

from __future__ import annotations

from analyzer.reporters.style import DEFAULT, Style
from analyzer.reporters.units import duration
from tui.dashboard.instance.model import Model, Row
from tui.dashboard.instance.pieces import Line, cells, short
from tui.dashboard.instance.sheet import Sheet, tone

DEEP = 16  # levels that are drawn; deeper ones say how deep they are


class TreeSheet(Sheet):
    """A row with several causes stands under the surest, and names the number of others."""

    TITLE = "Tree"

    def __init__(self, model: Model, style: Style = DEFAULT) -> None:
        super().__init__(model, style)
        rows = model.rows
        self._above = [row.joins[0].source if row.joins else -1 for row in rows]
        below: list[list[int]] = [[] for _ in rows]
        for at, above in enumerate(self._above):
            if above >= 0:
                below[above].append(at)
        self._last = [False] * len(rows)
        for children in below:
            if children:
                self._last[children[-1]] = True
        self._depth = [0] * len(rows)
        self._order = self._preorder(below)
        self._place = {at: place for place, at in enumerate(self._order)}
        self._size = self._sizes()
        self._closed: set[int] = set()
        self._shown = list(self._order)

    def _preorder(self, below: list[list[int]]) -> list[int]:
        order = []
        stack = [at for at in reversed(range(len(self._above))) if self._above[at] < 0]
        while stack:
            at = stack.pop()
            order.append(at)
            for child in reversed(below[at]):
                self._depth[child] = self._depth[at] + 1
                stack.append(child)
        return order

    def _sizes(self) -> list[int]:
        """Rows in the branch of each row, itself included."""
        size = [1] * len(self._order)
        for at in reversed(self._order):
            if self._above[at] >= 0:
                size[self._above[at]] += size[at]
        return size

    # -- the sheet -----------------------------------------------------------------------------

    def count(self, width: int) -> int:
        """Rows that are not folded away."""
        return len(self._shown)

    def row(self, at: int) -> Row | None:
        """The row on that line."""
        return self.model.rows[self._shown[at]]

    def find(self, key: str) -> int | None:
        """The line of that row, or of the closed branch that it is in."""
        number = self.model.number.get(key)
        if number is None:
            return None
        closed, above = number, self._above[number]
        while above >= 0:
            closed = above if above in self._closed else closed
            above = self._above[above]
        return self._line_of(closed)

    def _line_of(self, number: int) -> int:
        """By bisection: lines are in the order of the tree."""
        low, high, place = 0, len(self._shown), self._place[number]
        while low < high:
            middle = (low + high) // 2
            if self._place[self._shown[middle]] < place:
                low = middle + 1
            else:
                high = middle
        return low

    def line(self, at: int, width: int) -> Line:
        """Branch, glyph, names; at the right how long it took."""
        number = self._shown[at]
        row = self.model.rows[number]
        tail = self._tail(number, row)
        branch = self._branch(number)
        room = max(width - len(branch) - 5 - cells(tail), 10)
        named = f"missing parent {row.operation}" if row.kind == "missing" else row.operation
        name = short(named, max(room * 3 // 5, 8), self.style)
        service = short(row.service, max(room - cells([(name, "")]) - 2, 4), self.style)
        own = tone(row)
        return [
            (branch, "dim"),
            (f"{self._fold(number)}{self.glyph(row)} ", own or "success"),
            (name, own or ("bold" if row.critical else "")),
            (f"  {service}", "dim"),
            *tail,
        ]

    def _branch(self, number: int) -> str:
        parts, at = list[str](), number
        while self._above[at] >= 0 and len(parts) < DEEP:
            if at == number:
                sign = ("└─", "`-") if self._last[at] else ("├─", "|-")
                if (join := self.model.rows[at].join) and not join.solid:
                    sign = ("└┄", "`.") if self._last[at] else ("├┄", "|.")
            else:
                sign = ("  ", "  ") if self._last[at] else ("│ ", "| ")
            parts.append(self.style.pick(sign))
            at = self._above[at]
        hidden = f"+{self._depth[at]} " if self._depth[at] else ""
        return hidden + "".join(reversed(parts))

    def _fold(self, number: int) -> str:
        if self._size[number] == 1:
            return ""
        return self.style.pick(("▸", ">") if number in self._closed else ("▾", "v"))

    def _tail(self, number: int, row: Row) -> Line:
        said = []
        if number in self._closed:
            said.append((f"  (+{self._size[number] - 1:,} folded)", "warning"))
        if len(row.joins) > 1:
            said.append((f"  +{len(row.joins) - 1} more causes", "special"))
        join = row.join
        if join and row.kind == "step" and not join.solid:
            said.append((f"  {join.tier} {join.confidence:.2f}", "dim"))
        if join and join.kind != "sync" and join.wait_ns > 0:
            said.append((self.own(f"  waited {duration(join.wait_ns)}"), "dim"))
        if row.kind in ("expected", "not-reached"):
            return [*said, (f"  {self.due(row)}", tone(row))]
        return [*said, (f"  {self.took(row)}", "dim")] if row.kind == "step" else said

    def toggle(self, at: int) -> bool:
        """Fold the branch away, or show it again."""
        number = self._shown[at]
        if self._size[number] == 1:
            return False
        if number in self._closed:
            self._closed.discard(number)
            self._shown[at + 1 : at + 1] = self._open_part(number)
        else:
            end = self._line_after(at, number)
            self._closed.add(number)
            del self._shown[at + 1 : end]
        return True

    def _open_part(self, number: int) -> list[int]:
        place, end = self._place[number] + 1, self._place[number] + self._size[number]
        shown = []
        while place < end:
            at = self._order[place]
            shown.append(at)
            place += self._size[at] if at in self._closed else 1
        return shown

    def _line_after(self, at: int, number: int) -> int:
        """The first line behind the branch."""
        end = self._place[number] + self._size[number]
        return self._line_of(self._order[end]) if end < len(self._order) else len(self._shown)
