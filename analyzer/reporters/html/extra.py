"""Sections that come from elsewhere: conformance, the comparison with a baseline."""

from __future__ import annotations

from analyzer.analysis import Analysis
from analyzer.reporters.context import Context
from analyzer.reporters.html import blocks
from analyzer.reporters.html.markup import Html, join, tag, text
from analyzer.reporters.section import GLYPHS, Section, Verdict

SHOWN = 200
_CLASSES = {
    Verdict.HELD: "st-complete",
    Verdict.BROKEN: "st-stuck",
    Verdict.UNJUDGED: "st-unknown",
    Verdict.CHANGED: "st-late",
}


def section(analysis: Analysis, context: Context) -> Html | None:
    """All of them under one heading; nothing where none was given."""
    if not context.sections:
        return None
    return blocks.section("sections", "Checks", join(_one(part) for part in context.sections))


def _one(part: Section) -> Html:
    counts = ", ".join(f"{n:,} {verdict.value}" for verdict, n in part.counts.items())
    rows = [
        (_verdict(line.verdict), text(line.subject, 120), text(line.title, 160), text(line.detail))
        for line in part.lines[:SHOWN]
    ]
    shown = blocks.table(f"{part.title}: {counts}", ("Verdict", "About", "What", "Why"), rows)
    return join(
        [
            tag("h3", f"{part.title[:1].upper()}{part.title[1:]}"),
            tag("p", part.summary),
            shown if rows else None,
            blocks.cut(len(part.lines) - SHOWN, "line"),
        ]
    )


def _verdict(verdict: Verdict) -> Html:
    glyph = blocks.mark(GLYPHS[verdict][0])
    return tag("span", glyph, verdict.value, class_=f"state {_CLASSES[verdict]}")
