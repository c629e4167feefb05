"""The pictures of the documentation: `python -m tests.dashboard.pictures [FOLDER]` makes them.

Each is a screen of a recording of this repository. They are SVG with text in it, and fetch nothing.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

from analyzer import analyze
from analyzer.analysis import Analysis
from tests.dashboard.fake import FakeFeed, settled
from tui.dashboard.app import Dashboard
from tui.dashboard.feed import Phase, Status
from tui.dashboard.feeds.made import document, of_analysis

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures"
SOURCE = "fixtures/demo/orders.jsonl.gz"
CRASHED = "7b78eba1e47050589766484ce28e8ce2"  # its handler was killed in mid-work
SIZE = (124, 34)
PICTURES: dict[str, tuple[str, tuple[str, ...]]] = {  # name -> (filter, keys)
    "instances": ("", ()),
    "instance": (CRASHED, ("enter", "x")),
    "sequence": (CRASHED, ("enter", "tab", "tab", "tab")),
    "why": (CRASHED, ("enter", "tab", "tab", "tab", "tab", "tab")),
    "workflows": ("", ("2",)),
    "services": ("", ("3", "enter")),
    "coupling": ("", ("4",)),
    "findings": ("", ("5",)),
}
FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


class Recorded(FakeFeed):
    """The recording, analysed once; a header that says the same on every machine."""

    def __init__(self, found: Analysis) -> None:
        status = Status(SOURCE, Phase.ENDED, memory_bytes=212 << 20)
        super().__init__(of_analysis(found, generation=1), status)
        self._analysis = found

    def instance(self, identifier: str) -> Any:
        return document(self._analysis, identifier)


@cache
def analysed() -> Analysis:
    """The analysis of the recording."""
    return analyze(ROOT / SOURCE)


def picture(name: str) -> str:
    """The screen of that name as SVG."""
    where, keys = PICTURES[name]
    return asyncio.run(_picture(where, keys))


async def _picture(where: str, keys: tuple[str, ...]) -> str:
    app = Dashboard(Recorded(analysed()), where=where)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await settled(pilot)
        drawn = app.export_screenshot(title="choreoscope watch " + SOURCE)
    return re.sub(r"terminal-\d+", "terminal", FONTS.sub("", drawn))


def words(svg: str) -> list[str]:
    """The text in a picture, without its looks."""
    return [unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


def made(folder: Path) -> Iterator[Path]:
    """Draw all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PICTURES:
        path = folder / f"{name}.svg"
        path.write_text(picture(name), encoding="utf-8")
        yield path


if __name__ == "__main__":
    for path in made(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER):
        print(path)  # noqa: T201 - a script
