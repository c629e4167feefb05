"""A terminal of the few sequences that the dashboard sends, and a driver that writes to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from rich.cells import get_character_cell_size
from textual.drivers.headless_driver import HeadlessDriver

from tui.dashboard.app import Dashboard

TOKEN = re.compile(
    r"\x1b\[([?\d;]*)([A-Za-z])"
    r"|\x1b\]8;([^\x1b]*)\x1b\\"
    r"|\x1b\]22;[^\a]*\a"  # the pointer's shape
    r"|\x1b|[^\x1b]",
    re.DOTALL,
)
ENDS = {"22": "12", "23": "3", "24": "4", "25": "5", "27": "7", "28": "8", "29": "9"}
Cell = tuple[str, frozenset[str], str, str, str]  # text, attributes, ink, paper, link


class Emulator:
    """Cells; what it does not know it refuses."""

    def __init__(self, width: int, height: int) -> None:
        self.cells: list[list[Cell]] = [
            [("?", frozenset(), "", "", "")] * width for _ in range(height)
        ]
        self.x = self.y = 0
        self._attributes: set[str] = set()
        self._ink = self._paper = self._link = ""

    def feed(self, data: str) -> None:
        """As it comes to the terminal."""
        for found in TOKEN.finditer(data):
            parameters, command, link = found.groups()
            if command is not None:
                self._command(parameters, command)
            elif link is not None:
                self._link = link.partition(";")[2]  # its id is nothing that is seen
            elif len(found.group()) == 1:
                self._type(found.group())

    def _command(self, parameters: str, command: str) -> None:
        numbers = parameters.split(";") if parameters else []
        if command == "H":
            self.y, self.x = int(numbers[0]) - 1, int(numbers[1]) - 1
        elif command == "G":
            self.x = int(numbers[0]) - 1
        elif command == "m":
            self._style(numbers or ["0"])
        else:
            assert (parameters, command) in (("?2026", "h"), ("?2026", "l")), command

    def _style(self, numbers: list[str]) -> None:
        while numbers:
            size = {"2": 5, "5": 3}[numbers[1]] if numbers[0] in ("38", "48") else 1
            one, numbers = numbers[:size], numbers[size:]
            code = int(one[0])
            if code == 0:
                self._attributes.clear()
                self._ink = self._paper = ""
            elif code in range(30, 39) or code in range(90, 98):
                self._ink = ";".join(one)
            elif code in range(40, 49) or code in range(100, 108):
                self._paper = ";".join(one)
            elif code == 39:
                self._ink = ""
            elif code == 49:
                self._paper = ""
            elif one[0] in ENDS:
                self._attributes -= set(ENDS[one[0]])
            else:
                self._attributes.add(one[0])

    def _type(self, text: str) -> None:
        if text == "\n":
            return self._newline()
        assert text.isprintable() or text == "\u200d", repr(text)
        size = get_character_cell_size(text)
        if not size and not self.x:
            return None
        if not size:
            before = self.cells[self.y][self.x - 1]
            self.cells[self.y][self.x - 1] = (before[0] + text, *before[1:])
            return None
        style = (frozenset(self._attributes), self._ink, self._paper, self._link)
        for at in range(size):
            if self.x < len(self.cells[self.y]):
                self.cells[self.y][self.x] = ("" if at else text, *style)
            self.x += 1
        return None

    def _newline(self) -> None:
        self.x, self.y = 0, self.y + 1

    @property
    def seen(self) -> list[list[Cell]]:
        """What a person sees: a blank has no ink, unless it is underlined or reversed."""
        return [[_seen(cell) for cell in line] for line in self.cells]

    @property
    def lines(self) -> list[str]:
        """The text alone."""
        return ["".join(cell[0] for cell in line).rstrip() for line in self.cells]


def _seen(cell: Cell) -> Cell:
    text, attributes, _, paper, link = cell
    if text == " " and not link and not attributes & {"4", "7", "9", "21", "53"}:
        return (text, frozenset(), "", paper, "")
    return cell


class Wire(HeadlessDriver):
    """Not headless: what is sent is kept."""

    sent: list[str]

    @property
    def is_headless(self) -> bool:
        """Then nothing would be written."""
        return False

    def write(self, data: str) -> None:
        """To nobody."""
        self.sent.append(data)


@contextmanager
def wired(app: Dashboard) -> Iterator[list[str]]:
    """What the app sends from now on; for `run_test(headless=False)`."""
    sent: list[str] = []
    app.driver_class = type("Wired", (Wire,), {"sent": sent})
    yield sent
