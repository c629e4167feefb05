"""Pieces that several sections share: tables, folds, badges, counts of what is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from analyzer.finding import State
from analyzer.reporters.html.markup import Child, Html, join, tag
from analyzer.reporters.html.svg import rect
from analyzer.reporters.style import SEVERITY_GLYPHS, STATE_GLYPHS, more, share_out, state_rank

STATES = frozenset(state.value for state in State)


def section(anchor: str, title: str, *children: Child, note: str = "") -> Html:
    """A section with its heading; `note` stands beside it."""
    head = tag(
        "h2", title, tag("span", note, class_="note") if note else None, id=f"{anchor}-title"
    )
    return tag("section", head, *children, id=anchor, aria_labelledby=f"{anchor}-title")


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[Child]],
    numbers: str = "",
    hidden: bool = False,
) -> Html:
    """A table in a frame that scrolls by itself; `numbers` marks right-aligned columns with `r`."""
    align = [("num" if position < len(numbers) and numbers[position] == "r" else None)
             for position in range(len(heads))]  # fmt: skip
    top = tag(
        "tr", [tag("th", h, scope="col", class_=a) for h, a in zip(heads, align, strict=True)]
    )
    body = [
        tag("tr", [
            tag("th" if i == 0 else "td", cell, scope="row" if i == 0 else None, class_=align[i])
            for i, cell in enumerate(row)
        ])
        for row in rows
    ]  # fmt: skip
    said = tag("caption", caption, class_="hidden" if hidden else None)
    inside = tag("table", said, tag("thead", top), tag("tbody", join(body)))
    return frame(inside, caption)


def frame(inside: Html, label: str) -> Html:
    """What is wider than a telephone scrolls by itself, also by keyboard."""
    return tag("div", inside, class_="frame", tabindex=0, role="group", aria_label=label)


def fold(title: Child, *children: Child, open_: bool = False) -> Html:
    """Details on demand; on paper they are open."""
    return tag("details", tag("summary", title), *children, open=open_)


def cut(hidden: int, noun: str, tail: str = "") -> Html | None:
    """`+N more`, where something was left out."""
    said = more(hidden, noun, tail)
    return tag("p", said[0], class_="cut") if said else None


def state(value: str) -> Html:
    """A state with its glyph, in its colour."""
    glyph = STATE_GLYPHS.get(value, ("?", "?"))[0]
    return tag("span", mark(glyph), value, class_=f"state {state_class(value)}")


def severity(value: str) -> Html:
    """A severity with its glyph, in its colour."""
    glyph = SEVERITY_GLYPHS.get(value, ("·", "-"))[0]
    return tag("span", mark(glyph), value, class_=f"badge sev-{value}")


def mark(glyph: str) -> Html:
    """A glyph that says again what the word beside it says."""
    return tag("span", glyph, class_="glyph", aria_hidden="true")


def state_class(value: str) -> str:
    """The class of a state's colour; unknown ones have none."""
    return f"st-{value}" if value in STATES else "st-unknown"


def states_bar(counts: Mapping[str, int], label: str) -> Html:
    """A bar of the states, worst first; every state that occurs can be seen."""
    cells = share_out({s: n for s, n in counts.items() if n}, 200)
    left, shapes = 0.0, []
    for name in sorted(cells, key=lambda s: (state_rank(s), s)):
        tip = tag("title", f"{counts[name]:,} {name}")
        shapes.append(rect(left, 0, cells[name], 10, f"fill {state_class(name)}", tip))
        left += cells[name]
    return tag(
        "svg", tag("title", label), join(shapes), viewBox="0 0 200 10", class_="bar", role="img",
        aria_label=label, preserveAspectRatio="none",
    )  # fmt: skip


def meter(share: float, label: str) -> Html:
    """A share between 0 and 1 as a bar; the number stands beside it."""
    full = round(max(0.0, min(share, 1.0)) * 100)
    return tag(
        "svg",
        rect(0, 0, 100, 8, "track"),
        rect(0, 0, full, 8, "level"),
        viewBox="0 0 100 8", class_="meter", role="img", aria_label=label,
        preserveAspectRatio="none",
    )  # fmt: skip


def facts(pairs: Iterable[tuple[str, Child]]) -> Html | None:
    """Names and values; those without a value are left out."""
    shown = [(name, value) for name, value in pairs if value]
    rows = [tag("div", tag("dt", name), tag("dd", value)) for name, value in shown]
    return tag("dl", join(rows), class_="facts") if rows else None
