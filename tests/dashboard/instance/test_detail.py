"""What of a step's detail is shown where there is no room for all of it."""

from __future__ import annotations

from tui.dashboard.instance.detail import fitting
from tui.dashboard.instance.pieces import Line


def test_what_does_not_fit_is_counted() -> None:
    lines: list[Line] = [[(f"line {number}", "")] for number in range(10)]
    assert fitting(lines, 10) == lines
    shown = fitting(lines, 8)
    assert shown[:7] == lines[:7]
    assert [text.strip() for text, _ in shown[7]] == ["+3 more lines"]
    assert fitting(lines, 9)[8][0][0].strip() == "+2 more lines"
