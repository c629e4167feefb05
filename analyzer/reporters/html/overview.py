"""The top of the page: the verdict, what was read, instances by state; and its foot."""

from __future__ import annotations

import os
import shlex

from analyzer.analysis import Analysis
from analyzer.escape import escape
from analyzer.reporters.context import Context
from analyzer.reporters.html import blocks
from analyzer.reporters.html.markup import Html, join, tag, text
from analyzer.reporters.style import STATE_GLYPHS, joined, state_rank
from analyzer.reporters.summary import briefly, verdict, worst
from analyzer.reporters.units import count, moment, percent


def header(analysis: Analysis, context: Context) -> Html:
    """The sentence that matters, the facts under it, and a tile a state."""
    state, said = verdict(analysis)
    glyph = blocks.mark(STATE_GLYPHS[state][0]) if state in STATE_GLYPHS else None
    first = worst(analysis)
    told = [tag("p", tag("b", "Worst: "), briefly(first.message), class_="worst")] if first else []
    alarms = [tag("p", tag("b", "Not green: "), f"{o}.", class_="alarm", role="alert")
              for o in context.obstacles(analysis)]  # fmt: skip
    return tag(
        "header",
        tag("p", "choreoscope", class_="brand"),
        tag("h1", glyph, said, class_=blocks.state_class(state or "unknown")),
        join(told),
        join(alarms),
        _facts(analysis, context),
        _tiles(analysis),
    )


def _facts(analysis: Analysis, context: Context) -> Html | None:
    recording = analysis.recording
    read = recording.intake.sources
    names = [s.rstrip("/") or s for s in context.sources] or list(read)
    shown = joined((s if len(s) <= 60 else os.path.basename(s) or s for s in names), 3, 80)
    several = f" ({count(len(read), 'file')})" if context.sources and len(read) > len(names) else ""
    size = (
        count(recording.spans.height, "span"),
        count(context.traces(analysis), "trace"),
        count(context.services(analysis), "service"),
        count(recording.links.height, "link"),
    )
    before = count(context.instances_before_where or 0, "instance")
    narrowed = f"{context.where} keeps {analysis.instances.height:,} of {before}"
    return blocks.facts(
        (
            ("Source", shown + several),
            ("As of", moment(analysis.as_of_ns) if recording.spans.height else ""),
            ("Read", " · ".join(size)),
            ("Filter", narrowed if context.where else ""),
        )
    )


def _tiles(analysis: Analysis) -> Html | None:
    states = sorted(analysis.by_state, key=lambda s: (state_rank(s), s))
    total = max(analysis.instances.height, 1)
    tiles = [
        tag(
            "li",
            tag("span", f"{analysis.by_state[s]:,}", class_="count"),
            blocks.state(s),
            tag("span", percent(analysis.by_state[s] / total), class_="share"),
            class_=blocks.state_class(s),
        )
        for s in states
    ]
    if not tiles:
        return None
    bar = blocks.states_bar(analysis.by_state, "Instances by state")
    return join([bar, tag("ul", join(tiles), class_="tiles", aria_label="Instances by state")])


def footer(analysis: Analysis, context: Context) -> Html:
    """How to get the same and more; what the marks mean."""
    sources = context.sources or analysis.recording.intake.sources
    usable = all(s.isprintable() for s in sources) and len(" ".join(sources)) <= 300
    typed = shlex.join([*sources, *context.options]) if usable else "SOURCE..."
    again = escape(f"choreoscope analyze {typed} --output html=report.html")
    return tag(
        "footer",
        tag(
            "p",
            "Everything in numbers: --output json=report.json. The same spans give the same page.",
        ),
        tag("pre", tag("code", text(again, 600)), tabindex=0, aria_label="Command of this report"),
    )
