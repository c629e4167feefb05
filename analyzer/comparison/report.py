"""A comparison as text, JSON or Markdown: the same bytes for the same two sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from analyzer.comparison.change import KINDS, PLAIN_KINDS, Change, Comparison, Figure, Side
from analyzer.escape import Target, escape, json_text
from analyzer.reporters.json import number
from analyzer.reporters.style import Style, more, prose
from analyzer.reporters.units import SECOND, count, duration, percent

SCHEMA_VERSION = "1"
SHOWN = 40  # changes of one kind in text and Markdown; JSON has all
_SIGNS = {"new": ("+", "green"), "gone": ("-", "red")}


def text(comparison: Comparison, style: Style) -> str:
    """For people, on a terminal; ends in a line feed."""
    lines = style.wrap(
        f"{_named(comparison.before)} → {_named(comparison.after)}", "choreoscope diff · ", "  "
    )
    lines += ["", *style.wrap(_summary(comparison), "")]
    for kind, changes in _by_kind(comparison.changes):
        lines += ["", *style.wrap(_about(kind), f"{style.paint(kind, 'bold')}  ", "  ")]
        for change in changes[:SHOWN]:
            lines += _text_lines(change, style)
        lines += [f"  {line}" for line in more(len(changes) - SHOWN, "change")]
    if comparison.notes:
        lines += ["", style.heading("not compared")]
        for note in comparison.notes:
            lines += style.wrap(prose(note), "  ", "    ")
    return style.own("\n".join(line.rstrip() for line in lines)) + "\n"


def markdown(comparison: Comparison, style: Style) -> str:
    """A section for a pull request comment or a job summary."""
    del style  # it has no colours and no width
    ends = [escape(_named(side), Target.MARKDOWN) for side in (comparison.before, comparison.after)]
    lines = [f"### Workflows: {ends[0]} → {ends[1]}", "", _summary(comparison)]
    if comparison.changes:
        lines += ["", "| change | what | before | after | |", "|---|---|---|---|---|"]
    for _, changes in _by_kind(comparison.changes):
        lines += [_row(change) for change in changes[:SHOWN]]
        lines += [f"| | {line} | | | |" for line in more(len(changes) - SHOWN, "change")]
    lines += ["", *(f"- {_cell(note)}" for note in comparison.notes)] * bool(comparison.notes)
    return "\n".join(lines) + "\n"


def json(comparison: Comparison, style: Style) -> str:
    """Everything; `schema_version` 1, fields may join."""
    del style
    return json_text(document(comparison), indent=2) + "\n"


def document(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain values."""
    counts = Counter(change.kind for change in comparison.changes)
    return {
        "schema_version": SCHEMA_VERSION,
        "before": asdict(comparison.before),
        "after": asdict(comparison.after),
        "alpha": number(comparison.alpha),
        "tests": comparison.tests,
        "counts": {kind: counts[kind] for kind in KINDS if counts[kind]},
        "changes": [change_fields(change) for change in comparison.changes],
        "unsure": [change_fields(change) for change in comparison.unsure],
        "notes": list(comparison.notes),
    }


def change_fields(change: Change) -> dict[str, Any]:
    """One entry of `changes` and `unsure`; places and figures without a value are null."""
    place = asdict(change.place)
    return {
        "kind": change.kind,
        "subject": change.subject,
        **(place | {"services": list(change.place.services)}),
        "measure": change.measure,
        "before": _figure_fields(change.before),
        "after": _figure_fields(change.after),
        "p": None if change.p is None else float(f"{change.p:.3g}"),
        "q": None if change.q is None else float(f"{change.q:.3g}"),
        "note": change.note,
    }


def _figure_fields(figure: Figure) -> dict[str, Any]:
    return {
        "value": number(figure.value),
        "n": figure.n,
        "low": number(figure.low),
        "high": number(figure.high),
    }


FORMATS: dict[str, Callable[[Comparison, Style], str]] = {
    "text": text,
    "json": json,
    "markdown": markdown,
}


def _named(side: Side) -> str:
    return f"{prose(side.name, 80)} ({side.form}, {count(side.instances, 'instance')})"


def _summary(comparison: Comparison) -> str:
    """One sentence; ours alone."""
    found, tests = len(comparison.changes), count(comparison.tests, "comparison")
    unsure = len(comparison.unsure)
    tail = f"; {count(unsure, 'difference')} that chance explains as well" if unsure else ""
    if not found:
        return f"Nothing changed in {tests}{tail}."
    share = percent(comparison.alpha)
    return f"{count(found, 'change')} in {tests}, of which {share} may be chance{tail}."


def _by_kind(changes: tuple[Change, ...]) -> list[tuple[str, list[Change]]]:
    found: dict[str, list[Change]] = {}
    for change in changes:
        found.setdefault(change.kind, []).append(change)
    return list(found.items())


def _about(kind: str) -> str:
    sign, _, spot = kind.partition("-")
    return PLAIN_KINDS.get(kind) or f"a hotspot of coupling ({spot}) that {_VERBS[sign]}"


_VERBS = {"new": "was not there before", "gone": "is there no more"}


def _text_lines(change: Change, style: Style) -> list[str]:
    sign, colour = _SIGNS.get(change.kind.partition("-")[0], ("~", "yellow"))
    lines = style.wrap(prose(change.subject, 200), f"  {style.paint(sign, colour)} ", "    ")
    said = _figures(change)
    if change.note:
        said = f"{said}; {prose(change.note)}" if said else prose(change.note)
    return lines + (style.wrap(said, "      ") if said else [])


def _figures(change: Change) -> str:
    """Both sides in words; nothing where there is no figure."""
    before, after = (_said(figure, change.measure) for figure in (change.before, change.after))
    return f"{before} → {after}" if before and after else ""


def _said(figure: Figure, measure: str) -> str:
    value = figure.value
    if value is None:
        return ""
    if measure in ("share", "errors"):
        return f"{percent(value)} of {figure.n:,}"
    if measure.startswith("seconds"):
        quantile = measure.removeprefix("seconds-")
        return f"{duration(value * SECOND)} ({quantile}, n = {figure.n:,})"
    if measure == "per-instance":
        return f"{value:.3g} an instance (n = {figure.n:,})"
    return f"{value:.0f}" if measure == "count" else f"{value:.2f}"


def _row(change: Change) -> str:
    sides = (_said(figure, change.measure) for figure in (change.before, change.after))
    cells = (change.kind, change.subject, *sides, change.note)
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(words: str) -> str:
    return escape(words, Target.MARKDOWN, limit=200)
