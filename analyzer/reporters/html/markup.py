"""HTML and SVG elements from values: whatever is not markup already is escaped, always."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from analyzer.escape import Target, escape
from analyzer.reporters.style import prose

CAMEL = frozenset({"viewBox", "preserveAspectRatio", "markerWidth", "markerHeight", "refX", "refY"})
VOID = frozenset({"meta", "br", "hr", "col", "link"})
# Elements that stand on a line of their own, so that two reports can be compared by line.
BLOCKS = frozenset(
    {"head", "body", "header", "main", "footer", "nav", "section", "article", "figure", "svg",
     "table", "caption", "thead", "tbody", "tr", "ul", "ol", "li", "dl", "div", "details", "h1",
     "h2", "h3", "p", "meta", "title", "style", "g", "pre"}
)  # fmt: skip


class Html(str):
    """Text that is markup; everything else is foreign until `tag` or `text` has escaped it."""

    __slots__ = ()


Child: TypeAlias = "str | int | Iterable[Child] | None"
Value: TypeAlias = "str | int | float | bool | None"


def text(value: object, limit: int = 400) -> Html:
    """A string as visible text; what is beyond `limit` characters is counted."""
    return Html(escape(prose(value, limit), Target.HTML))


def tag(name: str, /, *children: Child, **attributes: Value) -> Html:
    """`<name ...>children</name>`. `class_` is class, `aria_label` is aria-label.

    An attribute that is None or False is left out, one that is True stands without a value.
    """
    inside = "".join(_flat(children))
    end = "" if name in VOID else f"</{name}>"
    line = "\n" if name in BLOCKS else ""
    return Html(f"<{name}{_attributes(attributes)}>{inside}{end}{line}")


def join(children: Iterable[Child]) -> Html:
    """Several pieces one after the other."""
    return Html("".join(_flat(children)))


def number(value: float) -> str:
    """A coordinate: a tenth of a pixel is enough, and the same on every platform."""
    said = f"{value:.1f}"
    return said[:-2] if said.endswith(".0") else said


def _flat(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Html):
            yield child
        elif isinstance(child, str | int):
            yield text(child)
        else:
            yield from _flat(child)


def _attributes(values: dict[str, Value]) -> str:
    parts = []
    for name, value in values.items():
        if value is None or value is False:
            continue
        shown = name if name in CAMEL else name.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(f" {shown}")
            continue
        said = number(value) if isinstance(value, float) else value
        parts.append(f' {shown}="{text(said, 2000)}"')
    return "".join(parts)
