"""Shapes that the pictures are made of, with classes instead of styles: the page's policy."""

from __future__ import annotations

from rich.cells import cell_len

from analyzer.escape import clip_middle, escape
from analyzer.reporters.html.markup import Child, Html, Value, tag, text

PAGE = 1120.0  # pixels that the page has beside its margins
SMALLEST = 0.75  # letters of 9 pixels
CELL = 7.3  # pixels of a monospace character at 12 px, rounded up: fonts differ


def picture(
    width: float, height: float, title: str, description: str, *shapes: Child, class_: str = ""
) -> Html:
    """An `img` for assistive technology, named by its title and description.

    What is wider than the page is made smaller, as far as it can still be read.
    """
    scale = max(min(PAGE / max(width, 1), 1.0), SMALLEST)
    return tag(
        "svg",
        tag("title", title),
        tag("desc", text(description, 2000)),
        *shapes,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=f"{width * scale:.0f}",
        height=f"{height * scale:.0f}",
        role="img",
        class_=class_ or None,
        aria_label=f"{title}. {description}",
    )


def label(
    x: float, y: float, value: object, cells: int, class_: str | None = None, **more: Value
) -> Html:
    """Text cut to so many cells, with the whole name as a tooltip where it was longer."""
    whole = escape(value)
    shown = clip_middle(whole, cells)
    tip = tag("title", whole) if shown != whole else None
    return tag("text", tip, shown, x=float(x), y=float(y), class_=class_, **more)


def rect(
    x: float, y: float, width: float, height: float, class_: str, *inside: Child, **more: Value
) -> Html:
    """A rectangle; `inside` is its tooltip."""
    return tag(
        "rect", *inside, x=float(x), y=float(y), width=float(width), height=float(height),
        class_=class_, **more,
    )  # fmt: skip


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Html:
    """A straight line."""
    return tag("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)


def width_of(value: object, most: int) -> int:
    """Cells that `label` takes for it."""
    return min(cell_len(escape(value)[: most * 8]), most)
